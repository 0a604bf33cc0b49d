// Pictures that are dropped, chosen or pasted, and what the server answers for each.
import { element, headers, say, told, word } from "./words.js";

const place = document.getElementById("place");
const files = document.getElementById("files");
const answers = document.getElementById("answers");
const problem = document.getElementById("problem");

function complain(text) {
  problem.textContent = text;
  problem.hidden = !text;
}

function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

function show(card, answer) {
  card.querySelector("p").remove();
  const body = card.querySelector("div");
  if (answer.problem) body.append(element("p", answer.problem, { className: "problem" }));
  for (const { class: name, probability } of answer.predictions || []) {
    const line = element("div", "", { className: "class" });
    const bar = element("i");
    bar.style.width = `${100 * probability}%`;
    line.append(bar, element("span", name), element("span", percent(probability)));
    body.append(line);
  }
}

async function ask(file) {
  const card = element("li");
  const image = element("img", "", { alt: "", src: URL.createObjectURL(file) });
  image.addEventListener("error", () => image.classList.add("none"));
  const body = element("div");
  body.append(element("h3", file.name), element("p", word("waiting")));
  card.append(image, body);
  answers.prepend(card);
  try {
    const type = { "Content-Type": "application/octet-stream" };
    const answer = await fetch("predict", { method: "POST", body: file, headers: { ...headers, ...type } });
    const said = await answer.json();
    show(card, answer.ok ? said.answers[0] : { problem: told(answer.status, said.problem) });
    complain("");
  } catch {
    show(card, { problem: word("unreachable") });
  }
}

async function askAll(given) {
  for (const file of given) await ask(file);
}

async function begin() {
  say();
  files.addEventListener("change", () => askAll([...files.files]).then(() => (files.value = "")));
  for (const name of ["dragenter", "dragover", "dragleave", "drop"])
    document.addEventListener(name, (event) => {
      event.preventDefault();
      place.classList.toggle("over", name === "dragenter" || name === "dragover");
      if (name === "drop") askAll([...event.dataTransfer.files]);
    });
  document.addEventListener("paste", (event) => askAll([...event.clipboardData.files]));
  try {
    const { model, classes } = await (await fetch("health")).json();
    document.title = model;
    document.getElementById("model").textContent = `${model} · ${word("classes", { count: classes })}`;
  } catch {
    complain(word("unreachable"));
  }
}

begin();
