// The confusion matrix, which grows while test pictures are judged.

import { fill, find, make, setText } from "./dom.js";
import { colour, inkOn, prepared, shade, soon } from "./draw.js";
import { judged, percent, word } from "./words.js";

export const area = "train";

const WRITTEN = 15;

export function mount({ store }) {
  const body = find("confusion-body");
  const table = make("table", { className: "matrix" }, make("caption", { className: "unseen" }), make("thead", {}, make("tr")), make("tbody"));
  const canvas = make("canvas", { role: "img" });
  const note = make("p", { className: "note" });
  body.replaceChildren(table, canvas, note);
  let head = null;
  store.on(["lang", "dressed", "hello"], () => soon(paint));
  new ResizeObserver(() => soon(paint)).observe(body);

  function paint() {
    if (!head) return;
    const { classes } = store.state.hello.network;
    const written = classes.length <= WRITTEN;
    table.hidden = !written;
    canvas.hidden = written;
    setText(find("confusion-tools"), head.count ? judged(head) : "");
    setText(note, word("rows.are"));
    const rows = head.matrix.map((row) => Math.max(row.reduce((sum, value) => sum + value, 0), 1));
    if (written) paintTable(classes, rows);
    else paintCanvas(classes, rows);
  }

  function paintTable(classes, rows) {
    const [caption, top, cells] = table.children;
    table.classList.toggle("long", classes.some((name) => name.length > 3));
    setText(caption, `${word("confusion")}: ${word("rows.are")}`);
    fill(top.firstChild, classes.length + 1, (i) => (i ? make("th", { scope: "col" }) : make("td")));
    classes.forEach((name, i) => setText(top.firstChild.children[i + 1], name));
    fill(cells, classes.length, () => make("tr"));
    classes.forEach((name, i) => {
      const made = fill(cells.children[i], classes.length + 1, (j) => (j ? make("td") : make("th", { scope: "row" })));
      setText(made[0], name);
      head.matrix[i].forEach((count, j) => {
        const cell = made[j + 1];
        const share = Math.sqrt(count / rows[i]);
        setText(cell, count ? String(count) : "");
        cell.style.backgroundColor = count ? shade(i === j ? -share : share, true) : "";
        cell.style.color = count ? inkOn(i === j ? -share : share, true) : "";
      });
    });
  }

  function paintCanvas(classes, rows) {
    const edge = Math.min(body.clientWidth, 360);
    if (!edge) return;
    const context = prepared(canvas, edge, edge);
    context.fillStyle = colour("sunk");
    context.fillRect(0, 0, edge, edge);
    const step = edge / classes.length;
    head.matrix.forEach((row, i) =>
      row.forEach((count, j) => {
        if (!count) return;
        const share = Math.sqrt(count / rows[i]);
        context.fillStyle = shade(i === j ? -share : share, true);
        context.fillRect(j * step, i * step, Math.max(step, 1), Math.max(step, 1));
      }),
    );
    canvas.setAttribute("aria-label", `${word("confusion")}: ${percent(head.accuracy)}`);
  }

  return {
    views: () => [{ view: "confusion" }],
    frame(found) {
      if (found.view !== "confusion" || !found.matrix) return;
      head = found;
      soon(paint);
    },
  };
}
