// A form on its way from the client to a provider. It is held only until its model is known; from then on it flows, a piece at
// a time and no faster than the provider takes it, with the model's name changed in passing.
//
//   client ──add──▶ [ held pieces ] ──pull──▶ UploadBody ──▶ provider
//          ◀─pause/resume── when nobody pulls
//
// What has been sent is kept as long as all of it is small, so that another target can be tried; after that the form can be
// sent no more than once.
import { Readable } from "node:stream";
import { GatewayError } from "../../errors.ts";
import type { OutgoingBody } from "../../upstream/call.ts";
import { MultipartReader } from "./multipart.ts";
import type { Span } from "./request.ts";

/** How much may come before the model's field, which official clients send behind the file; audio files end at 25 MB elsewhere. */
export const HELD_BYTES_MAX = 64 * 1024 * 1024;
/** Up to here a form is kept for another attempt. */
export const KEPT_BYTES_MAX = 8 * 1024 * 1024;
const BODY_HIGH_WATER_BYTES = 64 * 1024;

/** The connection that a form comes from. */
export interface UploadSource {
  pause(): unknown;
  resume(): unknown;
}

/** Memory that uploads share; `take` is false when there is none left. */
export interface UploadBudget {
  take(bytes: number): boolean;
  give(bytes: number): void;
}

export interface UploadOptions {
  readonly source: UploadSource;
  readonly budget: UploadBudget;
  /** The form's content type as the client sent it; the provider gets the same. */
  readonly contentType: string;
  /** The form's boundary; null: the body is no form, and nothing is looked for in it. */
  readonly boundary: string | null;
  /** The body's length as announced; null: it comes in chunks. */
  readonly announcedBytes: number | null;
}

/** What one attempt sends. */
export interface OpenedUpload {
  readonly body: OutgoingBody;
  /** Its length, for the provider; null: not known. */
  readonly bytes: number | null;
}

/** Where the client's bytes are replaced. */
interface Change extends Span {
  readonly bytes: Buffer;
}

const NO_FIELDS: ReadonlyMap<string, string> = new Map();

export class Upload {
  readonly contentType: string;
  readonly #options: UploadOptions;
  readonly #reader: MultipartReader | null;
  /** Pieces that have come; those before `#firstAt` are gone. */
  #pieces: Buffer[] = [];
  /** Where the first piece begins, in bytes from the form's beginning. */
  #firstAt = 0;
  #receivedBytes = 0;
  #isEnded = false;
  #isClosed = false;
  #isDue = true;
  #body: UploadBody | null = null;
  /** Called once when the model is known or the form ended without one, or with the reason why neither can be. */
  onReady: ((error: GatewayError | null) => void) | null;
  /** Called when the form turns out to be no good, or to have stopped, after it was ready. */
  onFailure: (error: GatewayError) => void = () => undefined;
  /** Called once when it has let go of everything. */
  onClose: () => void = () => undefined;

  constructor(options: UploadOptions, onReady: (error: GatewayError | null) => void) {
    this.contentType = options.contentType;
    this.#options = options;
    this.#reader = options.boundary === null ? null : new MultipartReader(options.boundary);
    this.onReady = this.#reader === null ? null : onReady;
  }

  /** The name in the model's field; null: the whole form has none. Known from `onReady` on. */
  get model(): string | null {
    return this.#reader?.model?.name ?? null;
  }

  /** The form's fields that costs depend on, as far as they have come. */
  get fields(): ReadonlyMap<string, string> {
    return this.#reader?.fields ?? NO_FIELDS;
  }

  /** The most bytes that it can have; null: not known. */
  get bytesMax(): number | null {
    return this.#isEnded ? this.#receivedBytes : this.#options.announcedBytes;
  }

  /** Whether the form can be sent from its beginning. */
  get isWhole(): boolean {
    return this.#firstAt === 0;
  }

  /** Whether all of it has come from the client. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Whether bytes of the client's are waited for. */
  get isDue(): boolean {
    return this.#isDue && !this.#isEnded && !this.#isClosed;
  }

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** Takes a piece from the client. */
  add(piece: Buffer): void {
    if (this.#isClosed) return;
    try {
      this.#reader?.push(piece);
    } catch (error) {
      this.fail(
        error instanceof GatewayError
          ? error
          : new GatewayError("internal_error", "The form could not be read.", { cause: error }),
      );
      return;
    }
    if (!this.#hold(piece)) return;
    if (this.onReady !== null && this.model !== null) this.#ready();
    if (this.onReady === null) this.#flow();
  }

  /** The client has sent all of it. */
  end(): void {
    if (this.#isClosed) return;
    this.#isEnded = true;
    if (this.#reader?.isWhole === false) {
      this.fail(new GatewayError("invalid_request", "The form breaks off before its last boundary."));
      return;
    }
    if (this.onReady !== null) this.#ready();
    this.#flow();
  }

  /** The form is no good, or has stopped coming. Only the first reason counts. */
  fail(error: GatewayError): void {
    if (this.#isClosed) return;
    const { onReady } = this;
    this.close();
    if (onReady === null) this.onFailure(error);
    else onReady(error);
  }

  /** Lets go of everything; what the client still sends is thrown away. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.onReady = null;
    this.#drop(this.#pieces.length);
    this.#options.source.resume();
    this.onClose();
  }

  /** Begins an attempt that sends the form with this name for its model, or as it is; the provider may take none of it for `stallMs`. One at a time, and only while it is whole. */
  open(model: string | null, stallMs: number): OpenedUpload {
    const change = this.#change(model);
    this.#body = new UploadBody(this, change, stallMs);
    const { announcedBytes } = this.#options;
    const grown = change.bytes.length - (change.end - change.start);
    return { body: this.#body, bytes: announcedBytes === null ? null : announcedBytes + grown };
  }

  /** The attempt's body is not read any more. */
  leave(body: UploadBody): void {
    if (this.#body === body) this.#body = null;
  }

  /** Gives the body what there is, and asks the client for more when that is too little. */
  pull(body: UploadBody): void {
    if (body !== this.#body) return;
    for (;;) {
      const piece = this.#pieces[body.next];
      if (piece === undefined) break;
      const at = body.at;
      body.next++;
      body.at += piece.length;
      if (this.#receivedBytes > KEPT_BYTES_MAX) {
        this.#drop(body.next);
        body.next = 0;
      }
      if (!body.push(body.changed(piece, at))) return;
    }
    if (this.#isEnded) body.push(null);
    else this.#await();
  }

  #await(): void {
    this.#isDue = true;
    this.#options.source.resume();
  }

  /** Passes on what has come, if an attempt wants it; else the client has to wait. */
  #flow(): void {
    const body = this.#body;
    if (body !== null && body.isWanting) this.pull(body);
    else if (!this.#isEnded) {
      this.#isDue = false;
      this.#options.source.pause();
    }
  }

  #ready(): void {
    const { onReady } = this;
    this.onReady = null;
    this.#isDue = false;
    this.#options.source.pause();
    onReady?.(null);
  }

  /** Keeps a piece; `false`: that is not possible, and the form has failed. */
  #hold(piece: Buffer): boolean {
    this.#receivedBytes += piece.length;
    if (this.onReady !== null && this.model === null && this.#receivedBytes > HELD_BYTES_MAX) {
      const message = `The form's \`model\` must come within its first ${HELD_BYTES_MAX >> 20} MiB: send it before the files.`;
      this.fail(new GatewayError("request_too_large", message, { param: "model" }));
      return false;
    }
    if (!this.#takeRoom(piece.length)) {
      const message = "The gateway holds as many large requests as it may. Try again in a moment.";
      this.fail(new GatewayError("overloaded", message, { retryAfterMs: 2000 }));
      return false;
    }
    this.#pieces.push(piece);
    return true;
  }

  /** Another attempt is given up before the form is. */
  #takeRoom(bytes: number): boolean {
    if (this.#options.budget.take(bytes)) return true;
    if (this.#body === null || this.#body.next === 0) return false;
    this.#drop(this.#body.next);
    this.#body.next = 0;
    return this.#options.budget.take(bytes);
  }

  /** Forgets the first pieces. */
  #drop(count: number): void {
    let bytes = 0;
    for (const piece of this.#pieces.splice(0, count)) bytes += piece.length;
    this.#firstAt += bytes;
    this.#options.budget.give(bytes);
  }

  #change(model: string | null): Change {
    if (model === null || this.#reader === null) return { start: 0, end: 0, bytes: Buffer.alloc(0) };
    const named = this.#reader.model;
    if (named !== null) return { ...named.span, bytes: Buffer.from(model) };
    const part = `--${this.#options.boundary}\r\ncontent-disposition: form-data; name="model"\r\n\r\n${model}\r\n`;
    return { start: 0, end: 0, bytes: Buffer.from(part) };
  }
}

/** What one attempt reads of an upload. */
class UploadBody extends Readable implements OutgoingBody {
  /** The piece that comes next, and where it begins. */
  next = 0;
  at = 0;
  readonly stallMs: number;
  readonly #upload: Upload;
  readonly #change: Change;

  constructor(upload: Upload, change: Change, stallMs: number) {
    super({ highWaterMark: BODY_HIGH_WATER_BYTES });
    this.stallMs = stallMs;
    this.#upload = upload;
    this.#change = change;
    // Whoever sends it hears of the failure by itself.
    this.on("error", () => undefined);
  }

  /** Whether it has been asked for more than it was given. */
  isWanting = false;

  override push(chunk: Buffer | null): boolean {
    this.isWanting = super.push(chunk);
    return this.isWanting;
  }

  override _read(): void {
    this.isWanting = true;
    this.#upload.pull(this);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#upload.leave(this);
    done(error);
  }

  /** A piece that begins at `at`, with the part of it that is to be replaced. */
  changed(piece: Buffer, at: number): Buffer {
    const { start, end, bytes } = this.#change;
    if (end < at || start >= at + piece.length) return piece;
    const isFirst = start >= at;
    if (!isFirst && end === at) return piece;
    const before = piece.subarray(0, Math.max(0, start - at));
    const after = piece.subarray(Math.min(piece.length, Math.max(0, end - at)));
    return Buffer.concat(isFirst ? [before, bytes, after] : [before, after]);
  }
}
