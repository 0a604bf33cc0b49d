// The areas of the page, one of which is shown; a tab for each that a feature lives in.

import { find, make, setText } from "./dom.js";
import { word } from "./words.js";

export function mount({ store, areas }) {
  const tabs = areas.map((area) =>
    make("button", { type: "button", className: "tab", role: "tab", id: `area-tab-${area}`, "aria-controls": `area-${area}`, onclick: () => store.set({ area }) }),
  );
  const list = find("areas");
  list.replaceChildren(...tabs);
  list.hidden = areas.length < 2;
  list.addEventListener("keydown", (event) => {
    const at = areas.indexOf(store.state.area);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1 + areas.length, Home: 0, End: areas.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    store.set({ area: areas[to % areas.length] });
    tabs[to % areas.length].focus();
  });

  store.on(["area", "lang"], ({ area }) => {
    if (!areas.includes(area)) return store.set({ area: areas[0] });
    areas.forEach((name, i) => {
      find(`area-${name}`).hidden = name !== area;
      setText(tabs[i], word(`area.${name}`));
      tabs[i].setAttribute("aria-selected", String(name === area));
      tabs[i].tabIndex = name === area ? 0 : -1;
    });
    if (tabs.length > 1) tabs[areas.indexOf(area)].scrollIntoView({ block: "nearest", inline: "nearest" });
  });
}
