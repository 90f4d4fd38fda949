// Why there is nothing to try, in words that help: the model that was probably meant, what the key may use, when a
// resting target will be tried again. Nothing here runs unless a request is refused.
import { holds } from "./condition.ts";
import type { RouteRequest } from "./condition.ts";
import { blockedMs } from "./health.ts";
import { didYouMean } from "./suggest.ts";
import type { RouteTable } from "./table.ts";
import type { Refusal, RouteNode, Target } from "./target.ts";

/** How many names a message lists, and how much of a name that a client made up it repeats. */
const NAMES_MAX = 20;
const ECHO_MAX = 100;

/** Nothing is known by this name. */
export function refuseModel<U>(request: RouteRequest, table: RouteTable<U>): Refusal {
  const { model, allowedModels } = request;
  const names = [...(allowedModels ?? table.names())];
  const meant = didYouMean(model, names);
  const advice =
    meant === null ? `It is one of: ${listOf(names)}` : `Did you mean \`${meant}\`? Known: ${listOf(names)}`;
  return {
    kind: "refused",
    code: "model_not_found",
    message: `The model \`${quoted(model)}\` does not exist. ${names.length === 0 ? "None is configured by a name of its own: ask for one of a provider as `PROVIDER/MODEL`" : advice}.`,
  };
}

/** The client key may not use this model. */
export function refuseKey(request: RouteRequest, allowed: ReadonlySet<string>): Refusal {
  return {
    kind: "refused",
    code: "permission_denied",
    message: `The key \`${request.keyName}\` may not use the model \`${quoted(request.model)}\`. It may use: ${listOf([...allowed])}.`,
  };
}

/** The route exists, but none of its targets can be tried. */
export function refuseTargets<U>(node: RouteNode<U>, request: RouteRequest, now: number): Refusal {
  const targets = targetsFor(node, request);
  if (targets.length === 0) {
    return {
      kind: "refused",
      code: "invalid_request",
      message: `No target of \`${quoted(request.model)}\` takes this request: each has conditions that it does not meet.`,
    };
  }
  const fit = targets.filter(({ endpoints }) => endpoints === null || endpoints.has(request.endpoint));
  if (fit.length === 0) {
    return {
      kind: "refused",
      code: "invalid_request",
      message: `The model \`${quoted(request.model)}\` can't be used for ${request.endpoint}: its provider does not offer that.`,
    };
  }
  return refuseResting(fit, request, now);
}

function refuseResting(targets: readonly Target[], request: RouteRequest, now: number): Refusal {
  const retryAfterMs = Math.max(
    1,
    Math.ceil(Math.min(...targets.map(({ health }) => blockedMs(health, now)))),
  );
  const names = targets.map(({ provider, model }) => `${provider}/${model}`);
  return {
    kind: "refused",
    code: "provider_overloaded",
    message: `Every target of \`${quoted(request.model)}\` is resting after failures: ${listOf([...new Set(names)])}.`,
    retryAfterMs,
  };
}

/** The targets below a node whose conditions the request meets. */
function targetsFor<U>(node: RouteNode<U>, request: RouteRequest): readonly Target<U>[] {
  if (node.kind === "target") return [node.target];
  return node.branches
    .filter(({ when }) => when === null || holds(when, request))
    .flatMap((branch) => targetsFor(branch.node, request));
}

function listOf(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_MAX).map((name) => `\`${quoted(name)}\``);
  const more = names.length - shown.length;
  return more > 0 ? `${shown.join(", ")} and ${more} more` : shown.join(", ");
}

/** What a client wrote is repeated on one line and not at length. */
function quoted(name: string): string {
  const line = name.replaceAll(/\p{Cc}/gu, "�");
  return line.length > ECHO_MAX ? `${line.slice(0, ECHO_MAX)}…` : line;
}
