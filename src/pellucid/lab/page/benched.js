// What lies on the filter bench: as the address keeps it, and as the server is asked for it.
//
// PICTURE/FILTER/…/pool:SIZE:STRIDES:PADDING, a filter is ROWS:STRIDES:PADDING:DILATION:ACTIVATION, and rows of a kernel
// are numbers with commas between them and semicolons behind each row.

export const BEGINNING = "halves/-1,1;-1,1:1:valid:1:linear";

export const NEW_FILTER = { kernel: [[0, 0, 0], [0, 1, 0], [0, 0, 0]], strides: 1, padding: "valid", dilation: 1, relu: false };
export const NEW_POOLING = { size: 2, strides: 2, padding: "valid" };

export function readBench(text) {
  const [picture, ...layers] = (text || BEGINNING).split("/");
  const bench = { picture, filters: [], pooling: null };
  for (const layer of layers) {
    const parts = layer.split(":");
    if (parts[0] === "pool") {
      const [, size, strides, padding] = parts;
      bench.pooling = { size: numberIn(size), strides: numberIn(strides), padding: paddingIn(padding) };
    } else {
      const [kernel, strides, padding, dilation, activation] = parts;
      const rows = kernel.split(";").map((row) => row.split(",").map(numberIn));
      bench.filters.push({ kernel: rows, strides: numberIn(strides), padding: paddingIn(padding), dilation: numberIn(dilation), relu: activation === "relu" });
    }
  }
  return bench;
}

export function writeBench({ picture, filters, pooling }) {
  const layers = filters.map(({ kernel, strides, padding, dilation, relu }) => [kernel.map((row) => row.join(",")).join(";"), strides, padding, dilation, relu ? "relu" : "linear"].join(":"));
  if (pooling) layers.push(["pool", pooling.size, pooling.strides, pooling.padding].join(":"));
  return [picture, ...layers].join("/");
}

/** The kernel with as many rows and columns, the old one in the middle of it. */
export function resized(kernel, rows, columns) {
  const [down, right] = [Math.floor((rows - kernel.length) / 2), Math.floor((columns - kernel[0].length) / 2)];
  return Array.from({ length: rows }, (_, i) => Array.from({ length: columns }, (_, j) => kernel[i - down]?.[j - right] ?? 0));
}

function numberIn(text) {
  const number = Number(text);
  return text === undefined || text === "" || !Number.isFinite(number) ? null : number;
}

const paddingIn = (text) => (/^\d+$/.test(text ?? "") ? Number(text) : (text ?? "valid"));
