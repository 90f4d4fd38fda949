// Writes the events of a stream, those of one turn of the event loop together. Providers' events arrive in bunches: a
// packet holds several, and writing each costs more than everything else that is done with it (30 events in one
// packet: 20 µs less of 60). Events that come alone go out at once, before anything else happens.
import type { AnswerSink, RelayHost } from "./relay.ts";

/** Up to here bytes go out as a string, which Node joins with the head and its framing into one write; it costs a copy. */
const STRING_BYTES_MAX = 16 * 1024;

/** How much is held back, at most: announcements may repeat the whole request, instructions and tools included. */
const HELD_BYTES_MAX = 512 * 1024;

export class EventWriter {
  readonly #host: RelayHost;
  #pieces: Buffer[] = [];
  #isScheduled = false;
  #isEnded = false;
  #heldBytes = 0;

  constructor(host: RelayHost) {
    this.#host = host;
  }

  /** Takes whole frames that are to be written with the next ones; says whether there is room for more. */
  hold(frames: Buffer): boolean {
    // A copy: they may be a small part of a large piece of memory, which would be kept as long.
    this.#pieces.push(Buffer.from(frames));
    this.#heldBytes += frames.length;
    return this.#heldBytes < HELD_BYTES_MAX;
  }

  /** Takes whole frames; they are written at the end of this turn at the latest. */
  write(frames: Buffer): void {
    this.#pieces.push(frames);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    process.nextTick(flushLater, this);
  }

  /** Writes what has been taken. */
  flush(): void {
    this.#isScheduled = false;
    if (this.#pieces.length === 0 || this.#isEnded) return;
    if (!sendBytes(this.#host.response, this.#take())) this.#host.pause();
  }

  /** Ends the answer, after what has been taken and these last frames. */
  end(last: Buffer | null): void {
    if (last !== null) this.#pieces.push(last);
    this.#isEnded = true;
    if (this.#pieces.length === 0) this.#host.response.end();
    else endWith(this.#host.response, this.#take());
  }

  #take(): Buffer {
    const [first] = this.#pieces;
    const bytes = this.#pieces.length === 1 && first !== undefined ? first : Buffer.concat(this.#pieces);
    this.#pieces = [];
    return bytes;
  }
}

function flushLater(writer: EventWriter): void {
  writer.flush();
}

/** Writes bytes in the way that is cheaper for their number; `false`: enough for now. */
function sendBytes(sink: AnswerSink, bytes: Buffer): boolean {
  return bytes.length > STRING_BYTES_MAX ? sink.write(bytes) : sink.write(bytes.toString("latin1"), "latin1");
}

/** Ends an answer with these bytes, in the way that is cheaper for their number. */
export function endWith(sink: AnswerSink, bytes: Buffer): void {
  if (bytes.length > STRING_BYTES_MAX) sink.end(bytes);
  else sink.end(bytes.toString("latin1"), "latin1");
}
