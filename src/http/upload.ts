// Reads forms from clients: piece by piece into an `Upload`, which says when the client has to wait. Those from whom something is
// due are watched by one sweep, as bodies are.
import type { IncomingMessage } from "node:http";
import type { GatewayError } from "../errors.ts";
import { Upload, type UploadBudget } from "../gateway/request/upload.ts";
import { tooLarge } from "./content.ts";
import { Roster, type Seated } from "../roster.ts";
import { Silence } from "./silence.ts";

/** What is known of a form by its head. */
export interface FormHead {
  readonly contentType: string;
  /** Null: it is no form, and flows as it is. */
  readonly boundary: string | null;
  /** As announced; null: it comes in chunks. */
  readonly announcedBytes: number | null;
}

/** Called once, with the form when its model is known; never when the client goes away before. */
export type UploadRead = (error: GatewayError | null, upload: Upload) => void;

export interface UploadLimits {
  /** Largest form. */
  readonly uploadBytesMax: number;
  /** Longest silence in the middle of one. */
  readonly bodyStallMs: number;
}

export class UploadReader {
  readonly #limits: UploadLimits;
  readonly #budget: UploadBudget;
  readonly #running = new Roster<RunningUpload>();

  constructor(limits: UploadLimits, budget: UploadBudget) {
    this.#limits = limits;
    this.#budget = budget;
  }

  /** How many forms are on their way, for metrics. */
  get runningCount(): number {
    return this.#running.size;
  }

  /** Begins to read; `nowMs` is the time of the head's arrival by the clock that `sweep` is given. */
  read(request: IncomingMessage, head: FormHead, nowMs: number, ready: UploadRead): Upload {
    const upload = new Upload({ ...head, source: request, budget: this.#budget }, (error) =>
      ready(error, upload),
    );
    const running = new RunningUpload(upload, this.#limits, nowMs);
    this.#running.add(running);
    // A request that is answered before it is whole has no `close`: Node has let go of it by then.
    upload.onClose = () => this.#running.delete(running);
    request.on("data", (piece: Buffer) => running.add(piece));
    request.on("end", () => upload.end());
    request.on("close", () => {
      this.#running.delete(running);
      // The exchange hears of the client's leaving by itself; a form that is whole may still be on its way.
      if (!request.complete) upload.close();
    });
    // The client broke off: `close` follows.
    request.on("error", () => upload.close());
    return upload;
  }

  /** Gives up forms that have been due for too long. Call it about once a second. */
  sweep(nowMs: number): void {
    for (const running of this.#running.list()) running.check(nowMs);
  }
}

class RunningUpload implements Seated {
  seat = -1;
  readonly #upload: Upload;
  readonly #limits: UploadLimits;
  readonly #silence: Silence;

  constructor(upload: Upload, limits: UploadLimits, nowMs: number) {
    this.#upload = upload;
    this.#limits = limits;
    this.#silence = new Silence(nowMs);
  }

  add(piece: Buffer): void {
    this.#upload.add(piece);
    if (this.#upload.receivedBytes <= this.#limits.uploadBytesMax) return;
    this.#upload.fail(tooLarge(this.#limits.uploadBytesMax));
  }

  check(nowMs: number): void {
    const { isDue, receivedBytes } = this.#upload;
    if (!isDue) this.#silence.excuse(nowMs);
    const error = this.#silence.look(receivedBytes, this.#limits.bodyStallMs, nowMs);
    if (error !== null) this.#upload.fail(error);
  }
}
