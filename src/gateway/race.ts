// One request at two targets: when the first is slower to answer than it nearly always is, a second is asked beside it, and
// the first of the two to begin its answer is the one that the client gets (hedged requests: Dean and Barroso 2013).
//
//   first  ──────────── slow ──────────┬───── begins ──▶ relayed, settled
//                                      │         └─▶ the other is cancelled, and settled with what it has used
//   second        after `afterMs` ─▶ reserve ─▶ send
//
// The second takes units of its own and never waits for them; it is an attempt like any other, and paid for from the
// retry budget of its provider and from the hedges' own.
import { assert, type GatewayError } from "../errors.ts";
import type { Progress } from "../routing/retry.ts";
import type { Attempt as PlannedAttempt, Target } from "../routing/target.ts";
import { hedgeAfterMs } from "../routing/hedge.ts";
import { Granted, takeNow } from "./admission.ts";
import type { Attempt, AttemptEnd } from "./attempt.ts";
import { carryOut, type Way } from "./carry-out.ts";
import type { Exchange } from "./exchange.ts";
import { progressFrom, setbackOf } from "./retry.ts";
import type { UpstreamTarget } from "./sending/upstream-target.ts";

type RouteTarget = Target<UpstreamTarget>;

/** After how many milliseconds without an answer a request to this target is hedged; null: it is not. */
export function hedgeDelayMs({ request, runtime }: Exchange, { health }: RouteTarget): number | null {
  const { hedge } = runtime;
  if (hedge === null || request.upload !== null || !hedge.endpoints.has(request.route.endpoint)) return null;
  hedge.budget.deposit();
  return hedgeAfterMs(request.members.isStream ? health.latencies.streamed : health.latencies.whole, hedge);
}

interface Runner {
  readonly granted: Granted;
  readonly attempt: Attempt;
}

interface RaceOptions {
  /** What both attempts share; each gets this race with it. */
  readonly way: Way;
  readonly afterMs: number;
  readonly attempts: readonly PlannedAttempt<UpstreamTarget>[];
  /** The request's way through these attempts so far; null: the race is its first step. */
  readonly progress: Progress<UpstreamTarget> | null;
}

export class Race {
  /** The request's way through its attempts, made when it matters. */
  progress: Progress<UpstreamTarget> | null;
  readonly #options: RaceOptions;
  readonly #runners: Runner[] = [];
  readonly #finished = Promise.withResolvers<AttemptEnd>();
  #first: Granted | null = null;
  #running = 0;
  #last: RouteTarget | null = null;
  #end: AttemptEnd | null = null;
  #fault: { readonly cause: unknown } | null = null;
  #cancelHedge: () => void = () => undefined;

  constructor(options: RaceOptions) {
    this.#options = options;
    this.progress = options.progress;
  }

  /** Sends the request to the target that has granted it, and perhaps to another. Rejects only for a fault of ours. */
  run(first: Granted): Promise<AttemptEnd> {
    const { way, afterMs } = this.#options;
    const { exchange, parts } = way;
    this.#first = first;
    this.#last = first.target;
    exchange.onStop = (error) => this.#stop(error);
    exchange.onBegin = (attempt) => this.#begun(attempt);
    this.#cancelHedge = parts.timers.after(afterMs, () => this.#hedge());
    this.#start(first);
    return this.#finished.promise;
  }

  /** Whose attempt the race ended with. */
  get last(): RouteTarget {
    assert(this.#last !== null, "a race has been run");
    return this.#last;
  }

  /** An attempt of this race is about to be sent. */
  joined(granted: Granted, attempt: Attempt): void {
    if (!this.isFirst(granted)) this.#options.way.parts.hedges.sent(granted.target.provider);
    this.#runners.push({ granted, attempt });
  }

  /** Whether this is the attempt that the request began with. */
  isFirst(granted: Granted): boolean {
    return granted === this.#first;
  }

  #start(granted: Granted): void {
    this.#running += 1;
    carryOut(granted, { ...this.#options.way, race: this }).then(
      (end) => this.#ended(granted.target, end),
      (cause: unknown) => {
        this.#fault ??= { cause };
        for (const { attempt } of this.#runners) attempt.yieldTo("");
        this.#ended(granted.target, null);
      },
    );
  }

  #hedge(): void {
    const { exchange } = this.#options.way;
    if (exchange.stopped !== null) return;
    const granted = this.#reserve();
    if (granted === null) return;
    this.#progress(exchange).started(granted.target);
    this.#start(granted);
  }

  #progress(exchange: Exchange): Progress<UpstreamTarget> {
    const { attempts } = this.#options;
    return (this.progress ??= progressFrom(attempts, this.#first?.target ?? this.last, exchange));
  }

  /** Units at another target, if both budgets have something left for it. */
  #reserve(): Granted | null {
    const { exchange, planned, parts } = this.#options.way;
    const budget = exchange.runtime.hedge?.budget;
    if (budget === undefined || budget.left() < 1) return null;
    const now = parts.clock.elapsedMs();
    for (const target of this.#progress(exchange).others(now)) {
      const { retryBudget } = target.health;
      const taken = retryBudget.left() < 1 ? null : takeNow(target, planned, parts.limiter, now);
      if (taken === null) continue;
      budget.withdraw();
      retryBudget.withdraw();
      return new Granted(target, taken, 0);
    }
    return null;
  }

  /** One of them begins to answer: the others have lost. */
  #begun(winner: Attempt): void {
    const { exchange, parts } = this.#options.way;
    this.#cancelHedge();
    exchange.onBegin = null;
    const won = this.#runners.find(({ attempt }) => attempt === winner);
    if (won === undefined) return;
    if (!this.isFirst(won.granted)) parts.hedges.won(won.granted.target.provider);
    for (const { attempt } of this.#runners) {
      if (attempt !== winner) attempt.yieldTo(won.granted.target.provider);
    }
  }

  #stop(error: GatewayError): void {
    this.#cancelHedge();
    for (const { attempt } of this.#runners) attempt.abort(error);
  }

  /** The last to end decides, unless it has lost; of one that fails earlier the other targets' order has to know. */
  #ended(target: RouteTarget, end: AttemptEnd | null): void {
    const { exchange, parts } = this.#options.way;
    this.#running -= 1;
    if (end !== null && end.kind !== "lost") {
      if (this.#running > 0 && end.kind === "failed") {
        this.#progress(exchange).failed(target, setbackOf(end), parts.clock.elapsedMs());
      }
      this.#last = target;
      this.#end = end;
    }
    if (this.#running > 0) return;
    this.#cancelHedge();
    exchange.onBegin = null;
    if (this.#fault !== null) this.#finished.reject(this.#fault.cause);
    else if (this.#end !== null) this.#finished.resolve(this.#end);
    else this.#finished.reject(new Error("Invariant broken: somebody wins a race"));
  }
}
