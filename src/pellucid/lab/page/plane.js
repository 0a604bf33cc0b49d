// One map of a part, large, in which a number can be picked by click or keys.

import { make, setText } from "./dom.js";
import { colour, drawMaps, prepared } from "./draw.js";
import { number, word } from "./words.js";

const WIDEST = 300;

/** An element with `show(part, numbers, facts, spot)` and `name(label)`. pick: called with a row and a column; none: it is only looked at. */
export function makePlane(pick) {
  const canvas = make("canvas", pick ? { className: "maps", tabIndex: 0, role: "application" } : { role: "img" });
  const note = make("p", { className: "note" });
  const element = make("div", { className: "plane" }, canvas, note);
  let shown = null;

  function at(event) {
    const box = canvas.getBoundingClientRect();
    const [rows, columns] = shown.numbers.shape;
    const place = [((event.clientY - box.top) / box.height) * rows, ((event.clientX - box.left) / box.width) * columns];
    return place.map((value, axis) => Math.min(Math.max(Math.floor(value), 0), shown.numbers.shape[axis] - 1));
  }

  function say(place) {
    const { numbers, low, high } = shown;
    const [rows, columns] = numbers.shape;
    const range = `${number(low, 3)} … ${number(high, 3)}`;
    const value = place ? ` · [${place.join(", ")}] = ${number(numbers.values[place[0] * columns + place[1]], 5)}` : "";
    setText(note, `${rows} × ${columns} · ${range}${value}`);
  }

  canvas.addEventListener("pointermove", (event) => shown && say(at(event)));
  canvas.addEventListener("pointerleave", () => shown && say(shown.spot));
  if (pick) {
    canvas.addEventListener("click", (event) => shown && pick(at(event)));
    canvas.addEventListener("keydown", (event) => {
      const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], Enter: [0, 0] }[event.key];
      if (!move || !shown) return;
      event.preventDefault();
      const size = shown.numbers.shape;
      const from = shown.spot ?? size.map((each) => Math.floor(each / 2));
      pick(from.map((value, axis) => (value + move[axis] + size[axis]) % size[axis]));
    });
  }

  return {
    element,
    name: (label) => canvas.setAttribute("aria-label", pick ? `${label}. ${word("pick")}` : label),
    /** numbers: of the part, with `low` and `high`; spot: the row and column that is marked, or null. */
    show(part, numbers, { low, high }, spot) {
      shown = { numbers, spot, low, high };
      const [, h, w] = part.shape;
      const room = Math.min(element.clientWidth || WIDEST, WIDEST);
      const unit = Math.max(h, w) <= room ? Math.floor(room / Math.max(h, w)) : room / Math.max(h, w);
      const context = prepared(canvas, w * unit, h * unit);
      drawMaps(context, part, 1, () => [0, 0, w * unit, h * unit]);
      if (spot) {
        context.lineWidth = 2;
        context.strokeStyle = colour("second");
        context.strokeRect((spot[1] / numbers.shape[1]) * w * unit, (spot[0] / numbers.shape[0]) * h * unit, Math.max(unit, 5), Math.max(unit, 5));
      }
      canvas.dataset.low = low;
      canvas.dataset.high = high;
      say(spot);
    },
  };
}
