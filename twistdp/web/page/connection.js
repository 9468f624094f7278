// Follows the plugin's events, and comes back when the connection is lost.

const KINDS = [
  "registered", "registrationFailed", "kubeletAppeared", "streamOpened", "streamEnded", "listSent",
  "called", "allocated", "devicesChanged", "notListed", "held", "podResources", "scanned", "scanFailed",
  "scanHung", "scanReturned", "scanRecovered", "overflowed", "configurationRead", "configurationRefused",
];
const AGAIN = 5000; // ms until another attempt, where the browser makes none

/**
 * Follow the events: `onEvent` gets each, `onOpen` each beginning, `onLost` each end.
 *
 * `onLost` learns whether the plugin is there and refuses.  A page that is hidden does not follow:
 * a browser has only six connections to a server.
 */
export class Connection {
  constructor({ onEvent, onOpen, onLost }) {
    this.onEvent = onEvent;
    this.onOpen = onOpen;
    this.onLost = onLost;
    this.last = 0;
    this.source = null;
    this.timer = null;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.close() : this.open()));
  }

  /** Whether events come. */
  get live() {
    return this.source?.readyState === EventSource.OPEN;
  }

  /** Begin to follow after the last event that came. */
  open() {
    if (this.source !== null || document.hidden) return;
    const source = new EventSource(`api/v1/events?after=${this.last}`);
    this.source = source;
    source.onopen = () => this.onOpen();
    source.onerror = () => {
      const isRefused = source.readyState === EventSource.CLOSED;
      if (isRefused) this.again();
      this.onLost(isRefused);
    };
    for (const kind of KINDS) {
      source.addEventListener(kind, (message) => {
        this.last = Number(message.lastEventId);
        this.onEvent({ number: this.last, ...JSON.parse(message.data) });
      });
    }
  }

  /** Follow no longer. */
  close() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  /** Try again a little later. */
  again() {
    this.close();
    this.timer = setTimeout(() => this.open(), AGAIN);
  }

  /** The plugin did not answer: an open connection may lead nowhere. */
  doubt() {
    if (!this.live) return;
    this.again();
    this.onLost(false);
  }

  /** Follow another process, from its first event. */
  startAgain() {
    this.close();
    this.last = 0;
    this.open();
  }
}
