// Test pictures on a plane, by what the last layer with weights reads: near each other is alike to the network.

import { find, make, setText } from "./dom.js";
import { colour, prepared, soon } from "./draw.js";
import { percent, word } from "./words.js";

export const area = "train";

const HEIGHT = 300;
const EDGE = 16;
const COLOURS = 8;
const NEAR = 14;
const NAMED = 24;
const TOWARDS = 0.5;
/** Between two places of a point on its way: each frame of the screen would cost the training more than it shows. */
const MOVE_MS = 120;
const ARROWS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

export function mount({ store }) {
  const body = find("scatter-body");
  const canvas = make("canvas", { className: "scatter", tabIndex: 0, role: "application" });
  const legend = make("div", { className: "key-list", role: "group" });
  const note = make("p", { className: "note", role: "status", "aria-live": "polite" });
  body.replaceChildren(canvas, note, legend);
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");
  const shown = new Map();
  let head = null;
  let reach = 0;
  let spot = null;
  let only = null;

  const at = ([x, y]) => [canvas.clientWidth / 2 + (x / reach) * (canvas.clientWidth / 2 - EDGE), HEIGHT / 2 - (y / reach) * (HEIGHT / 2 - EDGE)];

  function take(found) {
    head = found;
    const { values } = found.parts[0];
    const farthest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-9);
    reach = reach && farthest < reach && farthest > 0.6 * reach ? reach : 1.1 * farthest; // the axes stay while all fits
    head.places = new Map(head.pictures.map((picture, i) => [picture, [values[2 * i], values[2 * i + 1]]]));
    if (!head.places.has(spot)) spot = null;
    begin();
    soon(paint);
  }

  /** By keyboard one begins at the picture that is looked at. */
  function begin() {
    if (spot !== null || document.activeElement !== canvas || !head?.pictures.length) return;
    choose(head.places.has(store.state.picture) ? store.state.picture : head.pictures[0]);
  }

  function paint() {
    if (!head?.places || !body.clientWidth) return;
    canvas.style.width = "100%";
    const context = prepared(canvas, body.clientWidth, HEIGHT);
    context.strokeStyle = colour("grid-line");
    for (const [from, to] of [[[-reach, 0], [reach, 0]], [[0, -reach], [0, reach]]]) {
      context.beginPath();
      context.moveTo(...at(from));
      context.lineTo(...at(to));
      context.stroke();
    }
    context.font = `600 11px ${colour("font")}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    let moving = false;
    head.pictures.forEach((picture, i) => {
      const to = head.places.get(picture);
      const from = shown.get(picture);
      const now = !from || still.matches ? to : from.map((value, k) => value + TOWARDS * (to[k] - value));
      moving ||= Math.hypot(now[0] - to[0], now[1] - to[1]) > reach / 300;
      shown.set(picture, now);
      paintPoint(context, i, ...at(now));
    });
    for (const [picture, ring] of [[store.state.picture, "accent"], [spot, "second"]]) {
      if (!head.places.has(picture)) continue;
      circle(context, ...at(shown.get(picture)), 10, colour(ring), 2.5);
    }
    say();
    if (moving) setTimeout(() => soon(paint), MOVE_MS);
  }

  /** The class's own sign in its colour; with a ring where the network takes it for another. */
  function paintPoint(context, i, x, y) {
    const label = head.labels[i];
    const name = store.state.hello.network.classes[label] ?? String(label);
    context.globalAlpha = only === null || only === label ? 1 : 0.12;
    context.fillStyle = colour(`class-${label % COLOURS}`);
    if (name.length <= 2) context.fillText(name, x, y);
    else marker(context, Math.floor(label / COLOURS), x, y);
    if (head.taken[i] >= 0 && head.taken[i] !== label) circle(context, x, y, 7.5, colour("wrong"), 1.3);
    context.globalAlpha = 1;
  }

  function say() {
    const i = head.pictures.indexOf(spot);
    const { classes } = store.state.hello.network;
    const named = (index) => classes[index] ?? String(index);
    const [across, up] = head.shares;
    if (i < 0) setText(note, word("scatter.note", { share: percent(across + up, 0) }));
    else setText(note, word(head.taken[i] < 0 || head.taken[i] === head.labels[i] ? "scatter.right" : "scatter.wrong", { number: spot, label: named(head.labels[i]), taken: named(head.taken[i]) }));
  }

  function nearest(x, y, worth = (dx, dy) => Math.hypot(dx, dy)) {
    let best = null;
    for (const picture of head?.pictures ?? []) {
      const [px, py] = at(shown.get(picture) ?? head.places.get(picture));
      const far = worth(px - x, py - y);
      if (far !== null && (best === null || far < best[0])) best = [far, picture];
    }
    return best;
  }

  function choose(picture) {
    spot = picture;
    soon(paint);
  }

  canvas.addEventListener("pointermove", ({ offsetX, offsetY }) => {
    const found = nearest(offsetX, offsetY);
    const picture = found && found[0] < NEAR ? found[1] : null;
    canvas.style.cursor = picture === null ? "default" : "pointer";
    if (picture !== spot) choose(picture);
  });
  canvas.addEventListener("pointerleave", () => choose(null));
  canvas.addEventListener("click", () => spot !== null && store.set({ picture: spot }));
  canvas.addEventListener("focus", begin);
  canvas.addEventListener("blur", () => choose(null));
  canvas.addEventListener("keydown", (event) => {
    const to = ARROWS[event.key];
    if (!to && event.key !== "Enter") return;
    event.preventDefault();
    if (!to) return spot !== null && store.set({ picture: spot });
    const [x, y] = at(shown.get(spot) ?? [0, 0]);
    // ahead counts as it is, aside three times: the next one in that direction
    const found = nearest(x, y, (dx, dy) => {
      const ahead = dx * to[0] + dy * to[1];
      return ahead > 0.5 ? ahead + 3 * Math.abs(dx * to[1] + dy * to[0]) : null;
    });
    if (found) choose(found[1]);
  });

  store.on(["lang", "hello", "dressed", "picture"], ({ hello }) => {
    const { classes } = hello.network;
    canvas.setAttribute("aria-label", word("scatter.keys"));
    legend.hidden = classes.length > NAMED;
    legend.setAttribute("aria-label", word("classes"));
    if (!legend.hidden && legend.dataset.made !== classes.join("\n")) {
      legend.dataset.made = classes.join("\n");
      legend.replaceChildren(
        ...classes.map((name, i) => {
          const show = (value) => () => {
            only = value;
            soon(paint);
          };
          return make("button", { type: "button", className: "key-name", textContent: name, onmouseenter: show(i), onmouseleave: show(null), onfocus: show(i), onblur: show(null) });
        }),
      );
    }
    [...legend.children].forEach((button, i) => (button.style.color = colour(`class-${i % COLOURS}`)));
    soon(paint);
  });
  new ResizeObserver(() => soon(paint)).observe(body);

  return {
    views: () => [{ view: "scatter" }],
    frame(found) {
      if (found.view !== "scatter") return;
      if (found.problem) setText(note, found.problem);
      else if (found.parts.length) take(found);
    },
  };
}

function circle(context, x, y, radius, stroke, width) {
  context.strokeStyle = stroke;
  context.lineWidth = width;
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
  context.stroke();
}

/** Classes of one colour differ in their shape: disc, square, triangle, cross. */
function marker(context, shape, x, y) {
  context.beginPath();
  if (shape % 4 === 0) context.arc(x, y, 4, 0, 7);
  else if (shape % 4 === 1) context.rect(x - 3.5, y - 3.5, 7, 7);
  else if (shape % 4 === 2) {
    context.moveTo(x, y - 5);
    context.lineTo(x + 4.5, y + 3.5);
    context.lineTo(x - 4.5, y + 3.5);
  } else {
    context.rect(x - 5, y - 1.5, 10, 3);
    context.rect(x - 1.5, y - 5, 3, 10);
  }
  context.fill();
}
