// How long processes stood in line for a processor, as Linux counts it for the first thread of each. It tells what a busy
// machine withheld from what a process did not do. Where it is not counted nothing was withheld, as far as one can tell.
import { readFileSync } from "node:fs";

const NS_PER_MS = 1e6;

function waitedMs(pid: number): number {
  try {
    // Time on the processor, time in line for it, both in nanoseconds, and the number of turns.
    const [, waited = "0"] = readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ");
    return Number(waited) / NS_PER_MS;
  } catch {
    // It has ended, or this is not Linux.
    return 0;
  }
}

export class CpuWaits {
  readonly #pids: () => readonly number[];
  readonly #seen = new Map<number, number>();

  /** `pids`: the processes that are looked at; new ones count from their start. */
  constructor(pids: () => readonly number[]) {
    this.#pids = pids;
    this.sinceLastMs();
  }

  /** How long all of them together have waited since this was last asked, in milliseconds. */
  sinceLastMs(): number {
    let sum = 0;
    for (const pid of this.#pids()) {
      const ms = waitedMs(pid);
      sum += Math.max(0, ms - (this.#seen.get(pid) ?? 0));
      this.#seen.set(pid, Math.max(ms, this.#seen.get(pid) ?? 0));
    }
    return sum;
  }
}
