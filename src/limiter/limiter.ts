// A request's units: taken from all its buckets or none before it is sent, settled exactly once when it has ended.
//
//   reserve ──▶ Reservation ──▶ settle (it was sent) or giveBack (it never reached the provider)
//          │           └──▶ settleUse ──▶ freeSlots, where the provider still counts it as running
//          ├──▶ Waiting ──▶ Reservation, or Refusal at its deadline
//          └──▶ Refusal: nothing was taken; `refusalError` puts it into words
//
// All of it is memory and synchronous. Nobody overtakes a request that waits for the same bucket with the same or a
// higher priority.
import type { Clock, Timers } from "../clock.ts";
import type { Bucket, Quota, Room } from "../fleet/quota.ts";
import type { Sample, Usage } from "../observe/events.ts";
import { type Counting, PLAIN_COUNTING, type Prices } from "./cost.ts";
import { assert } from "../errors.ts";
import { forecast, type LimitLevel, limitLevels, rateLimitFacts } from "./forecast.ts";
import { Held } from "./held.ts";
import { Pause, Line } from "./line.ts";
import { isSlot, type Meter, Meters, type MeterSpec } from "./meters.ts";
import { refusal, unpricedRefusal } from "./refusal.ts";
import type { Ask, Place, RateLimitFacts, Refusal, Reservation, Waiting } from "./reservation.ts";
import { gauge } from "../observe/sample.ts";
import { lineSamples } from "./samples.ts";
import { Waiter } from "./waiter.ts";
import { WaitingRoom } from "./waiting-room.ts";

/** Where requests can be sent to, and what it costs there. */
export interface TargetSpec {
  /** The provider whose pause holds these requests back, with the API key's name where it has several: `main~second`. */
  readonly provider: string;
  /** The model whose pause does, by the provider's name for it. */
  readonly model: string;
  /** The provider's limits and the model's. */
  readonly specs: readonly MeterSpec[];
  /** How the provider counts. */
  readonly counting: Counting;
  /** Of the model; null: not known, and a limit in dollars refuses every request. */
  readonly prices: Prices | null;
}

interface LimiterOptions {
  readonly quota: Quota;
  readonly clock: Clock;
  readonly timers: Timers;
  /** How many requests may wait for one bucket. */
  readonly lineLengthMax: number;
}

/** How long a commit or a sibling may take before a request that waits only for it is refused, in milliseconds. */
const FETCH_MS_MAX = 1000;

/** How long a request that waits only for places of requests that have ended may do so, in milliseconds: as long as a provider is given to end them. */
const LEAVING_MS_MAX = 1500;

/** Siblings have to hear of one reduction before the next is worked out from the fleet's level. In milliseconds. */
const LOWER_EVERY_MS = 3000;

/** How many pauses are remembered by name. */
const PAUSES_MAX = 2000;

/** Limits that metrics show at once: 1.1 MB of text. */
const LIMITS_SHOWN_MAX = 1000;

export class Limiter {
  /** How many requests may wait for one bucket; may be changed at any time. */
  lineLengthMax: number;
  /** Told of each pause that was raised here; `owner` is a provider, or `provider/model`. */
  onPause: (owner: string, untilMs: number) => void = () => {};
  /** Told of each settlement, for totals of use. */
  onSettled: (reservation: Reservation, usage: Usage) => void = () => {};
  readonly #quota: Quota;
  readonly #clock: Clock;
  readonly #room: WaitingRoom;
  /** Held by the meters of the configuration and of requests: the line of a limit that is no more goes with them. */
  readonly #lines = new Map<Bucket, WeakRef<Line>>();
  #round = 0;
  readonly #pauses = new Map<string, Pause>();
  #arrivals = 0;
  #isClosed = false;
  /** A reservation is being ended: those who wait are served once, when all its buckets have got their units back. */
  #isEnding = false;

  constructor({ quota, clock, timers, lineLengthMax }: LimiterOptions) {
    this.lineLengthMax = lineLengthMax;
    this.#quota = quota;
    this.#clock = clock;
    this.#room = new WaitingRoom(quota, clock, timers);
    quota.onRoom((bucket) => {
      const line = this.#lines.get(bucket)?.deref();
      if (line === undefined || line.size === 0) return;
      this.#room.stir(line);
      if (!this.#isEnding) this.#room.serveStirred(clock.elapsedMs());
    });
  }

  /** Opens the buckets of a target and compiles them: once per configuration, not per request. */
  target({ provider, model, specs, counting, prices }: TargetSpec): Meters {
    const pauses = [this.#pause(provider), this.#pause(`${provider}/${model}`)];
    return this.#compile(pauses, specs, counting, prices);
  }

  /** Opens the buckets of one owner: a client key's, to be joined with a target's by `target.with(key)`, or a provider's alone. */
  open(specs: readonly MeterSpec[]): Meters {
    return this.#compile([], specs, PLAIN_COUNTING, null);
  }

  /** Limits that were compiled before are still in force, as `target` and `open` say of new ones. */
  keep({ lines }: Meters): void {
    for (const line of lines) this.#list(line);
  }

  /** Runs `compile`, which asks for all limits that are in force, or for those of all client keys; others are shown no more. */
  compileAll<T>(whose: "all" | "keys", compile: () => T): T {
    this.#round += 1;
    const compiled = compile();
    for (const held of this.#lines.values()) {
      const line = held.deref();
      if (line === undefined || (whose === "keys" && line.meter?.ownerKind !== "key")) continue;
      line.isListed = line.askedIn === this.#round;
    }
    return compiled;
  }

  /** Whether the configuration in force has this bucket's limit, or somebody waits for it still. */
  lists(bucket: Bucket): boolean {
    const line = this.#lines.get(bucket)?.deref();
    return line !== undefined && (line.isListed || line.size > 0);
  }

  /** Takes the units when they are here and nobody waits for them; else the request waits, or is refused and has taken nothing. */
  reserve(meters: Meters, ask: Ask, now: number): Reservation | Waiting | Refusal {
    if (this.#isClosed) return refusal("closed", null, Infinity);
    if (meters.isUnpriced(ask.estimate)) return unpricedRefusal(meters);
    const costs = meters.expected(ask.estimate);
    const obstacle = meters.obstacle(ask.priority, costs, now);
    if (obstacle !== null) return this.#wait(meters, costs, ask, { line: obstacle, now });
    const shortage = this.#quota.take(meters.buckets, costs, now);
    if (shortage !== null) {
      const line = meters.lineOf(shortage.bucket);
      if (shortage.reason !== "never") return this.#wait(meters, costs, ask, { line, now });
      return refusal("exceeds_limit", line, Infinity);
    }
    meters.countTaken(costs);
    return new Held({ meters, clientKey: ask.clientKey, costs }, now, 0);
  }

  /** Takes the units if they are here now; null: they are not, and the request does not wait for them. */
  reserveNow(meters: Meters, ask: Ask, now: number): Reservation | null {
    const outcome = this.reserve(meters, ask, now);
    if (outcome.kind === "waiting") outcome.cancel();
    return outcome.kind === "reserved" ? outcome : null;
  }

  /** Books what the request used, reported or estimated, and frees its place. A second end of a reservation is a broken invariant. */
  settle(reservation: Reservation, usage: Usage, now: number): void {
    held(reservation).end(false);
    this.#return(reservation, usage, "all", now);
    this.onSettled(reservation, usage);
  }

  /** The same for a request that the provider still counts as running: its slots there stay taken until `freeSlots`. */
  settleUse(reservation: Reservation, usage: Usage, now: number): void {
    held(reservation).end(true);
    this.#return(reservation, usage, "use", now);
    this.onSettled(reservation, usage);
  }

  /** The provider does not count the request any more. */
  freeSlots(reservation: Reservation, now: number): void {
    held(reservation).endSlots();
    this.#return(reservation, null, "slots", now);
  }

  /** Gives everything back: the attempt never reached the provider. */
  giveBack(reservation: Reservation, now: number): void {
    held(reservation).end(false);
    this.#return(reservation, null, "all", now);
  }

  /** When a target could admit a request: 0 now, milliseconds, or Infinity. Takes nothing. */
  roomMs(meters: Meters, ask: Place & Pick<Ask, "estimate">, now: number): number {
    if (meters.isUnpriced(ask.estimate)) return Infinity;
    return forecast(this.#quota, meters, meters.expected(ask.estimate), { place: ask, now }).waitMs;
  }

  /** For `x-ratelimit-*`: the tightest limits of requests and of tokens, as the fleet sees them. */
  facts(meters: Meters, now: number): RateLimitFacts {
    return rateLimitFacts(this.#quota, meters, now);
  }

  /** What the fleet has left of each of these limits, in their order. */
  levels(meters: Meters, now: number): readonly LimitLevel[] {
    return limitLevels(this.#quota, meters, now);
  }

  /** What their buckets hold, in their order. */
  rooms({ buckets }: Meters, now: number): readonly Room[] {
    return buckets.map((bucket) => this.#quota.room(bucket, now));
  }

  /** This provider, or one model of it, asked to hold back until this `elapsedMs`: its requests wait. A pause is never shortened. */
  pause({ pauses: [provider, model] }: Meters, scope: "provider" | "model", untilMs: number): void {
    const pause = scope === "provider" ? provider : model;
    assert(pause !== undefined, "only targets are paused");
    if (untilMs <= pause.untilMs) return;
    pause.untilMs = untilMs;
    this.onPause(pause.owner, untilMs);
  }

  /** The same by name, as a sibling tells it; nobody is told in turn. */
  holdBack(owner: string, untilMs: number): void {
    const pause = this.#pause(owner);
    pause.untilMs = Math.max(pause.untilMs, untilMs);
  }

  /**
   * Brings the level of one of these limits down to what the provider has left of it, because others use the same
   * account. `excessOver`: by how much the fleet's level is too high. This replica comes down by its share of that,
   * not below zero; its siblings hear the same and do likewise.
   */
  lower(meters: Meters, index: number, excessOver: (fleetLevel: number) => number, now: number): void {
    const line = meters.lines[index];
    const bucket = meters.buckets[index];
    assert(line !== undefined && bucket !== undefined, "a limit is named by its place");
    if (bucket.limit.refill.kind === "held" || now - line.loweredMs < LOWER_EVERY_MS) return;
    const { level, capacity, fleetLevel, fleetCapacity } = this.#quota.room(bucket, now);
    const part = Math.ceil((excessOver(fleetLevel) * capacity) / fleetCapacity);
    const units = Math.min(part, Math.floor(level));
    if (units <= 0) return;
    line.loweredMs = now;
    line.lowered += units;
    this.#quota.settle(bucket, 0, units, now);
  }

  /** `elapsedMs` until which the provider is paused; may lie in the past. */
  pausedUntilMs(provider: string): number {
    return this.#pauses.get(provider)?.untilMs ?? -Infinity;
  }

  /** How many requests wait. */
  get waiting(): number {
    return this.#room.size;
  }

  /** For metrics: a request was turned away with this. A refusal that led to another target is none. */
  countRefused({ meter }: Refusal): void {
    const line = meter === null ? undefined : this.#lines.get(meter.bucket)?.deref();
    if (line !== undefined) line.refused++;
  }

  /** For metrics; read when somebody scrapes. Of the limits that are asked for at most `LIMITS_SHOWN_MAX`, and how many more there are. */
  *samples(isAsked: (limit: string) => boolean = () => true): Iterable<Sample> {
    const now = this.#clock.elapsedMs();
    const asked: Line[] = [];
    for (const [bucket, held] of this.#lines) {
      const line = held.deref();
      if (line === undefined) this.#lines.delete(bucket);
      else if (this.lists(bucket) && isAsked(bucket.limit.key)) asked.push(line);
    }
    // Client keys are what is many.
    asked.sort((left, right) => Number(isOfKey(left)) - Number(isOfKey(right)));
    for (const line of asked.slice(0, LIMITS_SHOWN_MAX)) yield* lineSamples(this.#quota, line, now);
    const help = "Limits that are not shown, because there are too many; ?bucket=NAME* picks some.";
    yield gauge("sluice_limits_left_out", help, Math.max(0, asked.length - LIMITS_SHOWN_MAX));
  }

  /** Refuses all that wait and all that come. What is reserved can still be settled. */
  close(): void {
    this.#isClosed = true;
    this.#room.close();
  }

  #wait(
    meters: Meters,
    costs: number[],
    ask: Ask,
    { line, now }: { readonly line: Line; readonly now: number },
  ): Reservation | Waiting | Refusal {
    if (this.#quota.isDiskFailing && needsDisk(line)) return refusal("not_durable", line, Infinity);
    const next = forecast(this.#quota, meters, costs, { place: ask, now });
    const longest = next.line ?? line;
    const retryAfterMs = Math.max(1, next.waitMs);
    // The units are here and being reserved on disk, a sibling has them, or a provider is about to let go of them: that is not what a client declines to wait for.
    const fetchMs = next.waitMs === 0 ? FETCH_MS_MAX : next.isForLeaving ? LEAVING_MS_MAX : 0;
    const deadlineMs = fetchMs === 0 ? ask.deadlineMs : Math.max(ask.deadlineMs, now + fetchMs);
    if (deadlineMs <= now || now + next.leastMs > deadlineMs) {
      return refusal(this.#quota.isInService ? "no_room" : "not_in_service", longest, retryAfterMs);
    }
    if (longest.size >= this.lineLengthMax) {
      return refusal("queue_full", longest, retryAfterMs);
    }
    const wanted = { meters, costs, ask, deadlineMs, sinceMs: now, sequence: this.#arrivals++ };
    const waiter = new Waiter(wanted, this.#room.leave);
    return this.#room.join(waiter, longest, now);
  }

  /** Gives back what was taken and not used, of all meters or of some. */
  #return({ meters, costs, takenMs }: Reservation, usage: Usage | null, part: Part, now: number): void {
    this.#isEnding = true;
    for (let index = 0; index < costs.length; index++) {
      const meter = meters.meters[index];
      const line = meters.lines[index];
      const taken = costs[index];
      if (meter === undefined || line === undefined || taken === undefined) continue;
      if (part !== "all" && isSlot(meter)) line.leaving += part === "use" ? taken : -taken;
      if (part !== "all" && isSlot(meter) !== (part === "slots")) continue;
      const actual = usage === null ? 0 : meters.actual(meter, usage);
      if (meter.limit.dimension === "concurrent") line.learnHeld(now - takenMs);
      if (actual === taken) continue;
      this.#quota.settle(meter.bucket, taken, actual, now);
      line.countSettled(taken, actual);
    }
    this.#isEnding = false;
    this.#room.serveStirred(now);
  }

  #compile(
    pauses: readonly Pause[],
    specs: readonly MeterSpec[],
    counting: Counting,
    prices: Prices | null,
  ): Meters {
    const meters: Meter[] = [];
    const lines: Line[] = [];
    const now = this.#clock.elapsedMs();
    for (const spec of specs) {
      const meter = { ...spec, counting, bucket: this.#quota.open(spec.limit, now) };
      meters.push(meter);
      lines.push(this.#line(meter));
    }
    const compiled = new Meters(pauses, meters, lines, prices);
    // A changed limit may have made room.
    for (const line of lines) this.#room.stir(line);
    this.#room.serveStirred(now);
    return compiled;
  }

  #line(meter: Meter): Line {
    const known = this.#lines.get(meter.bucket)?.deref();
    const line = known ?? new Line(meter);
    line.meter = meter;
    if (known === undefined) this.#lines.set(meter.bucket, new WeakRef(line));
    this.#list(line);
    return line;
  }

  #list(line: Line): void {
    line.isListed = true;
    line.askedIn = this.#round;
  }

  #pause(owner: string): Pause {
    const known = this.#pauses.get(owner);
    if (known !== undefined) return known;
    if (this.#pauses.size >= PAUSES_MAX) this.#forgetPauses();
    const pause = new Pause(owner);
    this.#pauses.set(owner, pause);
    return pause;
  }

  /** Clients name models, so there is no end of them. A pause that is over and forgotten still works for those who hold it. */
  #forgetPauses(): void {
    const now = this.#clock.elapsedMs();
    for (const [owner, { untilMs }] of this.#pauses) {
      if (untilMs <= now && owner.includes("/")) this.#pauses.delete(owner);
    }
  }
}

/** Which of its meters a reservation is ended at: the provider's slots, or the others. */
type Part = "all" | "use" | "slots";

/** Whether what this line waits for must be reserved: then a disk that is known to fail lets nobody in, and no sibling sends anything. */
function needsDisk({ bucket }: Line): boolean {
  return bucket !== null && bucket.limit.refill.kind !== "held";
}

function isOfKey({ meter }: Line): boolean {
  return meter?.ownerKind === "key";
}

function held(reservation: Reservation): Held {
  if (!(reservation instanceof Held)) throw new TypeError("a reservation comes from `reserve`");
  return reservation;
}
