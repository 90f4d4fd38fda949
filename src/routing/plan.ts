// From a request to the targets to try, in order. What the limiter knows of room and what the circuits know of health
// goes in as values; nothing is reserved or sent here. A route that is one target, which most are, costs a lookup
// and three comparisons and allocates nothing.
import { holds } from "./condition.ts";
import type { RouteRequest } from "./condition.ts";
import { blockedMs } from "./health.ts";
import { order } from "./order.ts";
import type { View } from "./order.ts";
import { refuseModel, refuseKey, refuseTargets } from "./refusal.ts";
import type { RouteTable } from "./table.ts";
import type { Plan, Side, Target } from "./target.ts";

/** Plans a request: what to try, or why there is nothing to try. */
export function plan<U>(request: RouteRequest, table: RouteTable<U>, view: View<U>): Plan<U> {
  const { allowedModels } = request;
  const node = table.resolve(request.model);
  if (node === undefined) return refuseModel(request, table);
  if (allowedModels !== null && !allowedModels.has(request.model)) return refuseKey(request, allowedModels);
  if (node.kind === "target") {
    const { health, endpoints } = node.target;
    const isFit = endpoints === null || endpoints.has(request.endpoint);
    return isFit && blockedMs(health, view.now) === 0 ? node.alone : refuseTargets(node, request, view.now);
  }
  const attempts = order(node, request, view);
  if (attempts.length === 0) return refuseTargets(node, request, view.now);
  const shadow = node.shadow === null ? null : shadowOf(node.shadow, request, view);
  return { kind: "attempts", attempts, shadow };
}

/** The shadow's first choice, if this request is one of its percentage. */
function shadowOf<U>(side: Side<U>, request: RouteRequest, view: View<U>): Target<U> | null {
  const { branch, percent } = side;
  if (view.random() * 100 >= percent) return null;
  if (branch.when !== null && !holds(branch.when, request)) return null;
  return order(branch.node, request, view)[0]?.target ?? null;
}
