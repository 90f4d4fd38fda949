// Authenticates messages between siblings with the fleet's shared secret (HMAC-SHA-256, RFC 2104). A sealed frame is
//
//     "sluice-fleet-1" direction from to number outcome seal \n   body …
//     (one line of ASCII words; the seal is over the words before it and the body)
//
// `from` and `to` are sessions: random names that each process draws at its start (gate.ts says what for). An answer
// carries the request's `from` and number, so it can't be taken for the answer to another request.
import { createHmac, timingSafeEqual } from "node:crypto";

const VERSION = 1;
const FORMAT = `sluice-fleet-${VERSION}`;

/** The longest first line, in bytes. */
const LINE_BYTES_MAX = 512;

export interface Envelope {
  readonly direction: "request" | "answer" | "notice";
  /** The session that sent the request. */
  readonly from: string;
  /** The session that the request is for (`none`: not known yet; `all`: a notice); in an answer the one that answers. */
  readonly to: string;
  /** Grows with each request of a session. */
  readonly number: number;
  /** `ok`, or why the request was refused. */
  readonly outcome: string;
}

export interface Unsealed {
  readonly envelope: Envelope;
  readonly body: Uint8Array;
}

function digest(secret: string, words: string, body: Uint8Array): string {
  return createHmac("sha256", secret).update(`${words}\n`).update(body).digest("hex");
}

export function sealFrame(secret: string, { envelope, body }: Unsealed): Uint8Array {
  const { direction, from, to, number, outcome } = envelope;
  const words = [FORMAT, direction, from, to, number, outcome].join(" ");
  return Buffer.concat([Buffer.from(`${words} ${digest(secret, words, body)}\n`), body]);
}

const LINE =
  /^(sluice-fleet-1 (request|answer|notice) (\w{1,64}) (\w{1,64}) (\d{1,15}) (\w{1,32})) ([0-9a-f]{64})$/;

/** The line of any version, this one's included. */
const ANY_VERSION = /^sluice-fleet-(\d{1,6}) /;

/** The answer to a frame of another version, which could not open a sealed one: it tells this one's version and nothing else. */
export const VERSION_NOTICE: Uint8Array = Buffer.from(`${FORMAT} version\n`);

/** What a frame of another version and this program's are, in words. */
export function versionsOf(frame: Uint8Array): string {
  const head = Buffer.from(frame.subarray(0, LINE_BYTES_MAX)).toString("latin1");
  return `version ${ANY_VERSION.exec(head)?.[1] ?? "?"} of the fleet's protocol; this program speaks ${VERSION}`;
}

/** Opens a frame; a string says why it can't be: it is no frame of ours, or of another version, or the secret is another. */
export function openFrame(
  secret: string,
  frame: Uint8Array,
): Unsealed | "malformed" | "version" | "wrong_secret" {
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  const end = bytes.subarray(0, LINE_BYTES_MAX).indexOf(0x0a);
  const line = end < 0 ? "" : bytes.toString("latin1", 0, end);
  const match = LINE.exec(line);
  if (match === null)
    return ANY_VERSION.test(line) && !line.startsWith(`${FORMAT} `) ? "version" : "malformed";
  const [, words = "", direction, from = "", to = "", number, outcome = "", given = ""] = match;
  const body = bytes.subarray(end + 1);
  // Both are 64 characters, so the comparison takes the same time for every wrong seal.
  if (!timingSafeEqual(Buffer.from(digest(secret, words, body)), Buffer.from(given))) return "wrong_secret";
  if (direction !== "request" && direction !== "answer" && direction !== "notice") return "malformed";
  return { envelope: { direction, from, to, number: Number(number), outcome }, body };
}
