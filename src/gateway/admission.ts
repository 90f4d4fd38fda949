// Getting in: the first target that has room for the request takes it at once; when none has, the request stands in
// line for the one that will have room soonest. Nothing is held while waiting.
import { assert } from "../errors.ts";
import type { Ask, Refusal, Reservation } from "../limiter/reservation.ts";
import type { Pass } from "../routing/health.ts";
import type { Target } from "../routing/target.ts";
import { addLimitHeaders } from "./answer-headers.ts";
import type { Exchange } from "./exchange.ts";
import type { PlannedRequest } from "./planned-request.ts";
import type { ServeParts } from "./serve.ts";
import type { UpstreamTarget } from "./upstream-target.ts";

type RouteTarget = Target<UpstreamTarget>;

/** Units are taken for one attempt at this target. */
export class Granted {
  readonly kind = "granted";
  readonly target: RouteTarget;
  readonly reservation: Reservation;
  /** The target's circuits have let the attempt through; to be reported on when it ends. */
  pass: Pass | null = null;

  constructor(target: RouteTarget, reservation: Reservation) {
    this.target = target;
    this.reservation = reservation;
  }
}

/** Takes the units for one attempt at one of the targets. It answers at once unless the request has to wait. */
export function obtain(
  targets: readonly RouteTarget[],
  planned: PlannedRequest,
  exchange: Exchange,
  parts: ServeParts,
): Granted | Refusal | Promise<Granted | Refusal> {
  let [soonest] = targets;
  assert(soonest !== undefined, "there is a target to try");
  let soonestMs = Infinity;
  if (targets.length > 1) {
    for (const target of targets) {
      const outcome = parts.limiter.reserve(planned.meters(target), planned.ask(target, 0), planned.now);
      if (outcome.kind === "reserved") return new Granted(target, outcome);
      if (outcome.kind === "waiting") {
        // It has room, and only its reservation on disk is awaited: the next target would be the wrong one.
        outcome.cancel();
        soonest = target;
        break;
      }
      if (outcome.retryAfterMs < soonestMs) {
        soonest = target;
        soonestMs = outcome.retryAfterMs;
      }
    }
  }
  return standInLine(soonest, planned.ask(soonest, exchange.runtime.queueWaitMs), planned, {
    exchange,
    parts,
  });
}

function standInLine(
  target: RouteTarget,
  ask: Ask,
  planned: PlannedRequest,
  { exchange, parts }: { readonly exchange: Exchange; readonly parts: ServeParts },
): Granted | Refusal | Promise<Granted | Refusal> {
  const outcome = parts.limiter.reserve(planned.meters(target), ask, planned.now);
  if (outcome.kind === "reserved") return new Granted(target, outcome);
  // From here on the request may end in a refusal, which tells what is left.
  const headers: string[] = [];
  addLimitHeaders(headers, parts.limiter.facts(planned.meters(target), planned.now));
  exchange.limitHeaders = headers;
  if (outcome.kind === "refused") return outcome;
  return new Promise((resolve) => {
    exchange.onStop = () => {
      outcome.cancel();
      resolve(LEFT);
    };
    outcome.decided((decision) => {
      exchange.onStop = null;
      resolve(decision.kind === "reserved" ? new Granted(target, decision) : decision);
    });
  });
}

/** The request was stopped while it stood in line. */
const LEFT: Refusal = {
  kind: "refused",
  reason: "closed",
  meter: null,
  provider: "",
  retryAfterMs: Infinity,
};
