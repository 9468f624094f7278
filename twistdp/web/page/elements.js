// Makes and changes elements; texts are never taken for HTML.

/** Make an element.  An attribute `onclick` is a listener; null and false are left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** The element with an id. */
export const by = (id) => document.getElementById(id);

/** Write a text, unless it is there already. */
export function write(element, text) {
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
        if (focus) made.querySelector(`[data-focus="${focus}"]`)?.focus();
        made.classList.add("changed");
      }
      child = made;
    }
    if (child === next) next = child.nextElementSibling;
    else parent.insertBefore(child, next);
  }
  for (const child of before.values()) child.remove();
}
