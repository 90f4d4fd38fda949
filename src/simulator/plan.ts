// An answer as data, decided before its first byte goes out, and the small player that carries it out. Faults are
// functions from plan to plan (faults.ts), so each is a few lines and can be tested without a socket.
//
//   firstMs        paceMs      paceMs          ending
//   ──────── head+chunk 0 ──── chunk 1 ──── … ──────── end | destroy | hang
import type { ServerResponse } from "node:http";
import type { Timers } from "../clock.ts";

export type Chunk = string | Uint8Array;

export interface Plan {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly chunks: readonly Chunk[];
  /** Before the first byte. */
  readonly firstMs: number;
  /** Between two chunks; 0: all in one write. */
  readonly paceMs: number;
  /** Whether status and headers go out at once, apart from the first chunk. */
  readonly isHeadFirst: boolean;
  /** Whether each chunk is sent by itself even without a pace. */
  readonly isSplit: boolean;
  /** How often the last chunk is sent again. */
  readonly repeats: number;
  /** What comes after the chunks: a proper end, a torn connection, or nothing at all. */
  readonly ending: "end" | "destroy" | "hang";
}

/** What hangs is torn after this, so that nothing stays for ever. */
const HANG_MS = 15 * 60_000;

/** How far a plan was carried out. */
export interface Played {
  /** From 0, nothing sent, to 1, all of it. */
  readonly part: number;
  /** Whether the client went away before the plan's end. */
  readonly isAborted: boolean;
}

/** Carries out the plan; calls `ended` once, when the response is closed. */
export function play(
  plan: Plan,
  response: ServerResponse,
  timers: Timers,
  ended: (played: Played) => void,
): void {
  const total = plan.chunks.length + plan.repeats;
  let at = 0;
  let isOver = false;
  let cancel: () => void = () => {};

  const sendHead = (): void => {
    response.writeHead(plan.status, plan.headers);
    response.flushHeaders();
  };

  const finish = (): void => {
    if (plan.ending === "hang") {
      cancel = timers.after(HANG_MS, () => response.destroy());
      return;
    }
    isOver = true;
    if (plan.ending === "end") response.end();
    else afterFlush(response, () => response.destroy());
  };

  // Node gathers the writes of one tick by itself.
  const sendChunks = (): void => {
    let hasRoom = true;
    while (at < total && hasRoom) {
      hasRoom = response.write(plan.chunks[Math.min(at, plan.chunks.length - 1)] ?? "");
      at += 1;
      if (plan.paceMs > 0 || plan.isSplit) break;
    }
    if (at >= total) finish();
    else if (!hasRoom) response.once("drain", sendChunks);
    else if (plan.paceMs > 0) cancel = timers.after(plan.paceMs, sendChunks);
    else setImmediate(() => response.destroyed || sendChunks());
  };

  const begin = (): void => {
    if (total === 0 && plan.ending === "destroy") {
      isOver = true;
      response.destroy();
      return;
    }
    if (!plan.isHeadFirst) response.writeHead(plan.status, plan.headers);
    sendChunks();
  };

  response.once("close", () => {
    cancel();
    ended({ part: total === 0 ? 1 : at / total, isAborted: !isOver });
  });
  if (plan.isHeadFirst) sendHead();
  if (plan.firstMs > 0) cancel = timers.after(plan.firstMs, begin);
  else begin();
}

/** Bytes written just before a connection is torn would be lost with it: lets them reach the socket first. */
function afterFlush(response: ServerResponse, action: () => void): void {
  if (response.headersSent) response.write("", () => setImmediate(action));
  else setImmediate(action);
}
