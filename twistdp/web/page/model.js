// What the page knows of the plugin, and how it learns more.
//
// The numbers come first, then the devices in pieces, so that neither the plugin nor the page waits.
// Later only those devices are asked for that an event names.

import { now, setClock } from "./words.js";

const PIECE = 250; // devices of one answer
const MOST_IDS = 40; // devices that are asked for by name; an address has room for them
const TOUCHED = 100; // an event with so many ids may be about more
const PAUSE = 100; // ms between two questions about one resource
const EVENTS = 500; // that are kept
const LONGEST = 20000; // ms until an answer

const order = new Intl.Collator("en", { numeric: true });
const compare = (a, b) => order.compare(a.id, b.id) || (a.id < b.id ? -1 : Number(a.id > b.id));

async function ask(parameters) {
  const answer = await fetch(`api/v1/state?${new URLSearchParams(parameters)}`, { signal: AbortSignal.timeout(LONGEST) });
  if (!answer.ok) throw new Error(`the plugin answered ${answer.status}`);
  return answer.json();
}

/** The devices of one resource, in natural order. */
class Shelf {
  constructor() {
    this.byId = new Map();
    this.list = [];
    this.complete = false;
  }

  put(devices) {
    let last = this.list.at(-1);
    let sorted = true;
    for (const device of devices) {
      if (!this.byId.has(device.id)) {
        sorted &&= last === undefined || compare(last, device) < 0;
        last = device;
      }
      this.byId.set(device.id, device);
    }
    this.arrange(!sorted);
  }

  drop(ids) {
    if (!ids.length) return;
    for (const id of ids) this.byId.delete(id);
    this.arrange(false);
  }

  arrange(sort) {
    this.list = [...this.byId.values()];
    if (sort) {
      this.list.sort(compare);
      this.byId = new Map(this.list.map((device) => [device.id, device]));
    }
  }
}

/**
 * The state; `changed(names)` is called when these resources, or anything else, changed.
 *
 * `restarted(isSame)` is called when another process answers, of the same version or not, and
 * `unanswered()` when none does.
 */
export class Model {
  constructor({ changed, happened, restarted, unanswered }) {
    this.changed = changed;
    this.happened = happened;
    this.restarted = restarted;
    this.unanswered = unanswered;
    this.state = null;
    this.shelves = new Map();
    this.loading = new Map(); // shelves that are being filled
    this.events = [];
    this.dirty = new Map(); // resource: ids to ask for, or null for all
    this.asking = new Set();
    this.summaryWanted = false;
    this.since = Infinity; // events before are in the state already
    this.lost = null; // when the connection was lost; null while it is there
  }

  devices(name) {
    return this.shelves.get(name) ?? new Shelf();
  }

  /** Learn everything, at the start and after each time that events may have been missed. */
  async refresh() {
    const state = await ask({ devices: "false" });
    if (this.state !== null && state.startTime !== this.state.startTime) {
      this.events = [];
      this.restarted(state.version === this.state.version);
    }
    this.since = state.time;
    const known = [...this.shelves.keys()];
    this.take(state, true);
    for (const name of known) if (this.shelves.has(name)) this.want(name, null);
  }

  /** Learn now and then what no event told. */
  check(everything = false) {
    if (!everything && !this.incomplete) return this.wantSummary();
    this.incomplete = false;
    return this.refresh().catch(() => {
      this.incomplete = true;
      this.unanswered();
    });
  }

  take(state, whole) {
    setClock(state.time);
    const news = new Map(state.resources.map((resource) => [resource.name, { ...resource, devices: null }]));
    const before = whole || this.state === null ? [] : this.state.resources.filter(({ name }) => !news.has(name));
    const resources = [...before, ...news.values()].sort((a, b) => order.compare(a.name, b.name));
    this.state = { ...state, resources };
    const there = new Set(resources.map(({ name }) => name));
    const gone = [...this.shelves.keys()].filter((name) => !there.has(name));
    for (const name of gone) this.shelves.delete(name);
    for (const { name } of resources) {
      if (!this.shelves.has(name)) {
        this.shelves.set(name, new Shelf());
        this.want(name, null);
      }
    }
    this.changed([...news.keys(), ...gone]);
  }

  /** An event came. */
  heard(event) {
    this.events.push(event);
    if (this.events.length > EVENTS) this.events.splice(0, this.events.length - EVENTS);
    this.happened(event);
    if (event.time < this.since) return;
    const name = event.resource;
    if (name === undefined) {
      if (event.kind === "scanned") this.scanned(event);
      else if (event.kind === "podResources") this.check(true);
      else this.wantSummary();
    } else if (event.kind === "called") {
      this.called(event);
    } else if (event.kind !== "listSent") {
      this.want(name, touched(event));
    }
  }

  scanned(event) {
    const scanner = this.state.scanners.find((each) => each.name === event.scanner);
    if (scanner === undefined || !scanner.scanned || event.failed) return this.wantSummary();
    scanner.lastScan = { time: event.time, seconds: event.seconds };
    this.changed([]);
  }

  called(event) {
    const resource = this.state.resources.find(({ name }) => name === event.resource);
    if (resource === undefined) return;
    resource.session.lastWord = event.time;
    this.changed([]);
  }

  wantSummary() {
    if (this.summaryWanted) return;
    this.summaryWanted = true;
    setTimeout(async () => {
      this.summaryWanted = false;
      await ask({ devices: "false" }).then((state) => {
        if (state.time < this.since) return this.refresh(); // the clock was set back; events looked old
        return this.take(state, true);
      }).catch(() => this.unanswered());
    }, PAUSE);
  }

  /** Ask for devices of a resource; all of them if `ids` is null. */
  want(name, ids) {
    const wanted = this.dirty.get(name);
    if (ids === null || wanted === null) this.dirty.set(name, null);
    else this.dirty.set(name, new Set([...(wanted ?? []), ...ids]));
    if (!this.asking.has(name)) this.answer(name);
  }

  async answer(name) {
    this.asking.add(name);
    while (this.dirty.has(name)) {
      const ids = this.dirty.get(name);
      this.dirty.delete(name);
      try {
        if (ids === null || ids.size > MOST_IDS) await this.askAll(name).finally(() => this.loading.delete(name));
        else await this.askSome(name, [...ids]);
      } catch {
        this.incomplete = true; // until all is asked for again
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
    this.asking.delete(name);
  }

  async askSome(name, ids) {
    const parameters = [["resource", name], ...ids.map((id) => ["device", id])];
    const state = await ask(ids.length ? parameters : [["resource", name], ["devices", "false"]]);
    const [found] = state.resources;
    if (found === undefined) return this.wantSummary();
    const there = new Set(found.devices?.map(({ id }) => id));
    for (const shelf of ids.length ? [this.shelves.get(name), this.loading.get(name)] : []) {
      shelf?.drop(ids.filter((id) => !there.has(id)));
      shelf?.put(found.devices);
    }
    this.take(state, false);
  }

  async askAll(name) {
    const shelf = new Shelf();
    this.loading.set(name, shelf);
    let after = [];
    for (;;) {
      const ids = this.dirty.get(name);
      if (ids && ids.size <= MOST_IDS) { // those who look do not wait until all is there
        this.dirty.delete(name);
        await this.askSome(name, [...ids]);
      }
      const state = await ask([["resource", name], ["limit", PIECE], ...after]);
      const [found] = state.resources;
      if (found === undefined) return this.wantSummary();
      const devices = found.devices;
      shelf.put(devices);
      const first = !this.devices(name).complete;
      shelf.complete = devices.length < PIECE;
      if (first || shelf.complete) this.shelves.set(name, shelf);
      this.take(state, false);
      if (shelf.complete) return;
      after = [["after", devices.at(-1).id]];
    }
  }
}

/** The ids of devices that an event is about; null if they may be many more. */
function touched(event) {
  if (event.kind === "notListed") return null;
  if (event.kind === "devicesChanged") {
    return event.touched === undefined || event.touched.length >= TOUCHED ? null : event.touched;
  }
  if (event.kind === "allocated") return event.ids.flat();
  if (event.kind === "held") {
    const ids = [...event.held, ...event.released].map(([id]) => id);
    return ids.length >= TOUCHED ? null : ids;
  }
  return [];
}
