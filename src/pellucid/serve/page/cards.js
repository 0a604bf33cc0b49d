// A list of pictures with what is answered for each, and how pictures get there: dropped, chosen or pasted.
export function element(name, text = "", properties = {}) {
  return Object.assign(document.createElement(name), { textContent: text }, properties);
}

/** A place for what is said of a picture, at the head of the list. picture: an element that shows it. */
export function card(list, title, picture) {
  const body = element("div");
  body.append(element("h3", title));
  const item = element("li");
  item.append(picture, body);
  list.prepend(item);
  return body;
}

/** A line for each class: its name, and how probable it is as a bar and as a number. */
export function bars(predictions) {
  return predictions.map(({ class: name, probability }) => {
    const line = element("div", "", { className: "class" });
    const bar = element("i");
    bar.style.width = `${100 * probability}%`;
    line.append(bar, element("span", name), element("span", `${(100 * probability).toFixed(1)} %`));
    return line;
  });
}

/** Hand the files that are dropped on the page, chosen in `input` or pasted to `take`; `place` shows that one may drop. */
export function receive(place, input, take) {
  input.addEventListener("change", () => take([...input.files]).then(() => (input.value = "")));
  for (const name of ["dragenter", "dragover", "dragleave", "drop"])
    document.addEventListener(name, (event) => {
      event.preventDefault();
      place.classList.toggle("over", name === "dragenter" || name === "dragover");
      if (name === "drop") take([...event.dataTransfer.files]);
    });
  document.addEventListener("paste", (event) => take([...event.clipboardData.files]));
}
