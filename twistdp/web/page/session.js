// The session of a resource with the kubelet, as a strip of time and as a list.

import { h, mark, reconcile, write } from "./elements.js";
import { ago, at, clock, now, sentence, span } from "./words.js";
import { standing } from "./overview.js";

const LONGEST = 3600; // seconds that the strip shows
const LISTED = 8;
const KINDS = new Set(["registered", "registrationFailed", "kubeletAppeared", "streamOpened", "streamEnded"]);
const WORDS = { good: "stream open", wait: "no stream", bad: "registration fails", none: "not known" };

const concerns = (event, name) => KINDS.has(event.kind) && (event.resource ?? name) === name && event.kubelets !== false;

/** How a session stood over time: spans with a tone, from `start` until `end`, when it is `last`. */
export function spans(events, start, end, last) {
  const found = [];
  let tone = "none";
  let from = start;
  let streams = 0;
  const turn = (time, next) => {
    if (next === tone) return;
    if (time > from) found.push({ tone, from, to: time });
    [tone, from] = [next, Math.max(time, start)];
  };
  for (const event of events) {
    if (event.kind === "streamOpened") streams += 1;
    if (event.kind === "streamEnded") streams = Math.max(0, streams - 1);
    turn(event.time, streams ? "good" : event.refused ? "bad" : "wait");
  }
  found.push({ tone: tone === "none" ? tone : last, from, to: end });
  return found;
}

/** The part of a card that is about the session. */
export function sessionBox() {
  return h("div", { class: "session" },
    h("p", { class: "facts" }),
    h("div", { class: "strip", role: "img" }),
    h("p", { class: "scale", "aria-hidden": "true" }, h("span", {}), h("span", {}, "now")),
    h("details", {}, h("summary", {}, "Timeline"), h("ol", { class: "timeline" })));
}

/** Show how the session stands, and stood. */
export function renderSession(box, resource, model) {
  const { session } = resource;
  const [toneNow, , why] = standing(resource);
  const facts = box.querySelector(".facts");
  const shows = JSON.stringify([session, why.slice(0, 20)]);
  if (facts.shows !== shows) {
    facts.shows = shows;
    facts.replaceChildren(
      h("span", {}, session.standing === "registered" ? "Registered" : session.standing[0].toUpperCase() + session.standing.slice(1)),
      session.since === null ? "" : h("span", {}, " for ", ago(session.since)),
      h("span", {}, ` · ${session.streams} ${session.streams === 1 ? "stream" : "streams"}`),
      h("span", {}, " · last word from the kubelet ", session.lastWord === null ? "never" : ago(session.lastWord), session.lastWord === null ? "" : " ago"),
      session.reason && session.standing !== "registered" ? h("span", { class: "why" }, session.reason) : "");
  }
  const events = model.events.filter((event) => concerns(event, resource.name));
  const end = now();
  const first = model.events[0]?.number === 1 ? model.state.startTime : events[0]?.time ?? end - 1;
  const start = Math.max(first, end - LONGEST);
  const strip = box.querySelector(".strip");
  const parts = spans(events, first, end, toneNow).filter(({ to }) => to > start).map((part) => ({ ...part, from: Math.max(part.from, start) }));
  const ticks = events.filter((event) => event.kind === "kubeletAppeared" && event.time >= start);
  reconcile(strip, [
    ...parts.map((item, index) => ({ key: `s${index}`, shows: item.tone, item })),
    ...ticks.map((item) => ({ key: `t${item.number}`, shows: "", item })),
  ], (item) => (item.kind ? h("i", { class: "tick", title: `a kubelet started at ${clock(item.time)}` }) : h("b", { "data-tone": item.tone, title: WORDS[item.tone] })));
  const share = (seconds) => `${(100 * seconds) / Math.max(end - start, 1e-3)}%`;
  parts.forEach(({ from, to }, index) => {
    strip.children[index].style.left = share(from - start);
    strip.children[index].style.width = share(to - from);
  });
  ticks.forEach(({ time }, index) => { strip.children[parts.length + index].style.left = share(time - start); });
  const last = parts.at(-1);
  mark(strip, "aria-label", `Session in the last ${span(end - start)}: now ${WORDS[last.tone]}; ${ticks.length} starts of a kubelet; the timeline has all`);
  write(box.querySelector(".scale span"), `${span(end - start)} ago`);
  reconcile(box.querySelector(".timeline"), events.slice(-LISTED).reverse().map((item) => ({ key: `${item.number}`, shows: "", item })), (event) => {
    const [tone, text] = sentence(event);
    return h("li", { "data-tone": tone }, at(event.time), " ", text);
  });
}
