// The network as blocks in proportion, with live maps of one test picture; click one to look into its layer.

import { fill, find, make, makeGuess, setText, showGuess } from "./dom.js";
import { colour, drawMaps, prepared, soon } from "./draw.js";
import { lookedAt } from "./looked.js";
import { mountPicture } from "./picture.js";
import { either, percent, whole, word } from "./words.js";

export const area = "train";

const LARGEST = 52;
const SMALLEST = 18;
const [SHRUNK, GROWN] = [0.62, 2.2];
const ROOM = 34;
const SCORES_WIDTH = 132;
const ACROSS = 3;
const GAP = 4;
const UNIT = 6;
const UNITS_DOWN = 18;
const SCORES = 10;
const [ABOVE, LIFT] = [10, 18];

export function mount({ store }) {
  const place = find("blocks");
  const parts = new Map();
  let scores = null;
  let drawn = [];
  const lines = svg("svg", { class: "skips", "aria-hidden": "true" });

  mountPicture(store, find("picture-tools"), "picture-number");
  store.on(["hello"], build);
  store.on(["layer", "lang", "hello"], label);
  store.on(["dressed", "layer", "lang"], () => soon(paint));
  new ResizeObserver(() => soon(paint)).observe(place);

  function build({ hello }) {
    parts.clear();
    const tallest = Math.max(...hello.network.blocks.filter(({ map }) => map).map(({ size }) => Math.max(size[0], size[1])));
    drawn = hello.network.blocks.map((block, i) => {
      const canvas = make("canvas", { "aria-hidden": "true" });
      const list = i === hello.network.blocks.length - 1 && !block.map ? make("span", { className: "scores" }) : null;
      const text = make("span", {}, make("span", { className: "name" }), make("span", { className: "shape" }), make("span", { className: "what" }));
      const button = make("button", { type: "button", className: "block", onclick: () => choose(block) }, make("span", { className: "inside" }, list ?? canvas), text);
      const edge = Math.sqrt(Math.max(block.size[0], block.size[1]) / tallest);
      return { block, button, canvas, list, text, edge };
    });
    place.replaceChildren(...drawn.flatMap(({ block, button }, i) => (i ? [between(block), button] : [button])), lines);
    const skips = hello.network.skips;
    place.style.paddingTop = skips.length ? `${ABOVE + LIFT * (1 + Math.max(...skips.map(({ level }) => level)))}px` : "";
  }

  function choose(block) {
    if (block.kind === "input") find("picture-number").focus();
    else store.set({ layer: block.layers[0], position: [], channel: 0 });
  }

  function label({ layer, hello }) {
    for (const { block, button, text } of drawn) {
      const [what, ...notes] = either(block.words);
      const [name, shape, detail] = text.children;
      setText(name, block.kind === "input" ? either(block.words)[0] : block.name);
      setText(shape, block.shape.replaceAll("x", "×"));
      setText(detail, block.kind === "input" ? "\u00a0" : [what, ...notes].join(" · "));
      const chosen = block.layers.includes(layer);
      if (block.kind !== "input") button.setAttribute("aria-pressed", String(chosen));
      button.title = block.parameters ? word("parameters", { count: whole(block.parameters) }) : "";
    }
    if (hello) showScores();
  }

  function paint() {
    if (!place.clientWidth) return;
    const scale = scaleFor(place.clientWidth);
    for (const entry of drawn) {
      const part = parts.get(entry.block.name);
      if (part && !entry.list) paintBlock(entry, part, scale);
    }
    paintSkips();
  }

  /** Values that go past blocks, as arcs above these: from where they branch off to where they are read or merged. */
  function paintSkips() {
    const { skips } = store.state.hello.network;
    lines.replaceChildren();
    if (!skips.length) return;
    const last = drawn[drawn.length - 1].button;
    lines.setAttribute("width", last.offsetLeft + last.offsetWidth);
    lines.setAttribute("height", last.offsetTop);
    const middle = ({ button }) => button.offsetLeft + button.offsetWidth / 2;
    for (const { source, target, merged, level } of skips) {
      const [from, to, floor] = [middle(drawn[source]) + 5, middle(drawn[target]) - 5, last.offsetTop - 2];
      const high = floor - (LIFT * (1 + level)) / 0.75; // a curve reaches three quarters of the way to its handles
      const on = [source, target].some((i) => drawn[i].block.layers.includes(store.state.layer));
      const end = merged ? svg("circle", { cx: to, cy: floor - 3, r: 3.5 }) : svg("path", { d: `M${to - 4} ${floor - 6}h8l-4 7z` });
      lines.append(svg("g", { class: on ? "on" : "" }, svg("path", { d: `M${from} ${floor}C${from} ${high} ${to} ${high} ${to} ${floor - 6}`, fill: "none" }), end));
    }
  }

  /** How much larger than usual blocks may be drawn, so that all of them fit side by side. */
  function scaleFor(width) {
    const widths = drawn.map(({ block, list, edge }) => {
      if (list) return [SCORES_WIDTH, 0];
      if (!block.map) return [0, Math.ceil(Math.min(block.size[2], 128) / UNITS_DOWN) * UNIT];
      const across = block.kind === "input" ? 1.75 : Math.min(ACROSS, block.size[2]);
      return [across * GAP, across * Math.max(SMALLEST, LARGEST * edge)];
    });
    const [fixed, scaled] = widths.reduce(([f, s], [own, grows]) => [f + own + ROOM, s + grows], [0, 0]);
    return Math.min(Math.max((width - fixed) / scaled, SHRUNK), GROWN);
  }

  function showScores() {
    const last = drawn[drawn.length - 1];
    if (!last?.list || !scores?.scores) return;
    const { classes } = store.state.hello.network;
    const all = scores.scores.map((share, index) => ({ share, index }));
    const shown = all.length <= SCORES ? all : all.sort((a, b) => b.share - a.share).slice(0, SCORES);
    const top = Math.max(...scores.scores);
    fill(last.list, shown.length, makeGuess).forEach((row, i) => {
      const { share, index } = shown[i];
      const kind = share !== top ? "" : scores.label === null ? "best" : index === scores.label ? "right" : "wrong";
      const text = share >= 0 && share <= 1 ? percent(share, 0) : share.toFixed(1);
      showGuess(row, classes[index] ?? String(index), share, kind, text);
    });
  }

  return {
    views: (state) => [{ view: "network", ...lookedAt(state) }],
    frame(head) {
      if (head.view !== "network") return;
      for (const part of head.parts) parts.set(part.block, part);
      scores = head.scores ? head : null;
      soon(() => {
        paint();
        showScores();
      });
    },
  };
}

/** An arrow from the block before, where this one reads it; where it reads another, its words say which. */
const between = ({ apart }) => make("span", { className: apart ? "apart" : "arrow", "aria-hidden": "true" });

function paintBlock({ block, canvas, edge: share }, part, grown) {
  const edge = grown * Math.max(SMALLEST, LARGEST * share);
  if (block.kind === "input") {
    const [h, w] = part.shape;
    const scale = (1.75 * grown * LARGEST) / Math.max(h, w);
    drawMaps(prepared(canvas, w * scale, h * scale), part, 1, () => [0, 0, w * scale, h * scale]);
    return;
  }
  const [count, h, w] = part.shape;
  if (!block.map) {
    const down = Math.min(UNITS_DOWN, count);
    const across = Math.ceil(count / down);
    const unit = Math.round(grown * UNIT);
    const context = prepared(canvas, across * unit, down * unit);
    drawMaps(context, part, count, (i) => [Math.floor(i / down) * unit, (i % down) * unit, unit - 1, unit - 1]);
    return;
  }
  const [width, height] = [(edge * w) / Math.max(h, w), (edge * h) / Math.max(h, w)];
  const across = Math.min(ACROSS, count);
  const down = Math.ceil(count / across);
  const behind = part.channels > count ? Math.min(3, Math.ceil(Math.log2(part.channels / count))) : 0;
  const [inner, outer] = [across * (width + GAP) - GAP, down * (height + GAP) - GAP];
  const context = prepared(canvas, inner + 5 * behind, outer + 5 * behind);
  context.strokeStyle = colour("edge");
  for (let sheet = behind; sheet > 0; sheet -= 1) {
    context.strokeRect(5 * sheet + 0.5, 5 * (behind - sheet) + 0.5, inner - 1, outer - 1);
  }
  context.clearRect(0, 5 * behind, inner, outer);
  drawMaps(context, part, count, (i) => [(i % across) * (width + GAP), 5 * behind + Math.floor(i / across) * (height + GAP), width, height]);
}

function svg(tag, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
