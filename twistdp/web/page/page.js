// Puts the page together: what changed is drawn with the next frame.

import { Connection } from "./connection.js";
import { by, mark, write } from "./elements.js";
import { renderEvents, speak } from "./events.js";
import { prepareExplain } from "./explain.js";
import { Model } from "./model.js";
import { renderFrame, renderOverview, renderSources } from "./overview.js";
import { renderLegend, renderPicture } from "./picture.js";
import { renderResources, renderSessions, show } from "./resources.js";
import { clock, countOn, now } from "./words.js";

const CHECK = 30000; // ms
const PATIENCE = 2000; // ms without a connection

let names = new Set(); // resources to draw; null for all
let drawDevices = false;
let drawEvents = false;
let frame = null;
let doubted = null; // a timer
let isRefused = false; // the plugin is there, but lets nobody else follow

function draw() {
  frame = null;
  if (model.state !== null) {
    renderFrame(model);
    renderOverview(model, show);
    if (drawDevices) renderPicture(model, show);
    renderResources(model, names);
    renderSources(model);
  }
  if (drawEvents) renderEvents(model);
  [names, drawDevices, drawEvents] = [new Set(), false, false];
}

function soon() {
  frame ??= requestAnimationFrame(draw);
}

const model = new Model({
  changed(changed) {
    if (names !== null) for (const name of changed) names.add(name);
    drawDevices ||= changed.length > 0;
    if (isRefused) answered("wait", `Not live, updated every ${CHECK / 1000} s`);
    soon();
  },
  happened(event) {
    drawEvents = true;
    if (names !== null && event.resource) names.add(event.resource);
    if (event.kind === "kubeletAppeared") names = null;
    if (event.time >= model.since) speak(event);
    soon();
  },
  restarted: (isSame) => (isSame ? connection.startAgain() : location.reload()), // it may have another page
  unanswered() {
    connection.doubt();
    lost();
  },
});

const connected = (tone, text) => {
  mark(by("connection"), "data-tone", tone);
  write(by("connection"), text);
};

/** The plugin does not answer: the page shows the past, unless that is over at once. */
function lost() {
  if (model.lost !== null || doubted !== null) return;
  const time = now();
  doubted = setTimeout(() => {
    model.lost = time;
    connected("bad", `Connection lost at ${clock(time)}`);
    soon();
  }, PATIENCE);
}

/** The plugin answers. */
function answered(tone, text) {
  clearTimeout(doubted);
  doubted = model.lost = null;
  connected(tone, text);
}

const connection = new Connection({
  onEvent: (event) => model.heard(event),
  onOpen() {
    isRefused = false;
    answered("good", "Live");
    model.check(true);
  },
  onLost(refused) {
    isRefused = refused;
    if (refused) model.check(model.state === null);
    else lost();
  },
});

const redraw = () => {
  [names, drawDevices, drawEvents] = [null, true, true];
  soon();
};
renderLegend();
connection.open();
by("quiet").addEventListener("change", redraw);
for (const taste of ["(prefers-color-scheme: dark)", "(forced-colors: active)", "print"]) {
  matchMedia(taste).addEventListener("change", redraw);
}
addEventListener("resize", redraw);
for (const fault of ["error", "unhandledrejection"]) {
  addEventListener(fault, () => { by("fault").hidden = false; });
}
prepareExplain().catch(() => {}); // then it cannot
setInterval(() => {
  countOn();
  if (model.state !== null && !document.hidden) renderSessions(model);
}, 1000);
setInterval(() => document.hidden || model.check(!connection.live), CHECK);
