// A provider's 429 holds back the whole fleet. Each replica says what it was told under a name of its own, so the
// longest pause stands; siblings count the rest of it from its age, for their clocks may disagree about the time.
import type { Clock } from "../../clock.ts";
import type { Board } from "../../fleet/board.ts";
import type { Limiter } from "../../limiter/limiter.ts";

const PREFIX = "paused/";

/** What one provider's answer can do to the fleet at most. */
const SHARED_MS_MAX = 3_600_000;
/** A pause as short as this is over before the siblings have heard of it. */
const SHARED_MS_MIN = 100;

interface PauseParts {
  readonly board: Board;
  readonly limiter: Limiter;
  readonly clock: Clock;
  /** The replica's id. */
  readonly replica: string;
}

/** Shares pauses from here on, and puts those in force that are known already. */
export function sharePauses({ board, limiter, clock, replica }: PauseParts): void {
  const heed = (key: string, value: Uint8Array | null, ageMs: number): void => {
    const { owner, author } = read(key);
    const pauseMs = value === null ? Number.NaN : Number(Buffer.from(value).toString("latin1"));
    if (owner === "" || !(pauseMs > 0)) return;
    const leftMs = Math.min(pauseMs, SHARED_MS_MAX) - ageMs;
    // What this process itself was told is in force in full; after a restart it is not.
    if (leftMs > 0 && (author !== replica || ageMs > 0)) limiter.holdBack(owner, clock.elapsedMs() + leftMs);
  };
  for (const { key, value, ageMs } of board.entries(PREFIX)) heed(key, value, ageMs);
  board.onChange(heed);
  limiter.onPause = (owner, untilMs) => {
    const pauseMs = Math.min(SHARED_MS_MAX, untilMs - clock.elapsedMs());
    if (pauseMs < SHARED_MS_MIN) return;
    const key = `${PREFIX}${replica}/${owner}`;
    board.offer(key, Buffer.from(String(Math.ceil(pauseMs)), "latin1"));
  };
}

/** `paused/REPLICA/OWNER`; models' names may have slashes. */
function read(key: string): { readonly owner: string; readonly author: string } {
  const end = key.startsWith(PREFIX) ? key.indexOf("/", PREFIX.length) : -1;
  if (end < 0) return { owner: "", author: "" };
  return { owner: key.slice(end + 1), author: key.slice(PREFIX.length, end) };
}
