// Puts the page together: what changed is drawn with the next frame.

import { Connection } from "./connection.js";
import { by, mark, write } from "./elements.js";
import { renderEvents, speak } from "./events.js";
import { prepareExplain } from "./explain.js";
import { Model } from "./model.js";
import { renderFrame, renderOverview, renderSources } from "./overview.js";
import { renderLegend, renderPicture } from "./picture.js";
import { renderResources, renderSessions, show } from "./resources.js";
import { countOn } from "./words.js";

const CHECK = 30000; // ms

let names = new Set(); // resources to draw; null for all
let drawDevices = false;
let drawEvents = false;
let frame = null;

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
    soon();
  },
  happened(event) {
    drawEvents = true;
    if (names !== null && event.resource) names.add(event.resource);
    if (event.kind === "kubeletAppeared") names = null;
    if (event.time >= model.since) speak(event);
    soon();
  },
  restarted: () => connection.startAgain(),
});

const connected = (tone, text) => {
  mark(by("connection"), "data-tone", tone);
  write(by("connection"), text);
};

const connection = new Connection({
  onEvent: (event) => model.heard(event),
  onOpen() {
    connected("good", "Live");
    model.refresh().catch(() => { model.incomplete = true; });
  },
  onLost: () => connected("bad", "Connection lost, trying again"),
});

const redraw = () => {
  [names, drawDevices, drawEvents] = [null, true, true];
  soon();
};
renderLegend();
connection.open();
by("quiet").addEventListener("change", redraw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
addEventListener("resize", redraw);
prepareExplain().catch(() => {}); // then it cannot
setInterval(() => {
  countOn();
  if (model.state !== null && !document.hidden) renderSessions(model);
}, 1000);
setInterval(() => document.hidden || model.check(), CHECK);
