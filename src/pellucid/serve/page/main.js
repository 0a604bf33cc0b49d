// Pictures that are dropped, chosen or pasted, and what the server answers for each.
import { bars, card, element, receive } from "./cards.js";
import { headers, say, told, word } from "./words.js";

const place = document.getElementById("place");
const files = document.getElementById("files");
const answers = document.getElementById("answers");
const problem = document.getElementById("problem");

function complain(text) {
  problem.textContent = text;
  problem.hidden = !text;
}

function show(body, answer) {
  body.querySelector("p").remove();
  if (answer.problem) body.append(element("p", answer.problem, { className: "problem" }));
  body.append(...bars(answer.predictions || []));
}

async function ask(file) {
  const image = element("img", "", { alt: "", src: URL.createObjectURL(file) });
  image.addEventListener("error", () => image.classList.add("none"));
  const body = card(answers, file.name, image);
  body.append(element("p", word("waiting")));
  try {
    const type = { "Content-Type": "application/octet-stream" };
    const answer = await fetch("predict", { method: "POST", body: file, headers: { ...headers, ...type } });
    const said = await answer.json();
    show(body, answer.ok ? said.answers[0] : { problem: told(answer.status, said.problem) });
    complain("");
  } catch {
    show(body, { problem: word("unreachable") });
  }
}

async function askAll(given) {
  for (const file of given) await ask(file);
}

async function begin() {
  say();
  receive(place, files, askAll);
  try {
    const { model, classes } = await (await fetch("health")).json();
    document.title = model;
    document.getElementById("model").textContent = `${model} · ${word("classes", { count: classes })}`;
  } catch {
    complain(word("unreachable"));
  }
}

begin();
