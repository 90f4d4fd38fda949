// How a gateway stops: in an order in which nothing is lost, and never for longer than it was given.
//
//   serving ──signal──▶ draining ─────────────▶ cutting ───────▶ handing back ──────▶ closed
//                       no new requests;         what still runs  blocks written       store closed,
//                       readiness says 503;      gets an error    back, share given    log flushed,
//                       what runs goes on        and is settled   to siblings          exit 0
//                       until `drainMs`          within CUT_MS    within HAND_BACK_MS
//
// The parts are handed in as functions, so the order can be tested without a gateway.
import type { Timers } from "../../clock.ts";
import type { Log } from "../../observe/events.ts";

/** What stopping consists of. Each is called once, in this order. */
export interface StopSteps {
  /** Stops accepting, refuses new requests; resolves when every running one has ended. */
  readonly finish: () => Promise<void>;
  /** Ends what still runs with an error; `finish` resolves soon after. */
  readonly cut: () => void;
  /** Writes reserved blocks back and leaves the fleet. */
  readonly handBack: () => Promise<void>;
  /** Closes the store and what else is open. */
  readonly close: () => Promise<void>;
}

export interface DrainOptions {
  readonly steps: StopSteps;
  /** How long running requests may go on, by the configuration in force when it is asked. */
  readonly drainMs: () => number;
  readonly timers: Timers;
  readonly log: Log;
  /** How many requests run, for the log. */
  readonly running: () => number;
}

export type DrainState = "serving" | "draining" | "cutting" | "handing_back" | "closing" | "closed";

/** For requests that were cut to be settled. */
const CUT_MS = 2000;
const HAND_BACK_MS = 10_000;
const CLOSE_MS = 5000;

export class Drain {
  private readonly options: DrainOptions;
  private current: DrainState = "serving";
  private stopped: Promise<number> | undefined;

  constructor(options: DrainOptions) {
    this.options = options;
  }

  get state(): DrainState {
    return this.current;
  }

  get isDraining(): boolean {
    return this.current !== "serving";
  }

  /** Stops the gateway. Resolves with the exit code: 0, or 1 when a step failed. Called again it gives the same promise. */
  stop(reason: string): Promise<number> {
    this.stopped ??= this.run(reason);
    return this.stopped;
  }

  private async run(reason: string): Promise<number> {
    const { steps, log, running } = this.options;
    const drainMs = this.options.drainMs();
    log.info("draining", { reason, running: running(), limit_ms: drainMs });
    this.current = "draining";
    const finished = this.attempt("finish", steps.finish);
    let { isOver, isWell } = await this.within(finished, drainMs);
    if (!isOver) {
      this.current = "cutting";
      log.warn("cutting requests that still run", { running: running() });
      isWell = await this.attempt("cut", async () => steps.cut());
      ({ isOver } = await this.within(finished, CUT_MS));
      if (!isOver) log.warn("requests outlived their cut", { running: running() });
    }
    this.current = "handing_back";
    isWell = (await this.bounded("hand back", steps.handBack, HAND_BACK_MS)) && isWell;
    this.current = "closing";
    isWell = (await this.bounded("close", steps.close, CLOSE_MS)) && isWell;
    this.current = "closed";
    log.info("stopped", { well: isWell });
    return isWell ? 0 : 1;
  }

  private async bounded(name: string, step: () => Promise<void>, limitMs: number): Promise<boolean> {
    const { isOver, isWell } = await this.within(this.attempt(name, step), limitMs);
    if (!isOver) this.options.log.error("stopping took too long", { step: name, limit_ms: limitMs });
    return isOver && isWell;
  }

  private async attempt(name: string, step: () => Promise<void>): Promise<boolean> {
    try {
      await step();
      return true;
    } catch (error) {
      this.options.log.error("stopping failed", { step: name, error });
      return false;
    }
  }

  private within(
    promise: Promise<boolean>,
    limitMs: number,
  ): Promise<{ readonly isOver: boolean; readonly isWell: boolean }> {
    return new Promise((resolve) => {
      const cancel = this.options.timers.after(limitMs, () => resolve({ isOver: false, isWell: false }));
      void promise.then((isWell) => {
        cancel();
        resolve({ isOver: true, isWell });
      });
    });
  }
}
