// A picture of the node: its NUMA nodes, and in them the devices, each with the mark of its state.

import { by, h, mark, reconcile, seen, unseen, write } from "./elements.js";
import { counted, holderText, named } from "./words.js";

const MOST_CHIPS = 60; // devices of one resource and NUMA node that are drawn with their names
const LARGEST = 14; // pixels of a cell with its gap
const SMALLEST = 4;
const TALL = 220; // pixels, which more than some thousand devices exceed

/** The states of a device, with mark and words. */
export const STATES = {
  free: ["○", "free"],
  held: ["●", "held by a pod"],
  ill: ["✕", "unhealthy"],
  "ill-held": ["⊗", "unhealthy, and held by a pod"],
  unlisted: ["◌", "not listed"],
};

/** The state of a device. */
export function stateOf(device) {
  if (device.health !== "Healthy") return device.holder === null ? "ill" : "ill-held";
  if (device.holder !== null) return "held";
  return device.listed ? "free" : "unlisted";
}

/** Show what the marks mean. */
export function renderLegend() {
  by("legend").replaceChildren(...Object.entries(STATES).map(([state, [sign, words]]) =>
    h("li", {}, h("span", { class: "mark", "data-state": state, "aria-hidden": "true" }, sign), words)));
}

const describe = (device) => {
  const why = device.health === "Healthy" || !device.reason ? "" : `: ${device.reason}`;
  const holder = device.holder === null ? "" : ` (${holderText(device.holder)})`;
  return `${STATES[stateOf(device)][1]}${why}${holder}`;
};

/** The devices by NUMA nodes and resource. */
function places(model) {
  const found = new Map();
  for (const { name } of model.state.resources) {
    for (const device of model.devices(name).list) {
      const place = device.numaNodes.join(", ");
      if (!found.has(place)) found.set(place, new Map());
      const groups = found.get(place);
      if (!groups.has(name)) groups.set(name, []);
      groups.get(name).push(device);
    }
  }
  const named = [...found].filter(([place]) => place !== "");
  named.sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }));
  return found.has("") ? [...named, ["", found.get("")]] : named;
}

const title = (place, alone) => {
  if (place === "") return alone ? "Devices" : "On no NUMA node";
  return place.includes(",") ? `NUMA nodes ${place}` : `NUMA node ${place}`;
};

/** Draw it; `show` goes to a device. */
export function renderPicture(model, show) {
  const all = places(model);
  by("no-devices").hidden = all.length > 0;
  reconcile(by("picture"), all.map(([place]) => ({ key: `p${place}`, shows: `${all.length}`, item: place })), (place) =>
    h("article", { class: "numa" }, h("h3", {}, title(place, all.length === 1)), h("div", { class: "groups" })));
  all.forEach(([, groups], index) => {
    const box = by("picture").children[index].querySelector(".groups");
    const items = [...groups].map(([name, devices]) => ({ key: name, shows: devices.length > MOST_CHIPS ? "many" : "few", item: { name, many: devices.length > MOST_CHIPS } }));
    reconcile(box, items, ({ name, many }) => h("section", { class: many ? "group many" : "group" }, h("h4", {}, named(name)), many ? [drawing(name, show), h("p", { class: "none" })] : h("ul", { class: "chips" })));
    [...groups].forEach(([name, devices], number) => {
      const group = box.children[number];
      if (devices.length > MOST_CHIPS) write(group.querySelector("p"), draw(group.querySelector("canvas"), name, devices));
      else chips(group.querySelector("ul"), name, devices, show);
    });
  });
}

function chips(list, name, devices, show) {
  reconcile(list, devices.map((device) => ({ key: device.id, shows: describe(device), item: device })), (device) => {
    const state = stateOf(device);
    return h("li", {}, h("button", { class: "chip", "data-state": state, "data-focus": "chip", title: describe(device), onclick: () => show({ resource: name, device: device.id }) },
      h("span", { "aria-hidden": "true" }, STATES[state][0]), h("span", {}, device.id), unseen(`, ${describe(device)}`)));
  });
}

function drawing(name, show) {
  const canvas = h("canvas", { role: "img" });
  const under = (event) => {
    const { left, top } = canvas.getBoundingClientRect();
    const [column, row] = [event.clientX - left, event.clientY - top].map((place) => Math.floor(place / canvas.pitch));
    return column < canvas.columns ? canvas.devices[row * canvas.columns + column] : undefined;
  };
  canvas.addEventListener("mousemove", (event) => {
    const device = under(event);
    mark(canvas, "title", device ? seen(`${device.id}: ${describe(device)}`) : null);
  });
  canvas.addEventListener("click", (event) => {
    const device = under(event);
    if (device) show({ resource: name, device: device.id });
  });
  return canvas;
}

/** Draw the cell of a device in this state: full, with a hole, with a cross, or only its edge. */
function cellOf(context, state, x, y, size, { free, held, bad, card, muted }) {
  context.fillStyle = { free, held, unlisted: muted }[state] ?? bad;
  context.fillRect(x, y, size, size);
  if (state === "free" || size < 5) return;
  context.fillStyle = card;
  const third = size / 3;
  if (state === "unlisted") context.fillRect(x + 1, y + 1, size - 2, size - 2);
  else if (state !== "ill") context.fillRect(x + third, y + third, third, third);
  if (state.startsWith("ill")) {
    context.strokeStyle = card;
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x + size, y + size);
    context.moveTo(x + size, y);
    context.lineTo(x, y + size);
    context.stroke();
  }
}

/** Draw one cell for each device, unless they are there already; returns how many are in which state. */
function draw(canvas, name, devices) {
  const width = canvas.parentElement.clientWidth;
  const scale = window.devicePixelRatio || 1;
  const pitch = Math.max(SMALLEST, Math.min(LARGEST, Math.floor(Math.sqrt((width * TALL) / devices.length))));
  const gap = pitch > 8 ? 3 : 1;
  const cell = pitch - gap;
  const columns = Math.max(1, Math.floor((width + gap) / pitch));
  const height = Math.ceil(devices.length / columns) * pitch;
  Object.assign(canvas, { devices, columns, pitch });
  if (canvas.width !== Math.floor(width * scale) || canvas.height !== Math.floor(height * scale)) {
    canvas.width = Math.floor(width * scale);
    canvas.height = Math.floor(height * scale);
    canvas.style.height = `${height}px`;
  }
  const style = getComputedStyle(canvas);
  const colours = Object.fromEntries(["free", "held", "bad", "card", "muted"].map((name) => [name, style.getPropertyValue(`--${name}`)]));
  const states = devices.map(stateOf);
  const shows = JSON.stringify([width, scale, pitch, colours, states]);
  if (canvas.shows !== shows) {
    canvas.shows = shows;
    const context = canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    const more = cell < 5 ? 2 : 0; // the few among many are seen by their size
    const cells = states.map((state, index) => [state, (index % columns) * pitch, Math.floor(index / columns) * pitch, state.startsWith("ill")]);
    for (const [state, x, y, isIll] of cells) if (!isIll) cellOf(context, state, x, y, cell, colours);
    for (const [state, x, y, isIll] of cells) if (isIll) cellOf(context, state, x - more, y - more, cell + 2 * more, colours);
  }
  const counts = {};
  for (const state of states) counts[state] = (counts[state] ?? 0) + 1;
  const words = Object.entries(STATES).filter(([state]) => counts[state]).map(([state, [, text]]) => `${counts[state].toLocaleString("en")} ${text}`);
  mark(canvas, "aria-label", `Picture of ${counted(devices.length, "device")}`);
  return words.join(", ");
}
