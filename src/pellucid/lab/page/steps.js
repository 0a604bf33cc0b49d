// What would have to change: steps of the picture along the gradient of a class's score, and the way back.

import { make, setText } from "./dom.js";
import { AS_IT_IS, lookedAt } from "./looked.js";
import { word } from "./words.js";

/** `shown`: the part of a frame that holds the picture as it is now. */
export function mountSteps({ store, connection }, shown) {
  const step = make("input", { type: "range", id: "step-size", min: 1, max: 30, step: 1, value: 8 });
  const output = make("output", { for: step.id });
  const go = make("button", { type: "button", className: "button", id: "step-towards", onclick: take });
  const back = make("button", { type: "button", className: "button", onclick: undo });
  const note = make("p", { className: "note", role: "status" });
  const title = make("h3", { "data-word": "would.change" });
  const size = make("label", { className: "field", for: step.id }, make("span", { className: "head" }, make("span", { "data-word": "step.size" }), output), step);
  step.addEventListener("input", label);
  const taken = [];
  let busy = false;
  let said = "";

  async function take() {
    if (busy) return;
    busy = true;
    const { picture, change, cover, target } = store.state;
    const before = { picture, change, cover, part: taken.length ? null : shown() };
    try {
      const found = await connection.ask({ view: "stepped", ...lookedAt(store.state), given: { class: Number(target), step: step.valueAsNumber } });
      taken.push({ ...before, made: found.picture });
      said = "";
      store.set({ picture: found.picture, ...AS_IT_IS });
    } catch (error) {
      said = error.message;
    }
    busy = false;
    label();
  }

  function undo() {
    const last = taken.pop();
    if (last) store.set({ picture: last.picture, change: last.change, cover: last.cover });
    label();
  }

  function label() {
    const { target, hello } = store.state;
    const name = hello.network.classes[Number(target)];
    setText(go, target === "" ? word("step.choose") : word("step.towards", { label: name }));
    go.disabled = target === "" || store.state.status !== "connected";
    setText(back, word("step.back"));
    back.disabled = !taken.length;
    setText(output, `${step.value} %`);
    setText(note, said || (taken.length ? word("steps.taken", { count: taken.length }) : word("step.note")));
    store.set({ steps: taken.length });
  }

  store.on(["picture"], ({ picture }) => {
    if (taken.length && !busy && picture !== taken[taken.length - 1].made) taken.length = 0; // another picture altogether
    label();
  });
  store.on(["target", "lang", "hello", "status"], label);

  return {
    elements: [title, size, make("div", { className: "buttons" }, go, back), note],
    before: () => taken.length > 0,
    /** How the picture differs from what it was before the first step, as a map. */
    difference() {
      const [was, is] = [taken[0]?.part, shown()];
      if (!was || was.values.length !== is.values.length) return null;
      const [h, w, depth = 1] = is.shape;
      const changes = Array.from({ length: h * w }, (_, i) => {
        let sum = 0;
        for (let c = 0; c < depth; c += 1) sum += is.values[i * depth + c] - was.values[i * depth + c];
        return sum / depth;
      });
      const most = Math.max(1, ...changes.map(Math.abs));
      return { shape: [1, h, w], size: [h, w], signed: true, values: Uint8Array.from(changes, (each) => Math.round(127.5 * (1 + each / most))) };
    },
  };
}
