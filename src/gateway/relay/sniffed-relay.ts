// A stream was asked for, and what comes does not call itself one: some providers send their events as plain text or as
// JSON, others send a whole answer, a page or an error. The first bytes tell, and until they have come the answer waits;
// then it is relayed like any other of its kind.
import type { GatewayError } from "../../errors.ts";
import type { Usage } from "../../observe/events.ts";
import type { Relay } from "./relay.ts";

/** What the lines of an event stream begin with. */
const FIELDS = ["data:", "event:", "id:", "retry:", ":"];
/** Enough for the longest of them behind a byte order mark. */
const LOOK_BYTES = 16;
const BYTE_ORDER_MARK = "\u00ef\u00bb\u00bf";

export class SniffedRelay implements Relay {
  readonly #choose: (isEventStream: boolean) => Relay;
  #relay: Relay | null = null;
  #first: Buffer = Buffer.alloc(0);

  /** `choose` makes the relay, once it is known what for. */
  constructor(choose: (isEventStream: boolean) => Relay) {
    this.#choose = choose;
  }

  data(chunk: Buffer): void {
    if (this.#relay !== null) {
      this.#relay.data(chunk);
      return;
    }
    const first = withoutBlanks(Buffer.concat([this.#first, chunk]));
    this.#first = first;
    const isEventStream = sniffed(first);
    if (isEventStream !== null) this.#decide(isEventStream).data(first);
  }

  end(): void {
    if (this.#relay === null) this.#decide(false).data(this.#first);
    this.#relay?.end();
  }

  close(): void {
    this.#relay?.close();
  }

  quiet(): string {
    return this.#relay?.quiet?.() ?? "";
  }

  lastWords(error: GatewayError): string {
    return this.#relay?.lastWords?.(error) ?? "";
  }

  usage(): Usage | null {
    return this.#relay?.usage() ?? null;
  }

  outputTokens(): number {
    return this.#relay?.outputTokens() ?? 0;
  }

  #decide(isEventStream: boolean): Relay {
    this.#relay = this.#choose(isEventStream);
    return this.#relay;
  }
}

/** Blank lines keep a connection open, and mean nothing before any kind of answer. */
function withoutBlanks(bytes: Buffer): Buffer {
  const start = bytes.findIndex((byte) => byte > 0x20);
  return start === -1 ? Buffer.alloc(0) : bytes.subarray(start);
}

/** Whether an event stream begins with these bytes; null: more of them are needed. */
function sniffed(bytes: Buffer): boolean | null {
  const text = bytes.toString("latin1", 0, LOOK_BYTES);
  const line = text.startsWith(BYTE_ORDER_MARK) ? text.slice(BYTE_ORDER_MARK.length) : text;
  if (FIELDS.some((field) => line.startsWith(field))) return true;
  const mayBecome = BYTE_ORDER_MARK.startsWith(text) || FIELDS.some((field) => field.startsWith(line));
  return mayBecome ? null : false;
}
