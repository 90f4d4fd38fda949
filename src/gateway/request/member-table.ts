// A fixed set of member names that can be recognised in raw bytes without making a string. A name's slot comes from
// its length and its first and last byte, which keeps the few dozen names of a request apart.

/** Whether `bytes[start, end)` are exactly `expected`. */
export function equalBytes(bytes: Uint8Array, start: number, end: number, expected: Uint8Array): boolean {
  if (end - start !== expected.length) return false;
  for (let offset = 0; offset < expected.length; offset++) {
    if (bytes[start + offset] !== expected[offset]) return false;
  }
  return true;
}

/** The names to look for in a text. Build one per set of names when a module loads, not per request. */
export class MemberTable<Name extends string = string> {
  readonly names: readonly Name[];
  /** Two zeros per name: the spans of an object that has none of them, to be copied. */
  readonly noSpans: readonly number[];
  readonly #encoded: readonly Uint8Array[];
  readonly #slots: readonly (readonly number[])[];

  constructor(names: readonly Name[]) {
    this.names = names;
    this.noSpans = names.flatMap(() => [0, 0]);
    this.#encoded = names.map((name) => Buffer.from(name));
    const slots: number[][] = Array.from({ length: 256 }, () => []);
    for (const [index, bytes] of this.#encoded.entries()) slots[slotOf(bytes, 0, bytes.length)]?.push(index);
    this.#slots = slots;
  }

  /** The index of the name spelt by `bytes[start, end)`, or -1. */
  find(bytes: Uint8Array, start: number, end: number): number {
    const slot = this.#slots[slotOf(bytes, start, end)];
    if (slot === undefined) return -1;
    for (const index of slot) {
      const name = this.#encoded[index];
      if (name !== undefined && equalBytes(bytes, start, end, name)) return index;
    }
    return -1;
  }

  /** The index of a name of this table. */
  indexOf(name: Name): number {
    return this.names.indexOf(name);
  }
}

function slotOf(bytes: Uint8Array, start: number, end: number): number {
  if (start === end) return 0;
  return ((end - start) * 31 + (bytes[start] ?? 0) * 7 + (bytes[end - 1] ?? 0)) & 255;
}
