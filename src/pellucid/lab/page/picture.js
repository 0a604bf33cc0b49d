// Choosing among the test pictures, wherever one is looked at.

import { make, setText } from "./dom.js";
import { AS_IT_IS, isChanged, isOwn } from "./looked.js";
import { word } from "./words.js";

/** Which picture goes through the network: what it is, another one, and the way back from what was done to it. */
export function mountPicture(store, place, id) {
  const step = (by) => {
    const count = store.state.hello.network.pictures;
    store.set({ picture: isOwn(store.state) ? (by > 0 ? 0 : count - 1) : (store.state.picture + by + count) % count });
  };
  const label = make("label", { for: id });
  const number = make("input", { type: "number", id, min: 0, step: 1 });
  const back = make("button", { type: "button", className: "button small", textContent: "‹", onclick: () => step(-1) });
  const on = make("button", { type: "button", className: "button small", textContent: "›", onclick: () => step(1) });
  const truth = make("span");
  const reset = make("button", { type: "button", className: "button small", onclick: () => store.set(AS_IT_IS) });
  number.addEventListener("change", () => {
    const count = store.state.hello.network.pictures;
    if (Number.isInteger(number.valueAsNumber)) store.set({ picture: Math.min(Math.max(number.valueAsNumber, 0), count - 1) });
  });
  place.append(label, back, number, on, truth, reset);
  store.on(["picture", "change", "cover", "hello", "lang"], (state) => {
    const { picture, hello } = state;
    setText(label, word(isOwn(state) ? "own.picture" : "test.picture"));
    setText(reset, word("as.it.is"));
    reset.hidden = !isChanged(state);
    back.setAttribute("aria-label", word("previous"));
    on.setAttribute("aria-label", word("next"));
    number.hidden = isOwn(state);
    number.max = hello.network.pictures - 1;
    if (document.activeElement !== number || number.valueAsNumber !== picture) number.value = picture;
    const name = hello.network.classes[hello.network.labels?.[picture]];
    setText(truth, name === undefined ? "" : word("is", { label: name }));
  });
}
