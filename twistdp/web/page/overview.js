// The answer at a glance: is all well, what is not, and how much of everything there is.

import { by, h, mark, reconcile, seen, write } from "./elements.js";
import { ago, clock, counted, holderText, now, some, span, stopped } from "./words.js";

const FIRST_PROBLEMS = 8;
const MOST_PROBLEMS = 200; // after a click on the button for all
const ILL_BY_REASON = 6;

/** Where a resource stands with the kubelet: a tone, a word, and why. */
export function standing({ session }) {
  const { problem, reason } = session;
  const since = session.since === null ? "" : ` (for ${span(now() - session.since)})`;
  if (session.standing === "registered") return problem ? ["bad", "no stream", `It is ${problem}.`] : ["good", "registered", ""];
  if (session.standing === "waiting") return ["wait", "waiting for a kubelet", reason];
  if (!problem || session.standing === "registering") return ["wait", session.standing, reason];
  return ["bad", session.standing, `${reason || "It is not registered"}${since}`];
}

/** Why devices are unhealthy: reasons, each with its devices. */
function illnesses(devices) {
  const reasons = new Map();
  for (const device of devices) {
    if (device.health === "Healthy") continue;
    const reason = device.reason || "no reason was given";
    if (!reasons.has(reason)) reasons.set(reason, []);
    reasons.get(reason).push(device);
  }
  return [...reasons];
}

/** The problem of devices that are unhealthy for one reason: in each resource some, all of them listed here. */
function illness(reason, parts) {
  const all = parts.flatMap(({ devices }) => devices);
  const held = all.filter((device) => device.holder !== null);
  const holders = held.length ? ` Held: ${some(held.map((device) => `${device.id} by ${holderText(device.holder)}`), 3)}.` : "";
  const [{ name, devices }] = parts;
  const title = parts.length === 1
    ? `${name}: ${some(devices.map((device) => device.id))} unhealthy`
    : `${counted(all.length, "device")} of ${counted(parts.length, "resource")} unhealthy`;
  const where = parts.length === 1 ? "" : ` In ${some(parts.map((part) => part.name), 3)}.`;
  return ["bad", title, `${stopped(reason)}${where}${holders}`, { resource: name, device: all.length === 1 ? all[0].id : null }];
}

/** Everything that is not as it should be, the worst first: tone, title, text, and whom to show. */
export function problems(model) {
  const found = [];
  const add = (tone, title, text, show = null) => found.push({ tone, title, text, show });
  for (const scanner of model.state.scanners) {
    if (scanner.hung) add("bad", `A scan of ${scanner.name} hangs`, "It has not returned. Devices are shown as they were before.");
    else if (scanner.failing !== null) add("bad", `Scans of ${scanner.name} fail`, scanner.failing);
    else if (!scanner.scanned) add("wait", `${scanner.name} has not scanned yet`, "");
  }
  for (const file of model.state.configurations) {
    if (file.problems.length) add("bad", `${file.file} is refused`, `${stopped(file.problems.join("; "))} The previous file stays in force.`);
  }
  const standings = new Map();
  for (const resource of model.state.resources) {
    const [tone, word, why] = standing(resource);
    if (tone === "good") continue;
    const common = why.replaceAll(resource.name, "each"); // one kubelet refuses all for one reason
    const key = JSON.stringify([tone, word, resource.session.reason.replaceAll(resource.name, "each")]);
    if (!standings.has(key)) standings.set(key, { tone, word, why, names: [] });
    else standings.get(key).why = common;
    standings.get(key).names.push(resource.name);
  }
  for (const { tone, word, why, names } of standings.values()) {
    add(tone, `${some(names, 3)}: ${word}`, why, { resource: names[0] });
  }
  const reasons = new Map();
  for (const resource of model.state.resources) {
    if (resource.notListed) {
      add("bad", `${resource.name}: ${counted(resource.notListed, "device")} cannot be used`, "The list for the kubelet has no more room.", { resource: resource.name });
    }
    const { name, capacity, allocatable } = resource;
    const { list, complete } = model.devices(name);
    const its = illnesses(list);
    for (const [reason, devices] of its.slice(0, ILL_BY_REASON)) {
      if (!reasons.has(reason)) reasons.set(reason, []);
      reasons.get(reason).push({ name, devices });
    }
    if (its.length > ILL_BY_REASON) add("bad", `${name}: more devices are unhealthy`, `For ${its.length - ILL_BY_REASON} other reasons.`, { resource: name });
    if (!complete && !its.length && capacity > allocatable) add("bad", `${name}: ${counted(capacity - allocatable, "device")} unhealthy`, "The reasons are being loaded.", { resource: name });
  }
  for (const [reason, parts] of reasons) add(...illness(reason, parts));
  return found.sort((a, b) => (a.tone === "bad" ? 0 : 1) - (b.tone === "bad" ? 0 : 1));
}

/** The sums over all resources. */
function sums(model) {
  const total = { devices: 0, ill: 0, held: 0, registered: 0 };
  for (const resource of model.state.resources) {
    const { list, complete } = model.devices(resource.name);
    total.devices += resource.capacity + resource.notListed;
    total.ill += complete ? list.reduce((sum, { health }) => sum + (health !== "Healthy"), 0) : resource.capacity - resource.allocatable;
    total.held += resource.held ?? 0;
    total.registered += standing(resource)[0] === "good";
  }
  return total;
}

let wantsAll = false;

/** Show it; `show` goes to a resource or a device. */
export function renderOverview(model, show) {
  const { state } = model;
  const found = problems(model);
  const total = sums(model);
  const bad = found.filter(({ tone }) => tone === "bad").length;
  const worst = bad ? "bad" : found.length ? "wait" : "good";
  const registered = total.registered === state.resources.length ? "all registered" : `${total.registered} registered`;
  const what = `${counted(state.resources.length, "resource")}, ${registered}`;
  write(by("verdict"), model.lost ? `No answer since ${clock(model.lost)}` : bad ? counted(bad, "problem") : found.length ? "Not ready" : state.resources.length ? `All is well: ${what}` : "No devices were found");
  mark(by("verdict"), "data-tone", model.lost ? "bad" : state.resources.length || found.length ? worst : "wait");
  document.title = seen(`${model.lost ? "(?) " : bad ? `(${bad}) ` : ""}${state.node} · twistdp`);
  const shown = found.slice(0, wantsAll ? MOST_PROBLEMS : FIRST_PROBLEMS);
  const rest = found.length - shown.length;
  by("all-problems").hidden = !rest;
  write(by("all-problems"), wantsAll ? `${rest.toLocaleString("en")} more are not shown` : `Show ${rest.toLocaleString("en")} more`);
  by("all-problems").disabled = wantsAll;
  by("all-problems").onclick = () => {
    wantsAll = true;
    renderOverview(model, show);
    by("problems").children[FIRST_PROBLEMS]?.querySelector("button")?.focus();
  };
  reconcile(by("problems"), shown.map((item, index) => ({
    key: item.show === null ? `${index}` : item.title,
    shows: JSON.stringify([item.tone, item.title, item.text.replace(/ \(for \d[^)]*\)$/, "")]),
    item,
  })), ({ tone, title, text, show: where }) => h("li", { "data-tone": tone },
    where === null ? h("strong", {}, title) : h("button", { class: "link", "data-focus": "go", onclick: () => show(where) }, title),
    text && h("p", {}, text)));
  by("problems").hidden = !found.length;
  const numbers = [
    ["Devices", total.devices.toLocaleString("en"), "none"],
    ["Unhealthy", total.ill.toLocaleString("en"), total.ill ? "bad" : "none"],
    ["Held by pods", state.podResources.available ? total.held.toLocaleString("en") : "?", total.held ? "held" : "none"],
    ["Registered", `${total.registered} / ${state.resources.length}`, total.registered < state.resources.length ? "wait" : "none"],
  ];
  reconcile(by("numbers"), numbers.map((item) => ({ key: item[0], shows: item.join(), item })), ([name, value, tone]) =>
    h("div", { "data-tone": tone }, h("dt", {}, name), h("dd", {}, value)));
  const pods = state.podResources;
  by("holders-note").hidden = pods.available;
  write(by("holders-note"), `It is not known which pods hold devices${pods.reason ? `: ${pods.reason}` : ""}.`);
}

/** Show what the page is about. */
export function renderFrame({ state }) {
  write(by("node"), state.node);
  if (by("about").dataset.start !== `${state.startTime}`) {
    by("about").dataset.start = state.startTime;
    by("about").replaceChildren(`Device plugin, twistdp ${state.version}, up for `, ago(state.startTime));
  }
  const way = state.registration === "socket" ? "registers with the kubelet's socket" : "is found by the kubelet's plugin watcher";
  write(by("place"), `Sockets are in ${state.pluginDir}; the plugin ${way}.`);
}

/** Show the scanners and the configuration files. */
export function renderSources({ state }) {
  const item = (key, title, tone, word, ...facts) => ({ key, shows: JSON.stringify([title, tone, word, facts.map(([, , shows]) => shows)]), item: { title, tone, word, facts } });
  const items = state.scanners.map((each) => item(`scanner ${each.source}`, each.name,
    each.hung || each.failing !== null ? "bad" : each.scanned ? "good" : "wait",
    each.hung ? "hangs" : each.failing !== null ? "fails" : each.scanned ? "works" : "has not scanned",
    ["Domain", () => each.namespace, each.namespace],
    ["Asked for by", () => h("code", {}, each.source), each.source],
    ["Last scan", () => (each.lastScan === null ? "none yet" : h("span", {}, ago(each.lastScan.time), ` ago, took ${(each.lastScan.seconds * 1000).toFixed(1)} ms`)), each.lastScan?.time],
    ...(each.failing === null ? [] : [["Error", () => each.failing, each.failing]])));
  items.push(...state.configurations.map((each) => item(`file ${each.file}`, each.file,
    each.problems.length ? "bad" : "good", each.problems.length ? "is refused" : "in force",
    ["Read", () => (each.readTime === null ? "at the start" : h("span", {}, ago(each.readTime), " ago")), each.readTime],
    ...each.problems.map((problem) => ["Problem", () => problem, problem]))));
  reconcile(by("sources"), items, ({ title, tone, word, facts }) => h("article", { class: "source" },
    h("h3", {}, title, h("span", { class: "badge", "data-tone": tone }, word)),
    h("dl", {}, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value()))))));
}
