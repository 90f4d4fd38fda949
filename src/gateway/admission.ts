// Getting in: the first target that has room for the request takes it at once; when none has, the request stands in
// line for the one that will have room soonest, and goes to another if that turns out to have some earlier. Nothing is
// held while waiting.
import { assert } from "../errors.ts";
import type { Limiter } from "../limiter/limiter.ts";
import type { Refusal, Reservation, Waiting } from "../limiter/reservation.ts";
import { blockedMs, type Pass } from "../routing/health.ts";
import type { Target } from "../routing/target.ts";
import { addLimitHeaders } from "./relay/answer-headers.ts";
import type { Attempt } from "./attempt.ts";
import type { Exchange } from "./exchange.ts";
import type { PlannedRequest } from "./planned-request.ts";
import type { ServeParts } from "./serve.ts";
import type { UpstreamTarget } from "./sending/upstream-target.ts";

type RouteTarget = Target<UpstreamTarget>;

/** Units are taken for one attempt at this target. */
export class Granted {
  readonly kind = "granted";
  readonly target: RouteTarget;
  readonly reservation: Reservation;
  /** How long the request stood in line for it, in milliseconds. */
  readonly waitedMs: number;
  /** The target's circuits have let the attempt through; to be reported on when it ends. */
  pass: Pass | null = null;
  /** What it was taken for, once that has been sent. */
  attempt: Attempt | null = null;

  constructor(target: RouteTarget, reservation: Reservation, waitedMs = reservation.waitedMs) {
    this.target = target;
    this.reservation = reservation;
    this.waitedMs = waitedMs;
  }
}

/** Takes the units for one attempt at one of the targets. It answers at once unless the request has to wait. */
export function obtain(
  targets: readonly RouteTarget[],
  planned: PlannedRequest,
  exchange: Exchange,
  parts: ServeParts,
): Granted | Refusal | Promise<Granted | Refusal> {
  const [first] = targets;
  assert(first !== undefined, "there is a target to try");
  const queue: Queue = { planned, exchange, parts };
  if (targets.length === 1) return standInLine(first, [], queue);
  const waits: { readonly target: RouteTarget; readonly waitMs: number }[] = [];
  for (const target of targets) {
    const outcome = parts.limiter.reserve(planned.meters(target), planned.ask(target, 0), planned.now);
    if (outcome.kind === "reserved") return new Granted(target, outcome);
    if (outcome.kind === "refused") waits.push({ target, waitMs: outcome.retryAfterMs });
    else {
      outcome.cancel();
      const waitMs = parts.limiter.roomMs(planned.meters(target), planned.ask(target, 0), planned.now);
      // It has room, and only its reservation on disk is awaited: the next target would be the wrong one.
      if (waitMs === 0) return standInLine(target, targets, queue);
      waits.push({ target, waitMs });
    }
  }
  waits.sort((left, right) => (left.waitMs < right.waitMs ? -1 : 1));
  let refusal: Refusal | null = null;
  for (const { target } of waits) {
    const outcome = standInLine(target, targets, queue);
    if (outcome instanceof Promise || outcome.kind === "granted") return outcome;
    refusal ??= outcome;
  }
  // The one that would have room soonest is the one to tell of.
  if (waits[0] !== undefined) tellOfLimits(waits[0].target, queue);
  return refusal ?? LEFT;
}

interface Queue {
  readonly planned: PlannedRequest;
  readonly exchange: Exchange;
  readonly parts: ServeParts;
}

/** `all`: the targets that the request may go to meanwhile. */
function standInLine(
  target: RouteTarget,
  all: readonly RouteTarget[],
  queue: Queue,
): Granted | Refusal | Promise<Granted | Refusal> {
  const { planned, exchange, parts } = queue;
  const ask = planned.ask(target, exchange.runtime.queueWaitMs);
  const outcome = parts.limiter.reserve(planned.meters(target), ask, planned.now);
  if (outcome.kind === "reserved") return new Granted(target, outcome);
  // From here on the request may end in a refusal.
  tellOfLimits(target, queue);
  if (outcome.kind === "refused") return outcome;
  return waitInLine(target, outcome, all, queue);
}

/** A refusal says whose limits they are and what is left of them. */
function tellOfLimits(target: RouteTarget, { planned, exchange, parts }: Queue): void {
  const headers: string[] = [];
  addLimitHeaders(headers, parts.limiter.facts(planned.meters(target), planned.now));
  exchange.limitHeaders = headers;
  if (exchange.record.attempts === 0) exchange.targetHeaders = target.upstream.answerHeaders;
}

/** Until its line's turn comes, its deadline passes, the client leaves, or another target has got room. */
function waitInLine(
  target: RouteTarget,
  place: Waiting,
  all: readonly RouteTarget[],
  { planned, exchange, parts }: Queue,
): Promise<Granted | Refusal> {
  return new Promise((resolve) => {
    let stopLooking = (): void => undefined;
    let isOver = false;
    const end = (outcome: Granted | Refusal): void => {
      isOver = true;
      stopLooking();
      exchange.onStop = null;
      resolve(outcome);
    };
    const look = (): void => {
      const found = takeElsewhere(target, all, planned, parts);
      if (isOver) {
        // Looking elsewhere has moved the lines, and this one's turn has come.
        if (found !== null) parts.limiter.giveBack(found.reservation, parts.clock.elapsedMs());
      } else if (found === null) {
        stopLooking = parts.timers.after(LOOK_MS, look);
      } else {
        place.cancel();
        end(found);
      }
    };
    if (all.length > 1) stopLooking = parts.timers.after(LOOK_MS, look);
    exchange.onStop = () => {
      place.cancel();
      end(LEFT);
    };
    place.decided((decision) => end(decision.kind === "reserved" ? new Granted(target, decision) : decision));
  });
}

/** How often a request in line looks whether another target has got room, in milliseconds. */
const LOOK_MS = 100;

/** Units at a target that has room by now although the request stands in another's line; nobody is overtaken. */
function takeElsewhere(
  here: RouteTarget,
  all: readonly RouteTarget[],
  planned: PlannedRequest,
  { clock, limiter }: ServeParts,
): Granted | null {
  const now = clock.elapsedMs();
  for (const target of all) {
    if (target === here || blockedMs(target.health, now) > 0) continue;
    const taken = takeNow(target, planned, limiter, now);
    if (taken !== null) return new Granted(target, taken, now - planned.now);
  }
  return null;
}

/** Units at a target that has some now; null: it has none. Nothing is waited for, and nobody overtaken. */
export function takeNow(
  target: RouteTarget,
  planned: PlannedRequest,
  limiter: Limiter,
  now: number,
): Reservation | null {
  const meters = planned.meters(target);
  const ask = planned.ask(target, 0);
  // Asking takes nothing and counts nothing, so it comes first.
  return limiter.roomMs(meters, ask, now) > 0 ? null : limiter.reserveNow(meters, ask, now);
}

/** The request was stopped while it stood in line. */
const LEFT: Refusal = {
  kind: "refused",
  reason: "closed",
  meter: null,
  provider: "",
  retryAfterMs: Infinity,
};
