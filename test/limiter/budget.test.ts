// A key's budget in dollars: reserved by estimate, settled by what was used, full again when the period ends where its owner
// lives.
import { describe, expect, test } from "vitest";
import { Replica } from "../../src/fleet/replica.ts";
import { PLAIN_COUNTING, type Prices } from "../../src/limiter/cost.ts";
import { Limiter } from "../../src/limiter/limiter.ts";
import type { Meters, MeterSpec } from "../../src/limiter/meters.ts";
import { refusalError } from "../../src/limiter/refusal.ts";
import type { Refusal, Reservation } from "../../src/limiter/reservation.ts";
import type { Usage } from "../../src/observe/events.ts";
import { ManualClock } from "../manual-clock.ts";
import { tokens } from "./solo-limiter.ts";

/** Micro-dollars per token. */
const PRICES: Prices = { input: 2, output: 10, cachedInput: 0.5, cacheWrite: 2.5 };
const BUDGET = 10_000;
/** Input and output that cost 1,000 together. */
const ESTIMATE = tokens(250, 50);

class Desk {
  readonly clock: ManualClock;
  readonly #replica: Replica;
  readonly #limiter: Limiter;
  readonly #meters: Meters;

  constructor(at: string, period: "day" | "month", timezone: string) {
    this.clock = new ManualClock(0, Date.parse(at));
    this.#replica = new Replica({
      loaded: null,
      newId: "0".repeat(31) + "1",
      nowMs: 0,
      instant: this.#instant(),
    });
    const { clock } = this;
    this.#limiter = new Limiter({ quota: this.#replica, clock, timers: clock, lineLengthMax: 10 });
    const spec: MeterSpec = {
      limit: {
        key: `key/k/usd/${period}`,
        dimension: "usd",
        capacity: BUDGET,
        refill: { kind: "calendar", period, timezone },
      },
      ownerKind: "key",
      owner: "k",
      name: `usd: 0.01/${period}`,
    };
    const target = { provider: "p", model: "m", specs: [], counting: PLAIN_COUNTING, prices: PRICES };
    this.#meters = this.#limiter.target(target).with(this.#limiter.open([spec]));
    this.#tick();
  }

  #instant() {
    return { bootId: "m", monotonicMs: this.clock.elapsedMs(), wallMs: this.clock.wallMs() };
  }

  #tick(): void {
    this.#replica.tick(this.clock.elapsedMs(), this.clock.wallMs());
    while (this.#replica.journal.collect(this.clock.elapsedMs(), this.#instant()) !== null) {
      this.#replica.journal.written();
    }
  }

  /** Moves time to this instant. */
  goTo(at: string): void {
    this.clock.advance(Date.parse(at) - this.clock.wallMs());
    this.#tick();
  }

  reserve(): Reservation | Refusal {
    this.#tick();
    const ask = { estimate: ESTIMATE, priority: 1, clientKey: "k", deadlineMs: 0 } as const;
    const outcome = this.#limiter.reserve(this.#meters, ask, this.clock.elapsedMs());
    if (outcome.kind !== "waiting") return outcome;
    // Only for its units to be reserved on disk.
    const decided: (Reservation | Refusal)[] = [];
    outcome.decided((decision) => decided.push(decision));
    this.#tick();
    const [decision] = decided;
    if (decision === undefined) throw new Error("It waits.");
    return decision;
  }

  settle(reservation: Reservation, usage: Partial<Usage>): void {
    const none = {
      inputTokens: 0,
      outputTokens: 0,
      cachedInputTokens: 0,
      cacheWriteTokens: 0,
      reasoningTokens: 0,
    };
    this.#limiter.settle(reservation, { ...none, ...usage }, this.clock.elapsedMs());
  }

  /** How many requests find their estimate in the budget, each settled with just that. */
  spend(): number {
    for (let count = 0; ; count++) {
      const outcome = this.reserve();
      if (outcome.kind === "refused") return count;
      this.settle(outcome, ESTIMATE);
    }
  }

  get left(): number {
    return this.#limiter.levels(this.#meters, this.clock.elapsedMs())[0]?.facts.remaining ?? Number.NaN;
  }
}

describe("a budget", () => {
  test("is spent by estimates before the requests go out, so no number at a time gets more", () => {
    const desk = new Desk("2026-11-21T08:00:00Z", "month", "UTC");
    const open = Array.from({ length: 50 }, () => desk.reserve());
    expect(open.filter(({ kind }) => kind === "reserved")).toHaveLength(BUDGET / 1000);
  });

  test.each([
    ["plain", { inputTokens: 100, outputTokens: 10 }, 300],
    ["cached", { inputTokens: 100, cachedInputTokens: 80, outputTokens: 10 }, 180],
    ["written to a cache", { inputTokens: 100, cacheWriteTokens: 80, outputTokens: 10 }, 340],
    ["partly both", { inputTokens: 100, cachedInputTokens: 50, cacheWriteTokens: 50 }, 150],
    ["of a fraction of a micro-dollar, rounded up", { inputTokens: 1, cachedInputTokens: 1 }, 1],
    ["above the estimate", { inputTokens: 1000, outputTokens: 100 }, 3000],
    ["none", {}, 0],
  ])("is charged with what a request used: %s", (_, usage, microUsd) => {
    const desk = new Desk("2026-11-21T08:00:00Z", "day", "UTC");
    const outcome = desk.reserve();
    if (outcome.kind === "refused") throw new Error("It is refused.");
    expect(desk.left).toBe(BUDGET - 1000);
    desk.settle(outcome, usage);
    expect(desk.left).toBe(BUDGET - microUsd);
  });

  test.each([
    ["month", "UTC", "2026-11-21T08:00:00Z", "2026-12-01T00:00:00Z"],
    ["month", "Europe/Berlin", "2026-11-21T08:00:00Z", "2026-11-30T23:00:00Z"],
    ["month", "Europe/Berlin", "2026-03-15T08:00:00Z", "2026-03-31T22:00:00Z"],
    ["month", "America/Los_Angeles", "2026-10-31T08:00:00Z", "2026-11-01T07:00:00Z"],
    ["month", "Pacific/Kiritimati", "2026-12-31T09:59:00Z", "2026-12-31T10:00:00Z"],
    ["month", "UTC", "2028-02-29T12:00:00Z", "2028-03-01T00:00:00Z"],
    ["day", "Asia/Kolkata", "2026-11-21T18:00:00Z", "2026-11-21T18:30:00Z"],
    ["day", "America/Los_Angeles", "2026-11-01T08:00:00Z", "2026-11-02T08:00:00Z"],
  ] as const)(
    "of a %s in %s that is spent at %s is full again at %s and not a moment before",
    (period, zone, at, end) => {
      const desk = new Desk(at, period, zone);
      expect(desk.spend()).toBe(10);
      const refused = desk.reserve();
      if (refused.kind !== "refused") throw new Error("It is not refused.");
      expect(refused.retryAfterMs).toBe(Date.parse(end) - Date.parse(at));
      desk.goTo(new Date(Date.parse(end) - 1).toISOString());
      expect(desk.spend()).toBe(0);
      desk.goTo(end);
      expect(desk.spend()).toBe(10);
    },
  );

  test("that is spent tells the client so by the code for budgets, and not to come back by itself", () => {
    const desk = new Desk("2026-11-21T08:00:00Z", "month", "Europe/Berlin");
    desk.spend();
    const refused = desk.reserve();
    if (refused.kind !== "refused") throw new Error("It is not refused.");
    expect(refusalError(refused)).toMatchObject({
      code: "insufficient_quota",
      status: 429,
      shouldRetry: false,
      message: "Limit `usd: 0.01/month` of key `k` is used up. Try again in 10 days.",
    });
  });
});
