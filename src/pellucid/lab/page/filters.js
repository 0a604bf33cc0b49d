// The filter bench: kernels written by hand go over a picture, one after the other, and both poolings behind them.

import { numberParts } from "./arithmetic.js";
import { NEW_FILTER, NEW_POOLING, readBench, resized, writeBench } from "./benched.js";
import { find, make, setText } from "./dom.js";
import { soon } from "./draw.js";
import { lookedAt } from "./looked.js";
import { mountPicture } from "./picture.js";
import { makePlane } from "./plane.js";
import { makeTable } from "./table.js";
import { makeTask } from "./task.js";
import { either, word } from "./words.js";

export const area = "filters";

const PICTURES = ["halves", "turned", "still", "test"];
const PADDINGS = ["valid", "same", 1, 2, 3, 4];
const FILTERS = 2;
const ASK_MS = 120;
const KIND = "kernels";

export function mount(lab) {
  const { store, connection } = lab;
  let head = null;
  let seen = 0;
  const bench = () => readBench(store.state.bench);
  const change = (changes) => store.set({ bench: writeBench({ ...bench(), ...changes }) });

  const input = mountInput(store, change);
  const filters = Array.from({ length: FILTERS }, (_, index) => mountFilter(lab, index, bench, change));
  const pooling = mountPooling(store, bench, change);
  const problem = make("p", { className: "problem", role: "status" });
  const places = { filter1: filters[0].element, filter2: filters[1].element, pooling: pooling.element };
  find("bench-body").replaceChildren(make("div", { className: "stations" }, input.element, ...filters.map(({ element }) => element), pooling.element), problem);
  const stations = [input, ...filters, pooling];
  new ResizeObserver(() => soon(paint)).observe(find("bench-body"));

  mountExercises(lab, bench);
  store.on(["bench", "lang", "hello", "picture", "spot", "dressed", "area"], () => {
    const now = bench();
    for (const station of stations) station.show(now);
    soon(paint);
  });
  mountNumber(lab, () => head, (channel) => (seen = channel), () => seen);

  function paint() {
    setText(problem, head?.problem ?? "");
    (places[head?.where] ?? find("bench-body")).append(problem);
    const of = (name, wants) => head?.parts?.find((part) => part.of === name && Boolean(part.numbers) === wants);
    const [place, ...at] = (store.state.spot || "").split(/[:,]/);
    for (const station of stations) {
      for (const { name, plane, label } of station.planes) {
        const part = of(name, false);
        plane.element.hidden = !part;
        plane.name(label());
        if (!part) continue;
        const numbers = of(name, true);
        const spot = place === name && at.every((value, axis) => Number(value) < numbers.shape[axis]) ? at.map(Number) : null;
        plane.show(part, numbers, head.layers[name], spot);
      }
    }
  }

  return {
    views: (state) => [request(state)],
    frame(found) {
      if (found.view !== "filters") return;
      head = found;
      soon(paint);
    },
  };
}

/** What the server is asked for. */
function request(state) {
  const given = readBench(state.bench);
  return { view: "filters", given, ...(given.picture === "test" ? lookedAt(state) : {}) };
}

const planeOf = (store, name, label) => ({ name, label, plane: makePlane(([row, column]) => store.set({ spot: `${name}:${row},${column}` })) });

function mountInput(store, change) {
  const choice = make("select", { id: "bench-picture", onchange: () => change({ picture: choice.value }) });
  const label = make("label", { className: "field" }, make("span"), choice);
  const test = make("div", { className: "tools" });
  mountPicture(store, test, "bench-number-of");
  const shown = { name: "input", label: () => word("bench.input"), plane: makePlane() };
  const title = make("h3");
  const element = make("section", { className: "station" }, title, label, test, shown.plane.element);
  return {
    element,
    planes: [shown],
    show({ picture }) {
      setText(title, word("bench.input"));
      setText(label.firstChild, word("bench.picture"));
      choice.replaceChildren(...PICTURES.map((value) => make("option", { value, textContent: word(`bench.${value}`) })));
      choice.value = picture;
      test.hidden = picture !== "test";
    },
  };
}

function mountFilter({ store, connection }, index, bench, change) {
  const own = () => bench().filters[index];
  const set = (changes) => change({ filters: bench().filters.map((filter, i) => (i === index ? { ...filter, ...changes } : filter)) });
  const table = makeTable(() => set({ kernel: table.values() }));
  const rows = sizeInput(`filter${index + 1}-rows`, () => set({ kernel: resized(own().kernel, rows.valueAsNumber, own().kernel[0].length) }));
  const columns = sizeInput(`filter${index + 1}-columns`, () => set({ kernel: resized(own().kernel, own().kernel.length, columns.valueAsNumber) }));
  const preset = make("select", { id: `filter${index + 1}-preset`, onchange: begin });
  const strides = stepInput(`filter${index + 1}-strides`, () => set({ strides: strides.valueAsNumber }));
  const dilation = stepInput(`filter${index + 1}-dilation`, () => set({ dilation: dilation.valueAsNumber }));
  const padding = paddingSelect(`filter${index + 1}-padding`, (value) => set({ padding: value }));
  const relu = make("input", { type: "checkbox", id: `filter${index + 1}-relu`, onchange: () => set({ relu: relu.checked }) });
  const add = make("button", { type: "button", className: "button small", onclick: () => change({ filters: [...bench().filters, NEW_FILTER] }) });
  const remove = make("button", { type: "button", className: "button small", onclick: () => change({ filters: bench().filters.filter((_, i) => i !== index) }) });
  const title = make("h3");
  const fields = [field("bench.preset", preset), field("bench.rows", rows), field("bench.columns", columns), field("strides", strides), field("padding", padding), field("dilation", dilation), field("relu", relu)];
  const shown = planeOf(store, `filter${index + 1}`, () => title.textContent);
  const body = make("div", {}, table.element, shown.plane.element, make("div", { className: "fields" }, ...fields.map(({ element }) => element)));
  const element = make("section", { className: "station" }, make("header", {}, title, add, remove), body);
  let names = null;
  connection.ask({ view: "filter_kernel" }).then((found) => {
    names = found;
    store.on(["lang"], () => {
      preset.replaceChildren(make("option", { value: "", textContent: word("bench.choose") }), ...names.names.map((name) => make("option", { value: name, textContent: word(`preset.${name}`) })));
    });
  }, () => {});

  /** A kernel to begin with; one that comes in several sizes keeps the size that is there. */
  async function begin() {
    if (!preset.value) return;
    const { kernel } = own();
    const found = await connection.ask({ view: "filter_kernel", given: { name: preset.value, size: [kernel.length, kernel[0].length] } });
    preset.value = "";
    set({ kernel: found.kernel });
  }

  return {
    element,
    planes: [shown],
    show({ filters }) {
      const filter = filters[index];
      setText(title, word("bench.filter", { number: index + 1 }));
      setText(add, word("bench.add"));
      setText(remove, word("bench.remove"));
      body.hidden = !filter;
      add.hidden = Boolean(filter) || filters.length < index;
      element.hidden = filters.length < index;
      remove.hidden = !filter || index < filters.length - 1 || index === 0;
      for (const each of fields) each.name();
      if (!filter) return;
      table.show(filter.kernel, word("kernel"));
      put(rows, filter.kernel.length);
      put(columns, filter.kernel[0].length);
      put(strides, filter.strides);
      put(dilation, filter.dilation);
      padding.show(filter.padding);
      relu.checked = filter.relu;
    },
  };
}

function mountPooling(store, bench, change) {
  const set = (changes) => change({ pooling: { ...bench().pooling, ...changes } });
  const size = sizeInput("pooling-size", () => set({ size: size.valueAsNumber }));
  const strides = stepInput("pooling-strides", () => set({ strides: strides.valueAsNumber }));
  const padding = paddingSelect("pooling-padding", (value) => set({ padding: value }));
  const toggle = make("button", { type: "button", className: "button small", onclick: () => change({ pooling: bench().pooling ? null : NEW_POOLING }) });
  const title = make("h3");
  const fields = [field("bench.window", size), field("strides", strides), field("padding", padding)];
  const shown = ["max", "average"].map((name) => planeOf(store, name, () => word(`bench.${name}`)));
  const captions = shown.map(() => make("figcaption"));
  const figures = shown.map(({ plane }, i) => make("figure", {}, captions[i], plane.element));
  const body = make("div", {}, make("div", { className: "pair" }, ...figures), make("div", { className: "fields" }, ...fields.map(({ element }) => element)));
  const element = make("section", { className: "station", id: "bench-pooling" }, make("header", {}, title, toggle), body);
  return {
    element,
    planes: shown,
    show({ pooling }) {
      setText(title, word("bench.pooling"));
      setText(toggle, word(pooling ? "bench.remove" : "bench.add"));
      body.hidden = !pooling;
      for (const each of fields) each.name();
      shown.forEach(({ label }, i) => setText(captions[i], label()));
      if (!pooling) return;
      put(size, pooling.size);
      put(strides, pooling.strides);
      padding.show(pooling.padding);
    },
  };
}

/** The number that was picked, taken apart as in the layers of a network. */
function mountNumber({ store, connection }, head, choose, chosen) {
  const [body, place] = [find("bench-number-body"), make("p", { className: "note" })];
  find("bench-number-tools").append(place);
  let timer = 0;
  let found = null;
  let problem = "";

  async function ask() {
    const [layer, ...at] = store.state.spot.split(/[:,]/);
    try {
      found = await connection.ask({ ...request(store.state), view: "filter_number", layer, position: [...at.map(Number), 0] });
      problem = "";
    } catch (error) {
      [found, problem] = [null, error.message];
    }
    paint();
  }

  function paint() {
    setText(place, found ? word("place", { layer: found.layer, row: found.position[0], column: found.position[1], channel: 0 }) : "");
    const parts = found ? numberParts(found, chosen(), (channel) => (choose(channel), paint()), []) : [];
    body.replaceChildren(...(parts.length ? parts : [make("p", { className: "note", textContent: problem || word("bench.hint") })]));
  }

  store.on(["bench", "spot", "picture", "change", "cover", "area", "status"], ({ spot, area: shown, status }) => {
    clearTimeout(timer);
    if (shown !== area || status !== "connected") return;
    if (spot) timer = setTimeout(ask, ASK_MS);
    else found = null;
    if (!spot) paint();
  });
  store.on(["lang", "dressed"], paint);
}

/** Exercises that ask for a kernel; the one of the first filter can be handed in. */
function mountExercises(lab, bench) {
  const take = make("button", { type: "button", className: "button small", id: "take-kernel" });
  const choice = make("select", { id: "bench-exercise", onchange: () => task.show(choice.value) });
  const task = makeTask(lab, { buttons: [take] });
  take.addEventListener("click", () => task.fill({ kernel: bench().filters[0].kernel }));
  find("bench-task-tools").append(make("label", { className: "field inline" }, make("span", { className: "unseen", "data-word": "exercise" }), choice));
  find("bench-task-body").replaceChildren(task.element);
  lab.connection.ask({ view: "exercises" }).then(({ parts }) => {
    const { exercises } = parts.find(({ part }) => part === KIND);
    choice.replaceChildren(...exercises.map(({ name }) => make("option", { value: name })));
    lab.store.on(["lang"], () => exercises.forEach(({ title }, i) => setText(choice.options[i], either(title))));
    task.show(choice.value);
  }, () => {});
  lab.store.on(["lang"], () => setText(take, word("bench.take")));
}

function field(name, input) {
  const text = make("span");
  const element = make("label", { className: input.type === "checkbox" ? "field check" : "field", for: input.id }, text, input.element ?? input);
  return { element, name: () => setText(text, word(name)) };
}

const sizeInput = (id, hear) => numberInput(id, 1, 11, hear);
const stepInput = (id, hear) => numberInput(id, 1, 8, hear);

function numberInput(id, min, max, hear) {
  const input = make("input", { type: "number", id, min, max, step: 1 });
  input.addEventListener("input", () => input.validity.valid && input.value && hear());
  return input;
}

function put(input, value) {
  if (document.activeElement !== input) input.value = value ?? "";
}

function paddingSelect(id, hear) {
  const element = make("select", { id, onchange: () => hear(/^\d+$/.test(element.value) ? Number(element.value) : element.value) });
  return {
    id,
    element,
    show(value) {
      const known = PADDINGS.includes(value) ? PADDINGS : [...PADDINGS, value];
      element.replaceChildren(...known.map((each) => make("option", { value: each, textContent: each })));
      element.value = value;
    },
  };
}

