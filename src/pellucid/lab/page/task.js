// An exercise: what is asked, what is given, fields for an answer, and what the checker says of it.

import { make, setText } from "./dom.js";
import { colour, drawMaps, prepared, soon } from "./draw.js";
import { makeTable } from "./table.js";
import { either, number, word } from "./words.js";

const PICTURE_EDGE = 150;
const CURVE_HEIGHT = 150;

/** An element with `show(name, seed)`, `fill(answer)`. buttons: beside its own. hear: called with another seed. */
export function makeTask({ store, connection }, { buttons = [], hear = () => {} } = {}) {
  const [title, ask, given, fields] = [make("h3"), make("p", { className: "ask" }), make("div", { className: "given" }), make("div", { className: "answer-fields" })];
  const says = make("p", { className: "verdict", role: "status" });
  const check = make("button", { type: "submit", className: "button main" });
  const another = make("button", { type: "button", className: "button small", onclick: () => show(task.name, task.seed + 1, true) });
  const right = make("button", { type: "button", className: "button small", onclick: giveUp });
  const form = make("form", { className: "task", noValidate: true, autocomplete: "off" }, title, ask, given, fields, make("div", { className: "buttons" }, check, ...buttons, another, right), says);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  let task = null;
  let parts = [];
  let verdict = null;
  let asked = 0;

  async function show(name, seed = 0, told = false) {
    asked += 1;
    const own = asked;
    try {
      const found = await connection.ask({ view: "exercise", given: { name, seed } });
      if (own !== asked) return;
      task = found;
      verdict = null;
      build();
      if (told) hear(seed);
    } catch (error) {
      setText(says, error.message);
    }
  }

  function build() {
    parts = task.fields.map(makeField);
    fields.replaceChildren(...parts.map(({ element }) => element));
    form.dataset.exercise = task.name;
    form.dataset.seed = task.seed;
    name();
  }

  /** All words, and what is drawn. */
  function name() {
    setText(check, word("check"));
    setText(another, word("another"));
    setText(right, word("give.up"));
    if (!task) return;
    setText(title, either(task.title));
    setText(ask, either(task.ask));
    given.replaceChildren(...task.given.map(showGiven));
    for (const part of parts) part.name();
    say();
  }

  function say() {
    setText(says, verdict ? either(verdict.message) : "");
    says.className = verdict ? `verdict ${verdict.passed ? "right" : "wrong"}` : "verdict";
  }

  async function submit() {
    if (!task) return;
    const answer = Object.fromEntries(parts.map((part) => [part.of, part.value()]));
    try {
      verdict = await connection.ask({ view: "verdict", given: { name: task.name, seed: task.seed, answer } });
      say();
    } catch (error) {
      setText(says, error.message);
    }
  }

  async function giveUp() {
    if (!task) return;
    const { answer } = await connection.ask({ view: "solution", given: { name: task.name, seed: task.seed } });
    put(answer);
  }

  function put(answer) {
    for (const part of parts) if (part.of in answer) part.put(answer[part.of]);
    verdict = null;
    say();
  }

  store.on(["lang", "dressed"], () => soon(name));
  new ResizeObserver(() => soon(name)).observe(form);
  return { element: form, show, fill: put, shown: () => task };
}

function makeField({ name: of, label, shape, options, begins }) {
  if (options.length) {
    const choice = make("select", { "data-field": of });
    const text = make("span");
    let value = begins;
    choice.addEventListener("change", () => (value = choice.value));
    return {
      of,
      element: make("label", { className: "field" }, text, choice),
      value: () => value || null,
      put: (wanted) => (choice.value = value = wanted),
      name() {
        setText(text, either(label));
        const first = begins ? [] : [make("option", { value: "", textContent: word("choose") })];
        choice.replaceChildren(...first, ...options.map((option) => make("option", { value: option.value, textContent: either(option.label) })));
        choice.value = value;
      },
    };
  }
  const table = makeTable();
  const [rows, columns] = shape.length === 2 ? shape : [1, shape[0] ?? 1];
  const text = make("figcaption");
  let wanted = Array.from({ length: rows }, () => Array(columns).fill(null));
  const unpacked = (values) => (shape.length === 2 ? values : shape.length ? values[0] : values[0][0]);
  return {
    of,
    element: make("figure", { "data-field": of }, text, table.element),
    value: () => unpacked(table.values()),
    put(value) {
      wanted = shape.length === 2 ? value : shape.length ? [value] : [[value]];
      table.show(wanted.map((row) => row.map((each) => (each === null ? null : Number(each.toFixed(4))))), either(label));
    },
    name() {
      setText(text, either(label));
      table.show(table.element.children.length ? table.values() : wanted, either(label));
    },
  };
}

function showGiven({ label, kind, values, names, axis }) {
  const caption = make("figcaption", { textContent: either(label) });
  if (kind === "picture") return make("figure", {}, caption, drawPicture(values, either(label)));
  if (kind === "text") return make("figure", {}, caption, make("pre", { textContent: values.join("\n") }));
  if (kind === "curves") return make("figure", { className: "curves" }, caption, ...drawCurves(values, names.map(either), either(axis)));
  const rows = values.map((row) => make("tr", {}, ...row.map((value) => make("td", { textContent: number(value, 4) }))));
  return make("figure", {}, caption, make("div", { className: "scroll" }, make("table", { className: "numbers" }, make("tbody", {}, ...rows))));
}

function drawPicture(values, label) {
  const all = values.flat();
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const part = { shape: [values.length, values[0].length], values: Uint8Array.from(all, (value) => Math.round((255 * (value - low)) / (high - low || 1))) };
  const canvas = make("canvas", { role: "img", "aria-label": label });
  drawMaps(prepared(canvas, PICTURE_EDGE, PICTURE_EDGE), part, 1, () => [0, 0, PICTURE_EDGE, PICTURE_EDGE]);
  return canvas;
}

/** Two curves, and their numbers below. */
function drawCurves(values, names, axis) {
  const width = 300;
  const canvas = make("canvas", { role: "img", "aria-label": names.join(", ") });
  const context = prepared(canvas, width, CURVE_HEIGHT);
  const most = Math.max(...values.flat());
  const [left, bottom] = [30, CURVE_HEIGHT - 18];
  const count = values[0].length;
  const x = (i) => left + ((width - left - 6) * i) / (count - 1);
  const y = (value) => 6 + (bottom - 6) * (1 - value / most);
  context.font = "10px sans-serif";
  context.fillStyle = colour("soft");
  context.strokeStyle = colour("grid-line");
  for (const tick of [0, 0.5, 1]) {
    context.beginPath();
    context.moveTo(left, y(tick * most));
    context.lineTo(width, y(tick * most));
    context.stroke();
    context.fillText(number(tick * most, 2), 0, y(tick * most) + 3);
  }
  for (const i of [0, Math.floor(count / 2) - 1, count - 1]) context.fillText(String(i + 1), x(i) - 4, CURVE_HEIGHT - 4);
  values.forEach((curve, row) => {
    context.strokeStyle = colour(row ? "second" : "accent");
    context.setLineDash(row ? [5, 3] : []);
    context.lineWidth = 2;
    context.beginPath();
    curve.forEach((value, i) => (i ? context.lineTo(x(i), y(value)) : context.moveTo(x(i), y(value))));
    context.stroke();
  });
  const keys = make("p", { className: "note" }, ...names.map((name, row) => make("span", { className: row ? "key test" : "key", textContent: `${name} ` })));
  const head = make("tr", {}, ...[axis, ...names].map((name) => make("th", { scope: "col", textContent: name })));
  const rows = values[0].map((_, i) => make("tr", {}, make("th", { scope: "row", textContent: i + 1 }), ...values.map((curve) => make("td", { textContent: curve[i].toFixed(3) }))));
  const numbers = make("details", {}, make("summary", { textContent: word("numbers") }), make("table", { className: "numbers" }, make("thead", {}, head), make("tbody", {}, ...rows)));
  return [canvas, keys, numbers];
}
