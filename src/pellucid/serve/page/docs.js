// How a program asks, and the server's own description of its addresses.
import { element } from "./cards.js";
import { korean } from "./language.js";
import { say, token } from "./words.js";

const root = new URL(".", location.href).href;

function table(rows) {
  const made = element("table");
  for (const [name, text] of rows) {
    const row = element("tr");
    row.append(element("th", name, { scope: "row" }), element("td", text));
    made.append(row);
  }
  return made;
}

function operation(path, method, told) {
  const part = element("section");
  part.append(element("h2", `${method.toUpperCase()} ${path}`), element("p", told.summary));
  const takes = Object.entries(told.requestBody?.content || {}).map(([kind, each]) => [kind, each.schema.description]);
  const asks = (told.parameters || []).map((each) => [`?${each.name}=`, `${each.description} (${each.schema.default})`]);
  const gives = Object.entries(told.responses).map(([status, each]) => [status, each.description]);
  part.append(table([...takes, ...asks, ...gives]));
  return part;
}

async function begin() {
  say();
  const carried = token ? ` -H "Authorization: Bearer ${token}"` : "";
  document.getElementById("curl").textContent = `curl${carried} --data-binary @cat.jpg ${root}predict\ncurl${carried} -F a=@cat.jpg -F b=@dog.jpg '${root}predict?top=3'`;
  const header = token ? `, headers={"Authorization": "Bearer ${token}"}` : "";
  document.getElementById("python").textContent = `import requests\n\nanswer = requests.post("${root}predict", data=open("cat.jpg", "rb")${header}).json()\nprint(answer["answers"][0]["predictions"])`;
  const told = await (await fetch(korean ? "openapi.json?lang=ko" : "openapi.json")).json();
  document.title = told.info.title;
  document.getElementById("title").textContent = told.info.title;
  const place = document.getElementById("operations");
  for (const [path, methods] of Object.entries(told.paths))
    for (const [method, each] of Object.entries(methods)) place.append(operation(path, method, each));
}

begin();
