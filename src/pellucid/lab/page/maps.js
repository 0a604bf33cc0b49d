// One layer: its maps, weights, their gradients, and how their numbers are spread. A pixel is picked by click or keys.

import { fill, find, make, setText } from "./dom.js";
import { colour, drawMaps, prepared, shade, soon } from "./draw.js";
import { lookedAt } from "./looked.js";
import { either, number, whole, word } from "./words.js";

export const area = "train";

const TABS = ["maps", "map_gradients", "weights", "weight_gradients", "histograms"];
/** Tabs of one row show the same numbers, and so keep the one that was picked. */
const ALIKE = [["maps", "map_gradients", "histograms"], ["weights", "weight_gradients"]];
const OF_PICTURE = new Set(["maps", "map_gradients", "weight_gradients"]);
const GAP = 6;
const CELLS = [132, 112, 96, 84, 72, 64, 56, 48, 40, 32, 26];
const HIGHEST = 300;

export function mount({ store }) {
  let head = null;
  let layout = null;
  const select = make("select", { id: "layer-name" });
  const detail = make("span");
  find("layer-tools").append(detail, make("label", { className: "field inline" }, make("span", { className: "unseen", "data-word": "layer" }), select));
  select.addEventListener("change", () => store.set({ layer: select.value, position: [], channel: 0 }));

  const tabs = TABS.map((name) =>
    make("button", { type: "button", className: "tab", role: "tab", id: `tab-${name}`, "aria-controls": "layer-panel", onclick: () => turnTo(name) }),
  );
  const bar = make("div", { className: "tabs", role: "tablist" }, ...tabs);
  bar.addEventListener("keydown", ({ key }) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[key];
    if (!by) return;
    const at = (TABS.indexOf(store.state.show) + by + TABS.length) % TABS.length;
    turnTo(TABS[at]);
    tabs[at].focus();
  });
  const canvas = make("canvas", { className: "maps", tabIndex: 0, role: "application" });
  const legend = make("div", { className: "legend" });
  const note = make("p", { className: "note" });
  const spread = make("div");
  const depth = make("select", { id: "layer-channel" });
  const depthLabel = make("label", { className: "field inline", hidden: true }, make("span"), depth);
  depth.addEventListener("change", () => store.set({ channel: Number(depth.value) }));
  const panel = make("div", { id: "layer-panel", role: "tabpanel" }, depthLabel, make("div", { className: "scroll" }, canvas), spread, legend, note);
  find("layer-body").replaceChildren(bar, panel);
  new ResizeObserver(() => soon(paint)).observe(find("layer-body"));

  function turnTo(show) {
    const alike = ALIKE.some((tabs) => tabs.includes(show) && tabs.includes(store.state.show));
    store.set(alike ? { show } : { show, position: [] });
  }

  store.on(["layer", "show", "hello", "lang"], ({ layer, show, hello }, changed) => {
    if (changed.has("layer") || changed.has("show")) head = null;
    const { layers } = hello.network;
    if (select.options.length !== layers.length) select.replaceChildren(...layers.map(({ name }) => make("option", { value: name, textContent: name })));
    select.value = layer;
    const found = layers.find(({ name }) => name === layer);
    setText(detail, found ? [`${found.kind} ${either(found.detail)}`, found.shape.join(" × "), found.parameters ? word("parameters", { count: whole(found.parameters) }) : ""].filter(Boolean).join(" · ") : "");
    TABS.forEach((name, i) => {
      setText(tabs[i], word(name));
      tabs[i].setAttribute("aria-selected", String(name === show));
      tabs[i].tabIndex = name === show ? 0 : -1;
    });
    panel.setAttribute("aria-labelledby", `tab-${show}`);
    setText(depthLabel.firstChild, word("input.channel"));
    soon(paint);
  });
  store.on(["position", "dressed"], () => soon(paint));

  canvas.addEventListener("click", (event) => {
    const box = canvas.getBoundingClientRect();
    const found = pixelAt(event.clientX - box.left, event.clientY - box.top);
    if (found) pick(found);
  });
  canvas.addEventListener("keydown", (event) => {
    const [rows, columns, channels] = extent();
    const moves = { ArrowUp: [-1, 0, 0], ArrowDown: [1, 0, 0], ArrowLeft: [0, -1, 0], ArrowRight: [0, 1, 0], PageDown: [0, 0, 1], PageUp: [0, 0, -1], "]": [0, 0, 1], "[": [0, 0, -1], Enter: [0, 0, 0] };
    const move = moves[event.key];
    if (!move || !pickable()) return;
    event.preventDefault();
    const at = cursor() ?? [Math.floor(rows / 2), Math.floor(columns / 2), 0];
    const flat = rows * columns === 1 && event.key.startsWith("Arrow");
    const by = flat ? [0, 0, move[0] + move[1]] : move;
    pick([rows, columns, channels].map((size, i) => (at[i] + by[i] + size) % size));
  });

  /** Places count in the layer's own pixels, whatever was drawn of these. */
  function pick([row, column, channel]) {
    const { shape, kernel } = layerNow();
    if (isKernel()) store.set({ position: kernel.length === 2 ? [column, row] : [row, column, Number(depth.value), channel] });
    else store.set({ position: shape.length === 3 ? [row, column, channel] : shape.length === 2 ? [row, channel] : [channel] });
  }

  function cursor() {
    const { position } = store.state;
    if (isKernel()) {
      const { kernel } = layerNow();
      if (position.length !== kernel.length) return null;
      return kernel.length === 2 ? [position[1], position[0], 0] : position[2] === Number(depth.value) ? [position[0], position[1], position[3]] : null;
    }
    if (position.length === 3) return position;
    if (position.length === 2) return [position[0], 0, position[1]];
    return position.length === 1 ? [0, 0, position[0]] : null;
  }

  const layerNow = () => store.state.hello.network.layers.find(({ name }) => name === store.state.layer);
  const isKernel = () => head?.view.startsWith("weight");
  const pickable = () => head?.parts.length > 0 && (!isKernel() || fits(layerNow().kernel, head));
  const extent = () => (head?.parts.length ? [...head.parts[0].size, head.parts[0].shape[0]] : [1, 1, 1]);

  function pixelAt(x, y) {
    if (!layout || !pickable()) return null;
    const { across, width, height } = layout;
    const { shape, every, size } = head.parts[0];
    const [column, row] = [Math.floor(x / (width + GAP)), Math.floor(y / (height + GAP))];
    const channel = row * across + column;
    const [inX, inY] = [x - column * (width + GAP), y - row * (height + GAP)];
    if (column >= across || channel >= shape[0] || inX >= width || inY >= height) return null;
    return [Math.min(Math.floor((inY / height) * shape[1]) * every, size[0] - 1), Math.min(Math.floor((inX / width) * shape[2]) * every, size[1] - 1), channel];
  }

  function paint() {
    const { show } = store.state;
    const histograms = show === "histograms";
    canvas.hidden = legend.hidden = histograms || !head?.parts.length;
    spread.hidden = !histograms;
    depthLabel.hidden = !(show.startsWith("weight") && head?.depth > 1);
    if (!head) return setText(note, "");
    if (head.problem) return setText(note, head.problem);
    if (histograms) return paintHistograms(spread, note, head);
    if (!head.parts.length) return setText(note, word(show.startsWith("weight") ? "no.weights" : "no.gradients"));
    if (!depthLabel.hidden && depth.options.length !== head.depth) {
      depth.replaceChildren(...Array.from({ length: head.depth }, (_, i) => make("option", { value: i, textContent: i })));
    }
    depth.value = Math.min(store.state.channel, head.depth - 1);
    paintMaps();
  }

  function paintMaps() {
    const [part] = head.parts;
    const [count, h, w] = part.shape;
    const wide = find("layer-body").clientWidth;
    if (!wide) return;
    layout = arrange(count, h, w, wide, head.view);
    const { across, width, height } = layout;
    const context = prepared(canvas, across * (width + GAP) - GAP, Math.ceil(count / across) * (height + GAP) - GAP);
    drawMaps(context, part, count, (i) => [(i % across) * (width + GAP), Math.floor(i / across) * (height + GAP), width, height]);
    const at = pickable() && cursor();
    if (at && at[2] < count) {
      const [x, y] = [(at[2] % across) * (width + GAP), Math.floor(at[2] / across) * (height + GAP)];
      const [px, py] = [width / w, height / h];
      context.lineWidth = 2;
      context.strokeStyle = colour("second");
      const column = Math.floor(at[1] / part.every);
      const row = Math.floor(at[0] / part.every);
      context.strokeRect(x + column * px, y + row * py, Math.max(px, 4), Math.max(py, 4));
    }
    canvas.style.cursor = pickable() ? "crosshair" : "default";
    canvas.setAttribute("aria-label", `${word(head.view)}, ${store.state.layer}. ${pickable() ? word("pick") : ""}`);
    setText(note, pickable() ? word("pick") : "");
    paintLegend(part, count);
  }

  function paintLegend(part, count) {
    if (!legend.children.length) legend.append(make("span"), make("canvas", { "aria-hidden": "true" }), make("span"), make("span"));
    const [low, ramp, high, channels] = legend.children;
    setText(low, part.signed ? number(-part.limit, 3) : "0");
    setText(high, number(part.limit, 3));
    setText(channels, count < part.channels ? word("channels", { count: whole(count), all: whole(part.channels) }) : "");
    const context = prepared(ramp, 96, 8);
    for (let i = 0; i < 96; i += 1) {
      context.fillStyle = shade(part.signed ? i / 47.5 - 1 : i / 95, part.signed);
      context.fillRect(i, 0, 1, 8);
    }
  }

  return {
    views(state) {
      const { layer, show, channel } = state;
      if (!layer || !TABS.includes(show)) return [];
      const request = { view: show, layer, ...(OF_PICTURE.has(show) ? lookedAt(state) : {}) };
      if (show.startsWith("weight") && channel) request.channel = channel;
      return [request];
    },
    frame(found) {
      if (found.view !== store.state.show || found.layer !== store.state.layer) return;
      head = found;
      soon(paint);
    },
  };
}

/** Whether what is drawn are the weights of a kernel in its own order: dense, or a window for each filter. */
function fits(kernel, { depth, parts: [part] }) {
  if (kernel?.length === 2) return true;
  return kernel?.length === 4 && kernel[2] === depth && kernel[3] === part.channels;
}

/** The largest cells with which all maps fit into the panel, or else the smallest. */
function arrange(count, h, w, wide, view) {
  const single = count === 1 && view.startsWith("weight");
  for (const edge of single ? [Math.min(wide, (HIGHEST * Math.max(h, w)) / h)] : CELLS) {
    const unit = Math.max(h, w);
    const scale = unit <= edge ? Math.floor(edge / unit) : edge / unit;
    const [width, height] = [Math.max(w * scale, 3), Math.max(h * scale, 3)];
    const across = Math.max(1, Math.min(count, Math.floor((wide + GAP) / (width + GAP))));
    if (single || Math.ceil(count / across) * (height + GAP) <= HIGHEST || edge === CELLS[CELLS.length - 1]) return { across, width, height };
  }
  return { across: 1, width: w, height: h };
}

function paintHistograms(place, note, head) {
  const entries = Object.entries(head.histograms ?? {}).flatMap(([kind, found]) => Object.entries(found).map(([name, counts]) => ({ kind, name, ...counts })));
  const made = fill(place, entries.length, () => make("div", { className: "histogram" }, make("div", { className: "plot-head" }, make("span"), make("span")), make("canvas", { role: "img" })));
  entries.forEach(({ kind, name, counts, low, high }, i) => {
    const [heading, canvas] = made[i].children;
    setText(heading.children[0], `${word(`hist.${kind}`)} · ${name}`);
    setText(heading.children[1], `${number(low, 3)} … ${number(high, 3)}`);
    canvas.setAttribute("aria-label", heading.textContent);
    const width = place.clientWidth;
    if (!width) return;
    const context = prepared(canvas, width, 56);
    const most = Math.max(...counts, 1);
    const step = width / counts.length;
    context.fillStyle = colour("accent");
    counts.forEach((count, j) => {
      const height = count ? Math.max(1, 54 * Math.sqrt(count / most)) : 0;
      context.fillRect(j * step, 56 - height, Math.max(step - 1, 1), height);
    });
    if (low < 0 && high > 0) {
      context.fillStyle = colour("second");
      context.fillRect((width * -low) / (high - low), 0, 1, 56);
    }
  });
  setText(note, [either(head.units), word("hist.note", { count: whole(head.pictures ?? 0) })].filter(Boolean).join(" · "));
}
