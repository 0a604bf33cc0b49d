// The page begins here: the store, the connection, and the features, each in a module of its own.
//
// A feature is a module with `mount(lab)`. It may give `views(state)`, the views that it wants to be watched now,
// `frame(head)`, which hears each frame of these, and `hear(message)`, which hears what else the server says. `area` says in which of AREAS it lives: what it wants is watched only
// while that is shown; one without an area is there always. Another one is a module, a line in FEATURES, a section in
// its area in index.html, and its words. An area that no feature lives in is not shown.

import * as areas from "./areas.js";
import * as arithmetic from "./arithmetic.js";
import { BEGINNING } from "./benched.js";
import * as board from "./board.js";
import * as confusion from "./confusion.js";
import { connect } from "./connection.js";
import * as controls from "./controls.js";
import * as curves from "./curves.js";
import { find, setText } from "./dom.js";
import * as editor from "./editor.js";
import * as exports from "./exports.js";
import * as filters from "./filters.js";
import * as follow from "./follow.js";
import { AS_IT_IS, isOwn } from "./looked.js";
import * as lessons from "./lessons.js";
import * as maps from "./maps.js";
import * as network from "./network.js";
import * as predictions from "./predictions.js";
import * as preferences from "./preferences.js";
import * as probe from "./probe.js";
import * as scatter from "./scatter.js";
import * as sliding from "./sliding.js";
import * as stability from "./stability.js";
import { createStore } from "./store.js";
import { preferred, speak, told, whole, word } from "./words.js";

const AREAS = ["train", "draw", "network", "filters", "lessons"];
const FEATURES = [
  preferences,
  areas,
  controls,
  curves,
  network,
  maps,
  sliding,
  arithmetic,
  predictions,
  scatter,
  confusion,
  board,
  probe,
  stability,
  editor,
  exports,
  filters,
  follow,
  lessons,
];

const store = createStore({
  area: AREAS[0],
  theme: "auto",
  lang: "",
  layer: "",
  show: "maps",
  picture: 0,
  ...AS_IT_IS,
  overlay: "none",
  slide: "",
  filter: "",
  target: "",
  steps: 0,
  channel: 0,
  position: [],
  bench: BEGINNING,
  spot: "",
  lesson: "",
  exercise: "",
  status: "connecting",
  hello: null,
  training: null,
});

const connection = connect({ hear, frame, status: (status) => store.set({ status }) });
const lab = {
  store,
  connection,
  areas: AREAS.filter((name) => FEATURES.some(({ area }) => area === name)),
  owner: () => store.state.hello?.role === "owner",
};
let mounted = [];

function hear(message) {
  if (message.type === "hello") begin(message);
  else if (message.type === "state") store.set({ training: message });
  else if (message.type === "error") setText(find("said"), told(message, "text"));
  for (const feature of mounted) feature.hear?.(message);
}

function begin(hello) {
  const { state } = store;
  const names = hello.network.layers.map(({ name }) => name);
  const changes = { hello, lang: state.lang || hello.lang || preferred() };
  if (!names.includes(state.layer)) changes.layer = names[0];
  if (isOwn({ ...state, hello })) keepIfKnown(state.picture);
  speak(changes.lang);
  store.set(changes);
  if (!mounted.length) {
    mounted = FEATURES.map((feature) => ({ area: feature.area, ...feature.mount(lab) }));
    store.on(["lang", "hello"], subject);
    store.on(["area", "bench", "layer", "show", "picture", "change", "cover", "overlay", "target", "slide", "filter", "channel", "hello"], watch);
    document.addEventListener("visibilitychange", watch);
  }
}

/** A picture of one's own is looked at as long as the server keeps it. */
async function keepIfKnown(picture) {
  await connection.ask({ view: "looked", picture }).catch(() => store.set({ picture: 0, ...AS_IT_IS }));
}

/** What the features that are shown want to see; nothing while nobody looks. */
function watch() {
  const shown = document.hidden ? [] : mounted.filter(({ area }) => !area || area === store.state.area);
  const wanted = shown.flatMap((feature) => feature.views?.(store.state) ?? []);
  connection.watch(wanted.filter(({ view }) => store.state.hello.network.views.includes(view)));
}

function frame(head) {
  for (const feature of mounted) feature.frame?.(head);
}

function subject({ lang, hello }) {
  speak(lang);
  const { name, data, parameters } = hello.network;
  setText(find("subject"), word("subject", { model: name, data, count: whole(parameters) }));
  document.title = `${name} · Pellucid lab`;
}
