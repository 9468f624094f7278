// Asks why a device is there, or why not.

import { by, h } from "./elements.js";

const STATUSZ = "application/json;v=v1alpha1;g=config.k8s.io;as=Statusz";
const TONES = { selected: "good", taken: "good" };

const tests = (found) => h("ul", { class: "tests" }, found.map(({ ok, reason, parts }) =>
  h("li", {}, `${ok ? "✓" : "✕"} ${reason}`, parts?.length ? tests(parts) : null)));

const rule = ({ resource, candidates }) => h("article", { class: "source" }, h("h3", {}, resource),
  candidates.length ? candidates.map(({ verdict, reason, ids, tests: found }) => h("div", {},
    h("span", { class: "badge", "data-tone": TONES[verdict] ?? "wait" }, verdict), ` ${reason} `, ids.map((id) => h("code", {}, id, " ")),
    found?.length ? tests(found) : null)) : h("p", { class: "none" }, "This rule did not look at it."));

function explained({ device, rules }) {
  const parts = (rules ?? []).map(rule);
  if (device) {
    const facts = Object.entries(device.attributes).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, h("code", {}, `${value}`))));
    parts.unshift(h("p", {}, h("code", {}, device.hostPath ?? device.syspath), device.node && device.node !== device.hostPath ? ` is ${device.node}` : ""));
    parts.push(h("details", {}, h("summary", {}, "What is known of the device"), h("dl", { class: "card-facts" }, facts)));
  }
  return parts;
}

/** Show the form, if the plugin can explain. */
export async function prepareExplain() {
  const answer = await fetch("statusz", { headers: { accept: STATUSZ } });
  const { paths } = await answer.json();
  by("explain").hidden = !paths.includes("/api/v1/explain");
  by("explain-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const path = by("explain-path").value.trim();
    by("explanation").replaceChildren(h("p", { class: "none" }, "Looking …"));
    try {
      const found = await fetch(`api/v1/explain?${new URLSearchParams({ path })}`);
      if (found.ok) by("explanation").replaceChildren(...explained(await found.json()));
      else by("explanation").replaceChildren(h("p", {}, await found.text()));
    } catch (error) {
      by("explanation").replaceChildren(h("p", {}, `The plugin cannot be asked: ${error.message}`));
    }
  });
}
