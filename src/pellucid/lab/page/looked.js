// Which picture is looked at, and what was done to it: as the address keeps it, and as a view is asked for.

/** In the order in which the address keeps them; `cover` stands by itself. */
export const CHANGES = ["invert", "down", "right", "turn", "size", "noise"];
export const UNCHANGED = [0, 0, 0, 0, 100, 0];
/** What is set for a picture as it is. */
export const AS_IT_IS = { change: UNCHANGED, cover: "" };

/** The parts of a request that name the picture. */
export function lookedAt({ picture, change, cover }) {
  const changed = CHANGES.map((name, i) => [name, change[i]]).filter(([, value], i) => value !== UNCHANGED[i]);
  if (cover) changed.push(["cover", cover]);
  return { ...(picture ? { picture } : {}), ...(changed.length ? { change: Object.fromEntries(changed) } : {}) };
}

export const isChanged = (state) => "change" in lookedAt(state);

/** One part of the change set, or some of them. */
export function withChange({ change }, values) {
  return { change: CHANGES.map((name, i) => values[name] ?? change[i]) };
}

export const changeOf = ({ change }, name) => change[CHANGES.indexOf(name)];

/** Whether the picture is one of one's own, and none of the test pictures. */
export const isOwn = ({ picture, hello }) => picture >= hello.network.pictures;

/** The covered cells as a list of booleans, from and to hexadecimal digits. */
export function cellsOf(cover, count) {
  const bits = [...cover].flatMap((digit) => [8, 4, 2, 1].map((bit) => Boolean(Number.parseInt(digit, 16) & bit)));
  return Array.from({ length: count }, (_, i) => bits[i] ?? false);
}

export function coverOf(cells) {
  let text = "";
  for (let i = 0; i < cells.length; i += 4) {
    text += [8, 4, 2, 1].reduce((sum, bit, j) => sum + (cells[i + j] ? bit : 0), 0).toString(16);
  }
  return text.replace(/0+$/, "");
}
