// Makes and changes elements; texts are never taken for HTML, and show invisible characters.

// Control characters, and those that turn the direction of other texts or have no width.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** A text with codes in place of characters that nobody sees: an id must not pass for another one. */
export const seen = (text) =>
  `${text}`.replace(UNSEEN, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);

const READ = new Set(["title", "aria-label"]); // attributes that people read

/** Make an element.  An attribute `onclick` is a listener; null and false are left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : READ.has(name) ? seen(value) : value);
  }
  const shown = children.flat().filter((child) => child !== null && child !== undefined && child !== false);
  element.append(...shown.map((child) => (child instanceof Node ? child : seen(child))));
  return element;
}

/** The element with an id. */
export const by = (id) => document.getElementById(id);

/** Write a text, unless it is there already. */
export function write(element, words) {
  const text = seen(words);
  if (element.textContent !== text) element.textContent = text;
}

/** Set an attribute, unless it has the value already; null removes it. */
export function mark(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** Say something to those who hear the page, that nobody else sees. */
export const unseen = (text) => h("span", { class: "unseen" }, text);

/**
 * Make the children of `parent` those for `items`, in order.
 *
 * Each has a key and a text of all that it shows: an element is made again only when that changes.
 * Focus stays where it is.
 */
export function reconcile(parent, items, make) {
  const before = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let next = parent.firstElementChild;
  for (const { key, shows, item } of items) {
    let child = before.get(key);
    before.delete(key);
    if (child === undefined || child.shows !== shows) {
      const made = make(item);
      made.dataset.key = key;
      made.shows = shows;
      if (child !== undefined) {
        const focus = child.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
        child.replaceWith(made);
        if (child === next) next = made;
        if (focus) made.querySelector(`[data-focus="${CSS.escape(focus)}"]`)?.focus();
        made.classList.add("changed");
      }
      child = made;
    }
    if (child === next) next = child.nextElementSibling;
    else parent.insertBefore(child, next);
  }
  for (const child of before.values()) child.remove();
}
