// A class: whoever steers drives, the others follow or look around by themselves.

import { find, make, setText } from "./dom.js";
import { word } from "./words.js";

const PAUSE_MS = 80;

/** What the page was opened with: whoever comes by a link to something looks at that first. */
const opened = new URLSearchParams(location.hash.slice(1));

export function mount({ store, connection, owner }) {
  const box = make("input", { type: "checkbox", id: "follow", onchange: () => store.set({ follow: box.checked }) });
  const text = make("span");
  const label = make("label", { for: "follow", className: "button follow" }, box, text);
  find("buttons").append(label);
  let presented = null;
  let sent = null;
  let timer = 0;
  store.set({ follow: !store.SHARED.some((name) => opened.has(name)) });

  store.on([...store.SHARED, "hello", "status"], (_, changed) => {
    if (owner()) {
      clearTimeout(timer);
      if (changed.has("status")) sent = null;
      timer = setTimeout(present, PAUSE_MS);
    } else if (presented !== null && store.shared() !== presented && !changed.has("hello")) {
      store.set({ follow: false });
    }
  });
  store.on(["lang", "hello", "follow"], ({ follow }) => {
    label.hidden = owner();
    setText(text, word("follow"));
    box.checked = follow;
    if (follow && presented !== null) store.share(presented);
  });

  /** Tell what this page shows, where that is something new. */
  function present() {
    const state = store.shared();
    if (state === sent || store.state.status !== "connected") return;
    sent = state;
    connection.present(state);
  }

  return {
    hear(message) {
      if (message.type !== "present") return;
      presented = message.state;
      if (store.state.follow) store.share(presented);
    },
  };
}
