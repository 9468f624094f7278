// Asks why a device is there, or why not.

import { by, h } from "./elements.js";
import { named, some } from "./words.js";

const STATUSZ = "application/json;v=v1alpha1;g=config.k8s.io;as=Statusz";
const MOST_IDS = 12;

let known = false;
let questions = 0; // only the last one's answer is shown

/** Whether the plugin can explain paths. */
export const canExplain = () => known;

const written = (value) => (typeof value === "object" ? JSON.stringify(value) : `${value}`);

/** Tests, without those that only repeat the reason above them. */
const news = (found, above) => found.flatMap((test) => (test.reason === above ? news(test.parts ?? [], above) : [test]));

const tests = (found) => h("ul", { class: "tests" }, found.map(({ ok, reason, parts }) =>
  h("li", { "data-tone": ok ? "good" : "bad" }, reason, news(parts ?? [], reason).length ? tests(news(parts, reason)) : null)));

function step({ verdict, reason, cause, ids, tests: found }) {
  const tone = { listed: "good", "not selected": "none" }[verdict] ?? (cause === "fault" ? "bad" : "wait");
  return h("div", { class: "step" },
    h("p", {}, h("span", { class: "badge", "data-tone": tone }, verdict), ` ${reason}`),
    ids.length ? h("p", { class: "none" }, "Ids: ", h("code", {}, some(ids, MOST_IDS))) : null,
    news(found ?? [], reason).length ? tests(news(found, reason)) : null);
}

const rule = ({ resource, candidates }) => h("article", { class: "source" }, h("h3", {}, named(resource)),
  candidates.length ? candidates.map(step) : h("p", { class: "none" }, "It has nothing to do with this device."));

function explained({ device, rules }) {
  const parts = rules.length ? rules.map(rule) : [h("p", { class: "none" }, "No rule looks at it.")];
  if (device === undefined) return parts;
  const facts = Object.entries(device.attributes).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, h("code", {}, written(value)))));
  const names = [device.node, ...device.links, device.syspath && `/sys${device.syspath}`].filter(Boolean);
  return [
    h("p", {}, "The device is ", names.map((name, index) => [index ? ", also " : "", h("code", {}, name)]).flat(), "."),
    ...parts,
    h("details", {}, h("summary", {}, "Its attributes"), h("dl", { class: "card-facts" }, facts)),
  ];
}

async function ask(path) {
  questions += 1;
  const mine = questions;
  const show = (...parts) => mine === questions && by("explanation").replaceChildren(...parts);
  show(h("p", { class: "none" }, "Looking …"));
  try {
    const found = await fetch(`api/v1/explain?${new URLSearchParams({ path })}`);
    if (found.ok) show(...explained(await found.json()));
    else show(h("p", {}, (await found.text()).trim()));
  } catch (error) {
    show(h("p", {}, `The plugin cannot be asked: ${error.message}`));
  }
}

/** Explain a path, where the user sees it. */
export function explain(path) {
  by("explain-path").value = path;
  by("explain-path").focus({ preventScroll: true });
  by("explain").scrollIntoView({ block: "start" });
  ask(path);
}

/** Show the form, if the plugin can explain. */
export async function prepareExplain() {
  const answer = await fetch("statusz", { headers: { accept: STATUSZ } });
  known = (await answer.json()).paths.includes("/api/v1/explain");
  by("explain").hidden = by("explain-link").hidden = !known;
  by("explain-form").addEventListener("submit", (event) => {
    event.preventDefault();
    ask(by("explain-path").value.trim());
  });
}
