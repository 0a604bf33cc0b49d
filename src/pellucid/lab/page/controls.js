// Starting, pausing, stepping; the settings; what the training says of itself.

import { fill, find, make, setText } from "./dom.js";
import { either, number, percent, told, whole, word } from "./words.js";

const ICONS = {
  start: "M3 1.5v11l9-5.5z",
  pause: "M2.5 1.5h3v11h-3zM8.5 1.5h3v11h-3z",
  step: "M2 1.5v11l7-5.5zM10 1.5h2v11h-2z",
  picture: "M1 2h12v10H1zM2.5 10.5h9L8.5 6 6.5 8.8 5.2 7z",
  restart: "M7 2a5 5 0 1 1-4.9 6h1.7A3.4 3.4 0 1 0 7 3.6V6L3 2.9 7 0z",
};

const READOUTS = [
  ["count.step", ({ step }) => whole(step)],
  ["count.epoch", ({ epoch, pictures, num_pictures }) => number(epoch + Math.min(pictures / num_pictures, 1), epoch < 100 ? 3 : 4)],
  ["count.speed", ({ images_per_s }) => (images_per_s ? whole(Math.round(images_per_s)) : "–")],
  ["loss", ({ logs }) => number(logs.loss, 3)],
  ["accuracy", ({ logs }) => percent(logs.accuracy)],
  ["test.accuracy", ({ logs }) => percent(logs.val_accuracy)],
];

/** Sliders whose numbers lie far apart move in powers of ten; `from` stands for 0 where that is allowed. */
const SETTINGS = [
  { name: "optimizer", kind: "choice" },
  { name: "learning_rate", kind: "log", least: -5, most: 0.5 },
  { name: "momentum", kind: "range", least: 0, most: 0.99, step: 0.01 },
  { name: "weight_decay", kind: "log", least: -6, most: -1, zero: true },
  { name: "dropout", kind: "range", least: 0, most: 0.9, step: 0.05 },
  { name: "batch_size", kind: "power", least: 0, most: 9 },
  { name: "loss", kind: "choice", label: "loss.function" },
  { name: "augment", kind: "check" },
  { name: "seed", kind: "number" },
];

const HELD_MS = 600;

export function mount(lab) {
  mountButtons(lab);
  mountReadouts(lab);
  mountSettings(lab);
  mountDoctor(lab);
}

function mountButtons({ store, connection, owner }) {
  const place = find("buttons");
  const made = Object.fromEntries(
    ["start", "step", "picture", "restart"].map((name) => [
      name,
      make("button", { type: "button", className: name === "start" ? "button main" : "button", id: `do-${name}`, onclick: () => act(name) }, icon(name), make("span", { className: "text" })),
    ]),
  );
  place.replaceChildren(...Object.values(made));

  function act(name) {
    setText(find("said"), "");
    connection.command(name === "start" && store.state.training?.running ? "pause" : name);
  }

  // Space and . steer from anywhere but from where they mean something else.
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, button, textarea, [tabindex='0']")) return;
    const name = { " ": "start", ".": "step" }[event.key];
    if (!name || !owner()) return;
    event.preventDefault();
    act(name);
  });

  store.on(["training", "lang", "status", "hello"], (state) => {
    const running = Boolean(state.training?.running);
    for (const [name, button] of Object.entries(made)) {
      const says = name === "start" && running ? "pause" : name;
      setText(button.querySelector(".text"), word(says));
      button.setAttribute("aria-label", word(says));
      button.title = word(says);
      button.disabled = state.status !== "connected" || !owner();
      button.hidden = !owner();
    }
    made.start.querySelector("path").setAttribute("d", ICONS[running ? "pause" : "start"]);
    const link = state.status === "connected" ? (owner() ? watching(state.training) : word("looking")) : word(state.status);
    setText(find("link"), link);
  });
}

/** How many others look on. */
const watching = (training) => (training?.viewers > 1 ? word("watchers", { count: whole(training.viewers - 1) }) : "");

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 14 14");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

function mountReadouts({ store }) {
  const entries = fill(find("readouts"), READOUTS.length, () => make("div", {}, make("dt"), make("dd")));
  store.on(["training", "lang"], ({ training }) => {
    if (!training) return;
    READOUTS.forEach(([name, read], i) => {
      const [term, value] = entries[i].children;
      setText(term, word(name));
      setText(value, read(training));
      entries[i].dataset.of = name;
    });
    setText(find("said"), told(training, "said"));
  });
}

function mountSettings({ store, connection, owner }) {
  const form = find("settings-body");
  form.addEventListener("submit", (event) => event.preventDefault());
  const held = new Map();
  const fields = SETTINGS.map((setting) => {
    const input = inputFor(setting);
    input.id = `set-${setting.name}`;
    const output = make("output", { for: input.id });
    const label = make("span");
    const head = make("span", { className: "head" }, label, setting.kind === "choice" || setting.kind === "number" ? null : output);
    const field = make("label", { for: input.id, className: setting.kind === "check" ? "field check" : "field" }, setting.kind === "check" ? label : head, input);
    const live = setting.kind === "log" || setting.kind === "range" || setting.kind === "power";
    let last = 0;
    let timer = 0;
    const send = () => {
      last = performance.now();
      connection.command("set", setting.name, toValue(setting, input));
    };
    input.addEventListener(live ? "input" : "change", () => {
      held.set(setting.name, performance.now());
      setText(output, shown(setting, toValue(setting, input)));
      clearTimeout(timer);
      timer = setTimeout(send, Math.max(0, 100 - (performance.now() - last)));
    });
    form.append(field);
    return { setting, input, output, label, field };
  });

  store.on(["training", "lang", "hello", "status"], ({ training, hello, status }) => {
    for (const { setting, input, output, label, field } of fields) {
      setText(label, word(setting.label ?? setting.name));
      if (!training) continue;
      const value = training.settings[setting.name];
      field.hidden = value === null;
      input.disabled = !owner() || status !== "connected";
      if (field.hidden || performance.now() - (held.get(setting.name) ?? -HELD_MS) < HELD_MS) continue;
      if (setting.kind === "number" && document.activeElement === input) continue;
      if (setting.kind === "choice" && !input.options.length) {
        input.append(...hello.choices[setting.name].map((name) => make("option", { value: name, textContent: name.replaceAll("_", " ") })));
      }
      fromValue(setting, input, value);
      setText(output, shown(setting, value));
    }
  });
}

function inputFor({ kind, least, most, step, zero }) {
  if (kind === "choice") return make("select");
  if (kind === "check") return make("input", { type: "checkbox" });
  if (kind === "number") return make("input", { type: "number", min: 0, max: 2 ** 32 - 1, step: 1 });
  const size = kind === "range" ? step : kind === "log" ? 0.05 : 1;
  return make("input", { type: "range", min: zero ? least - size : least, max: most, step: size });
}

function toValue({ kind, least, zero }, input) {
  if (kind === "choice") return input.value;
  if (kind === "check") return input.checked;
  if (kind === "log") return zero && input.valueAsNumber < least ? 0 : Number((10 ** input.valueAsNumber).toPrecision(3));
  if (kind === "power") return 2 ** input.valueAsNumber;
  return input.valueAsNumber;
}

function fromValue({ kind, zero, least }, input, value) {
  if (kind === "check") input.checked = value;
  else if (kind === "log") input.valueAsNumber = value > 0 ? Math.log10(value) : zero ? least - 1 : least;
  else if (kind === "power") input.valueAsNumber = Math.log2(value);
  else input.value = value;
  if (kind === "log" || kind === "power") input.setAttribute("aria-valuetext", number(value, 3));
}

function shown({ kind }, value) {
  if (kind === "check" || kind === "choice" || kind === "number") return "";
  return kind === "power" ? whole(value) : number(value, 3);
}

function mountDoctor({ store }) {
  const list = find("doctor-body");
  let before = "";
  store.on(["training", "lang"], ({ training, lang }) => {
    const found = training?.findings ?? [];
    const now = lang + JSON.stringify(found);
    if (now === before) return;
    before = now;
    list.replaceChildren(
      ...found.map((finding) => make("li", { className: "found", textContent: either(finding) })),
      ...(found.length ? [] : [make("li", { className: "well", textContent: word("doctor.well") })]),
    );
  });
}
