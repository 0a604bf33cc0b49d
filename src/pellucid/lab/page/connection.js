// The WebSocket: what is watched, asked and commanded. See protocol.py for the messages.

import { told } from "./words.js";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8000;

export function connect({ hear, frame, status }) {
  let socket = null;
  let pause = FIRST_PAUSE_MS;
  let watched = "[]";
  let number = 0;
  const waiting = new Map();

  function open() {
    status("connecting");
    const address = new URL("socket", location.href);
    address.protocol = "ws:";
    address.hash = "";
    socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      pause = FIRST_PAUSE_MS;
      status("connected");
      say({ type: "watch", views: JSON.parse(watched) });
    };
    socket.onmessage = ({ data }) => {
      if (typeof data === "string") return text(JSON.parse(data));
      for (const head of readBundle(data)) (head.view ? frame : hear)(head);
    };
    socket.onclose = () => {
      status("lost");
      for (const { fail } of waiting.values()) fail(new Error("connection lost"));
      waiting.clear();
      setTimeout(open, pause);
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    };
  }

  function text(message) {
    if (message.type === "answer") {
      waiting.get(message.id)?.done(message.of);
      waiting.delete(message.id);
    } else if (message.type === "error" && waiting.size) {
      // errors come in the order of what was sent, and an ask is answered before the next message is read
      const [id, { fail }] = waiting.entries().next().value;
      waiting.delete(id);
      fail(new Error(told(message, "text")));
    } else {
      hear(message);
    }
  }

  function say(message) {
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  }

  open();
  return {
    /** From now on these views, and no others. */
    watch(views) {
      const text = JSON.stringify(views);
      if (text === watched) return;
      watched = text;
      say({ type: "watch", views });
    },
    /** One view, once: a promise of its data. */
    ask(view) {
      return new Promise((done, fail) => {
        if (socket?.readyState !== WebSocket.OPEN) return fail(new Error("not connected"));
        number += 1;
        waiting.set(number, { done, fail });
        say({ type: "ask", id: number, ...view });
      });
    },
    /** What this page shows, for those who follow. */
    present(state) {
      say({ type: "present", state });
    },
    command(what, name, value) {
      say(name === undefined ? { type: "command", do: what } : { type: "command", do: what, name, value });
    },
  };
}

/** The heads of a message's frames, each of their parts with the numbers it holds. */
export function* readBundle(buffer) {
  const lengths = new DataView(buffer);
  for (let place = 0; place < buffer.byteLength; place += 4 + lengths.getUint32(place, true)) {
    yield readFrame(buffer, place + 4, lengths.getUint32(place + 4, true));
  }
}

function readFrame(buffer, place, length) {
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, place + 4, length)));
  if (head.problem) head.problem = told(head, "problem");
  for (const part of head.parts) {
    const count = part.shape.reduce((product, size) => product * size, 1);
    const kind = part.dtype === "float32" ? Float32Array : Uint8Array;
    part.values = new kind(buffer, place + 4 + length + part.offset, count);
  }
  return head;
}
