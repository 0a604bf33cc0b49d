// A square to draw in, by finger, pen or mouse, on the ground that the network learned on.

/** A canvas whose image is handed to `changed` after each stroke; `clear()` empties it. */
export function drawingPad(background, label, changed) {
  const side = 280;
  const canvas = Object.assign(document.createElement("canvas"), { width: side, height: side });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", label);
  const [ground, ink] = background < 128 ? ["#000", "#fff"] : ["#fff", "#000"];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  let last = null;

  function clear() {
    context.fillStyle = ground;
    context.fillRect(0, 0, side, side);
  }

  function line(event) {
    const box = canvas.getBoundingClientRect();
    const now = [((event.clientX - box.left) * side) / box.width, ((event.clientY - box.top) * side) / box.height];
    Object.assign(context, { strokeStyle: ink, lineWidth: side / 13, lineCap: "round", lineJoin: "round" });
    context.beginPath();
    context.moveTo(...(last || now));
    context.lineTo(...now);
    context.stroke();
    last = now;
  }

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    line(event);
  });
  canvas.addEventListener("pointermove", (event) => last && line(event));
  for (const name of ["pointerup", "pointercancel"])
    canvas.addEventListener(name, () => {
      if (last) changed(context.getImageData(0, 0, side, side));
      last = null;
    });
  clear();
  return { canvas, clear };
}
