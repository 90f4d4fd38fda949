// What waiting in line is worth, in virtual time on the real limiter: goodput at three times what a provider allows, with a
// line against plain 429s, and how evenly keys are served when one asks for a hundred times what the others do.
//
//   node bench/overload.ts
//
// Clients behave as the official SDKs do by default: two retries, after `retry-after` where it is given, else after 0.5 s
// and 1 s less up to a quarter at random.
import { QuotaKeeper } from "../src/simulator/quota.ts";
import type { Meters } from "../src/limiter/meters.ts";
import type { Refusal, Reservation } from "../src/limiter/reservation.ts";
import { limitSpec, SoloLimiter, tokens, used } from "../test/limiter/solo-limiter.ts";

const RETRIES = 2;
const BACKOFF_MS = 500;
const STEP_MS = 5;
/** How long a provider works on a request. */
const SERVICE_MS = 200;
/** What a provider lets in per second, and at once. */
const CAPACITY = 50;
const SLACK = CAPACITY / 20;

function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 4_294_967_296;
  };
}

/** How requests get in: straight to the provider, or through Sluice waiting up to so many milliseconds. */
type Way = { readonly kind: "direct" } | { readonly kind: "sluice"; readonly waitMs: number };

interface Scenario {
  readonly seconds: number;
  /** Requests per second of each key at this second. */
  readonly offered: (key: number, second: number) => number;
  readonly keys: number;
  readonly way: Way;
  /** Whether keys stand in line as one, first come first served. */
  readonly isOneLine?: boolean;
}

interface KeyTally {
  offered: number;
  served: number;
  /** Of those, while the load lasted. */
  servedInTime: number;
  refused: number;
  /** From the first try to admission, of those that were served. */
  readonly delaysMs: number[];
}

class World {
  readonly tallies: readonly KeyTally[];
  /** Requests that the provider itself refused. */
  providerRefused = 0;
  readonly #scenario: Scenario;
  readonly #solo = new SoloLimiter(100_000);
  readonly #meters: Meters;
  readonly #provider: QuotaKeeper;
  readonly #random = randomOf(7);

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    this.tallies = Array.from({ length: scenario.keys }, () => ({
      offered: 0,
      served: 0,
      servedInTime: 0,
      refused: 0,
      delaysMs: [],
    }));
    this.#meters = this.#solo.target("p", [limitSpec("provider", "p", `requests=${CAPACITY}/1s`)]);
    const rate = { capacity: CAPACITY, perMinute: CAPACITY * 60, slack: SLACK };
    this.#provider = new QuotaKeeper({ requests: rate }, this.#solo.now);
  }

  run(): this {
    const { seconds, keys } = this.#scenario;
    for (let key = 0; key < keys; key++) this.#next(key);
    for (let ms = 0; ms < (seconds + 60) * 1000; ms += STEP_MS) this.#solo.advance(STEP_MS, STEP_MS);
    return this;
  }

  /** Sets the key's next request, if there is one. */
  #next(key: number): void {
    const { seconds, offered } = this.#scenario;
    const { clock, now } = this.#solo;
    if (now >= seconds * 1000) return;
    const rate = offered(key, Math.floor(now / 1000));
    const delayMs = rate === 0 ? 1000 : (-Math.log(1 - this.#random()) * 1000) / rate;
    clock.after(delayMs, () => {
      if (rate > 0 && this.#solo.now < seconds * 1000) this.#arrive(key);
      this.#next(key);
    });
  }

  #arrive(key: number): void {
    const tally = this.tallies[key];
    if (tally === undefined) throw new Error("every key has a tally");
    tally.offered += 1;
    this.#try(key, this.#solo.now, 0);
  }

  #try(key: number, sinceMs: number, retry: number): void {
    const { way, isOneLine = false } = this.#scenario;
    const { limiter, now } = this.#solo;
    if (way.kind === "direct") {
      if (this.#admit(key, sinceMs))
        this.#solo.clock.after(SERVICE_MS, () => this.#provider.end(0, this.#solo.now));
      else this.#refused(key, sinceMs, retry, null);
      return;
    }
    const ask = {
      estimate: tokens(0),
      priority: 1,
      clientKey: isOneLine ? "all" : String(key),
      deadlineMs: now + way.waitMs,
    } as const;
    const outcome = limiter.reserve(this.#meters, ask, now);
    const end = (decision: Reservation | Refusal): void => {
      if (decision.kind === "refused") this.#refused(key, sinceMs, retry, decision.retryAfterMs);
      else this.#send(key, sinceMs, decision);
    };
    if (outcome.kind === "waiting") outcome.decided(end);
    else end(outcome);
  }

  #send(key: number, sinceMs: number, reservation: Reservation): void {
    const { limiter, clock } = this.#solo;
    if (!this.#admit(key, sinceMs)) throw new Error("the provider refused what the limiter had let in");
    clock.after(SERVICE_MS, () => {
      limiter.settle(reservation, used(0), this.#solo.now);
      this.#provider.end(0, this.#solo.now);
    });
  }

  #admit(key: number, sinceMs: number): boolean {
    const isIn = this.#provider.admit(0, this.#solo.now) === null;
    const tally = this.tallies[key];
    if (tally === undefined) return isIn;
    if (!isIn) this.providerRefused += 1;
    else {
      tally.served += 1;
      if (this.#solo.now < this.#scenario.seconds * 1000) tally.servedInTime += 1;
      tally.delaysMs.push(this.#solo.now - sinceMs);
    }
    return isIn;
  }

  #refused(key: number, sinceMs: number, retry: number, retryAfterMs: number | null): void {
    const tally = this.tallies[key];
    if (tally !== undefined) tally.refused += 1;
    if (retry >= RETRIES) return;
    const backoffMs = BACKOFF_MS * 2 ** retry * (1 - 0.25 * this.#random());
    const delayMs = retryAfterMs !== null && retryAfterMs <= 60_000 ? retryAfterMs : backoffMs;
    this.#solo.clock.after(delayMs, () => this.#try(key, sinceMs, retry + 1));
  }
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** Jain's index: 1 when all are served alike, 1/n when one gets everything. */
function jain(values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + value, 0);
  const squares = values.reduce((total, value) => total + value * value, 0);
  return (sum * sum) / (values.length * squares);
}

/** The max-min fair split of a capacity over demands. */
function fairShares(demands: readonly number[], capacity: number): readonly number[] {
  const shares = demands.map(() => 0);
  let left = capacity;
  const open = new Set(demands.keys());
  while (open.size > 0 && left > 1e-9) {
    const even = left / open.size;
    for (const key of open) {
      const more = Math.min(even, (demands[key] ?? 0) - (shares[key] ?? 0));
      shares[key] = (shares[key] ?? 0) + more;
      left -= more;
      if (more < even) open.delete(key);
    }
  }
  return shares;
}

const WAYS: readonly (readonly [string, Way])[] = [
  ["no gateway: plain 429 + SDK retries", { kind: "direct" }],
  ["Sluice, no waiting (`max_wait: 0s`)", { kind: "sluice", waitMs: 0 }],
  ["Sluice, waiting (`max_wait: 10s`)", { kind: "sluice", waitMs: 10_000 }],
];

/** The most that a provider could have let in while the load lasted, starting full: one bucket, second by second. */
function goodputMax(seconds: number, offered: (key: number, second: number) => number): number {
  let served = 0;
  let waiting = 0;
  let level = CAPACITY;
  for (let second = 0; second < seconds; second++) {
    waiting += offered(0, second);
    level = second === 0 ? 2 * CAPACITY : Math.min(2 * CAPACITY, level + CAPACITY);
    const now = Math.min(waiting, level);
    served += now;
    waiting -= now;
    level = Math.min(CAPACITY, level - now);
  }
  return served;
}

function overload(title: string, seconds: number, offered: (key: number, second: number) => number): void {
  console.log(`\n${title}`);
  console.log("| | served | goodput, of the possible | 429s seen per request served | delay p50 | p99 |");
  console.log("| --- | --- | --- | --- | --- | --- |");
  for (const [name, way] of WAYS) {
    const [tally] = new World({ seconds, keys: 1, offered, way }).run().tallies;
    if (tally === undefined) continue;
    const cells = [
      `${((100 * tally.served) / tally.offered).toFixed(1)} %`,
      (tally.servedInTime / goodputMax(seconds, offered)).toFixed(3),
      (tally.refused / tally.served).toFixed(2),
      `${(percentile(tally.delaysMs, 0.5) / 1000).toFixed(2)} s`,
      `${(percentile(tally.delaysMs, 0.99) / 1000).toFixed(2)} s`,
    ];
    console.log(`| ${name} | ${cells.join(" | ")} |`);
  }
}

/** One heavy key, asking for a hundred times what each of twenty others does. */
function fairness(lightRate: number): void {
  const LIGHT = 20;
  const SECONDS = 30;
  const offered = (key: number): number => (key === 0 ? 100 * lightRate : lightRate);
  console.log(`\nOne key at ${100 * lightRate}/s, twenty at ${lightRate}/s each, provider at ${CAPACITY}/s:`);
  console.log("| | Jain's index | light keys served | delay of light keys p50 | p99 |");
  console.log("| --- | --- | --- | --- | --- |");
  const rows: readonly (readonly [string, Way, boolean])[] = [
    ["no gateway: plain 429 + SDK retries", { kind: "direct" }, false],
    ["one line, first come first served", { kind: "sluice", waitMs: 10_000 }, true],
    ["Sluice's line", { kind: "sluice", waitMs: 10_000 }, false],
  ];
  for (const [name, way, isOneLine] of rows) {
    const { tallies } = new World({ seconds: SECONDS, keys: LIGHT + 1, offered, way, isOneLine }).run();
    const fair = fairShares(
      tallies.map((tally) => tally.offered),
      tallies.reduce((sum, tally) => sum + tally.served, 0),
    );
    const light = tallies.slice(1);
    const delays = light.flatMap((tally) => tally.delaysMs);
    const lightOffered = light.reduce((sum, tally) => sum + tally.offered, 0);
    const lightServed = light.reduce((sum, tally) => sum + tally.served, 0);
    const cells = [
      jain(tallies.map((tally, key) => tally.served / (fair[key] ?? 1))).toFixed(3),
      `${((100 * lightServed) / lightOffered).toFixed(1)} %`,
      `${Math.round(percentile(delays, 0.5))} ms`,
      `${Math.round(percentile(delays, 0.99))} ms`,
    ];
    console.log(`| ${name} | ${cells.join(" | ")} |`);
  }
}

overload("Three times the capacity for a minute:", 60, () => 3 * CAPACITY);
overload("Three times the capacity for 5 s of every 30 s, a fifth of it between:", 60, (_, second) =>
  second % 30 < 5 ? 3 * CAPACITY : CAPACITY / 5,
);
fairness(1);
fairness(5);
