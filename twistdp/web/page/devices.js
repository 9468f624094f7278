// The table of a resource's devices: some rows of those that are wanted, and more on demand.

import { h, mark, reconcile, write } from "./elements.js";
import { canExplain, explain } from "./explain.js";
import { STATES, stateOf } from "./picture.js";
import { ago, at, counted, some } from "./words.js";

const ROWS = 50;
const NOTHING = "–";

const CHOICES = {
  all: ["All", () => true],
  ill: ["Unhealthy", (device) => device.health !== "Healthy"],
  held: ["Held", (device) => device.holder !== null],
  free: ["Free", (device) => stateOf(device) === "free"],
};

/** What of a device is searched. */
const haystack = (device) => [
  device.id, device.reason, device.group, ...device.nodes.map((node) => node.hostPath),
  device.holder === null ? "" : `${device.holder.namespace}/${device.holder.pod} ${device.holder.container}`,
].join("\n").toLowerCase();

/** The table of one resource, with what the user has chosen to see in it. */
export class DeviceTable {
  constructor(name, label) {
    this.name = name;
    this.choice = "all";
    this.search = "";
    this.most = ROWS;
    this.open = new Set();
    this.list = [];
    this.buttons = Object.entries(CHOICES).map(([choice]) =>
      h("button", { class: "choice", "aria-pressed": `${choice === "all"}`, onclick: () => this.choose(choice) }));
    this.input = h("input", { type: "search", placeholder: "id, path, pod or reason", "aria-label": `Search devices of ${name}`, oninput: () => {
      this.search = this.input.value.trim().toLowerCase();
      this.most = ROWS;
      this.render(this.list);
    } });
    const heads = ["Device", "State", "Held by", "NUMA", "Nodes", ""];
    this.body = h("tbody", { role: "rowgroup" });
    this.more = h("button", { class: "more", onclick: () => { this.most += 4 * ROWS; this.render(this.list); } });
    this.note = h("p", { class: "none" });
    this.element = h("div", { class: "devices" },
      h("div", { class: "bar" }, h("div", { role: "group", "aria-label": "Which devices", class: "choices" }, this.buttons), this.input),
      h("table", { role: "table", "aria-labelledby": label },
        h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads.map((head) => h("th", { scope: "col", role: "columnheader" }, head || h("span", { class: "unseen" }, "More"))))),
        this.body),
      this.note, this.more);
  }

  choose(choice) {
    this.choice = choice;
    this.most = ROWS;
    this.render(this.list);
  }

  /** Make a device's row seen, with all that is known of it. */
  show(id) {
    this.choice = "all";
    this.search = id.toLowerCase();
    this.input.value = id;
    this.open.add(id);
    this.render(this.list);
    const row = [...this.body.children].find((each) => each.dataset.key === id);
    row?.querySelector("button")?.focus({ preventScroll: true });
    row?.scrollIntoView({ block: "center" });
  }

  /** Show these devices. */
  render(list) {
    this.list = list;
    const counts = Object.fromEntries(Object.entries(CHOICES).map(([choice, [, fits]]) => [choice, list.reduce((sum, each) => sum + fits(each), 0)]));
    Object.entries(CHOICES).forEach(([choice, [label]], index) => {
      write(this.buttons[index], `${label} ${counts[choice].toLocaleString("en")}`);
      mark(this.buttons[index], "aria-pressed", `${choice === this.choice}`);
    });
    const fits = CHOICES[this.choice][1];
    const found = list.filter((device) => fits(device) && (!this.search || haystack(device).includes(this.search)));
    const rows = [];
    for (const device of found.slice(0, this.most)) {
      const isOpen = this.open.has(device.id);
      const shows = JSON.stringify([device, isOpen]);
      rows.push({ key: device.id, shows, item: () => this.row(device, isOpen) });
      if (isOpen) rows.push({ key: `${device.id}\n`, shows, item: () => details(device) });
    }
    reconcile(this.body, rows, (make) => make());
    write(this.note, found.length ? "" : list.length ? "No device matches." : "There are no devices.");
    this.note.hidden = found.length > 0;
    this.more.hidden = found.length <= this.most;
    write(this.more, `Show more: ${(found.length - this.most).toLocaleString("en")} of ${counted(found.length, "device")} are not shown`);
  }

  row(device, isOpen) {
    const state = stateOf(device);
    const [sign] = STATES[state];
    const word = `${device.health}${device.listed ? "" : ", not listed"}`;
    const paths = device.nodes.map((node) => node.hostPath);
    const cell = (head, ...children) => h("td", { role: "cell", "data-head": head, class: children[0] === NOTHING ? "nothing" : null }, ...children);
    return h("tr", { role: "row", "data-state": state },
      h("th", { scope: "row", role: "rowheader" }, h("code", {}, device.id)),
      cell("State", h("span", { class: "state" }, h("span", { class: "mark", "data-state": state, "aria-hidden": "true" }, sign), word),
        device.health !== "Healthy" && device.reason && h("span", { class: "why" }, device.reason)),
      cell("Held by", device.holder === null ? NOTHING : h("span", {}, `${device.holder.namespace}/${device.holder.pod}`, h("small", {}, device.holder.container))),
      cell("NUMA", device.numaNodes.length ? device.numaNodes.join(", ") : NOTHING),
      cell("Nodes", paths.length ? h("code", {}, some(paths, 2)) : device.cdi ? "CDI" : NOTHING),
      cell("", h("button", { class: "link", "data-focus": "more", "aria-expanded": `${isOpen}`, "aria-label": `${isOpen ? "Less" : "More"} about ${device.id}`, onclick: () => {
        if (isOpen) this.open.delete(device.id);
        else this.open.add(device.id);
        this.render(this.list);
      } }, isOpen ? "Less" : "More")));
  }
}

/** The row with everything else. */
function details(device) {
  const facts = [
    ["Device nodes", device.nodes.map((node) => h("code", {}, node.hostPath === node.containerPath ? node.hostPath : `${node.hostPath} → ${node.containerPath}`, ` ${node.permissions}`, canExplain() ? h("button", { class: "link", "data-focus": `explain ${node.hostPath}`, "aria-label": `Explain ${node.hostPath}`, onclick: () => explain(node.hostPath) }, "explain") : null))],
    ["Mounts", device.mounts.map((each) => h("code", {}, `${each.hostPath} → ${each.containerPath}${each.readOnly ? " read-only" : ""}`))],
    ["Environment", device.envNames.map((name) => h("code", {}, name))],
    ["Annotations", device.annotationNames.map((name) => h("code", {}, name))],
    ["CDI", device.cdi ? ["has a CDI part"] : []],
    ["Group", device.group && device.group !== device.id ? [h("code", {}, device.group)] : []],
    ["Held by", device.holder === null ? [] : [`${device.holder.namespace}/${device.holder.pod}, container ${device.holder.container}`]],
    ["Health so far", [...device.history].reverse().map((turn) => h("span", { "data-tone": turn.health === "Healthy" ? "good" : "bad" }, at(turn.time), ` ${turn.health}${turn.reason && turn.health !== "Healthy" ? `: ${turn.reason}` : ""} (`, ago(turn.time), " ago)"))],
  ];
  const shown = facts.filter(([, values]) => values.length);
  return h("tr", { role: "row", class: "details" }, h("td", { role: "cell", colspan: "6" },
    shown.length ? h("dl", {}, shown.map(([name, values]) => h("div", {}, h("dt", {}, name), values.map((value) => h("dd", {}, value))))) : "Nothing else is known.",
    device.history.length ? null : h("p", { class: "none" }, "Its health has not changed since the plugin started.")));
}
