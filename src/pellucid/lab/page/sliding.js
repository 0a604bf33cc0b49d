// A layer's window on its way, place by place: forward over what the layer reads, or back, from the outputs that read one
// of its numbers. The numbers of a place stand in the panel of arithmetic, those on the way back here.

import { gradientParts } from "./backward.js";
import { find, make, setText } from "./dom.js";
import { colour, drawMaps, prepared, soon } from "./draw.js";
import { lookedAt } from "./looked.js";
import { word } from "./words.js";

export const area = "train";

const WAYS = { forward: "window", backward: "window_gradients" };
const EDGE = 190;
const KERNEL = 104;
const SPEEDS = [1, 2, 5, 10, 20];

export function mount({ store, connection }) {
  const heads = {};
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");
  let place = 0;
  let timer = 0;
  let terms = [];
  let asked = "";
  let busy = false;

  const ways = Object.keys(WAYS).map((way) => make("button", { type: "button", className: "button small", id: `slide-${way}`, onclick: () => turn(way) }));
  find("sliding-tools").append(...ways);
  const button = (id, text, act) => make("button", { type: "button", className: "button small", id, textContent: text, onclick: act });
  const play = button("slide-play", "", () => (timer ? stop() : start()));
  const speed = make("select", { id: "slide-speed" }, ...SPEEDS.map((value) => make("option", { value, textContent: value })));
  speed.value = 5;
  speed.addEventListener("change", () => timer && start());
  const slider = make("input", { type: "range", id: "slide-place", min: 0, step: 1 });
  slider.addEventListener("input", () => go(slider.valueAsNumber));
  const channel = make("select", { id: "slide-channel" });
  channel.addEventListener("change", () => store.set({ channel: Number(channel.value) }));
  const back = button("slide-back", "‹", () => go(place - 1));
  const on = button("slide-on", "›", () => go(place + 1));
  const labelled = (name, input) => make("label", { className: "field inline", for: input.id }, make("span", { "data-word": name }), input);
  const channelField = labelled("input.channel", channel);
  const canvases = Object.fromEntries(["input", "kernel", "output"].map((name) => [name, make("canvas", { "aria-hidden": "true" })]));
  const figures = Object.entries(canvases).map(([name, canvas]) => make("figure", { "data-of": name }, make("figcaption"), canvas));
  const note = make("p", { className: "note", role: "status" });
  const numbers = make("div");
  const stage = make("div", {}, make("div", { className: "buttons" }, play, back, on, labelled("slide.speed", speed), channelField), make("label", { className: "field", for: slider.id }, make("span", { className: "unseen", "data-word": "slide.place" }), slider), make("div", { className: "sliding" }, ...figures));
  find("sliding-body").replaceChildren(stage, note, numbers);

  const head = () => heads[WAYS[store.state.slide]];
  const forward = () => store.state.slide === "forward";
  const part = (name) => head().parts.find(({ of }) => of === name);
  /** Rows and columns of what is gone through. */
  const extent = () => part(forward() ? "output" : "input").size;

  function turn(way) {
    stop();
    place = 0;
    store.set({ slide: store.state.slide === way ? "" : way, ...(way === "forward" ? { show: "maps", position: [] } : {}) });
  }

  function start() {
    clearInterval(timer);
    const [rows, columns] = extent();
    if (place >= rows * columns - 1) go(0);
    timer = setInterval(() => {
      if (store.state.area !== area || document.hidden || !ready()) return stop();
      go(place + 1);
      const [h, w] = extent();
      if (place >= h * w - 1) stop();
    }, 1000 / Number(speed.value));
    label();
  }

  function stop() {
    clearInterval(timer);
    timer = 0;
    label();
  }

  const ready = () => Boolean(head()?.parts?.length);

  function go(to) {
    if (!ready()) return;
    const [rows, columns] = extent();
    place = Math.min(Math.max(to, 0), rows * columns - 1);
    const at = [Math.floor(place / columns), place % columns];
    if (forward()) store.set({ show: "maps", position: [...at, head().filter] });
    else askTerms();
    soon(paint);
  }

  /** Where the gradient of the number comes from, term by term. */
  async function askTerms() {
    const { channel: of, reads } = head();
    const { layer, training } = store.state;
    const columns = extent()[1];
    const request = { view: reads ? "gradient" : "picture_gradient", ...(reads ? { layer: reads } : {}), ...lookedAt(store.state), position: [Math.floor(place / columns), place % columns, of] };
    const key = JSON.stringify([request, training?.step, training?.generation]);
    if (busy || key === asked) return;
    busy = true;
    asked = key;
    try {
      const { parts } = await connection.ask(request);
      terms = gradientParts({ parts: parts.filter((each) => each.layer === layer) });
    } catch (error) {
      terms = [make("p", { className: "note", textContent: error.message })];
    }
    busy = false;
    soon(paint);
    if (store.state.slide === "backward" && ready()) askTerms();
  }

  function label() {
    const { slide } = store.state;
    Object.keys(WAYS).forEach((way, i) => {
      setText(ways[i], word(`slide.${way}`));
      ways[i].setAttribute("aria-pressed", String(slide === way));
    });
    setText(play, word(timer ? "pause" : "play"));
    play.disabled = still.matches;
    play.title = still.matches ? word("slide.still") : "";
    back.setAttribute("aria-label", word("slide.back"));
    on.setAttribute("aria-label", word("slide.on"));
    soon(paint);
  }

  function paint() {
    const { slide } = store.state;
    const found = head();
    stage.hidden = !slide || !ready();
    numbers.hidden = slide !== "backward" || !ready();
    if (!slide) return setText(note, word("slide.hint"));
    if (!ready()) return setText(note, found ? (found.problem ?? word("no.window")) : "");
    const [rows, columns] = extent();
    place = Math.min(place, rows * columns - 1);
    slider.max = rows * columns - 1;
    slider.value = place;
    channelField.hidden = found.channels < 2;
    if (channel.options.length !== found.channels) channel.replaceChildren(...Array.from({ length: found.channels }, (_, i) => make("option", { value: i, textContent: i })));
    channel.value = Math.min(store.state.channel, found.channels - 1);
    const at = [Math.floor(place / columns), place % columns];
    slider.setAttribute("aria-valuetext", `[${at.join(", ")}]`);
    const pairs = pairsAt(found, at);
    paintInput(found, at, pairs);
    paintKernel(found, pairs);
    paintOutput(at, pairs);
    const middle = part("kernel") ? "kernel" : "window";
    const names = forward() ? ["slide.reads", middle, "slide.gives"] : ["slide.d_reads", middle, "slide.d_gives"];
    const places = { reads: found.reads || word("the.picture"), channel: found.channel, layer: store.state.layer, filter: found.filter };
    figures.forEach((figure, i) => setText(figure.firstChild, word(names[i], places)));
    setText(note, word(forward() ? "slide.forward.note" : "slide.backward.note", { at: at.join(", "), count: pairs.length }));
    if (!numbers.hidden) numbers.replaceChildren(...terms);
  }

  /** Which number of the input meets which of the output through which of the kernel, of those that the place is about. */
  function pairsAt({ kernel, strides, dilation, pads }, at) {
    const lines = [0, 1].map((axis) => {
      const size = part("output").size[axis];
      return Array.from({ length: kernel[axis] }, (_, tap) => {
        const shift = tap * dilation[axis] - pads[axis];
        if (forward()) return { tap, read: at[axis] * strides[axis] + shift, given: at[axis] };
        const given = (at[axis] - shift) / strides[axis];
        return Number.isInteger(given) && given >= 0 && given < size ? { tap, read: at[axis], given } : null;
      }).filter(Boolean);
    });
    return lines[0].flatMap((row) => lines[1].map((column) => ({ tap: [row.tap, column.tap], read: [row.read, column.read], given: [row.given, column.given] })));
  }

  function paintInput({ kernel, strides, dilation, pads }, at, pairs) {
    const { size } = part("input");
    const given = part("output").size;
    const first = pads.map((pad) => Math.min(0, -pad));
    const last = [0, 1].map((axis) => Math.max(size[axis], (given[axis] - 1) * strides[axis] - pads[axis] + (kernel[axis] - 1) * dilation[axis] + 1));
    const cell = EDGE / Math.max(last[0] - first[0], last[1] - first[1]);
    const context = prepared(canvases.input, (last[1] - first[1]) * cell, (last[0] - first[0]) * cell);
    const box = ([row, column]) => [(column - first[1]) * cell, (row - first[0]) * cell];
    context.fillStyle = colour("sunk");
    context.fillRect(0, 0, canvases.input.width, canvases.input.height);
    drawMaps(context, part("input"), 1, () => [...box([0, 0]), size[1] * cell, size[0] * cell]);
    if (!forward()) veil(context, size, place, cell, box);
    outline(context, forward() ? pairs.map(({ read }) => read) : [at], cell, box);
  }

  function paintKernel({ kernel }, pairs) {
    const [rows, columns] = kernel;
    const cell = Math.min(KERNEL / Math.max(rows, columns), 34);
    const context = prepared(canvases.kernel, columns * cell, rows * cell);
    const held = part("kernel");
    if (held) drawMaps(context, held, 1, () => [0, 0, columns * cell, rows * cell]);
    else {
      context.fillStyle = colour("sunk");
      context.fillRect(0, 0, columns * cell, rows * cell);
    }
    outline(context, pairs.map(({ tap }) => tap), cell, ([row, column]) => [column * cell, row * cell]);
  }

  function paintOutput(at, pairs) {
    const { size } = part("output");
    const cell = EDGE / Math.max(...size);
    const context = prepared(canvases.output, size[1] * cell, size[0] * cell);
    const box = ([row, column]) => [column * cell, row * cell];
    drawMaps(context, part("output"), 1, () => [0, 0, size[1] * cell, size[0] * cell]);
    if (forward()) veil(context, size, place, cell, box);
    outline(context, forward() ? [at] : pairs.map(({ given }) => given), cell, box);
  }

  store.on(["lang", "hello", "slide", "dressed"], label);
  store.on(["layer", "slide"], () => {
    stop();
    place = 0;
    terms = [];
    asked = "";
    for (const view of Object.values(WAYS)) delete heads[view];
    store.set({ filter: "" });
  });
  store.on(["position"], ({ position, slide }) => {
    if (slide !== "forward" || position.length !== 3 || !ready()) return;
    place = position[0] * extent()[1] + position[1];
    store.set({ filter: String(position[2]) });
    soon(paint);
  });
  still.addEventListener("change", label);

  return {
    views: (state) => (WAYS[state.slide] ? [{ view: WAYS[state.slide], layer: state.layer, ...lookedAt(state), ...(state.channel ? { channel: state.channel } : {}), ...(state.filter === "" ? {} : { given: { filter: Number(state.filter) } }) }] : []),
    frame(found) {
      if (!Object.values(WAYS).includes(found.view) || found.layer !== store.state.layer) return;
      heads[found.view] = found;
      if (ready() && !timer && (!forward() || store.state.position.length !== 3)) go(place);
      soon(paint);
    },
  };
}

/** What is not reached yet, pale. */
function veil(context, [rows, columns], place, cell, box) {
  const [row, column] = [Math.floor(place / columns), place % columns];
  context.globalAlpha = 0.8;
  context.fillStyle = colour("card");
  context.fillRect(...box([row, column + 1]), (columns - column - 1) * cell, cell);
  context.fillRect(...box([row + 1, 0]), columns * cell, (rows - row - 1) * cell);
  context.globalAlpha = 1;
}

function outline(context, cells, cell, box) {
  context.strokeStyle = colour("second");
  context.lineWidth = cells.length > 1 ? 1.5 : 2.5;
  for (const at of cells) context.strokeRect(...box(at).map((value) => value + 0.75), Math.max(cell - 1.5, 2), Math.max(cell - 1.5, 2));
}
