// The page around the network: pictures that are dropped, chosen, pasted or drawn, and what it says of each.
import { bars, card, element, receive } from "./cards.js";
import { drawingPad } from "./drawing.js";
import { fitted } from "./fitting.js";
import { network } from "./network.js";
import { say, word } from "./words.js";

const SHOWN = 5;
const PASSES = 10;
const part = (name) => document.getElementById(name);
const told = JSON.parse(part("network").textContent);
const { size, channels } = told.picture;

async function unpacked(name) {
  const text = atob(part(name).textContent);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const fresh = async () => network(await unpacked("kernels"), told, await unpacked("contents"));

function complain(text) {
  part("problem").textContent = text;
  part("problem").hidden = !text;
}

function ranked(shares) {
  const order = shares.map((_, i) => i).sort((a, b) => shares[b] - shares[a]);
  return order.slice(0, SHOWN).map((i) => ({ class: told.classes[i], probability: shares[i] }));
}

/** What the network sees. */
function shown(pixels) {
  const [height, width] = size;
  const canvas = element("canvas", "", { height, width });
  const image = new ImageData(width, height);
  for (let i = 0; i < height * width; i += 1) {
    for (let c = 0; c < 3; c += 1) image.data[4 * i + c] = pixels[i * channels + (channels === 3 ? c : 0)];
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

async function imageOf(file) {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image", premultiplyAlpha: "none", colorSpaceConversion: "none" });
  const canvas = element("canvas", "", { width: bitmap.width, height: bitmap.height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

const inverted = (pixels) => pixels.map((value) => 255 - value);

async function begin() {
  say();
  const colours = word(channels === 1 ? "grey" : "coloured");
  part("about").textContent = word("about", { parameters: told.parameters.toLocaleString(), classes: told.classes.length, height: size[0], width: size[1], colours });
  complain(word("starting"));
  let runs = await fresh();
  complain("");
  const examples = [];
  const answers = []; // what renews the bars of a picture, where the network has learned

  function answered(body, pixels) {
    const lines = element("div");
    const renew = () => lines.replaceChildren(...bars(ranked(runs.answer(pixels))));
    renew();
    answers.push(renew);
    body.append(lines);
    if (told.learning) body.append(teaching(() => pixels));
  }

  function teaching(pixelsNow) {
    const row = element("div", "", { className: "teach" });
    const chosen = element("select");
    chosen.append(...told.classes.map((name, value) => element("option", name, { value })));
    const label = element("label", `${word("this")} `);
    label.append(chosen);
    const add = element("button", word("add"), { type: "button" });
    add.addEventListener("click", () => {
      examples.push({ pixels: pixelsNow(), label: Number(chosen.value) });
      showExamples();
    });
    row.append(label, add);
    return row;
  }

  const learn = element("button", "", { type: "button", className: "main" });
  const forget = element("button", word("forget"), { type: "button", disabled: true });
  const list = element("ul");
  const state = element("output");

  function showExamples() {
    learn.textContent = word("learn", { count: examples.length });
    learn.disabled = !examples.length;
    list.replaceChildren(...examples.map(({ pixels, label }) => {
      const item = element("li");
      item.append(shown(pixels), told.classes[label]);
      return item;
    }));
    state.textContent = examples.length ? "" : word("none");
  }

  async function learned() {
    learn.disabled = forget.disabled = true;
    for (let pass = 0; pass < PASSES; pass += 1) {
      const order = examples.map((one) => [Math.random(), one]).sort((a, b) => a[0] - b[0]).map(([, one]) => one);
      let [loss, right, step] = [0, 0, 0];
      for (let i = 0; i < order.length; i += told.learning.batch) {
        const batch = order.slice(i, i + told.learning.batch);
        const found = runs.learn(batch);
        loss += (found.loss * batch.length) / order.length;
        right += found.right;
        step = found.step;
        await new Promise((after) => setTimeout(after));
      }
      state.textContent = Number.isFinite(loss) ? word("learned", { step, loss: loss.toFixed(4), right, count: order.length }) : word("diverged");
      if (!Number.isFinite(loss)) break;
    }
    for (const renew of answers) renew();
    learn.disabled = forget.disabled = false;
  }

  if (told.learning) {
    const row = element("div", "", { className: "teach" });
    row.append(learn, forget, state);
    part("learning").append(element("h2", word("learning")), list, row);
    part("learning").hidden = false;
    showExamples();
    learn.addEventListener("click", learned);
    forget.addEventListener("click", async () => {
      runs = await fresh();
      forget.disabled = true;
      state.textContent = "";
      for (const renew of answers) renew();
    });
  }

  const swap = element("input", "", { type: "checkbox" });
  if (channels === 1) {
    let pixels = null;
    const lines = element("div");
    const renew = () => lines.replaceChildren(...(pixels ? bars(ranked(runs.answer(pixels))) : [element("p", word("draw"))]));
    const pad = drawingPad(told.background, word("draw"), (image) => {
      pixels = fitted(image, told.picture);
      renew();
    });
    answers.push(renew);
    renew();
    const under = element("div", "", { className: "under" });
    const clear = element("button", word("clear"), { type: "button" });
    clear.addEventListener("click", () => {
      pad.clear();
      pixels = null;
      renew();
    });
    const label = element("label", ` ${word("invert")}`);
    label.prepend(swap);
    under.append(clear, label);
    if (told.learning) under.append(teaching(() => pixels || fitted(new ImageData(1, 1), told.picture)));
    part("drawing").append(pad.canvas, lines, under);
    part("drawing").hidden = false;
  }

  receive(part("place"), part("files"), async (given) => {
    const problems = [];
    for (const file of given) {
      try {
        const pixels = fitted(await imageOf(file), told.picture);
        const seen = swap.checked ? inverted(pixels) : pixels;
        answered(card(part("answers"), file.name, shown(seen)), seen);
      } catch (error) {
        problems.push(word(error instanceof DOMException ? "unreadable" : "impossible", { name: file.name, reason: error.message }));
      }
      complain(problems.join("\n"));
    }
  });
}

/** For whoever asks by program: a network of its own, and the pixels of a picture file as that gets them. */
globalThis.pellucid = { open: fresh, read: async (file) => fitted(await imageOf(file), told.picture) };

begin().catch((error) => complain(word("impossible", { reason: error.message })));
