// Where the pretend model's words come from: a hash of the request seeds a small generator, so the same request has
// the same answer on every machine, and an answer is cut into the pieces that stand for its tokens.

/** FNV-1a over UTF-16 code units: 32 bits, the same everywhere. */
export function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return hash >>> 0;
}

/** Uniform integers in [0, bound), the same sequence for the same seed. */
export type Draw = (bound: number) => number;

/** Mulberry32: a 32-bit state and good enough spread for picking words. */
export function drawFrom(seed: number): Draw {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
  };
}

const WORDS = `water gate river level lock channel basin weir stream tide flood spring canal harbour reservoir
mill wheel barge stone bridge bank reed current depth measure balance keeper signal hour morning quiet patient
steady narrow open rising falling slow clear shared even small wide gentle early late careful holds carries
waits turns fills drains passes meets divides gives keeps counts opens closes follows returns reaches and then
while because until after before with under over between the a each every no one more than its their`
  .split(/\s+/)
  .filter((word) => word !== "");

/** One word of the vocabulary. */
export function word(draw: Draw): string {
  return WORDS[draw(WORDS.length)] ?? "water";
}

/** Sentences of 6 to 14 words, `words` words in all. */
export function prose(draw: Draw, words: number): string {
  const sentences: string[] = [];
  for (let left = words; left > 0;) {
    const length = Math.min(left, 6 + draw(9));
    const sentence = Array.from({ length }, () => word(draw)).join(" ");
    sentences.push(`${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}.`);
    left -= length;
  }
  return sentences.join(" ");
}

/** The tokens of a text: up to six characters, with the space before them. No character is ever split. */
export function pieces(text: string): string[] {
  return text.match(/ ?[^\s]{1,6}|\s/gu) ?? [];
}

/** Tokens of a prompt: a quarter of its characters, rounded up; cheap however long it is. */
export function promptTokens(text: string): number {
  return Math.ceil(text.length / 4);
}
