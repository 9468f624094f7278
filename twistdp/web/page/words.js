// How things are written: times, numbers, and what happened.

import { h } from "./elements.js";

let skew = 0;

/** Learn the plugin's clock: the time of its answer. */
export function setClock(time) {
  skew = time - Date.now() / 1000;
}

/** Now, by the plugin's clock, in seconds since the epoch. */
export const now = () => Date.now() / 1000 + skew;

/** `1 device`, `2 devices`. */
export const counted = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

/** A span of seconds in one unit or two. */
export function span(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

/** The time of day, and the date if it was another day. */
export function clock(time) {
  const date = new Date(time * 1000);
  const text = date.toLocaleTimeString("en-GB");
  return date.toDateString() === new Date().toDateString() ? text : `${date.toLocaleDateString("en-CA")} ${text}`;
}

/** An element with a time of day. */
export const at = (time) =>
  h("time", { datetime: new Date(time * 1000).toISOString(), title: new Date(time * 1000).toString() }, clock(time));

/** An element that counts on: how long ago something was. */
export const ago = (time) => h("time", { datetime: new Date(time * 1000).toISOString(), "data-since": time }, span(now() - time));

/** Let all such elements count on. */
export function countOn() {
  for (const element of document.querySelectorAll("[data-since]")) {
    const text = span(now() - Number(element.dataset.since));
    if (element.textContent !== text) element.textContent = text;
  }
}

/** An element with the full name of a resource, or another name. */
export function named(name) {
  const start = name.lastIndexOf("/") + 1;
  return h("span", { class: "name" }, start ? h("span", { class: "domain" }, name.slice(0, start)) : null, name.slice(start));
}

/** Some names, and how many more. */
export function some(names, most = 6, count = names.length) {
  const shown = names.slice(0, most).join(", ");
  return count > most ? `${shown} and ${(count - most).toLocaleString("en")} more` : shown;
}

/** A text with a full stop at its end. */
export const stopped = (text) => (/[.!?…]$/.test(text) ? text : `${text}.`);

/** A pod's container. */
export const holderText = (holder) => `${holder.namespace}/${holder.pod}, container ${holder.container}`;

const pairs = (found) => found.map(([id, holder]) => `${id} (${holder.namespace}/${holder.pod})`);

/** What happened, as a tone and a sentence without its resource. */
const SENTENCES = {
  registered: () => ["good", "The kubelet accepted the resource."],
  registrationFailed: (e) => (e.refused ? ["bad", `The registration failed: ${e.reason}`] : ["wait", `Not registered: ${e.reason}`]),
  kubeletAppeared: (e) => ["wait", `A kubelet started in ${e.directory}.`],
  streamOpened: (e) => ["good", e.kubelets ? "The kubelet opened its stream." : "Another client opened a stream."],
  streamEnded: (e) => [e.kubelets ? "wait" : "none", e.kubelets ? "The kubelet's stream ended." : "Another client's stream ended."],
  listSent: (e) => ["none", `A list of ${counted(e.size, "byte")} was sent.`],
  called: (e) => [e.status === "OK" ? "none" : "bad", `${e.method} took ${(e.seconds * 1000).toFixed(1)} ms: ${e.status}.`],
  allocated: (e) => ["held", `The kubelet was given ${some(e.ids.flat(), 6, e.devices)} for ${counted(e.ids.length, "container")}.`],
  devicesChanged: (e) => {
    const parts = [];
    if (e.came.length) parts.push(`plugged in: ${some(e.came)}`);
    if (e.went.length) parts.push(`unplugged: ${some(e.went)}`);
    if (e.worse.length) parts.push(`unhealthy: ${some(e.worse)}`);
    if (e.better.length) parts.push(`healthy again: ${some(e.better)}`);
    const tone = e.worse.length ? "bad" : e.went.length ? "wait" : "good";
    const text = parts.length ? parts.join("; ") : `changed: ${some(e.touched ?? [])}`;
    return [tone, `${text[0].toUpperCase()}${text.slice(1)}.`];
  },
  notListed: (e) => (e.count ? ["bad", `${counted(e.count, "device")} cannot be listed: the list would be too long.`] : ["good", "All devices are listed again."]),
  held: (e) => {
    const [got, gone] = [pairs(e.held), pairs(e.released)];
    const parts = [];
    if (got.length) parts.push(`Held now: ${some(got)}.`);
    if (gone.length) parts.push(`Given back: ${some(gone)}.`);
    return ["held", parts.join(" ")];
  },
  podResources: (e) => (e.available ? ["good", "The kubelet names the pods that hold devices."] : ["none", `It is not known which pods hold devices: ${e.reason}`]),
  scanned: (e) => [e.failed ? "bad" : "none", `A scan ${e.failed ? "failed" : "ended"} after ${(e.seconds * 1000).toFixed(1)} ms.`],
  scanFailed: (e) => ["bad", `Scans fail: ${e.reason}`],
  scanHung: (e) => ["bad", `A scan has not returned for ${span(e.seconds)}.`],
  scanReturned: () => ["good", "The scan that hung has returned."],
  scanRecovered: (e) => ["good", `Scans work again, after ${counted(e.failures, "failure")}.`],
  overflowed: (e) => ["wait", `The kernel dropped events of ${e.source}; everything is scanned again.`],
  configurationRead: (e) => ["good", `${e.file} was read again; changed: ${e.changed.length ? some(e.changed) : "nothing"}.`],
  configurationRefused: (e) => ["bad", `${e.file} is refused: ${e.problems.join("; ")}`],
};

/** The tone of an event and its sentence; one of an unknown kind is shown as it is. */
export function sentence(event) {
  const known = SENTENCES[event.kind];
  try {
    if (known) return known(event);
  } catch {
    // A newer plugin has other facts.
  }
  const { kind, time, number, resource, ...facts } = event;
  return ["none", `${kind} ${JSON.stringify(facts)}`];
}
