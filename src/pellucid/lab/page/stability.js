// What each layer forgives: how much its numbers change when the picture is moved, turned, covered; maps before and after.

import { fill, find, make, setText } from "./dom.js";
import { drawMaps, prepared, soon } from "./draw.js";
import { isChanged, lookedAt } from "./looked.js";
import { percent, word } from "./words.js";

export const area = "draw";

const MAP = 52;
const GAP = 6;

export function mount({ store }) {
  const note = make("p", { className: "note" });
  const list = make("ol", { className: "changes", tabIndex: 0 });
  const caption = make("p", { className: "note" });
  const canvas = make("canvas", { role: "img" });
  find("stability-body").replaceChildren(note, list, caption, make("div", { className: "scroll" }, canvas));
  let head = null;
  store.on(["lang", "dressed", "change", "cover"], () => soon(paint));
  new ResizeObserver(() => soon(paint)).observe(find("stability-body"));

  function paint() {
    list.setAttribute("aria-label", word("stability"));
    setText(note, word(isChanged(store.state) ? "forgives.how" : "forgives.hint"));
    canvas.hidden = caption.hidden = !head?.parts.length;
    if (head?.problem) setText(note, head.problem);
    if (!head?.layers) return;
    const most = Math.max(1, ...head.layers.map(({ changed }) => changed));
    fill(list, head.layers.length, () => make("li", {}, make("span"), make("span", { className: "meter" }, make("span")), make("span"))).forEach((row, i) => {
      const { name, changed } = head.layers[i];
      setText(row.children[0], i ? name : word("the.picture"));
      row.children[1].firstChild.style.transform = `scaleX(${changed / most})`;
      row.children[1].className = i ? "meter best" : "meter";
      setText(row.children[2], percent(changed, changed < 0.1 ? 1 : 0));
      row.dataset.changed = changed;
    });
    if (!head.parts.length) return;
    const [part] = head.parts;
    const [count, h, w] = part.shape;
    const across = count / 2;
    const edge = Math.min(MAP, Math.floor((find("stability-body").clientWidth + GAP) / across) - GAP);
    if (edge <= 0) return;
    const size = [(edge * w) / Math.max(h, w), (edge * h) / Math.max(h, w)];
    const context = prepared(canvas, across * (size[0] + GAP) - GAP, 2 * (size[1] + GAP) - GAP);
    drawMaps(context, part, count, (i) => [(i % across) * (size[0] + GAP), Math.floor(i / across) * (size[1] + GAP), ...size]);
    setText(caption, word("maps.beside", { layer: head.maps }));
    canvas.setAttribute("aria-label", caption.textContent);
  }

  return {
    views: (state) => [{ view: "stability", ...lookedAt(state) }],
    frame(found) {
      if (found.view !== "stability") return;
      head = found;
      soon(paint);
    },
  };
}
