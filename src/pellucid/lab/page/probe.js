// The picture that is looked at: moved, turned, covered by a brush, with what the network looks at drawn over it.

import { fill, find, make, makeGuess, setText, showGuess } from "./dom.js";
import { colour, drawMaps, drawVeil, prepared, soon } from "./draw.js";
import { cellsOf, changeOf, coverOf, lookedAt, withChange } from "./looked.js";
import { mountPicture } from "./picture.js";
import { mountSteps } from "./steps.js";
import { number, percent, word } from "./words.js";

export const area = "draw";

const [SMALLEST, LARGEST] = [300, 520];
const TOP = 3;
const OVERLAYS = ["none", "grad_cam", "saliency", "occlusion", "difference"];
const WATCHED = OVERLAYS.slice(1, -1);
const TOOLS = ["move", "brush", "erase"];
const SLIDERS = [
  { name: "turn", least: -180, most: 180, unit: "°" },
  { name: "size", least: 20, most: 400, unit: " %" },
  { name: "noise", least: 0, most: 100, unit: " %" },
];
const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const SIGNS = { ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→" };

export function mount(lab) {
  const { store } = lab;
  const canvas = make("canvas", { className: "probe", tabIndex: 0, role: "application" });
  const heads = {};
  let tool = "move";
  let held = null;
  let cursor = null;
  let brush = 1;

  const steps = mountSteps(lab, () => heads.looked?.parts[0]);
  const answers = make("div", { className: "tops", id: "probe-answer" });
  const note = make("p", { className: "note" });
  const target = make("select", { id: "probe-class" });
  const overlay = make("select", { id: "probe-overlay" });
  const labelled = (name, input) => make("label", { className: "field", for: input.id }, make("span", { className: "head", "data-word": name }), input);
  target.addEventListener("change", () => store.set({ target: target.value }));
  overlay.addEventListener("change", () => store.set({ overlay: overlay.value }));
  const tools = make("select", { id: "probe-tool" });
  tools.addEventListener("change", () => {
    tool = tools.value;
    brushField.hidden = tool === "move";
    soon(paint);
  });
  const thick = make("input", { type: "range", id: "probe-brush", min: 0, max: 4, step: 1, value: brush });
  thick.addEventListener("input", () => (brush = thick.valueAsNumber));
  const brushField = labelled("brush.size", thick);
  brushField.hidden = true;
  const pad = Object.keys(ARROWS).map((key) => make("button", { type: "button", className: "button small", "data-key": key, textContent: SIGNS[key], onclick: () => move(...ARROWS[key]) }));
  const invert = make("input", { type: "checkbox", id: "probe-invert" });
  invert.addEventListener("change", () => store.set(withChange(store.state, { invert: Number(invert.checked) })));
  const sliders = SLIDERS.map(({ name, least, most, unit }) => {
    const input = make("input", { type: "range", id: `probe-${name}`, min: least, max: most, step: 1 });
    const output = make("output", { for: input.id });
    input.addEventListener("input", () => store.set(withChange(store.state, { [name]: input.valueAsNumber })));
    const field = make("label", { className: "field", for: input.id }, make("span", { className: "head" }, make("span", { "data-word": `change.${name}` }), output), input);
    return { name, unit, input, output, field };
  });
  mountPicture(store, find("probe-tools"), "probe-number");
  find("probe-body").replaceChildren(
    make("div", { className: "probing" }, make("div", {}, canvas, note, make("div", { className: "changing" }, make("span", { className: "pad", role: "group", "data-word-label": "move" }, ...pad), labelled("tool", tools), brushField)), make("div", { className: "column" }, answers, labelled("overlay", overlay), labelled("for.class", target), ...steps.elements)),
    make("div", { className: "sliders" }, ...sliders.map(({ field }) => field), make("label", { className: "field inline", for: invert.id }, invert, make("span", { "data-word": "invert" }))),
  );

  new ResizeObserver(() => soon(paint)).observe(find("probe-body"));

  function move(down, right) {
    store.set(withChange(store.state, { down: changeOf(store.state, "down") + down, right: changeOf(store.state, "right") + right }));
  }

  const cells = () => store.state.hello.network.board?.cells ?? [1, 1];

  /** Cover the cells around one, or uncover them. */
  function paintAt([row, column]) {
    const [rows, columns] = cells();
    const covered = cellsOf(store.state.cover, rows * columns);
    for (let i = Math.max(row - brush, 0); i <= Math.min(row + brush, rows - 1); i += 1) {
      for (let j = Math.max(column - brush, 0); j <= Math.min(column + brush, columns - 1); j += 1) {
        if (Math.hypot(i - row, j - column) <= brush + 0.3) covered[i * columns + j] = tool === "brush";
      }
    }
    store.set({ cover: coverOf(covered) });
  }

  function cellAt(event) {
    const box = canvas.getBoundingClientRect();
    return cells().map((count, i) => Math.min(Math.max(Math.floor(((i ? event.clientX - box.left : event.clientY - box.top) / (i ? box.width : box.height)) * count), 0), count - 1));
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    canvas.setPointerCapture(event.pointerId);
    held = { x: event.clientX, y: event.clientY, down: changeOf(store.state, "down"), right: changeOf(store.state, "right") };
    cursor = cellAt(event);
    if (tool !== "move") paintAt(cursor);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!held) return;
    if (tool !== "move") return paintAt(cellAt(event));
    const box = canvas.getBoundingClientRect();
    const [height, width] = sizeOf();
    const by = (moved, of, count) => Math.round((moved / of) * count);
    store.set(withChange(store.state, { down: held.down + by(event.clientY - held.y, box.height, height), right: held.right + by(event.clientX - held.x, box.width, width) }));
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => (held = null));
  canvas.addEventListener("keydown", (event) => {
    const by = ARROWS[event.key];
    if (!by && !(event.key === " " && tool !== "move")) return;
    event.preventDefault();
    if (tool === "move") return move(...by);
    cursor ??= cells().map((count) => Math.floor(count / 2));
    if (by) cursor = cursor.map((value, i) => Math.min(Math.max(value + by[i], 0), cells()[i] - 1));
    else paintAt(cursor);
    soon(paint);
  });
  for (const name of ["focus", "blur"]) canvas.addEventListener(name, () => soon(paint));

  /** Rows and columns of the network's own picture. */
  const sizeOf = () => store.state.hello.network.blocks[0].size;

  store.on(["lang", "hello", "change", "cover", "picture", "target", "overlay", "dressed", "steps"], (state) => {
    const { classes } = state.hello.network;
    options(target, [["", word("most.probable")], ...classes.map((name, i) => [String(i), name])], state.target);
    const offered = OVERLAYS.filter((name) => name !== "difference" || steps.before());
    options(overlay, offered.map((name) => [name, word(`overlay.${name}`)]), offered.includes(state.overlay) ? state.overlay : "none");
    options(tools, TOOLS.map((name) => [name, word(`tool.${name}`)]), tool);
    for (const { name, unit, input, output } of sliders) {
      input.value = changeOf(state, name);
      setText(output, `${number(changeOf(state, name), 4)}${unit}`);
    }
    pad.forEach((button) => button.setAttribute("aria-label", word(`move.${button.dataset.key}`)));
    invert.checked = Boolean(changeOf(state, "invert"));
    canvas.setAttribute("aria-label", word("probe.keys"));
    soon(paint);
  });

  function paint() {
    const { looked } = heads;
    if (!looked) return;
    if (looked.problem) return setText(note, looked.problem);
    const [part] = looked.parts;
    const [h, w] = part.shape;
    const edge = Math.min(Math.max(find("probe-body").clientWidth / 2, SMALLEST), LARGEST);
    const scale = edge / Math.max(h, w);
    const [width, height] = [w * scale, h * scale];
    const context = prepared(canvas, width, height);
    drawMaps(context, part, 1, () => [0, 0, width, height]);
    const shown = store.state.overlay === "difference" ? { parts: [steps.difference()].filter(Boolean) } : heads[store.state.overlay];
    const says = store.state.overlay === "none" ? `tool.${tool}.note` : `overlay.${store.state.overlay}.note`;
    setText(note, shown?.problem ?? word(says, { layer: shown?.layer, square: shown?.square?.join("×") }));
    if (shown?.parts?.length) paintOver(context, shown.parts[0], store.state.overlay, width, height);
    if (tool !== "move" && cursor && document.activeElement === canvas) {
      const [rows, columns] = cells();
      context.strokeStyle = colour("second");
      context.lineWidth = 2;
      context.strokeRect((cursor[1] * width) / columns, (cursor[0] * height) / rows, width / columns, height / rows);
    }
    showAnswers(looked);
  }

  function showAnswers({ scores, label }) {
    answers.hidden = !scores;
    if (!scores) return;
    const { classes } = store.state.hello.network;
    const order = scores.map((share, index) => ({ share, index })).sort((a, b) => b.share - a.share).slice(0, TOP);
    fill(answers, order.length, makeGuess).forEach((row, i) => {
      const { share, index } = order[i];
      const kind = index === label ? "right" : i ? "" : label === null ? "best" : "wrong";
      showGuess(row, classes[index] ?? String(index), share, kind, share >= 0 && share <= 1 ? percent(share, 1) : number(share, 3));
      row.dataset.class = index;
    });
  }

  return {
    views(state) {
      const of = lookedAt(state);
      const given = state.target === "" ? {} : { given: { class: Number(state.target) } };
      const over = WATCHED.includes(state.overlay) ? [{ view: state.overlay, ...of, ...given }] : [];
      return [{ view: "looked", ...of }, ...over];
    },
    frame(head) {
      if (head.view !== "looked" && !OVERLAYS.includes(head.view)) return;
      heads[head.view] = head;
      soon(paint);
    },
  };
}

function options(select, entries, value) {
  const made = entries.map(([key, text]) => `${key}\n${text}`).join("\n\n");
  if (select.dataset.made !== made) select.replaceChildren(...entries.map(([key, text]) => make("option", { value: key, textContent: text })));
  select.dataset.made = made;
  select.value = value;
}

/** What speaks for a class as a veil; gradients and differences as maps of their own. */
function paintOver(context, part, kind, width, height) {
  if (kind === "grad_cam") return drawVeil(context, part, 0, 0, width, height);
  context.globalAlpha = 0.88;
  drawMaps(context, part, 1, () => [0, 0, width, height]);
  context.globalAlpha = 1;
}
