// Drawing on canvases: sharp at any resolution, in the theme's colours, once a frame at most.

/** Small canvases that change many times a second are quicker in the processor's own memory. */
const DRAWN_BY_CPU = { willReadFrequently: true };

const waiting = new Set();

/** Call `paint` at the next frame of the screen, once, however often this is asked for. */
export function soon(paint) {
  if (!waiting.size) requestAnimationFrame(flush);
  waiting.add(paint);
}

function flush() {
  const now = [...waiting];
  waiting.clear();
  for (const paint of now) paint();
}

/** The canvas's context in CSS pixels, cleared, for a size in CSS pixels. */
export function prepared(canvas, width, height) {
  const scale = window.devicePixelRatio || 1;
  const [w, h] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d", DRAWN_BY_CPU);
  context.setTransform(w / width, 0, 0, h / height, 0, 0);
  context.clearRect(0, 0, width, height);
  context.imageSmoothingEnabled = false;
  return context;
}

/** A colour of the theme, by the name of its CSS variable. */
export function colour(name) {
  if (!colours.has(name)) colours.set(name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
  return colours.get(name);
}

const colours = new Map();
const tables = new Map();

/** Another theme: all colours are read anew. */
export function forgetColours() {
  colours.clear();
  tables.clear();
}

/** 256 colours for the values of maps: from nothing to much, or of both signs around the middle. */
function table(signed) {
  const key = signed ? "signed" : "plain";
  if (!tables.has(key)) {
    const names = signed ? ["minus", "minus-half", "zero", "plus-half", "plus"] : ["none", "little", "much", "most"];
    const stops = names.map((name) => parse(colour(`map-${name}`)));
    const made = new Uint32Array(256);
    for (let value = 0; value < 256; value += 1) {
      const place = (value / 255) * (stops.length - 1);
      const left = Math.min(Math.floor(place), stops.length - 2);
      const [r, g, b] = stops[left].map((from, i) => Math.round(from + (stops[left + 1][i] - from) * (place - left)));
      made[value] = (255 << 24) | (b << 16) | (g << 8) | r;
    }
    tables.set(key, made);
  }
  return tables.get(key);
}

function parse(hex) {
  const number = Number.parseInt(hex.slice(1), 16);
  return [number >> 16, (number >> 8) & 255, number & 255];
}

const scratch = document.createElement("canvas");
const sheet = scratch.getContext("2d", DRAWN_BY_CPU);

/**
 * Maps of a part (C, H, W), the first `count`, each drawn into the rectangle [x, y, width, height] that `place` gives for
 * its number; or one picture (H, W) or (H, W, 3). All go to the screen's memory at once: that is what takes time.
 */
export function drawMaps(context, part, count, place) {
  const picture = part.size === undefined;
  const [h, w] = picture ? part.shape : part.shape.slice(1);
  const image = new ImageData(w, h * count);
  const pixels = new Uint32Array(image.data.buffer);
  const { values } = part;
  if (picture && part.shape.length === 3) {
    for (let i = 0; i < pixels.length; i += 1) {
      pixels[i] = (255 << 24) | (values[3 * i + 2] << 16) | (values[3 * i + 1] << 8) | values[3 * i];
    }
  } else if (picture) {
    for (let i = 0; i < pixels.length; i += 1) pixels[i] = (255 << 24) | (values[i] * 0x010101);
  } else {
    const colours = table(part.signed);
    for (let i = 0; i < pixels.length; i += 1) pixels[i] = colours[values[i]];
  }
  if (scratch.width < w) scratch.width = w;
  if (scratch.height < h * count) scratch.height = h * count;
  sheet.putImageData(image, 0, 0);
  for (let i = 0; i < count; i += 1) context.drawImage(scratch, 0, i * h, w, h, ...place(i));
}

/** One map (1, H, W) of what is nowhere below 0 as a veil: thin where there is little, in the colour of large numbers. */
export function drawVeil(context, { shape: [, h, w], values }, x, y, width, height) {
  const image = new ImageData(w, h);
  const pixels = new Uint32Array(image.data.buffer);
  const colours = table(true);
  for (let i = 0; i < pixels.length; i += 1) pixels[i] = ((38 + 0.6 * values[i]) << 24) | (colours[128 + (values[i] >> 1)] & 0xffffff);
  if (scratch.width < w) scratch.width = w;
  if (scratch.height < h) scratch.height = h;
  sheet.putImageData(image, 0, 0);
  context.drawImage(scratch, 0, 0, w, h, x, y, width, height);
}

/** The colour of a number from -1 to 1, or from 0 to 1, as in the maps. */
export function shade(value, signed) {
  const index = Math.round(255 * Math.min(Math.max(signed ? (value + 1) / 2 : value, 0), 1));
  const packed = table(signed)[index];
  return `rgb(${packed & 255} ${(packed >> 8) & 255} ${(packed >> 16) & 255})`;
}

/** Black or white, whichever has more contrast with that shade: where the luminance of WCAG 2.2 is above 0.179, black. */
export function inkOn(value, signed) {
  const index = Math.round(255 * Math.min(Math.max(signed ? (value + 1) / 2 : value, 0), 1));
  const packed = table(signed)[index];
  const [r, g, b] = [packed & 255, (packed >> 8) & 255, (packed >> 16) & 255].map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
}
