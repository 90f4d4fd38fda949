// The only access to time and randomness. Everything else is handed `now` (or a Clock) as an argument, so that the
// core is deterministic and the simulator can run the real code in virtual time.
import { randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";

export interface Clock {
  /**
   * Elapsed time in milliseconds since some origin; never goes back. It advances by the smaller of what the
   * monotonic and the wall clock advanced (beyond a small tolerance for their jitter), so a wall clock that is set
   * and a machine that sleeps can't mint units. Everything that refills or times out uses this.
   */
  elapsedMs(): number;
  /** Milliseconds since the Unix epoch, for calendars, logs and headers. It may be stepped at any time. */
  wallMs(): number;
}

/** How far the two clocks may drift apart before it counts as a step, in milliseconds. */
const STEP_MS = 50;

/**
 * Joins a monotonic and a wall clock into one `elapsedMs` that follows the slower of the two.
 * The wall clock has whole milliseconds and is slewed, so it is compared over the whole time since the last step
 * rather than per reading: per reading, rounding would lose half of every refill.
 */
export function clockFrom(monotonicMs: () => number, wallMs: () => number): Clock {
  let anchorMonotonic = monotonicMs();
  let anchorWall = wallMs();
  let anchorElapsed = anchorMonotonic;
  let latest = anchorElapsed;
  return {
    wallMs,
    elapsedMs() {
      const monotonic = monotonicMs();
      const wall = wallMs();
      const lag = monotonic - anchorMonotonic - (wall - anchorWall);
      if (lag > STEP_MS || lag < -STEP_MS) {
        // A step: the time since the last reading counts by the slower clock, and comparison starts afresh.
        const advance = Math.min(
          anchorElapsed + monotonic - anchorMonotonic,
          anchorElapsed + wall - anchorWall,
        );
        latest = Math.max(latest, advance);
        anchorMonotonic = monotonic;
        anchorWall = wall;
        anchorElapsed = latest;
        return latest;
      }
      const candidate = anchorElapsed + monotonic - anchorMonotonic;
      if (candidate > latest) latest = candidate;
      return latest;
    },
  };
}

/** The machine's clocks. */
export const systemClock: Clock = clockFrom(() => performance.now(), Date.now);

let machineBootId: string | null = null;

/** The machine's start that we run under; empty where the machine doesn't tell, and then no downtime is trusted. */
function readMachineBootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "";
  }
}

/** All clocks of the machine at one moment, comparable between processes of one machine boot. */
export function systemInstant(): { bootId: string; monotonicMs: number; wallMs: number } {
  machineBootId ??= readMachineBootId();
  return {
    bootId: machineBootId,
    monotonicMs: Number(process.hrtime.bigint() / 1000n) / 1000,
    wallMs: Date.now(),
  };
}

/** Uniform in [0, 1). */
export type Random = () => number;

export const systemRandom: Random = Math.random;

/** A random id of 128 bits, as 32 hexadecimal digits: a replica's identity, a request's. */
export function randomId(): string {
  return randomBytes(16).toString("hex");
}

/** 256 random bits as 43 characters of base64url: what nobody can guess. */
export function randomSecret(): string {
  return randomBytes(32).toString("base64url");
}

/** A random UUID; cheaper than `randomId` because Node draws them in batches. */
export function randomRequestId(): string {
  return randomUUID();
}

/** Runs things later. Beside a Clock, so that tests move both by hand. */
export interface Timers {
  /** Calls `action` once, `delayMs` from now; the function it returns calls that off. */
  after(delayMs: number, action: () => void): () => void;
}

/** The machine's timers. They keep the process alive until they have run or were called off. */
export const systemTimers: Timers = {
  after(delayMs, action) {
    const timer = setTimeout(action, delayMs);
    return () => clearTimeout(timer);
  },
};
