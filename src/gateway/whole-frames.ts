// Event-stream frames whose data breaks off. Frames are passed on as bytes and not parsed, so a provider's half a chunk
// would reach the client as text that no JSON parser takes. Its end gives it away: a chunk ends in a brace and the end
// mark in a bracket. Only a chunk that breaks off right behind such a character goes unnoticed; validating every chunk
// would cost more than the rest of the relay.

const LF = 0x0a;
const SPACE = 0x20;
const CLOSE_BRACKET = 0x5d;
const CLOSE_BRACE = 0x7d;

const DATA = Buffer.from("data:");
const BLANK_LINE = Buffer.from("\n\n");

/**
 * Whether the data of each frame ends as an object or the end mark does. Lines without data (comments, names of events,
 * a `data:` with nothing behind it) are left alone. With CR LF between lines only the last frame is looked at.
 */
export function areWhole(frames: Buffer): boolean {
  for (let from = 0; from < frames.length;) {
    const blankLine = frames.indexOf(BLANK_LINE, from);
    const end = blankLine === -1 ? frames.length : blankLine;
    let last = end - 1;
    while (last > from && (frames[last] ?? 0) <= SPACE) last--;
    const byte = frames[last];
    if (byte !== CLOSE_BRACE && byte !== CLOSE_BRACKET && hasData(frames, from, last)) return false;
    from = end + BLANK_LINE.length;
  }
  return true;
}

/** Whether the line that ends with the byte at `last` and begins at `from` or later holds data. */
function hasData(frames: Buffer, from: number, last: number): boolean {
  const line = Math.max(from, frames.lastIndexOf(LF, last) + 1);
  return last >= line + DATA.length && frames.subarray(line, line + DATA.length).equals(DATA);
}
