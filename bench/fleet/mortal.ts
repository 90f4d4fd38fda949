// A replica in a process of its own that is killed and started again on the same folder, as its siblings' process sees it.
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { performance } from "node:perf_hooks";
import { type Measured, numberIn, startApart } from "./apart.ts";
import type { Lab } from "./lab.ts";

/** Short against the tenth of a second over which a rate is taken. */
export const REQUESTS_EVERY_MS = 5;

export interface Started {
  readonly runsAtMs: number;
  readonly servesAtMs: number;
}

export class Mortal {
  /** What it holds, from 0 to 1; nothing while it is dead. */
  share = 0;
  /** In all its lives. */
  admitted = 0;
  readonly #lab: Lab;
  readonly #args: readonly string[];
  #child: ChildProcess | null = null;
  #admittedBefore = 0;
  #runsAtMs = Number.NaN;

  /** Its requests come at this rate, per second; so does the refill of its one bucket. */
  constructor(lab: Lab, folder: string, perSecond: number) {
    this.#lab = lab;
    this.#args = [folder, String(perSecond), String(REQUESTS_EVERY_MS)];
  }

  /** Resolves when it serves. */
  async start(): Promise<Started> {
    this.#admittedBefore = this.admitted;
    const { promise: serves, resolve, reject } = Promise.withResolvers<void>();
    const child = startApart(this.#lab, { script: "victim.ts", args: this.#args }, (told) => {
      if (told["kind"] === "runs") this.#runsAtMs = performance.now();
      else if (told["kind"] === "serves") resolve();
      else this.#hear(told);
    });
    child.once("exit", (code) => reject(new Error(`the third replica ended with ${code}.`)));
    this.#child = child;
    await serves;
    return { runsAtMs: this.#runsAtMs, servesAtMs: performance.now() };
  }

  #hear(told: Measured): void {
    this.admitted = this.#admittedBefore + numberIn(told, "admitted");
    this.share = numberIn(told, "share");
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    this.#child = null;
    child.kill("SIGKILL");
    // All that it had told is heard by then.
    await once(child, "close");
    this.share = 0;
  }
}
