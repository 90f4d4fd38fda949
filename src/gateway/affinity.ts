// Some answers live on at their provider and are asked for again by their id. Any instance must find the way back, so the
// provider's name is made part of the id that the client sees: nothing has to be remembered here.
//
//   resp_68f2…  ⇄  resp_68f2…__at__openai-eu       or, with several API keys: …__at__openai-eu~second

const MARK = "__at__";
const ID = /"id"\s*:\s*"([A-Za-z0-9_-]+)"/;
/** It becomes a part of a path. */
const PLAIN = /^[A-Za-z0-9_-]+$/;

/** How far into an answer its own id is looked for. */
const LOOK_BYTES = 4096;

/** An id as the client knows it, taken apart; null: it is none of ours. */
export function keeperOf(id: string): { readonly id: string; readonly account: string } | null {
  const at = id.lastIndexOf(MARK);
  return at <= 0 || !PLAIN.test(id.slice(0, at))
    ? null
    : { id: id.slice(0, at), account: id.slice(at + MARK.length) };
}

/** A provider's id as the client gets to know it. */
export function markedId(id: string, account: string): string {
  return `${id}${MARK}${account}`;
}

/** The provider of an account: one with several API keys is `provider~key`. */
export { providerOf } from "../limiter/meters.ts";

/** Puts the provider's name behind an answer's id wherever the id stands in its bytes. */
export class IdMarker {
  readonly #account: string;
  #id = "";

  constructor(account: string) {
    this.#account = account;
  }

  /** A whole answer, or whole frames of one. */
  mark(bytes: Buffer): Buffer {
    if (this.#id === "") this.#id = ID.exec(bytes.toString("latin1", 0, LOOK_BYTES))?.[1] ?? "";
    return this.#id === "" ? bytes : withOtherId(bytes, this.#id, markedId(this.#id, this.#account));
  }
}

/** JSON text with one id in the place of another, wherever it is a value by itself; the same bytes when it is nowhere. */
export function withOtherId(bytes: Buffer, from: string, to: string): Buffer {
  if (!bytes.includes(`"${from}"`)) return bytes;
  return Buffer.from(
    bytes.toString("latin1").replaceAll(`"${from}"`, () => `"${to}"`),
    "latin1",
  );
}
