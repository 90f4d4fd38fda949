// Totals of use: `GET /admin/usage` for operators, `GET /v1/usage` for a client about its own key. Both take `from`, `to` (days)
// and `group_by`.
import type { Clock } from "../../clock.ts";
import { unitsPerAmount } from "../../config/limits.ts";
import type { ClientKey } from "../../gateway/runtime.ts";
import { assert } from "../../errors.ts";
import { jsonAnswer, type PlainRoute } from "../../http/plain-route.ts";
import type { LimitLevel } from "../../limiter/forecast.ts";
import { parseQuestion, usageReport } from "../../usage/report.ts";
import type { UsageBook } from "../../usage/usage-book.ts";

export interface UsageParts {
  readonly usage: UsageBook;
  readonly clock: Clock;
}

export function usageRoute({ usage, clock }: UsageParts): PlainRoute {
  return {
    method: "GET",
    path: "/admin/usage",
    async handle({ query }) {
      return jsonAnswer(await usageReport(usage, parseQuestion(query, clock.wallMs(), "key")));
    },
  };
}

/** `levels`: what is left of a caller's limits. */
export function ownUsageRoute(
  { usage, clock }: UsageParts,
  levels: (key: ClientKey) => readonly LimitLevel[],
): PlainRoute {
  return {
    method: "GET",
    path: "/v1/usage",
    async handle({ query, caller }) {
      assert(caller !== undefined, "a client's route is told who asks");
      const question = parseQuestion(query, clock.wallMs(), "model");
      const report = await usageReport(usage, question, caller.name);
      return jsonAnswer({ key: caller.name, ...report, limits: levels(caller).map(levelView) });
    },
  };
}

/** A limit and what the fleet has left of it, in the limit's own unit. */
export function levelView({ meter, facts }: LimitLevel) {
  const unit = unitsPerAmount(meter.limit.dimension);
  return {
    limit: meter.name,
    of: facts.limit / unit,
    left: facts.remaining / unit,
    full_in_ms: Math.ceil(facts.resetMs),
  };
}
