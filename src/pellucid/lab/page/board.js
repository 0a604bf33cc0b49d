// A picture of one's own: drawn by mouse, finger, pen or keys, dropped or chosen as a file, or taken by the camera.

import { find, make, setText } from "./dom.js";
import { prepared, soon } from "./draw.js";
import { AS_IT_IS, withChange } from "./looked.js";
import { told, whole, word } from "./words.js";

export const area = "draw";

const SIDE = 1000;
const NEAR = 8;
const MOST_POINTS = 3000;
const EDGE = 264;
const THICK = 62;
const EVERY_MS = 90;
const BY_KEY = 40;

export function mount({ store, connection }) {
  const says = make("p", { className: "note", role: "status" });
  const swap = make("button", { type: "button", className: "button small", hidden: true, onclick: () => store.set(withChange(store.state, { invert: 1 })) });
  const board = mountBoard(store, connection, tell);
  const files = mountFiles(store, take);
  const camera = mountCamera(store, take, tell);
  find("board-body").replaceChildren(board.element, board.note, make("div", { className: "buttons" }, ...board.buttons), make("div", { className: "buttons" }, files, camera.button), camera.element, says, swap);

  function tell(text) {
    setText(says, text);
    swap.hidden = true;
  }

  /** Send a picture file; from then on it is looked at. */
  async function take(file) {
    const most = store.state.hello.network.board.bytes;
    if (file.size > most) return tell(word("too.large", { size: whole(Math.ceil(file.size / 2 ** 20)), most: whole(most / 2 ** 20) }));
    tell(word("sending"));
    try {
      const answer = await fetch("picture", { method: "POST", body: file });
      const found = await answer.json();
      if (!answer.ok) return tell(told(found, "problem"));
      board.clear();
      store.set({ picture: found.picture, ...AS_IT_IS });
      tell(found.swapped ? word("looks.swapped") : "");
      swap.hidden = !found.swapped;
    } catch {
      tell(word("not.sent"));
    }
  }

  store.on(["lang", "hello"], ({ hello }) => {
    find("board").hidden = !hello.network.board;
    setText(swap, word("invert"));
  });
}

function mountBoard(store, connection, tell) {
  const canvas = make("canvas", { className: "board", tabIndex: 0, role: "application" });
  const note = make("p", { className: "note" });
  const undo = make("button", { type: "button", className: "button small", onclick: () => change(() => strokes.pop()) });
  const again = make("button", { type: "button", className: "button small", id: "board-clear", onclick: () => change(clear) });
  const strokes = [];
  let pen = null;
  let drawn = null;
  let cursor = [SIDE / 2, SIDE / 2];
  let busy = false;
  let sentMs = 0;
  let timer = 0;

  const count = () => strokes.reduce((sum, stroke) => sum + stroke.length / 3, 0);

  function add(stroke, x, y, pressure) {
    const [lastX, lastY] = stroke.slice(-3);
    const near = stroke.length && Math.hypot(x - lastX, y - lastY) < NEAR;
    if (near || count() >= MOST_POINTS) return;
    stroke.push(...[x, y, pressure].map((value) => Math.round(Math.min(Math.max(value, 0), SIDE))));
  }

  function at(event) {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * SIDE, ((event.clientY - box.top) / box.height) * SIDE, (event.pressure || 0.5) * SIDE];
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    canvas.setPointerCapture(event.pointerId);
    pen = [];
    strokes.push(pen);
    change(() => add(pen, ...at(event)));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!pen) return;
    const all = event.getCoalescedEvents?.() ?? [];
    change(() => (all.length ? all : [event]).forEach((each) => add(pen, ...at(each))));
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => (pen = null));
  canvas.addEventListener("keydown", (event) => {
    const move = { ArrowUp: [0, -BY_KEY], ArrowDown: [0, BY_KEY], ArrowLeft: [-BY_KEY, 0], ArrowRight: [BY_KEY, 0] }[event.key];
    if (!move && event.key !== " ") return;
    event.preventDefault();
    if (event.key === " ") {
      pen = pen ? null : [];
      if (pen) strokes.push(pen);
    } else cursor = cursor.map((value, i) => Math.min(Math.max(value + move[i], 0), SIDE));
    change(() => pen && add(pen, ...cursor, SIDE / 2));
  });
  canvas.addEventListener("blur", () => (pen = null));
  for (const name of ["focus", "blur"]) canvas.addEventListener(name, () => soon(paint));

  function clear() {
    strokes.length = 0;
    pen = null;
  }

  function change(act) {
    act();
    soon(paint);
    clearTimeout(timer);
    timer = setTimeout(send, Math.max(0, EVERY_MS - (performance.now() - sentMs)));
  }

  async function send() {
    const given = strokes.filter((stroke) => stroke.length);
    if (!given.length || busy) return;
    busy = true;
    sentMs = performance.now();
    const before = JSON.stringify(given);
    try {
      const { picture } = await connection.ask({ view: "drawn", given });
      const same = store.state.picture === drawn; // a drawing that grows stays moved as it is
      if (strokes.length) store.set({ picture, ...(same ? {} : AS_IT_IS) });
      drawn = picture;
      tell("");
    } catch (error) {
      tell(error.message);
    }
    busy = false;
    if (JSON.stringify(strokes.filter((stroke) => stroke.length)) !== before) change(() => {});
  }

  function paint() {
    const { light } = store.state.hello.network.board ?? {};
    const context = prepared(canvas, EDGE, EDGE);
    context.fillStyle = light ? "#fff" : "#000";
    context.fillRect(0, 0, EDGE, EDGE);
    context.strokeStyle = context.fillStyle = light ? "#000" : "#fff";
    context.lineCap = "round";
    const scale = EDGE / SIDE;
    for (const stroke of strokes) {
      for (let i = 0; i < stroke.length; i += 3) {
        const from = Math.max(i - 3, 0);
        context.lineWidth = THICK * scale * (0.5 + (stroke[i + 2] + stroke[from + 2]) / 2 / SIDE);
        context.beginPath();
        context.moveTo(stroke[from] * scale, stroke[from + 1] * scale);
        context.lineTo(stroke[i] * scale + 0.01, stroke[i + 1] * scale);
        context.stroke();
      }
    }
    if (document.activeElement === canvas && canvas.matches(":focus-visible")) {
      context.strokeStyle = "#f08020";
      context.lineWidth = 2;
      context.beginPath();
      context.arc(cursor[0] * scale, cursor[1] * scale, pen ? 5 : 9, 0, 7);
      context.stroke();
    }
  }

  store.on(["lang", "hello", "dressed"], ({ hello }) => {
    setText(undo, word("undo"));
    setText(again, word("clear"));
    setText(note, word(hello.network.board?.fitted ? "board.fitted" : "board.whole"));
    canvas.setAttribute("aria-label", word("board.keys"));
    soon(paint);
  });
  return { element: canvas, note, buttons: [undo, again], clear: () => change(clear) };
}

/** A button that chooses a file; one may be dropped anywhere in the area, too. */
function mountFiles(store, take) {
  const input = make("input", { type: "file", accept: "image/*", id: "board-file", className: "unseen" });
  const text = make("span");
  input.addEventListener("change", () => {
    if (input.files.length) take(input.files[0]);
    input.value = "";
  });
  const place = find("area-draw");
  for (const name of ["dragenter", "dragover"]) {
    place.addEventListener(name, (event) => {
      event.preventDefault();
      place.classList.add("dropping");
    });
  }
  for (const name of ["dragleave", "drop"]) place.addEventListener(name, () => place.classList.remove("dropping"));
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
  });
  store.on(["lang"], () => setText(text, word("choose.file")));
  return make("label", { className: "button small", for: "board-file" }, input, text);
}

function mountCamera(store, take, tell) {
  const button = make("button", { type: "button", className: "button small", onclick: start });
  const video = make("video", { muted: true, playsInline: true, className: "camera" });
  const shot = make("button", { type: "button", className: "button main", onclick: shoot });
  const end = make("button", { type: "button", className: "button", onclick: stop });
  const element = make("div", { hidden: true }, video, make("div", { className: "buttons" }, shot, end));
  let stream = null;

  async function start() {
    tell("");
    if (!navigator.mediaDevices?.getUserMedia) return tell(word("camera.none"));
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      video.srcObject = stream;
      element.hidden = false;
      await video.play();
    } catch {
      stop();
      tell(word("camera.refused"));
    }
  }

  function shoot() {
    const canvas = make("canvas", { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.toBlob((blob) => blob && take(blob), "image/png");
    stop();
  }

  function stop() {
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = null;
    video.srcObject = null;
    element.hidden = true;
  }

  store.on(["area"], ({ area: shown }) => shown !== area && stop());
  store.on(["lang"], () => {
    setText(button, word("camera"));
    setText(shot, word("camera.take"));
    setText(end, word("camera.end"));
    video.setAttribute("aria-label", word("camera"));
  });
  return { button, element };
}
