// Where a gradient comes from, term by term, and what the next step does to a weight.

import { entry } from "./arithmetic.js";
import { make } from "./dom.js";
import { either, knownWords, number, whole, word } from "./words.js";

/** The gradient of a number that a layer gives: from each layer that reads it. */
export function gradientParts({ parts }) {
  if (!parts.length) return [make("p", { className: "note", textContent: word("loss.begins") })];
  return parts.flatMap((part) => [
    make("p", { className: "note", textContent: `${word("comes.back", { layer: part.layer })} · ${part.detail} · [${part.position.join(", ")}] = ${number(part.value, 4)}` }),
    ...terms(part),
  ]);
}

/** The gradient of a weight, and the update that the optimizer makes of it. */
export function weightUpdate({ gradient, update }) {
  if (!gradient) return [make("p", { className: "note", textContent: word("no.weights") })];
  const place = `${gradient.layer}/${gradient.of} [${gradient.position.join(", ")}] = ${number(gradient.value, 6)}`;
  const lines = update.lines.map(({ name, expression, value }) =>
    make("tr", { "data-of": name }, make("th", { scope: "row", textContent: named(name) }), make("td", { textContent: expression }), make("td", { textContent: number(value, 6), "data-value": String(value) })),
  );
  return [
    make("p", { className: "note", textContent: place }),
    ...terms(gradient),
    make("p", { className: "note", textContent: `${word("next.step", { step: whole(update.step) })} · ${update.optimizer}` }),
    make("div", { className: "scroll" }, make("table", { className: "lines" }, make("tbody", {}, ...lines))),
    make("dl", { className: "chain" }, entry(word("line.weight"), update.weight, "before-step"), entry(word("change"), update.change, "change"), final(entry(word("updated"), update.updated, "updated"))),
  ];
}

function terms({ equation, terms: all, count, rest, sum, computed }) {
  const items = all.map(({ place, word: what, arriving, slope, factor, product, given, wanted, counts }) => {
    const factors = [arriving, slope, factor].filter((value) => value !== null).map((value) => number(value, 3));
    const from = given === null ? "" : counts === 1 ? `(${number(given, 3)} − ${number(wanted, 3)}) ` : "";
    const text = `${from && factors.length > 1 ? `${from}· ${factors.slice(1).join(" · ")}` : factors.join(" · ")} = ${number(product, 4)}`;
    const at = [`[${(place ?? []).join(", ")}]`, what ? named(what) : ""].join(" ");
    return make("li", { "data-value": String(product) }, make("span", { textContent: at }), make("span", { textContent: text }));
  });
  if (count > all.length) items.push(make("li", { "data-value": String(rest) }, make("span", { textContent: word("rest") }), make("span", { textContent: number(rest, 4) })));
  return [
    make("p", { className: "equation", textContent: either(equation) }),
    make("p", { className: "note", textContent: word("arrives") }),
    make("ol", { className: "longlist", "data-terms": "gradient" }, ...items),
    make("dl", { className: "chain" }, final(entry(word("sum.terms"), sum, "gradient-sum"))),
    make("p", { className: "note", textContent: word("layers.number", { value: number(computed, 6) }) }),
  ];
}

function final(element) {
  element.className = "final";
  return element;
}

/** The word for a line or a term, where there is one; the names of moments stay. */
function named(name) {
  const key = `line.${name}`;
  return key in knownWords() ? word(key) : name;
}
