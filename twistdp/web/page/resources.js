// A card for each resource: numbers, session and devices.

import { by, h, mark, reconcile, write } from "./elements.js";
import { DeviceTable } from "./devices.js";
import { standing } from "./overview.js";
import { renderSession, sessionBox } from "./session.js";
import { named } from "./words.js";

const OPEN = 6; // with more resources than that, cards are closed at first

const cards = new Map();

/** One resource. */
class Card {
  constructor(name, isOpen) {
    const id = `card-${cards.size}-${Date.now()}`;
    this.badge = h("span", { class: "badge" });
    this.numbers = h("span", { class: "numbers" });
    this.meter = h("span", { class: "meter", "aria-hidden": "true" }, ["held", "ill-held", "ill", "free"].map((state) => h("b", { "data-state": state })));
    this.facts = h("dl", { class: "card-facts" });
    this.session = sessionBox();
    this.table = new DeviceTable(name, id);
    this.element = h("details", { class: "card", open: isOpen, ontoggle: () => this.element.open && this.model && this.render(this.model) },
      h("summary", {}, h("h3", { id }, named(name)), this.badge, this.numbers, this.meter),
      this.session, this.table.element, this.facts);
    this.element.card = this;
    this.name = name;
  }

  render(model) {
    this.model = model;
    const resource = model.state.resources.find(({ name }) => name === this.name);
    if (resource === undefined) return;
    const [tone, word] = standing(resource);
    write(this.badge, word);
    mark(this.badge, "data-tone", tone);
    const held = resource.held ?? 0;
    const ill = resource.capacity - resource.allocatable;
    const numbers = [["capacity", resource.capacity], ["allocatable", resource.allocatable], ["held", resource.held], ["not listed", resource.notListed || null]];
    reconcile(this.numbers, numbers.filter(([word, number]) => number !== null || word === "held").map((item) => ({ key: item[0], shows: `${item[1]}`, item })), ([word, number]) =>
      h("span", {}, `${word} `, h("b", {}, number === null ? "?" : number.toLocaleString("en"))));
    const { list } = model.devices(this.name);
    const both = list.reduce((sum, device) => sum + (device.health !== "Healthy" && device.holder !== null), 0);
    const parts = [held - both, both, ill - both, Math.max(0, resource.allocatable - held + both)];
    [...this.meter.children].forEach((part, index) => { part.style.flexGrow = `${parts[index]}`; part.hidden = parts[index] <= 0; });
    if (!this.element.open) return;
    const facts = [["Scanner", resource.scanner], ["Socket", resource.endpoint]];
    reconcile(this.facts, facts.map((item) => ({ key: item[0], shows: item[1], item })), ([title, value]) =>
      h("div", {}, h("dt", {}, title), h("dd", {}, h("code", {}, value))));
    renderSession(this.session, resource, model);
    this.table.render(list);
  }
}

/** Show the cards of these resources, or of all. */
export function renderResources(model, names) {
  const { resources } = model.state;
  for (const { name } of resources) {
    if (!cards.has(name)) cards.set(name, new Card(name, resources.length <= OPEN));
  }
  for (const name of [...cards.keys()]) {
    if (!resources.some((resource) => resource.name === name)) cards.delete(name);
  }
  by("no-resources").hidden = resources.length > 0;
  reconcile(by("cards"), resources.map(({ name }) => ({ key: name, shows: undefined, item: name })), (name) => cards.get(name).element);
  for (const { name } of resources) {
    if (names === null || names.has(name)) cards.get(name).render(model);
  }
}

/** Let the strips of time go on. */
export function renderSessions(model) {
  for (const resource of model.state.resources) {
    const card = cards.get(resource.name);
    if (card?.element.open) renderSession(card.session, resource, model);
  }
}

/** Go to a resource, or to one of its devices. */
export function show({ resource, device }) {
  const card = cards.get(resource);
  if (card === undefined) return;
  card.element.open = true;
  card.render(card.model);
  if (device) card.table.show(device);
  else {
    card.element.scrollIntoView({ block: "start" });
    card.element.querySelector("summary").focus({ preventScroll: true });
  }
}
