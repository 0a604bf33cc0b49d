// Making elements. Text is always text: nothing that comes from a server or a file is ever read as markup.

/** An element with properties, data-… and aria-… attributes, and children. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name.includes("-") || name === "role" || name === "for" || name === "scope") element.setAttribute(name, value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const find = (id) => document.getElementById(id);

/** Exactly so many children: missing ones are made, those beyond go. */
export function fill(parent, count, create) {
  while (parent.children.length > count) parent.lastElementChild.remove();
  while (parent.children.length < count) parent.append(create(parent.children.length));
  return [...parent.children];
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A class and how probable it is, over a bar of that length. */
export function makeGuess() {
  return make("span", { className: "guess" }, make("span", { className: "meter" }, make("span")), make("span"), make("span"));
}

export function showGuess(row, name, share, kind, text) {
  const [meter, label, value] = row.children;
  meter.className = `meter ${kind}`;
  meter.firstChild.style.transform = `scaleX(${Math.min(Math.max(share, 0), 1)})`;
  setText(label, name);
  setText(value, text);
}
