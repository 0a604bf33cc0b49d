// A picture as the network gets it: on white, in its colours, brought to size by the rule and the filter of
// datasets/pictures.py, to the bit as Pillow resizes.

const PRECISION = 22;
const CENTER_SHARE = 7 / 8;

const clipped = (value, least, most) => Math.min(Math.max(value, least), most);

/** To the nearest whole number, halves to the even one, as Python rounds. */
function rounded(value) {
  const low = Math.floor(value);
  if (value - low !== 0.5) return Math.round(value);
  return low % 2 ? low + 1 : low;
}

/** RGBA as it lies on a canvas -> rows of 1 (grey) or 3 numbers a pixel. */
function coloured({ width, height, data }, channels) {
  const pixels = new Uint8Array(width * height * channels);
  for (let i = 0; i < width * height; i += 1) {
    const [from, alpha] = [4 * i, data[4 * i + 3]];
    let [r, g, b] = [data[from], data[from + 1], data[from + 2]];
    if (alpha < 255) [r, g, b] = [r, g, b].map((value) => Math.round((value * alpha + 255 * (255 - alpha)) / 255));
    if (channels === 1) pixels[i] = (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16;
    else {
      pixels[3 * i] = r;
      pixels[3 * i + 1] = g;
      pixels[3 * i + 2] = b;
    }
  }
  return { width, height, channels, pixels };
}

/** For each of `made` pixels between `from` and `to`: the first one it is made of, and how much of each counts. */
function weights(size, from, to, made) {
  const scale = Math.fround(Math.fround(to) - Math.fround(from)) / made;
  const support = Math.max(scale, 1);
  return Array.from({ length: made }, (_, i) => {
    const center = Math.fround(from) + (i + 0.5) * scale;
    const first = Math.max(Math.trunc(center - support + 0.5), 0);
    const last = Math.min(Math.trunc(center + support + 0.5), size);
    const shares = Array.from({ length: last - first }, (_, x) => Math.max(1 - Math.abs((x + first - center + 0.5) * (1 / support)), 0));
    const sum = shares.reduce((a, b) => a + b, 0);
    return { first, shares: shares.map((share) => Math.trunc(0.5 + (sum ? share / sum : share) * (1 << PRECISION))) };
  });
}

/** One direction: `lines` lines of numbers `across` apart, in each of which pixels lie `along` apart. */
function pass(pixels, places, lines, across, along, out, outAcross, outAlong, channels) {
  for (let line = 0; line < lines; line += 1) {
    places.forEach(({ first, shares }, i) => {
      for (let c = 0; c < channels; c += 1) {
        let sum = 1 << (PRECISION - 1);
        for (let x = 0; x < shares.length; x += 1) sum += pixels[line * across + (first + x) * along + c] * shares[x];
        out[line * outAcross + i * outAlong + c] = clipped(sum >> PRECISION, 0, 255);
      }
    });
  }
}

function resized(picture, [left, top, right, bottom], width, height) {
  let { pixels, width: w } = picture;
  const { height: h, channels: n } = picture;
  if (width !== w || left || right !== w) {
    const out = new Uint8Array(h * width * n);
    pass(pixels, weights(w, left, right, width), h, w * n, n, out, width * n, n, n);
    [pixels, w] = [out, width];
  }
  if (height !== h || top || bottom !== h) {
    const out = new Uint8Array(height * w * n);
    pass(pixels, weights(h, top, bottom, height), w, n, w * n, out, n, w * n, n);
    pixels = out;
  }
  return { width, height, channels: n, pixels };
}

/** A part of it laid on black of a size, from there on. */
function laid(picture, width, height, left, top) {
  const pixels = new Uint8Array(width * height * picture.channels);
  for (let y = 0; y < height; y += 1)
    for (let x = 0; x < width; x += 1) {
      const [row, column] = [y - top, x - left];
      if (row < 0 || column < 0 || row >= picture.height || column >= picture.width) continue;
      const from = (row * picture.width + column) * picture.channels;
      pixels.set(picture.pixels.subarray(from, from + picture.channels), (y * width + x) * picture.channels);
    }
  return { ...picture, width, height, pixels };
}

/** size: [H, W]; rule: "crop", "center", "pad" or "stretch". -> H * W * channels bytes. */
export function fitted(image, { size: [height, width], channels, resize: rule }) {
  const picture = coloured(image, channels);
  const [w, h] = [picture.width, picture.height];
  const [across, down] = [width / w, height / h];
  if (rule === "center") {
    const scale = Math.max(across, down) / CENTER_SHARE;
    const [wide, tall] = [w, h].map((side) => Math.max(1, Math.trunc(side * scale + 1e-6)));
    const [left, top] = [rounded((wide - width) / 2), rounded((tall - height) / 2)];
    return laid(resized(picture, [0, 0, w, h], wide, tall), width, height, -left, -top).pixels;
  }
  if (rule === "pad") {
    const scale = Math.min(across, down);
    const [wide, tall] = [Math.min(width, Math.max(1, rounded(w * scale))), Math.min(height, Math.max(1, rounded(h * scale)))];
    return laid(resized(picture, [0, 0, w, h], wide, tall), width, height, Math.floor((width - wide) / 2), Math.floor((height - tall) / 2)).pixels;
  }
  if (rule === "stretch") return resized(picture, [0, 0, w, h], width, height).pixels;
  const scale = Math.max(across, down);
  const [left, top] = [(w - width / scale) / 2, (h - height / scale) / 2];
  const box = [Math.max(left, 0), Math.max(top, 0), Math.min(left + width / scale, w), Math.min(top + height / scale, h)];
  return resized(picture, box, width, height).pixels;
}
