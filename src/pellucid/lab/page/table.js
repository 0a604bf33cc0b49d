// A table of numbers that are written by hand, and how it is coloured.

import { make } from "./dom.js";
import { inkOn, shade } from "./draw.js";
import { word } from "./words.js";

/** An element with `show(values, label)` and `values()`; a cell that is empty or no number is null. hear: after a change. */
export function makeTable(hear = () => {}) {
  const element = make("div", { className: "scroll", role: "group" });
  let cells = [];

  function build(rows, columns) {
    cells = Array.from({ length: rows }, () => Array.from({ length: columns }, () => make("input", { type: "number", step: "any", className: "cell", autocomplete: "off" })));
    for (const cell of cells.flat()) {
      cell.addEventListener("input", () => {
        paint();
        hear();
      });
    }
    element.addEventListener("keydown", move);
    const body = make("tbody", {}, ...cells.map((row) => make("tr", {}, ...row.map((cell) => make("td", {}, cell)))));
    element.replaceChildren(make("table", { className: "numbers written", role: "presentation" }, body));
  }

  /** Enter goes down, as in a spreadsheet. */
  function move(event) {
    if (event.key !== "Enter") return;
    const at = cells.findIndex((row) => row.includes(event.target));
    if (at < 0) return;
    event.preventDefault();
    const column = cells[at].indexOf(event.target);
    (cells[at + 1]?.[column] ?? cells[0][(column + 1) % cells[0].length]).focus();
  }

  const values = () => cells.map((row) => row.map(({ value }) => (value.trim() === "" || Number.isNaN(Number(value)) ? null : Number(value))));

  function paint() {
    const now = values();
    const most = Math.max(...now.flat().map((value) => Math.abs(value ?? 0)), 1e-30);
    cells.forEach((row, i) =>
      row.forEach((cell, j) => {
        const value = now[i][j];
        const plain = value === null || now.flat().length === 1;
        cell.style.backgroundColor = plain ? "" : shade(value / most, true);
        cell.style.color = plain ? "" : inkOn(value / most, true);
      }),
    );
  }

  return {
    element,
    values,
    show(wanted, label) {
      if (cells.length !== wanted.length || cells[0]?.length !== wanted[0].length) build(wanted.length, wanted[0].length);
      element.setAttribute("aria-label", label);
      cells.forEach((row, i) =>
        row.forEach((cell, j) => {
          cell.setAttribute("aria-label", `${label}, ${word("cell", { row: i + 1, column: j + 1 })}`);
          const text = wanted[i][j] === null ? "" : String(wanted[i][j]);
          if (document.activeElement !== cell && cell.value !== text) cell.value = text;
        }),
      );
      paint();
    },
  };
}
