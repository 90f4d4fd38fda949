// What the two relays have in common: one for answers that come as a whole, one for event streams. A relay gets the
// body's bytes, decides when the answer has really begun, and writes it to the client. It tells its host how it went.
import type { GatewayError } from "../../errors.ts";
import type { Usage } from "../../observe/events.ts";

/** Where a relay writes: as much of Node's response as it needs. */
export interface AnswerSink {
  /** `false`: enough for now, see `RelayHost.pause`. */
  write(bytes: Buffer): boolean;
  write(text: string, encoding: "latin1"): boolean;
  end(bytes?: Buffer): unknown;
  end(text: string, encoding: "latin1"): unknown;
}

/** The attempt that a relay works for. */
export interface RelayHost {
  readonly response: AnswerSink;
  /** Sends the head: from here on nothing can be retried. `bytes`: the body's length, `null` when it is not known. */
  begin(bytes: number | null): void;
  /** The client has the whole answer; what else the provider sends is of no interest. */
  done(): void;
  /** The answer is no good. Before `begin` another target may be tried, after it the client is told. */
  fail(error: GatewayError): void;
  /** The client reads too slowly: no more data until it has caught up, which `onResume` tells. */
  pause(onResume?: () => void): void;
}

/** Takes one answer's body to the client. Exactly one of the host's `done` and `fail` is called, by the end at the latest. */
export interface Relay {
  data(chunk: Buffer): void;
  /** The provider's answer has ended as HTTP knows it; whether it is whole is for the relay to say. */
  end(): void;
  /** No more comes: what it has taken is written, if anyone reads it, and what it holds is let go of. */
  close(): void;
  /** What keeps the client waiting while the provider says nothing, to be written between two events; empty or absent: nothing can be. */
  quiet?(): string;
  /** The client's last event in its own language when the answer breaks off; empty or absent: the route has one. */
  lastWords?(error: GatewayError): string;
  /** What the provider reported so far. */
  usage(): Usage | null;
  /** About how many tokens were produced so far, judged by the bytes. */
  outputTokens(): number;
}

/** An event stream's comment, which every client of one skips. */
export const COMMENT = ": still here\n\n";

/** Bytes per token of generated text, where nothing better is known. */
export const BYTES_PER_TOKEN = 4;
