// Puts a group's targets in order. First come those that have room, by the group's strategy; then those that have none,
// by how soon they have some, led by those that a sibling warns of and somebody tries already; then those whose context is too small for the prompt, as far as one can estimate. What
// a circuit or a condition excludes is not there at all. A branch that is itself a group is judged by its best target.
import { holds } from "./condition.ts";
import type { RouteRequest } from "./condition.ts";
import { hashOf, uniformOf } from "./hash.ts";
import { blockedMs, isTried } from "./health.ts";
import type { Attempt, Branch, GroupNode, RouteNode, Side, Target } from "./target.ts";

/** How the world looks to one plan. The gateway keeps one object and sets `now` before each use. */
export interface View<U = unknown> {
  /** `Clock.elapsedMs()`. */
  readonly now: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Milliseconds until all of the target's buckets can admit this request (pauses included); 0: now, Infinity: not by waiting. */
  waitMs(target: Target<U>, request: RouteRequest): number;
  /** How much of the target's tightest bucket is left, from 0 to 1. */
  shareLeft(target: Target<U>, request: RouteRequest): number;
}

/** The attempts below a node, best first; empty when there are none. */
export function order<U>(node: RouteNode<U>, request: RouteRequest, view: View<U>): readonly Attempt<U>[] {
  const attempts = gather(node, request, view);
  if (node.kind === "target" || attempts.length < 2) return attempts;
  return node.branches.some((branch) => branch.node.kind === "group") || node.canary !== null
    ? flatten(attempts, node.patienceMs, { request, view })
    : attempts;
}

/** A branch that can be taken, with what its place depends on: the tier first, then the score, then the place; smaller is better. */
interface Candidate<U> {
  readonly attempts: readonly Attempt<U>[];
  readonly tier: Tier;
  score: number;
  readonly place: number;
}

const HAS_ROOM = 0;
const WAITS = 1;
const TOO_SMALL = 2;

type Tier = typeof HAS_ROOM | typeof WAITS | typeof TOO_SMALL;

/** How far an estimated prompt has to exceed a context for the target to be put last: estimates are off by some. */
const CONTEXT_MARGIN = 1.2;

function gather<U>(node: RouteNode<U>, request: RouteRequest, view: View<U>): readonly Attempt<U>[] {
  if (node.kind === "group") return gatherGroup(node, request, view);
  const { target } = node;
  if (target.endpoints !== null && !target.endpoints.has(request.endpoint)) return [];
  if (blockedMs(target.health, view.now) > 0) return [];
  return [{ target, waitMs: view.waitMs(target, request) }];
}

function gatherGroup<U>(group: GroupNode<U>, request: RouteRequest, view: View<U>): readonly Attempt<U>[] {
  const session = request.session === null ? null : hashOf(request.session);
  const turn = group.strategy === "ordered" ? 0 : Math.floor(view.random() * group.branches.length);
  const looks: Looks<U> = { request, view, session };
  const candidates: Candidate<U>[] = [];
  let place = turn - 1;
  for (const branch of group.branches) {
    place += 1;
    const attempts = gatherBranch(branch, request, view);
    const first = attempts[0];
    if (first === undefined) continue;
    const tier = tierOf(first, group.patienceMs, looks);
    candidates.push({
      attempts,
      tier,
      score: tier === WAITS ? first.waitMs : scoreOf(group, branch, first, looks),
      // Equal scores take turns, or the first of many idle targets would get everything.
      place: place % group.branches.length,
    });
  }
  if (group.strategy === "lowest_latency" && !(group.isSticky && session !== null))
    chooseOfTwo(candidates, view.random);
  candidates.sort(byTierScorePlace);
  const ordered: Attempt<U>[] = [];
  if (group.canary !== null) ordered.push(...canaryOf(group.canary, looks));
  for (const { attempts } of candidates) {
    for (const attempt of attempts) ordered.push(attempt);
  }
  return ordered;
}

function gatherBranch<U>(branch: Branch<U>, request: RouteRequest, view: View<U>): readonly Attempt<U>[] {
  return branch.when === null || holds(branch.when, request) ? gather(branch.node, request, view) : [];
}

function tierOf<U>(attempt: Attempt<U>, patienceMs: number, { request, view }: Scene<U>): Tier {
  const { contextTokens, health } = attempt.target;
  if (contextTokens !== null && request.promptTokens > CONTEXT_MARGIN * contextTokens) return TOO_SMALL;
  return attempt.waitMs <= patienceMs && !isTried(health, view.now) ? HAS_ROOM : WAITS;
}

/** What one plan looks at. */
interface Scene<U> {
  readonly request: RouteRequest;
  readonly view: View<U>;
}

/** `session`: the hash of the request's session. */
interface Looks<U> extends Scene<U> {
  readonly session: number | null;
}

function scoreOf<U>(
  group: GroupNode<U>,
  branch: Branch<U>,
  first: Attempt<U>,
  { request, view, session }: Looks<U>,
): number {
  const { weight } = branch;
  // The first to finish of exponential races at these rates wins with probability weight / sum of weights, and the
  // second likewise among the rest; drawn from names instead of chance it is weighted rendezvous hashing.
  if (group.isSticky && session !== null) return -Math.log(uniformOf(session, branch.hash)) / weight;
  switch (group.strategy) {
    case "ordered":
      return 0;
    case "weighted":
      return -Math.log(1 - view.random()) / weight;
    case "least_busy":
      return (first.target.health.inFlight + 1) / weight;
    case "lowest_latency":
      return weight === 0 ? Infinity : expectedLatency(first.target, view.now);
    case "most_room":
      return weight === 0 ? Infinity : -view.shareLeft(first.target, request);
  }
}

/** What one more request can expect: each that runs already makes it slower. One that nothing is known of is tried, by one request. */
function expectedLatency(target: Target, now: number): number {
  const { latency, inFlight } = target.health;
  const latencyMs = latency.current(now);
  return latencyMs === 0 && inFlight > 0 ? Number.MAX_VALUE : latencyMs * (inFlight + 1);
}

/**
 * The better of two drawn at random goes first (Mitzenmacher 2001): nearly as good as the best of all, and many
 * gateways that see the same figures don't all run to the same target.
 */
function chooseOfTwo<U>(candidates: Candidate<U>[], random: () => number): void {
  const open = candidates.filter(({ tier, score }) => tier === HAS_ROOM && score < Infinity);
  if (open.length < 3) return;
  const first = Math.floor(random() * open.length);
  const second = (first + 1 + Math.floor(random() * (open.length - 1))) % open.length;
  const left = open[first];
  const right = open[second];
  if (left === undefined || right === undefined) return;
  (left.score <= right.score ? left : right).score = -1;
}

function byTierScorePlace<U>(left: Candidate<U>, right: Candidate<U>): number {
  if (left.tier !== right.tier) return left.tier - right.tier;
  if (left.score !== right.score) return left.score < right.score ? -1 : 1;
  return left.place - right.place;
}

/** The canary's attempts when this request, or this session as a whole, is one of its percentage. */
function canaryOf<U>(
  { branch, percent }: Side<U>,
  { request, view, session }: Looks<U>,
): readonly Attempt<U>[] {
  // Another constant than the branches' own hashes, so that the canary does not draw from one branch's sessions alone.
  const draw = session === null ? view.random() : uniformOf(session, ~branch.hash);
  return draw * 100 < percent ? gatherBranch(branch, request, view) : [];
}

/** Groups below groups, and a canary: each target once, and those that wait behind those that don't. */
function flatten<U>(
  attempts: readonly Attempt<U>[],
  patienceMs: number,
  scene: Scene<U>,
): readonly Attempt<U>[] {
  const seen = new Set<Target<U>>();
  const tiers: [Attempt<U>[], Attempt<U>[], Attempt<U>[]] = [[], [], []];
  for (const attempt of attempts) {
    if (seen.has(attempt.target)) continue;
    seen.add(attempt.target);
    tiers[tierOf(attempt, patienceMs, scene)].push(attempt);
  }
  // Infinite waits are equal: their difference would not be a number.
  tiers[WAITS].sort((left, right) => (left.waitMs === right.waitMs ? 0 : left.waitMs - right.waitMs));
  return tiers.flat();
}
