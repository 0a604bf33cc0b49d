// The state of the page: one object, changed only by `set`, part of it mirrored in the address behind the #.

/** What the address keeps, and how each reads back: a teacher sends the link, the class sees the same. */
const IN_ADDRESS = {
  area: String,
  bench: String,
  spot: String,
  layer: String,
  show: String,
  picture: Number,
  change: (text) => text.split(",").map(Number),
  cover: String,
  overlay: String,
  slide: String,
  filter: String,
  target: String,
  channel: Number,
  position: (text) => text.split(",").map(Number),
  theme: String,
  lang: String,
};

export function createStore(initial) {
  const state = { ...initial, ...fromAddress() };
  const listeners = new Set();
  let changed = new Set();

  function set(changes) {
    for (const [name, value] of Object.entries(changes)) {
      if (same(state[name], value)) continue;
      state[name] = value;
      if (!changed.size) queueMicrotask(tell);
      changed.add(name);
    }
  }

  function tell() {
    const now = changed;
    changed = new Set();
    if ([...now].some((name) => name in IN_ADDRESS)) toAddress();
    for (const { names, hear } of listeners) {
      if (names.some((name) => now.has(name))) hear(state, now);
    }
  }

  /** Call `hear` now, and after each change of one of these. */
  function on(names, hear) {
    const entry = { names, hear };
    listeners.add(entry);
    hear(state, new Set(names));
    return () => listeners.delete(entry);
  }

  function toAddress() {
    const words = new URLSearchParams();
    for (const name of Object.keys(IN_ADDRESS)) {
      const value = state[name];
      if (value !== undefined && value !== null && value !== "" && !same(value, initial[name])) words.set(name, String(value));
    }
    history.replaceState(null, "", `#${words}`);
  }

  window.addEventListener("hashchange", () => set({ ...pick(initial, Object.keys(IN_ADDRESS)), ...fromAddress() }));
  return { state, set, on };
}

function fromAddress() {
  const found = {};
  for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
    if (!(name in IN_ADDRESS) || value.length > 2000) continue;
    const read = IN_ADDRESS[name](value);
    const numbers = Array.isArray(read) ? read : typeof read === "number" ? [read] : [];
    if (numbers.every((number) => Number.isInteger(number) && (number >= 0 || name === "change"))) found[name] = read;
  }
  return found;
}

function pick(object, names) {
  return Object.fromEntries(names.map((name) => [name, object[name]]));
}

function same(a, b) {
  return a === b || (Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((each, i) => each === b[i]));
}
