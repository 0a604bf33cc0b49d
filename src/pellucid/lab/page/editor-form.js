// The form of a layer: a field for each argument of its class, as the server's catalogue describes it.

import { make } from "./dom.js";

let made = 0;

/** A label with its input, which calls `change(name, value)`. Words that are no number are sent as they are: what is wrong
 * with them the server says. */
export function fieldFor(field, value, change, disabled) {
  const id = `argument-${(made += 1)}`;
  const input = inputFor(field, value);
  Object.assign(input, { id, disabled });
  const name = make("code", { textContent: field.name });
  input.addEventListener(input.type === "text" || input.type === "number" ? "input" : "change", () => change(field.name, read(field, input)));
  return make("label", { for: id, className: field.kind === "flag" ? "field check" : "field" }, name, input);
}

function inputFor({ kind, optional, choices }, value) {
  if (kind === "flag") return make("input", { type: "checkbox", checked: Boolean(value) });
  if (kind === "word" || kind === "initializer") {
    const written = typeof value === "object" && value !== null ? JSON.stringify(value) : (value ?? "");
    const all = [...(optional ? [""] : []), ...choices];
    const options = all.includes(written) ? all : [written, ...all];
    return make("select", { name: "choice" }, ...options.map((each) => make("option", { value: each, textContent: each || "–", selected: each === written })));
  }
  if (kind === "sizes") return make("input", { type: "text", value: writtenSizes(value), autocomplete: "off", spellcheck: false });
  return make("input", { type: "number", value: value ?? "", step: kind === "whole" ? 1 : "any", inputMode: kind === "whole" ? "numeric" : "decimal" });
}

function read({ kind, optional }, input) {
  if (kind === "flag") return input.checked;
  if (kind === "word" || kind === "initializer") return input.value.startsWith("{") ? JSON.parse(input.value) : input.value || null;
  if (kind === "sizes") return readSizes(input.value, optional);
  return input.value === "" ? (optional ? null : "") : input.valueAsNumber;
}

/** [3, 3] as "3, 3"; [[2, 2], [1, 1]], the same before and behind, as "2, 1"; other pairs as JSON. */
function writtenSizes(value) {
  if (!Array.isArray(value)) return value === null || value === undefined ? "" : String(value);
  if (value.every((each) => Array.isArray(each) && each.length === 2 && each[0] === each[1])) return value.map(([each]) => each).join(", ");
  return value.some(Array.isArray) ? JSON.stringify(value) : value.join(", ");
}

function readSizes(text, optional) {
  const trimmed = text.trim();
  if (!trimmed) return optional ? null : "";
  if (trimmed.startsWith("[")) {
    try {
      return JSON.parse(trimmed);
    } catch {
      return trimmed;
    }
  }
  const parts = trimmed.split(/[\s,x×]+/).map(Number);
  if (parts.some((each) => !Number.isInteger(each))) return trimmed;
  return parts.length === 1 ? parts[0] : parts;
}
