// Theme and language.

import { find, make } from "./dom.js";
import { forgetColours } from "./draw.js";
import { languages, speak, word } from "./words.js";

const THEMES = ["auto", "light", "dark", "projector"];

export function mount({ store }) {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const theme = find("theme");
  const lang = find("lang");

  function dress() {
    const chosen = THEMES.includes(store.state.theme) ? store.state.theme : "auto";
    document.documentElement.dataset.theme = chosen === "auto" ? (dark.matches ? "dark" : "light") : chosen;
    forgetColours();
    store.set({ dressed: document.documentElement.dataset.theme });
  }

  lang.replaceChildren(...Object.entries(languages).map(([value, text]) => make("option", { value, textContent: text, lang: value })));
  store.on(["theme", "lang"], (state) => {
    speak(state.lang);
    theme.replaceChildren(...THEMES.map((value) => make("option", { value, textContent: word(`theme.${value}`) })));
    theme.value = state.theme;
    lang.value = state.lang;
    dress();
  });
  dark.addEventListener("change", dress);
  theme.addEventListener("change", () => store.set({ theme: theme.value }));
  lang.addEventListener("change", () => store.set({ lang: lang.value }));
}
