// The state of the page: one object, changed only by `set`, part of it mirrored in the address behind the #.

/** What the address keeps, and how each reads back: a teacher sends the link, the class sees the same. */
const IN_ADDRESS = {
  area: String,
  bench: String,
  spot: String,
  lesson: String,
  exercise: String,
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

/** What everybody has for himself, also where a class follows. */
const PERSONAL = ["theme", "lang"];
const SHARED = Object.keys(IN_ADDRESS).filter((name) => !PERSONAL.includes(name));

export function createStore(initial) {
  const state = { ...initial, ...read(location.hash) };
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
    history.replaceState(null, "", `#${written(Object.keys(IN_ADDRESS))}`);
  }

  function written(names) {
    const words = new URLSearchParams();
    for (const name of names) {
      const value = state[name];
      if (value !== undefined && value !== null && value !== "" && !same(value, initial[name])) words.set(name, String(value));
    }
    return String(words);
  }

  window.addEventListener("hashchange", () => set({ ...pick(initial, SHARED), ...read(location.hash) }));
  return {
    state,
    set,
    on,
    /** What a class can share, as a text; and to be as such a text says. */
    shared: () => written(SHARED),
    share: (text) => set({ ...pick(initial, SHARED), ...pick(read(text), SHARED.filter((name) => name in read(text))) }),
    SHARED,
  };
}

function read(text) {
  const found = {};
  for (const [name, value] of new URLSearchParams(text.replace(/^#/, ""))) {
    if (!(name in IN_ADDRESS) || value.length > 2000) continue;
    const meant = IN_ADDRESS[name](value);
    const numbers = Array.isArray(meant) ? meant : typeof meant === "number" ? [meant] : [];
    if (numbers.every((number) => Number.isInteger(number) && (number >= 0 || name === "change"))) found[name] = meant;
  }
  return found;
}

function pick(object, names) {
  return Object.fromEntries(names.map((name) => [name, object[name]]));
}

function same(a, b) {
  return a === b || (Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((each, i) => each === b[i]));
}
