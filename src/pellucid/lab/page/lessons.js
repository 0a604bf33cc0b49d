// Lessons: guided tours through states of this page, a few sentences and something to try at each. The address holds
// lesson and step, so that a link shows the same; what else it says goes before what the step would set.

import { find, make, setText } from "./dom.js";
import { AS_IT_IS } from "./looked.js";
import { makeTask } from "./task.js";
import { either, word } from "./words.js";

export const area = "lessons";

/** What each step begins with, unless it says otherwise. */
const BEFORE = { show: "maps", position: [], channel: 0, slide: "", overlay: "none", spot: "", ...AS_IT_IS };

const SETTLING_MS = 1500;

const keysOf = () => new Set(new URLSearchParams(location.hash.slice(1)).keys());
const atFirst = keysOf();

export function mount(lab) {
  const { store } = lab;
  let lessons = [];
  const guide = makeGuide(lab, go, close);
  const list = make("ol", { className: "lesson-list" });
  find("lessons-body").replaceChildren(list);
  mountExercises(lab);

  fetch("lessons.json").then((answer) => answer.json()).then((found) => {
    lessons = found;
    list.replaceChildren(...lessons.map((lesson) => makeEntry(lesson, () => go(lesson, 0))));
    begin(atFirst);
    window.addEventListener("hashchange", () => begin(keysOf()));
    store.on(["lesson", "lang"], show);
  });

  /** Which lesson and step the state names, or nothing. */
  function current() {
    const [name, number] = store.state.lesson.split(".");
    const lesson = lessons.find((each) => each.name === name);
    const index = Math.min(Math.max(Number(number) || 1, 1), lesson?.steps.length ?? 1) - 1;
    return lesson ? { lesson, index, step: lesson.steps[index] } : null;
  }

  /** Set what the address has not said. */
  function begin(given) {
    const now = current();
    if (!now) return;
    const wanted = stateOf(now.step, store.state.hello.network);
    store.set(Object.fromEntries(Object.entries(wanted).filter(([name]) => !given.has(name))));
  }

  function go(lesson, index) {
    if (!lesson.steps[index]) return;
    store.set({ lesson: `${lesson.name}.${index + 1}`, ...stateOf(lesson.steps[index], store.state.hello.network) });
  }

  function close() {
    store.set({ lesson: "", area });
  }

  function show() {
    const now = current();
    document.body.classList.toggle("guided", Boolean(now));
    guide.show(now);
    lessons.forEach((lesson, i) => {
      const [title, about] = list.children[i].firstChild.children;
      setText(title, either(lesson.title));
      setText(about, either(lesson.about));
    });
    for (const pointed of document.querySelectorAll(".pointed")) pointed.classList.remove("pointed");
    if (!now) return;
    find(now.step.look).classList.add("pointed");
    bringIntoView(now.step.look);
  }
}

/** Scroll to it, and again while what stands above it is still being painted, unless somebody scrolls. */
function bringIntoView(id) {
  const scroll = () => find(id).scrollIntoView({ block: "start" });
  const watch = new ResizeObserver(scroll);
  const stop = () => watch.disconnect();
  watch.observe(find("main"));
  setTimeout(stop, SETTLING_MS);
  for (const event of ["wheel", "touchmove", "pointerdown", "keydown"]) document.addEventListener(event, stop, { once: true, passive: true });
}

/** What a step sets; layers are named by their kind, and a place only where this network has it. */
function stateOf({ state }, { layers, pictures }) {
  const made = { ...BEFORE, ...state };
  if (state.layer) {
    const [which, kind] = state.layer.split(" ");
    const alike = layers.filter((layer) => layer.kind === kind);
    const layer = (which === "last" ? alike[alike.length - 1] : alike[0]) ?? layers[0];
    const shape = made.show.startsWith("weight") ? layer.kernel : layer.shape;
    const inside = shape?.length === made.position.length && made.position.every((place, axis) => place < shape[axis]);
    Object.assign(made, { layer: layer.name, position: inside ? made.position : [] });
  }
  if (state.picture !== undefined) made.picture = Math.min(state.picture, Math.max(pictures - 1, 0));
  return made;
}

function makeEntry(lesson, begin) {
  return make("li", {}, make("button", { type: "button", className: "lesson-entry", "data-lesson": lesson.name, onclick: begin }, make("b"), make("span")));
}

/** What stands beside the page while a lesson is on. */
function makeGuide(lab, go, close) {
  const place = find("lesson");
  const [lessonTitle, count, title, text] = [make("span", { className: "note" }), make("span", { className: "note", id: "lesson-count" }), make("h2", { id: "lesson-title" }), make("p")];
  const [tryWord, tryText] = [make("b"), make("span")];
  const back = button("lesson-back", "‹", () => now && go(now.lesson, now.index - 1));
  const on = button("lesson-next", "›", () => now && go(now.lesson, now.index + 1));
  const end = button("lesson-end", "×", close);
  const summary = make("summary");
  const task = makeTask(lab);
  const exercise = make("details", { className: "lesson-task" }, summary, task.element);
  const said = make("div", { className: "lesson-said", "aria-live": "polite" }, title, text, make("p", { className: "try" }, tryWord, " ", tryText));
  place.replaceChildren(make("header", {}, lessonTitle, count, back, on, end), said, exercise);
  let now = null;
  let shown = "";

  document.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const taken = event.target.closest("input, select, textarea, summary, [role=tab], [role=application], [tabindex='0']");
    if (!now || !by || taken || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    event.preventDefault();
    go(now.lesson, now.index + by);
  });

  return {
    show(wanted) {
      now = wanted;
      place.hidden = !now;
      if (!now) return;
      const { lesson, index, step } = now;
      setText(lessonTitle, either(lesson.title));
      setText(count, `${index + 1} / ${lesson.steps.length}`);
      setText(title, either(step.title));
      setText(text, either(step.text));
      setText(tryWord, word("lesson.try"));
      setText(tryText, either(step.try));
      setText(summary, word("exercise"));
      for (const [each, name] of [[back, "lesson.back"], [on, "lesson.next"], [end, "lesson.end"]]) {
        each.setAttribute("aria-label", word(name));
        each.title = word(name);
      }
      back.disabled = index === 0;
      on.disabled = index === lesson.steps.length - 1;
      const key = `${lesson.name}.${index}`;
      if (key === shown) return;
      shown = key;
      place.scrollTop = 0;
      exercise.hidden = !step.exercise;
      exercise.open = false;
      if (step.exercise) task.show(step.exercise);
    },
  };
}

const button = (id, text, act) => make("button", { type: "button", className: "button small", id, textContent: text, onclick: act });

/** All exercises by what they are about, and the one that the state names. */
function mountExercises({ store, connection }) {
  const list = find("exercises-body");
  const task = makeTask({ store, connection }, { hear: (seed) => store.set({ exercise: `${task.shown().name}.${seed}` }) });
  find("exercise-body").replaceChildren(task.element);
  let parts = [];
  connection.ask({ view: "exercises" }).then((found) => {
    parts = found.parts;
    list.replaceChildren(...parts.map(({ exercises }) => make("div", { className: "exercise-part" }, make("h3"), make("ul", {}, ...exercises.map(makeButton)))));
    store.on(["lang", "exercise"], show);
  }, () => {});

  function makeButton({ name }) {
    return make("li", {}, make("button", { type: "button", className: "exercise-entry", "data-exercise": name, onclick: () => store.set({ exercise: `${name}.0` }) }));
  }

  function show({ exercise }, changed) {
    const [name, seed] = exercise.split(".");
    parts.forEach(({ title, exercises }, i) => {
      const [heading, entries] = list.children[i].children;
      setText(heading, either(title));
      exercises.forEach((each, j) => {
        const entry = entries.children[j].firstChild;
        setText(entry, either(each.title));
        entry.setAttribute("aria-pressed", String(each.name === name));
      });
    });
    find("exercise").hidden = !exercise;
    const now = task.shown();
    if (exercise && changed.has("exercise") && `${now?.name}.${now?.seed}` !== exercise) task.show(name, Number(seed) || 0);
  }
}
