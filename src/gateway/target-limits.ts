// The limits of one target, and what the provider's answers say about them: limits that are learned join those that the
// configuration names, a level comes down where others use the same account, and a refusal pauses whom it speaks of.
//
//   answer ──▶ advisor ──▶ learned: new meters, for requests from now on
//                     ├──▶ remaining below ours: the level comes down
//                     └──▶ 429: the model or the provider is paused, and what was left of its limits here is told
import type { LimitAdvice, LimitAdvisor } from "../../providers/dialects/limits-advice.ts";
import {
  excessOver,
  type ConfiguredLimit,
  type LearnedLimit,
} from "../../providers/dialects/limits-learning.ts";
import type { LimitSource } from "../../providers/dialects/limits.ts";
import type { Clock } from "../clock.ts";
import type { Limiter } from "../limiter/limiter.ts";
import type { Meters } from "../limiter/meters.ts";
import type { KnownLimit, RefusalObserver } from "../observe/events.ts";

/** The meters of a target, and the same limits as the advisor measures them, in the same order. */
export interface KeptLimits {
  readonly meters: Meters;
  readonly kept: readonly ConfiguredLimit[];
}

interface TargetLimitsOptions {
  readonly limiter: Limiter;
  readonly clock: Clock;
  readonly advisor: LimitAdvisor;
  readonly observer: RefusalObserver;
  /** What was learned before, by the provider's names; what is learned from now on is added. */
  readonly learned: Map<string, LearnedLimit>;
  /** Opens the configured limits and these. */
  readonly compile: (learned: Iterable<LearnedLimit>) => KeptLimits;
}

/** A refusal for want of room, as far as limits go. */
export interface RateLimited {
  readonly headers: LimitSource;
  readonly body: unknown;
  /** How long the provider asked to be left alone, in milliseconds; null: it did not say. */
  readonly waitMs: number | null;
}

/** For how long a refusal that names no time holds back, in milliseconds: the first, doubled by each that follows, and the most. */
const UNTOLD_MS = 500;
const UNTOLD_MS_MAX = 30_000;

export class TargetLimits {
  readonly #options: TargetLimitsOptions;
  #meters: Meters;
  /** The latest pause that nobody named. */
  #untoldMs = 0;
  #untoldUntilMs = -Infinity;

  constructor(options: TargetLimitsOptions) {
    this.#options = options;
    this.#meters = this.#open();
  }

  /** The limits of the provider and of the model, as they are known now. */
  get meters(): Meters {
    return this.#meters;
  }

  /** Takes in the head of an answer to a request that was sent at `sentMs`. Most cost a comparison. */
  answered(status: number, headers: LimitSource, sentMs: number): void {
    const { advisor, clock } = this.#options;
    const now = clock.elapsedMs();
    if (status < 300) this.#untoldMs = 0;
    // An error may come from whoever stands before the provider, who has limits of his own.
    if (!advisor.isDue(now) || status >= 300) return;
    const advice = advisor.advise({ status, headers }, now, clock.wallMs());
    if (advice !== null) this.#heed(advice, sentMs, now);
  }

  /** Takes in a refusal for want of room, whatever its status. */
  refused({ headers, body, waitMs }: RateLimited): void {
    const { advisor, clock, limiter } = this.#options;
    const now = clock.elapsedMs();
    // The advice may bring levels down to what the provider says.
    this.#tell(waitMs, now);
    const advice = advisor.advise({ status: 429, headers, body, waitMs }, now, clock.wallMs());
    limiter.pause(this.#meters, this.#blamed(advice), now + (waitMs ?? this.#untoldPauseMs(now)));
    if (advice !== null) this.#heed(advice, now, now);
  }

  /** Takes in a refusal for a limit of a day or longer. Its circuit keeps requests away, so it is only told. */
  spent(waitMs: number | null): void {
    this.#tell(waitMs, this.#options.clock.elapsedMs());
  }

  #tell(waitMs: number | null, now: number): void {
    const { provider, model } = this.#meters;
    this.#options.observer.providerRefused({ provider, model, limits: this.#known(now), waitMs });
  }

  /** The limits by which the provider may have refused, as they stand here. */
  #known(now: number): readonly KnownLimit[] {
    const rooms = this.#options.limiter.rooms(this.#meters, now);
    return this.#meters.meters.flatMap(({ limit }, index) => {
      const room = rooms[index];
      if (room === undefined || limit.dimension === "usd") return [];
      return { limit: limit.key, level: room.fleetLevel, capacity: room.fleetCapacity };
    });
  }

  /** Refusals of requests that were sent before a pause began count as one. */
  #untoldPauseMs(now: number): number {
    if (now >= this.#untoldUntilMs) {
      this.#untoldMs = Math.min(UNTOLD_MS_MAX, Math.max(UNTOLD_MS, this.#untoldMs * 2));
      this.#untoldUntilMs = now + this.#untoldMs;
    }
    return this.#untoldUntilMs - now;
  }

  #heed({ learned, remaining }: LimitAdvice, sentMs: number, now: number): void {
    const { limiter } = this.#options;
    for (const { index, report } of remaining) {
      const refill = this.#meters.meters[index]?.limit.refill;
      if (refill === undefined || report.remaining === null) continue;
      // The report may be as old as the request; what has come back since is not missing.
      const refilled = refill.kind === "continuous" ? (now - sentMs) * refill.unitsPerMs : 0;
      const latest = { ...report, remaining: report.remaining + refilled };
      limiter.lower(this.#meters, index, (level) => excessOver(latest, level), now);
    }
    if (learned.length === 0) return;
    for (const limit of learned) this.#options.learned.set(limit.name, limit);
    this.#meters = this.#open();
  }

  /** Whose limit refused: the one that has nothing left if it is one of ours, else the provider's if it has any here. */
  #blamed(advice: LimitAdvice | null): "provider" | "model" {
    const { meters } = this.#meters;
    const spent = advice?.remaining.find(({ report }) => report.remaining === 0);
    const blamed =
      spent === undefined
        ? meters.find(({ ownerKind, limit }) => ownerKind === "provider" && limit.refill.kind !== "held")
        : meters[spent.index];
    return blamed?.ownerKind === "provider" ? "provider" : "model";
  }

  #open(): Meters {
    const { advisor, compile, learned } = this.#options;
    const { meters, kept } = compile(learned.values());
    advisor.keep(kept);
    return meters;
  }
}
