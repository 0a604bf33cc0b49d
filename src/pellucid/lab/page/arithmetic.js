// One number taken apart. Of a map: the patch, the kernel, their products, the sum, the bias, the activation; of its
// gradient and of a weight, see backward.js.

import { gradientParts, weightUpdate } from "./backward.js";
import { fill, find, make, setText } from "./dom.js";
import { inkOn, shade, soon } from "./draw.js";
import { lookedAt } from "./looked.js";
import { either, number, percent, whole, word } from "./words.js";

export const area = "train";

/** What is asked for a number that was picked in a tab of the layer. */
export const ASKED = { maps: "arithmetic", histograms: "arithmetic", map_gradients: "gradient", weights: "update", weight_gradients: "update" };
const EVERY_MS = 400;
const LONG_LIST = 24;
const WIDEST = 11;

export function mount({ store, connection }) {
  const body = find("arithmetic-body");
  const place = make("p", { className: "note" });
  find("arithmetic-tools").append(place);
  let found = null;
  let problem = "";
  let seen = 0;
  let busy = false;
  let asked = "";
  let askedMs = -EVERY_MS;
  let timer = 0;

  const request = ({ layer, position, show, ...state }) => ({ view: ASKED[show] ?? "arithmetic", layer, ...lookedAt(state), ...(position.length ? { position } : {}) });

  store.on(["area", "layer", "picture", "change", "cover", "position", "show", "training", "hello"], (state, changed) => {
    const { training, status } = state;
    const what = JSON.stringify([request(store.state), training?.generation, training?.step]);
    if (what === asked || !training || status !== "connected" || state.area !== area) return;
    clearTimeout(timer);
    const moved = ["layer", "picture", "change", "cover", "position", "show"].some((name) => changed.has(name));
    if (moved && !busy) ask();
    else timer = setTimeout(ask, Math.max(0, EVERY_MS - (performance.now() - askedMs)));
  });
  store.on(["lang", "dressed"], () => soon(paint));

  async function ask() {
    if (busy) return;
    busy = true;
    const { training } = store.state;
    asked = JSON.stringify([request(store.state), training.generation, training.step]);
    askedMs = performance.now();
    try {
      const wanted = request(store.state);
      found = { view: wanted.view, layer: wanted.layer, ...(await connection.ask(wanted)) };
      problem = "";
    } catch (error) {
      [found, problem] = [null, error.message];
    }
    busy = false;
    soon(paint);
    const now = JSON.stringify([request(store.state), store.state.training.generation, store.state.training.step]);
    if (now !== asked) timer = setTimeout(ask, JSON.parse(now)[0].position === JSON.parse(asked)[0].position ? EVERY_MS : 0);
  }

  function paint() {
    setText(place, "");
    if (!found) {
      body.replaceChildren(make("p", { className: "note", textContent: problem || word("pick.hint") }));
      return;
    }
    setText(find("arithmetic-title"), word(found.view));
    if (found.view !== "arithmetic") {
      setText(place, found.layer);
      body.replaceChildren(...(found.view === "gradient" ? gradientParts(found) : weightUpdate(found)));
      return;
    }
    const at = found.position;
    const places = { layer: found.layer, row: at[0], column: at.length === 3 ? at[1] : 0, channel: at[at.length - 1] };
    setText(place, word(at.length === 1 ? "place.unit" : "place", places));
    seen = Math.min(seen, Math.max(depthOf(found) - 1, 0));
    const choose = (channel) => {
      seen = channel;
      paint();
    };
    body.replaceChildren(...numberParts(found, seen, choose, store.state.hello.network.classes));
  }
}

/** How a number comes about: the equation, its terms (of the input channel `seen`), the way from their sum to the result. */
export function numberParts(found, seen, choose, classes) {
  const equation = make("p", { className: "equation", textContent: either(found.equation) });
  return [equation, ...terms(found, seen, choose), chain(found), ...rivals(found, classes)];
}

const depthOf = ({ patch_shape: shape }) => (shape.length === 3 ? shape[2] : 1);

/** The products, as tables for windows and as a list for rows of numbers. */
function terms(found, seen, choose) {
  const { patch_shape: shape, chosen, kind } = found;
  if (shape.length !== 3 || chosen || shape[1] > WIDEST) return found.terms > 1 ? longList(found) : [];
  const [rows, columns, depth] = shape;
  const of = (values) => Array.from({ length: rows * columns }, (_, i) => values[i * depth + seen]);
  const tables = [figure(kind === "max" ? "values" : "patch", of(found.patch), found, columns)];
  if (found.kernel) tables.push(make("div", {}, sign("×"), figure("kernel", of(found.kernel), found, columns, true)));
  if (found.products) tables.push(make("div", {}, sign("="), figure("products", of(found.products), found, columns, true)));
  const strip = depth > 1 && found.products ? channelStrip(found, depth, seen, choose) : [];
  return [...strip, make("div", { className: "terms" }, ...tables)];
}

function figure(name, values, { inside, picked }, columns, signs = false) {
  const finite = values.filter((value) => value !== null).map(Math.abs);
  const most = Math.max(...finite, 1e-30);
  const signed = signs || values.some((value) => value < 0);
  const rows = [];
  for (let start = 0; start < values.length; start += columns) {
    const cells = values.slice(start, start + columns).map((value, i) => {
      const [row, column] = [start / columns, i];
      const cell = make("td", { textContent: cellText(value), title: value ?? "", "data-value": value === null ? "" : String(value) });
      if (inside && !inside[row][column]) cell.className = "outside";
      else if (value !== null) {
        cell.style.backgroundColor = shade(value / most, signed);
        cell.style.color = inkOn(value / most, signed);
      }
      if (picked && picked[0] === row && picked[1] === column) cell.classList.add("picked");
      return cell;
    });
    rows.push(make("tr", {}, ...cells));
  }
  return make("figure", { "data-terms": name }, make("figcaption", { textContent: word(name) }), make("div", { className: "scroll" }, make("table", { className: "numbers" }, make("tbody", {}, ...rows))));
}

/** Three decimals, which can be added by hand; more digits stand in the title. */
const cellText = (value) => (value === null || Math.abs(value) >= 100 ? number(value, 3) : String(Number(value.toFixed(3))).replace("-", "−"));

const sign = (text) => make("span", { className: "sign", textContent: text, "aria-hidden": "true" });

/** What each input channel adds to the sum; one of them is shown number by number. */
function channelStrip({ products, channels }, depth, seen, choose) {
  const sums = Array(depth).fill(0);
  products.forEach((value, i) => (sums[i % depth] += value));
  const most = Math.max(...sums.map(Math.abs), 1e-30);
  const buttons = sums.map((value, i) => {
    const button = make("button", { type: "button", textContent: number(value, 3), title: `${word("input.channel")} ${channels[i] ?? i}`, "data-value": String(value), "aria-pressed": String(i === seen), onclick: () => choose(i) });
    button.style.backgroundColor = shade(value / most, true);
    button.style.color = inkOn(value / most, true);
    return button;
  });
  return [make("p", { className: "note", textContent: word("by.channel") }), make("div", { className: "strip", "data-terms": "channels" }, ...buttons)];
}

/** The largest products one by one, and what the rest adds. */
function longList({ patch, kernel, products, chosen, terms: count, sum: total }) {
  const values = products ?? patch;
  const order = values.map((value, i) => [Math.abs(value ?? 0), i]).sort((a, b) => b[0] - a[0]).slice(0, LONG_LIST).map(([, i]) => i);
  const items = order.map((i) =>
    make("li", { "data-value": String(values[i]) }, make("span", { textContent: `[${chosen ? chosen[i] : i}]` }), make("span", { textContent: products && kernel ? `${number(patch[i], 3)} × ${number(kernel[i], 3)} = ${number(values[i], 4)}` : number(values[i], 4) })),
  );
  const rest = products && count > order.length ? total - order.reduce((sum, i) => sum + values[i], 0) : null;
  if (rest !== null) items.push(make("li", { "data-value": String(rest) }, make("span", { textContent: word("rest") }), make("span", { textContent: number(rest, 4) })));
  const title = word("largest.terms", { shown: order.length, count: whole(count) });
  return [make("p", { className: "note", textContent: title }), make("ol", { className: "longlist", "data-terms": "products" }, ...items)];
}

/** From the sum to what the layer gives. */
function chain(found) {
  const steps = [];
  if (found.sum !== null && found.products) steps.push(["sum", found.sum]);
  if (found.kind === "max") steps.push(["winner", found.before]);
  if (found.bias !== null && found.bias !== undefined) steps.push(["bias", found.bias], ["before", found.before]);
  const entries = steps.map(([name, value]) => entry(word(name), value, name));
  if (found.activation) entries.push(entry(word("activation"), found.activation, "activation"));
  const last = entry(word("result"), found.result, "result");
  last.className = "final";
  const own = make("p", { className: "note", textContent: word("layers.number", { value: number(found.computed, 6) }) });
  return make("div", {}, make("dl", { className: "chain" }, ...entries, last), own);
}

export function entry(term, value, name) {
  const text = typeof value === "number" ? number(value, 6) : value;
  return make("div", { "data-of": name }, make("dt", { textContent: term }), make("dd", { textContent: text, "data-value": typeof value === "number" ? String(value) : "" }));
}

/** Of a softmax: all that is compared, and the share of each. */
function rivals({ rivals: values, position, activation }, classes) {
  if (!values || activation !== "softmax") return [];
  const most = Math.max(...values);
  const powers = values.map((value) => Math.exp(value - most));
  const sum = powers.reduce((total, value) => total + value, 0);
  const shown = powers.map((value, index) => ({ share: value / sum, index })).sort((a, b) => b.share - a.share).slice(0, LONG_LIST);
  const list = make("ol", { className: "longlist" });
  fill(list, shown.length, (i) => {
    const { share, index } = shown[i];
    const name = make("span", { textContent: classes[index] ?? String(index) });
    if (index === position[position.length - 1]) name.style.fontWeight = 700;
    return make("li", {}, name, make("span", { textContent: `z = ${number(values[index], 4)}   ${percent(share, 1)}` }));
  });
  return [make("p", { className: "note", textContent: word("rivals") }), list];
}
