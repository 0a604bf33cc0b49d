// What can be taken along: the model file, the program that builds and trains just this, the curves.

import { find, make, setText } from "./dom.js";
import { word } from "./words.js";

export const area = "network";

/** Files by their names on the server; those of `steering` are for whoever steers. */
const FILES = [
  { name: "program.py", says: "take.program" },
  { name: "curves.csv", says: "take.curves" },
  { name: "model.safetensors", says: "take.model", steering: true },
  { name: "network.onnx", says: "take.onnx", steering: true },
];

export function mount({ store, owner }) {
  const entries = FILES.map((file) => {
    const link = make("a", { className: "button", href: file.name, download: file.name, id: `take-${file.name.split(".")[0]}` });
    const note = make("p", { className: "note" });
    return { ...file, link, note, entry: make("li", {}, link, note) };
  });
  find("take-body").replaceChildren(...entries.map(({ entry }) => entry));
  store.on(["lang", "hello"], () => {
    for (const { link, note, entry, says, steering } of entries) {
      entry.hidden = Boolean(steering) && !owner();
      setText(link, word(says));
      setText(note, word(`${says}.note`));
    }
  });
}
