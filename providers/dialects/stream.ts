// Joins a reader of bytes (SSE or another framing) to the dialect's own state: it turns what the reader and the dialect
// throw into a failure value, once, and stops there. Chunks decoded before the failure are kept.
import { GatewayError } from "../../src/errors.ts";
import { saysSomething } from "./chunks.ts";
import type { DialectStream, DialectUsage } from "./dialect.ts";
import type { Json } from "./json.ts";

/** Splits bytes into frames and hands them to the dialect; both methods may throw a `GatewayError`. */
export interface FrameReader {
  push(bytes: Uint8Array): void;
  end(): void;
}

/** A dialect's own state behind its frames. */
export interface StreamState {
  /** The bytes have ended. Throws `stream_interrupted` when that was too early. */
  end(): void;
  finished(): boolean;
  /** The model is at work, which chunks do not show yet; absent where they always do. */
  isAtWork?(): boolean;
  usage(): DialectUsage | null;
  /** The chunks written since the last call. */
  take(): readonly Json[];
}

export function dialectStream(reader: FrameReader, state: StreamState): DialectStream {
  let failed: GatewayError | null = null;
  let hasBegun = false;
  const run = (step: () => void): readonly Json[] => {
    if (failed !== null) return [];
    try {
      step();
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      failed = error;
    }
    const chunks = state.take();
    hasBegun ||= state.isAtWork?.() === true || chunks.some(saysSomething);
    return chunks;
  };
  return {
    push: (bytes) => run(() => reader.push(bytes)),
    end: () =>
      run(() => {
        reader.end();
        state.end();
      }),
    failure: () => failed,
    finished: () => state.finished(),
    hasBegun: () => hasBegun,
    usage: () => state.usage(),
  };
}

/** The failure of a stream that ended before its end mark. */
export function interrupted(): GatewayError {
  return new GatewayError(
    "stream_interrupted",
    "The provider's stream ended before the answer was complete.",
  );
}
