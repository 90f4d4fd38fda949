// Some answers live on at their provider and are asked for again by their id. Any instance must find the way back, so the
// provider's name is made part of the id that the client sees: nothing has to be remembered here.
//
//   resp_68f2…  ⇄  resp_68f2…__at__openai-eu

const MARK = "__at__";
const ID = /"id"\s*:\s*"([A-Za-z0-9_-]+)"/;

/** How far into an answer its own id is looked for. */
const LOOK_BYTES = 4096;

/** An id as the client knows it, taken apart; null: it is none of ours. */
export function providerOf(id: string): { readonly id: string; readonly provider: string } | null {
  const at = id.lastIndexOf(MARK);
  return at <= 0 ? null : { id: id.slice(0, at), provider: id.slice(at + MARK.length) };
}

/** Puts the provider's name behind an answer's id wherever the id stands in its bytes. */
export class IdMarker {
  readonly #provider: string;
  #id = "";

  constructor(provider: string) {
    this.#provider = provider;
  }

  /** A whole answer, or whole frames of one. */
  mark(bytes: Buffer): Buffer {
    if (this.#id === "") this.#id = ID.exec(bytes.toString("latin1", 0, LOOK_BYTES))?.[1] ?? "";
    const quoted = `"${this.#id}"`;
    if (this.#id === "" || !bytes.includes(quoted)) return bytes;
    const text = bytes.toString("latin1");
    return Buffer.from(text.replaceAll(quoted, `"${this.#id}${MARK}${this.#provider}"`), "latin1");
  }
}

/** A request's bytes with the provider's own id in the place of ours. */
export function withProvidersId(body: Buffer, marked: string, id: string): Buffer {
  return Buffer.from(body.toString("latin1").replaceAll(`"${marked}"`, `"${id}"`), "latin1");
}
