// What happened, the newest first, and said aloud now and then.

import { by, h, reconcile, write } from "./elements.js";
import { at, named, sentence } from "./words.js";

const SHOWN = 100;
const FREQUENT = new Set(["called", "listSent", "scanned"]);
const SPOKEN_EVERY = 4000; // ms

let waiting = [];
let timer = null;

/** Show the events. */
export function renderEvents(model) {
  const all = by("quiet").checked;
  const shown = model.events.filter((event) => all || !FREQUENT.has(event.kind)).slice(-SHOWN).reverse();
  reconcile(by("events"), shown.map((item) => ({ key: `${item.number}`, shows: "", item })), (event) => {
    const [tone, text] = sentence(event);
    const about = event.resource ?? event.scanner ?? "";
    return h("li", { "data-tone": tone }, h("p", { class: "about" }, at(event.time), " ", named(about)), h("p", {}, text));
  });
}

/** Say an event aloud; of many only how many they are. */
export function speak(event) {
  if (FREQUENT.has(event.kind)) return;
  waiting.push(event);
  if (timer !== null) return;
  timer = setTimeout(() => {
    const last = waiting.at(-1);
    const more = waiting.length > 1 ? ` And ${waiting.length - 1} more events.` : "";
    write(by("spoken"), `${last.resource ?? last.scanner ?? ""} ${sentence(last)[1]}${more}`);
    waiting = [];
    timer = null;
  }, SPOKEN_EVERY);
}
