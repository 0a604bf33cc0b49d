// What this page and the exported one say, in the language of ?lang= or of the browser.
const WORDS = {
  drop: ["Drop pictures here, or choose some", "이미지를 여기에 끌어 놓거나 선택하십시오"],
};

const language = new URLSearchParams(location.search).get("lang") || navigator.language;
export const korean = language.toLowerCase().startsWith("ko");

/** own: a page's own words, in English and Korean by their names. */
export function speaking(own) {
  const words = { ...WORDS, ...own };
  function word(name, given = {}) {
    return words[name][korean ? 1 : 0].replace(/\{(\w+)\}/g, (_, key) => given[key]);
  }
  function say() {
    document.documentElement.lang = korean ? "ko" : "en";
    for (const place of document.querySelectorAll("[data-word]")) place.textContent = word(place.dataset.word);
    for (const link of document.querySelectorAll("nav a")) link.search = location.search;
  }
  return { word, say };
}
