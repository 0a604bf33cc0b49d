// The network as a list of layers that can be edited: forms from the server's catalogue, and what each change would make
// of shapes, sizes and costs, weighed by the server while one edits. Nothing trains otherwise until "use it".

import { fill, find, make, setText } from "./dom.js";
import { fieldFor } from "./editor-form.js";
import { number, told, whole, word } from "./words.js";

export const area = "network";

const PAUSE_MS = 120;
const ROOM = 60_000;

export function mount({ store, connection, owner }) {
  const list = find("editor-body");
  const kinds = make("select", { id: "add-kind" });
  const places = make("select", { id: "add-place" });
  let catalogue = new Map();
  let layers = [];
  let reads = null;
  let rows = [];
  let problem = null;
  let open = -1;
  let edited = false;
  let loaded = null;
  let drafting = 0;
  let timer = 0;
  const tools = mountTools();

  store.on(["area", "hello", "status"], ({ hello, status }) => {
    if (store.state.area !== area || status !== "connected" || loaded === hello) return;
    loaded = hello;
    load();
  });
  store.on(["lang", "hello"], () => paint());

  /** The network as it trains. */
  async function load() {
    const asked = loaded;
    try {
      const found = await connection.ask({ view: "network_layers" });
      if (asked !== loaded) return;
      [layers, reads, rows] = [found.layers, found.reads, found.rows];
      catalogue = new Map(found.catalogue.map((entry) => [entry.type, entry]));
      [edited, problem, open] = [false, null, open < layers.length ? open : -1];
      kinds.replaceChildren(...found.catalogue.map(({ type }) => make("option", { value: type, textContent: type })));
      paint();
    } catch {
      loaded = null;
    }
  }

  function isRow() {
    return reads === null || reads.every((read, i) => read.length === 1 && read[0] === i - 1);
  }

  function network() {
    return { layers, reads: reads && isRow() ? layers.map((_, i) => [i - 1]) : reads };
  }

  /** Something was changed: weigh it, a moment later. */
  function changed({ soon = false } = {}) {
    edited = true;
    paint();
    clearTimeout(timer);
    timer = setTimeout(weigh, soon ? 0 : PAUSE_MS);
  }

  async function weigh() {
    const turn = ++drafting;
    const given = network();
    if (JSON.stringify(given).length > ROOM) return show(word("too.many.layers"));
    try {
      const found = await connection.ask({ view: "draft", given });
      if (turn !== drafting) return;
      [rows, problem] = [found.rows, found.problem];
      rows.forEach(({ name }, i) => (layers[i].name = name));
      paint(found);
    } catch (error) {
      if (turn === drafting) show(error.message);
    }
  }

  function show(text) {
    [problem, rows] = [{ layer: 0, text }, []];
    paint();
  }

  // What is done to the list. In a graph a layer is put between one and all that read it, and taken out the same way.

  function insert(at, config) {
    if (reads && !isRow()) {
      const moved = (i) => (i > at ? i + 1 : i === at ? at + 1 : i);
      reads = reads.map((read) => read.map(moved));
      reads.splice(at + 1, 0, [at]);
    } else if (reads) reads = [...layers, config].map((_, i) => [i - 1]);
    layers.splice(at + 1, 0, config);
    rows.splice(at + 1, 0, undefined);
    open = at + 1;
    changed({ soon: true });
  }

  function remove(at) {
    if (reads && !isRow()) {
      const [from] = reads[at];
      reads = reads.filter((_, i) => i !== at).map((read) => read.map((i) => (i === at ? from : i)).map((i) => (i > at ? i - 1 : i)));
    } else if (reads) reads = layers.slice(1).map((_, i) => [i - 1]);
    layers.splice(at, 1);
    rows.splice(at, 1);
    if (open >= at) open -= open > at ? 1 : open + 1;
    changed({ soon: true });
    list.children[Math.min(at, layers.length - 1)]?.querySelector(".layer-head").focus();
  }

  function move(at, by) {
    const to = at + by;
    [layers[at], layers[to]] = [layers[to], layers[at]];
    [rows[at], rows[to]] = [rows[to], rows[at]];
    open = open === at ? to : open === to ? at : open;
    changed({ soon: true });
    list.children[to].querySelector(by < 0 ? ".up" : ".down").focus();
  }

  // How it is shown

  function mountTools() {
    const add = make("button", { type: "button", className: "button", id: "add-layer", onclick: () => insert(Number(places.value), structuredClone(catalogue.get(kinds.value).config)) });
    const use = make("button", { type: "button", className: "button main", id: "use-network", onclick: () => connection.command("edit", "", network()) });
    const back = make("button", { type: "button", className: "button", id: "undo-network", onclick: load });
    const sums = make("p", { className: "note", id: "editor-sums" });
    const labels = [kinds, places].map((select) => make("label", { for: select.id, className: "field inline" }, make("span"), select));
    find("editor-tools").replaceChildren(...labels, add);
    find("editor-foot").replaceChildren(use, back, sums);
    return { add, use, back, sums, labels };
  }

  function paint(found) {
    const may = owner();
    const graph = !isRow();
    setText(find("editor-note"), word(may ? (graph ? "editor.graph" : "editor.note") : "editor.looking"));
    const { add, use, back, sums, labels } = tools;
    setText(labels[0].firstChild, word("add.kind"));
    setText(labels[1].firstChild, word("add.place"));
    setText(add, word("add.layer"));
    setText(use, word("use.network"));
    setText(back, word("undo.network"));
    find("editor-tools").hidden = find("editor-foot").hidden = !may;
    use.disabled = !edited || Boolean(problem) || rows.length !== layers.length || rows.includes(undefined);
    back.disabled = !edited;
    const chosen = open >= 0 ? open : Math.max(layers.length - 2, -1);
    places.replaceChildren(make("option", { value: -1, textContent: word("input") }), ...layers.map((layer, i) => make("option", { value: i, textContent: nameOf(layer) })));
    places.value = String(chosen);
    const parameters = rows.reduce((sum, row) => sum + (row?.parameters ?? 0), 0);
    const macs = rows.reduce((sum, row) => sum + (row?.macs ?? 0), 0);
    const memory = found?.memory ? ` · ${word("memory", { size: bytes(found.memory) })}` : "";
    setText(sums, problem ? "" : `${word("parameters", { count: whole(parameters) })} · ${word("macs", { count: short(macs) })}${memory}`);
    fill(list, layers.length, makeRow).forEach((row, i) => paintRow(row, i, may, graph));
  }

  function makeRow() {
    const head = make("button", { type: "button", className: "layer-head" }, make("b"), make("span", { className: "what" }));
    const facts = make("dl", { className: "facts" }, ...["shape", "parameters.short", "macs.short", "sees", "weights.kept"].map((name) => make("div", { "data-of": name }, make("dt"), make("dd"))));
    const buttons = make("div", { className: "buttons" }, ...["up", "down", "remove"].map((name) => make("button", { type: "button", className: `button small ${name}`, textContent: { up: "↑", down: "↓", remove: "×" }[name] })));
    return make("li", { className: "layer-row" }, make("div", { className: "layer-line" }, head, facts, buttons), make("p", { className: "problem", role: "alert" }), make("div", { className: "layer-form" }));
  }

  function paintRow(row, i, may, graph) {
    const [line, bad, form] = row.children;
    const [head, facts, buttons] = line.children;
    const [layer, weighed] = [layers[i], rows[i]];
    setText(head.firstChild, nameOf(layer));
    setText(head.lastChild, [layer.type, weighed?.kernel].filter(Boolean).join(" "));
    head.setAttribute("aria-expanded", String(open === i));
    head.onclick = () => {
      open = open === i ? -1 : i;
      paint();
    };
    const stays = weighed?.kept ? word("weights.stay") : word("weights.new");
    const values = weighed
      ? [weighed.output_shape.join("×"), whole(weighed.parameters), short(weighed.macs), weighed.receptive_field?.join("×") ?? "–", edited && weighed.parameters ? stays : ""]
      : ["–", "–", "–", "–", ""];
    [...facts.children].forEach((entry, k) => {
      setText(entry.firstChild, word(entry.dataset.of));
      setText(entry.lastChild, values[k]);
      entry.hidden = k === 4 && !values[k];
    });
    row.classList.toggle("new", Boolean(edited && weighed?.parameters && !weighed.kept));
    const wrong = problem?.layer === i;
    row.classList.toggle("bad", wrong);
    setText(bad, wrong ? told(problem, "text") : "");
    bad.hidden = !wrong;
    const [up, down, gone] = buttons.children;
    buttons.hidden = !may;
    up.hidden = down.hidden = graph;
    up.disabled = i === 0;
    down.disabled = i === layers.length - 1;
    gone.disabled = graph && reads[i].length > 1;
    [up.onclick, down.onclick, gone.onclick] = [() => move(i, -1), () => move(i, 1), () => remove(i)];
    for (const [button, name] of [[up, "move.up"], [down, "move.down"], [gone, "remove.layer"]]) {
      button.title = word(name);
      button.setAttribute("aria-label", `${word(name)}: ${nameOf(layer)}`);
    }
    form.hidden = open !== i;
    if (open === i) paintForm(form, layer, weighed, may);
    else form.replaceChildren();
  }

  function paintForm(form, layer, weighed, may) {
    if (form.contains(document.activeElement) && form.dataset.of === layer.type) return; // it is being filled in
    form.dataset.of = layer.type;
    const fields = [...(catalogue.get(layer.type)?.fields ?? []), ...(weighed?.parameters ? [{ name: "trainable", kind: "flag" }] : [])];
    const change = (name, value) => {
      if (JSON.stringify(layer[name]) === JSON.stringify(value)) return;
      layer[name] = value;
      changed();
    };
    const made = fields.map((field) => fieldFor(field, layer[field.name] ?? (field.name === "trainable" ? true : undefined), change, !may));
    form.replaceChildren(...(made.length ? made : [make("p", { className: "note", textContent: word("no.arguments") })]));
  }
}

const nameOf = (layer) => layer.name ?? layer.type;

/** A count in at most five characters. */
function short(count) {
  for (const [unit, size] of [["G", 1e9], ["M", 1e6], ["K", 1e3]]) if (count >= size) return `${Number((count / size).toPrecision(3))} ${unit}`;
  return whole(count);
}

function bytes(count) {
  for (const [unit, size] of [["GB", 2 ** 30], ["MB", 2 ** 20], ["KB", 2 ** 10]]) if (count >= size) return `${number(count / size, 3)} ${unit}`;
  return `${count} B`;
}
