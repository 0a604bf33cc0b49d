// Loss, accuracy and learning rate over the steps; what weight decay adds, and what a picture takes.

import { find, make, setText } from "./dom.js";
import { colour, prepared, soon } from "./draw.js";
import { number, percent, whole, word } from "./words.js";

export const area = "train";

const PLOTS = [
  { name: "loss", keys: ["loss", "val_loss"], height: 118, format: (value) => number(value, 3), log: true },
  { name: "accuracy", keys: ["accuracy", "val_accuracy"], height: 118, format: (value) => percent(value), low: 0, high: 1 },
  { name: "learning_rate", keys: ["rate"], height: 52, format: (value) => number(value, 3), low: 0 },
  { name: "count.speed", keys: ["images_per_s"], height: 52, format: (value) => whole(Math.round(value)), low: 0 },
];

const COSTS = ["decay", "forward_ms", "backward_ms"];

const SMOOTHING = 0.6;

export function mount({ store, connection }) {
  let points = [];
  let generation = -1;
  let fetching = false;
  let pointer = null;

  const plots = PLOTS.map((plot) => {
    const canvas = make("canvas", { role: "img" });
    const [name, value] = [make("span"), make("b")];
    const element = make("div", { className: "plot" }, make("div", { className: "plot-head" }, name, value), canvas);
    canvas.addEventListener("pointermove", ({ offsetX }) => hover(offsetX));
    canvas.addEventListener("pointerleave", () => hover(null));
    return { ...plot, canvas, element, heading: name, value };
  });
  find("curves-body").replaceChildren(...plots.map(({ element }) => element));
  new ResizeObserver(() => soon(paint)).observe(find("curves-body"));

  function hover(x) {
    pointer = x;
    soon(paint);
  }

  /** Take the newest points over; where some were missed, or the curve has become coarser, ask for all. */
  function merge({ curve }) {
    if (curve.generation === generation && curve.first <= points.length) {
      points.length = curve.first;
      points.push(...curve.points);
    } else if (!fetching) {
      fetching = true;
      connection
        .ask({ view: "curve" })
        .then((all) => {
          generation = all.generation;
          points = all.points;
          soon(paint);
        })
        .catch(() => {})
        .finally(() => (fetching = false));
    }
  }

  store.on(["training", "lang", "dressed"], ({ training }, changed) => {
    if (training && changed.has("training")) merge(training);
    const tools = find("curves-tools");
    if (!tools.children.length) tools.append(make("span", { className: "key" }), make("span", { className: "key test" }));
    setText(tools.children[0], word("curve.train"));
    setText(tools.children[1], word("curve.test"));
    soon(paint);
  });

  const costs = {};
  const entries = COSTS.map((name) => ({ name, term: make("dt"), value: make("dd") }));
  find("costs").replaceChildren(...entries.map(({ name, term, value }) => make("div", { "data-of": name }, term, value)));
  store.on(["lang", "training"], tellCosts);

  function tellCosts() {
    for (const { name, term, value } of entries) {
      setText(term, word(`cost.${name}`));
      setText(value, number(costs[name], 3));
    }
  }

  function paint() {
    const last = points.length ? points[points.length - 1].step : 1;
    for (const plot of plots) paintPlot(plot, points, Math.max(last, 1), pointer);
  }

  return {
    views: () => [{ view: "costs" }],
    frame(head) {
      if (head.view !== "costs" || head.problem) return;
      for (const name of COSTS) costs[name] = head[name] ?? costs[name];
      tellCosts();
    },
  };
}

function paintPlot(plot, points, last, pointer) {
  const width = plot.element.clientWidth;
  if (!width) return;
  const context = prepared(plot.canvas, width, plot.height);
  const series = plot.keys.map((key) => points.filter((point) => typeof point[key] === "number").map((point) => [point.step, point[key]]));
  const values = series.flat().map(([, value]) => value);
  const positive = values.filter((value) => value > 0);
  const log = plot.log && positive.length > 8 && Math.min(...positive) < Math.max(...positive) / 30;
  const [low, high] = limits(plot, log ? positive : values, log);
  const larger = Number.parseFloat(getComputedStyle(document.documentElement).fontSize) / 14;
  const [left, right, top, bottom] = [44 * larger, width - 6, 6, plot.height - (plot.height > 80 ? 18 : 4)];
  const x = (step) => left + ((right - left) * step) / last;
  const scale = (value) => (log ? (Math.log(Math.max(value, low)) - Math.log(low)) / (Math.log(high) - Math.log(low)) : (value - low) / (high - low));
  const y = (value) => bottom - (bottom - top) * Math.min(Math.max(scale(value), 0), 1);

  context.font = `${11 * larger}px ${getComputedStyle(document.body).fontFamily}`;
  context.textBaseline = "middle";
  for (const share of plot.height > 80 ? [0, 0.5, 1] : [0, 1]) {
    const line = bottom - (bottom - top) * share;
    const value = log ? low * (high / low) ** share : low + (high - low) * share;
    context.strokeStyle = colour("grid-line");
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(left, Math.round(line) + 0.5);
    context.lineTo(right, Math.round(line) + 0.5);
    context.stroke();
    context.fillStyle = colour("soft");
    context.textAlign = "right";
    context.fillText(plot.name === "accuracy" ? `${Math.round(value * 100)}` : number(value, 2), left - 6, line);
  }
  if (plot.height > 80) {
    context.textAlign = "left";
    context.fillText("0", left, plot.height - 7);
    context.textAlign = "right";
    context.fillText(whole(last), right, plot.height - 7);
  }

  const [train, test] = series;
  context.save();
  context.beginPath();
  context.rect(left, 0, right - left + 4, plot.height);
  context.clip();
  if (plot.keys.length > 1) {
    path(context, train, x, y, colour("accent"), 1, 0.28);
    path(context, smooth(train), x, y, colour("accent"), 2, 1);
    path(context, test, x, y, colour("second"), 2, 1, [6, 4]);
    context.fillStyle = colour("second");
    if (test.length < 60) for (const [step, value] of test) context.fillRect(x(step) - 2, y(value) - 2, 4, 4);
  } else {
    path(context, train, x, y, colour("accent"), 2, 1);
  }
  context.restore();

  const at = pointer === null ? null : ((pointer - left) / (right - left)) * last;
  if (at !== null && at >= 0 && at <= last) {
    context.strokeStyle = colour("soft");
    context.beginPath();
    context.moveTo(Math.round(pointer) + 0.5, top);
    context.lineTo(Math.round(pointer) + 0.5, bottom);
    context.stroke();
  }
  const read = series.map((line) => (at === null ? line[line.length - 1] : nearest(line, at))?.[1]);
  setText(plot.heading, word(plot.name));
  setText(plot.value, read.filter((value) => value !== undefined).map(plot.format).join(" · ") || "–");
  plot.canvas.setAttribute("aria-label", `${word(plot.name)}: ${plot.value.textContent}`);
}

function limits({ low, high }, values, log) {
  if (!values.length) return [low ?? 0, high ?? 1];
  const least = low ?? (log ? Math.min(...values) : 0);
  const most = high ?? Math.max(...values) * (log ? 1 : 1.05);
  return most > least ? [least, most] : [least, least + (Math.abs(least) || 1)];
}

function path(context, points, x, y, ink, width, alpha, dash = []) {
  if (!points?.length) return;
  context.save();
  context.globalAlpha = alpha;
  context.strokeStyle = ink;
  context.lineWidth = width;
  context.lineJoin = "round";
  context.setLineDash(dash);
  context.beginPath();
  points.forEach(([step, value], i) => (i ? context.lineTo(x(step), y(value)) : context.moveTo(x(step), y(value))));
  context.stroke();
  context.restore();
}

/** The mean so far, newer points counting more. */
function smooth(points) {
  let [mean, weight] = [0, 0];
  return points.map(([step, value]) => {
    mean = SMOOTHING * mean + (1 - SMOOTHING) * value;
    weight = SMOOTHING * weight + (1 - SMOOTHING);
    return [step, mean / weight];
  });
}

function nearest(points, step) {
  let best;
  for (const point of points) if (!best || Math.abs(point[0] - step) < Math.abs(best[0] - step)) best = point;
  return best;
}
