// Test pictures with the three classes that the network holds most probable, the wrong ones first.

import { fill, find, make, makeGuess, setText, showGuess } from "./dom.js";
import { drawMaps, prepared, soon } from "./draw.js";
import { judged, percent, word } from "./words.js";

export const area = "train";

const EDGE = 44;

export function mount({ store }) {
  const list = find("predictions-body");
  let head = null;
  let drawn = [];
  store.on(["lang", "dressed", "hello"], () => {
    drawn = [];
    soon(paint);
  });

  function paint() {
    const tools = find("predictions-tools");
    if (!head) return setText(tools, word("none.judged"));
    setText(tools, `${judged(head)} · ${word("wrong.first")}`);
    const { classes } = store.state.hello.network;
    const entries = fill(list, head.rows.length, makeEntry);
    head.rows.forEach(({ picture, label, top }, i) => {
      const button = entries[i].firstChild;
      const right = top[0][0] === label;
      button.className = right ? "answer" : "answer wrong";
      button.dataset.picture = picture;
      const [canvas, text] = button.children;
      const [h, w] = head.parts[0].shape.slice(1);
      const size = [(EDGE * w) / Math.max(h, w), (EDGE * h) / Math.max(h, w)];
      if (drawn[i] !== picture) drawMaps(prepared(canvas, ...size), pictureOf(head.parts[0], i), 1, () => [0, 0, ...size]);
      drawn[i] = picture;
      const [truth, ...guesses] = text.children;
      setText(truth.children[0], word("is", { label: classes[label] ?? label }));
      setText(truth.children[1], right ? "✓" : "✗");
      truth.children[1].setAttribute("aria-label", word(right ? "right" : "wrong"));
      guesses.forEach((guess, j) => {
        guess.hidden = !top[j];
        if (!top[j]) return;
        const [index, share] = top[j];
        const kind = index === label ? "right" : j === 0 ? "wrong" : "";
        showGuess(guess, classes[index] ?? String(index), share, kind, j ? "" : percent(share, 0));
        if (guess.title !== percent(share)) guess.title = percent(share);
      });
    });
  }

  function makeEntry() {
    const text = make("span", {}, make("span", { className: "truth" }, make("span"), make("b", { role: "img" })), makeGuess(), makeGuess(), makeGuess());
    const button = make("button", { type: "button" }, make("canvas", { "aria-hidden": "true" }), text);
    button.addEventListener("click", () => store.set({ picture: Number(button.dataset.picture) }));
    return make("li", {}, button);
  }

  return {
    views: () => [{ view: "predictions" }],
    frame(found) {
      if (found.view !== "predictions" || !found.rows) return;
      head = found;
      soon(paint);
    },
  };
}

/** One picture of a part that holds many: (N, H, W) or (N, H, W, 3). */
function pictureOf({ shape, values }, index) {
  const own = shape.slice(1);
  const count = own.reduce((product, size) => product * size, 1);
  return { shape: own, values: values.subarray(index * count, (index + 1) * count) };
}
