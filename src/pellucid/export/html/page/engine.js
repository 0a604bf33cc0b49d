// Runs programs that are data (plan/description.py) on the kernels: steps over one memory. It knows no page.

const ENDS = { 1: "an index lies outside its array", 2: "a label lies outside the classes", 4: "no memory is left" };
const NOT_FINITE = 3;
const ARRAYS = { uint8: Uint8Array, int32: Int32Array, uint32: Uint32Array, float32: Float32Array, float64: Float64Array, int64: BigInt64Array };

const lines = (bytes) => Math.ceil(bytes / 64) * 64;

/** kernels: the module's bytes; head: what is described; contents: the bytes that its spans hold, one after another. */
export async function engine(kernels, head, contents) {
  const { instance } = await WebAssembly.instantiate(kernels);
  const { memory, allocate, workspaceBytes, preparedBytes, prepare, run, _initialize } = instance.exports;
  _initialize();

  function taken(bytes) {
    const place = allocate(bytes) >>> 0;
    if (!place) throw new Error(ENDS[4]);
    return place;
  }

  const base = taken(head.bytes);
  new Uint8Array(memory.buffer, base, head.bytes).fill(0);
  let read = 0;
  for (const [place, bytes] of head.spans) {
    new Uint8Array(memory.buffer, base + place, bytes).set(contents.subarray(read, read + bytes));
    read += bytes;
  }

  function step([name, values, asBuilt]) {
    const { number, fields, batch } = head.kernels[name];
    const place = taken(8 * values.length);
    const words = new DataView(memory.buffer, place, 8 * values.length);
    values.forEach((value, i) => {
      if (fields[i] === "r") words.setFloat64(8 * i, Number(value), true);
      else words.setBigInt64(8 * i, BigInt(fields[i] === "s" ? value : value === null ? 0 : base + value), true);
    });
    const varies = batch !== null && !asBuilt;
    return { name, number, place, batch: varies ? place + 8 * batch : null, built: varies ? values[batch] : null, workspace: lines(workspaceBytes(number, place) >>> 0), prepared: lines(preparedBytes(number, place) >>> 0) };
  }

  function program({ prepare: first, steps, fixed }) {
    const made = { first: first.map(step), steps: steps.map(step), fixed, stale: true };
    const all = [...made.first, ...made.steps];
    const room = taken(Math.max(64, ...all.map((one) => one.workspace + one.prepared)));
    const kept = taken(64 + (fixed ? made.steps.reduce((sum, one) => sum + one.prepared, 0) : 0));
    let used = kept;
    for (const one of all) {
      one.room = room;
      one.made = room + one.workspace;
    }
    for (const one of fixed ? made.steps : []) {
      one.made = used;
      used += one.prepared;
    }
    return made;
  }

  const programs = Object.fromEntries(Object.entries(head.programs).map(([name, given]) => [name, program(given)]));

  function count(one, n) {
    if (one.batch !== null) new DataView(memory.buffer).setBigInt64(one.batch, BigInt(n), true);
  }

  /** False where a step ended the run because a number was not finite. */
  function done(one, n, makes) {
    count(one, one.built);
    if (makes) prepare(one.number, one.place, one.made);
    count(one, n);
    const end = run(one.number, one.place, one.room, one.made);
    if (end && end !== NOT_FINITE) throw new Error(`${one.name}: ${ENDS[end]}`);
    return !end;
  }

  return {
    /** A program on the first n pictures of its places; false where it ended because a number was not finite. */
    run(name, n) {
      const { first, steps, fixed, stale } = programs[name];
      if (stale) for (const one of first) done(one, n, true);
      const whole = steps.every((one) => done(one, n, !fixed || stale));
      if (whole) programs[name].stale = false;
      return whole;
    },

    /** The weights have changed: what was made of them is made anew. */
    refresh() {
      for (const one of Object.values(programs)) one.stale = true;
    },

    /** The numbers at a place, to be read or written until the next run. */
    at(name) {
      const [place, type, shape] = head.places[name];
      return new ARRAYS[type](memory.buffer, base + place, shape.reduce((a, b) => a * b, 1));
    },
  };
}
