// `sluice status` and `sluice limits`: how an instance is doing, from what it shows anyway (`/readyz`, `/metrics`).
import { parseMetrics } from "./metrics-text.ts";
import type { MetricSample } from "./metrics-text.ts";
import { describeHeldBack, type HeldBack, heldBackOf } from "./held-back.ts";
import { findRemote, reporting } from "./remote.ts";
import type { Remote, RemoteShell } from "./remote.ts";
import { describeFleet, type FleetStatus, isPresent, readFleet } from "./fleet-status.ts";
import { describeSetLimits, readSetLimits, runLimitChange, type SetLimit } from "./limit-commands.ts";
import { amountOf, count, table, unitsPerAmount } from "./table.ts";
import type { Invocation } from "../args.ts";
import { isMatch } from "../name-pattern.ts";

export interface BucketStatus {
  /** Levels and capacities are in the limit's own unit, dollars for `usd`. */
  readonly bucket: string;
  readonly level: number;
  readonly capacity: number;
  readonly fleetLevel: number;
  readonly fleetCapacity: number;
  readonly waiting: number;
  readonly refused: number;
}

export interface TrafficStatus {
  readonly provider: string;
  readonly model: string;
  readonly requests: number;
  readonly failed: number;
  /** Seconds, on average; NaN while nothing was measured. */
  readonly firstTokenS: number;
  readonly overheadS: number;
  readonly tokens: number;
}

export interface InstanceStatus {
  readonly url: string;
  readonly isReady: boolean;
  /** Why it is not ready, in the words of `/readyz`. */
  readonly reasons: readonly string[];
  /** What should be looked at although it is ready. */
  readonly warnings: readonly string[];
  readonly traffic: readonly TrafficStatus[];
  readonly heldBack: readonly HeldBack[];
  readonly buckets: readonly BucketStatus[];
  /** How many more limits there are of those that were asked for. */
  readonly bucketsHidden: number;
  /** Limits set at run time; none when the instance keeps them from callers without its admin key. */
  readonly setLimits: readonly SetLimit[];
  /** null when the instance keeps it from callers without its admin key. */
  readonly fleet: FleetStatus | null;
}

/** The limits, and who shares them. */
type Levels = { readonly [Member in "buckets" | "fleet"]: InstanceStatus[Member] };

/** Resolves with the exit code: 0 ready, 1 not ready or not there. */
export function runStatus(invocation: Invocation, shell: RemoteShell): Promise<number> {
  return reporting(shell, async () => {
    const status = await readStatus(findRemote(invocation, shell), pickOf(invocation, ROWS));
    shell.out(`${invocation.flag("json") ? JSON.stringify(status, null, 2) : describeStatus(status)}\n`);
    return status.isReady ? 0 : 1;
  });
}

/** The same, limits alone; or one of them is set or unset. Resolves with the exit code. */
export function runLimits(invocation: Invocation, shell: RemoteShell): Promise<number> {
  if (invocation.words.length > 0) return runLimitChange(invocation, shell);
  return reporting(shell, async () => {
    const status = await readStatus(findRemote(invocation, shell), pickOf(invocation, ROWS));
    const { buckets, bucketsHidden, setLimits } = status;
    const text = [bucketTable(status), describeHidden(bucketsHidden), describeSetLimits(setLimits)].filter(
      (part) => part !== "",
    );
    shell.out(`${invocation.flag("json") ? JSON.stringify(buckets, null, 2) : text.join("\n\n")}\n`);
    return 0;
  });
}

/** How many limits people are shown when they don't say how many. */
const ROWS = 100;

/** Which limits to show. */
export interface Pick {
  /** Names with `*`; undefined: all. */
  readonly match: string | undefined;
  readonly rows: number;
}

/** Programs get all of them, unless they ask for fewer. */
export function pickOf(invocation: Invocation, rows: number): Pick {
  const asked = invocation.option("rows");
  const byDefault = invocation.flag("json") ? Infinity : rows;
  return {
    match: invocation.option("match"),
    rows: asked === undefined ? byDefault : Number(asked.replaceAll("_", "")),
  };
}

export async function readStatus(remote: Remote, pick: Pick): Promise<InstanceStatus> {
  const [ready, metrics, setLimits] = await Promise.all([
    remote.ask("GET", "/readyz"),
    remote.ask(
      "GET",
      `/metrics${pick.match === undefined ? "" : `?bucket=${encodeURIComponent(pick.match)}`}`,
    ),
    readSetLimits(remote),
  ]);
  const samples = parseMetrics(metrics.text);
  const all = bucketsOf(samples);
  const asked = all.filter(({ bucket }) => pick.match === undefined || isMatch(pick.match, bucket));
  const buckets = asked.length > pick.rows ? scarcest(asked).slice(0, pick.rows) : asked;
  const fleet = await readFleet(
    remote,
    buckets.length < all.length ? buckets.map(({ bucket }) => bucket) : null,
  );
  return {
    url: remote.url,
    isReady: ready.status === 200,
    reasons: ready.status === 200 ? [] : wordsIn(ready.text, "reasons"),
    warnings: wordsIn(ready.text, "warnings"),
    traffic: trafficOf(samples),
    heldBack: heldBackOf(samples),
    buckets,
    bucketsHidden: asked.length - buckets.length + sum(samples, "sluice_limits_left_out"),
    setLimits,
    fleet,
  };
}

function wordsIn(text: string, member: "reasons" | "warnings"): readonly string[] {
  const words = new RegExp(`"${member}":\\[([^\\]]*)\\]`).exec(text)?.[1] ?? "";
  return [...words.matchAll(/"([^"]+)"/g)].map(([, word = ""]) => word);
}

/** One row per group: the samples of a metric added up by the labels that `by` names. */
function grouped(
  samples: readonly MetricSample[],
  by: readonly string[],
): Map<string, readonly MetricSample[]> {
  return Map.groupBy(samples, ({ labels }) => by.map((name) => labels[name] ?? "").join("\n"));
}

function sum(samples: readonly MetricSample[], name: string): number {
  return samples.reduce((total, sample) => total + (sample.name === name ? sample.value : 0), 0);
}

function mean(samples: readonly MetricSample[], name: string): number {
  return sum(samples, `${name}_sum`) / sum(samples, `${name}_count`);
}

function trafficOf(samples: readonly MetricSample[]): readonly TrafficStatus[] {
  const own = samples.filter(
    ({ labels }) => labels["provider"] !== undefined && labels["model"] !== undefined,
  );
  return [...grouped(own, ["provider", "model"])].map(([key, group]) => {
    const [provider = "", model = ""] = key.split("\n");
    const requests = sum(group, "sluice_requests_total");
    const isOk = ({ labels }: MetricSample): boolean => labels["outcome"] === "ok";
    const kinds = group.filter(({ labels }) => labels["kind"] === "input" || labels["kind"] === "output");
    return {
      provider,
      model,
      requests,
      failed: requests - sum(group.filter(isOk), "sluice_requests_total"),
      firstTokenS: mean(group, "sluice_time_to_first_token_seconds"),
      overheadS: mean(group, "sluice_gateway_overhead_seconds"),
      tokens: sum(kinds, "sluice_tokens_total"),
    };
  });
}

function bucketsOf(samples: readonly MetricSample[]): readonly BucketStatus[] {
  const own = samples.filter(({ name }) => name.startsWith("sluice_bucket_"));
  return [...grouped(own, ["bucket"])].map(([bucket, group]) => {
    const perAmount = unitsPerAmount(bucket);
    const amount = (name: string): number => sum(group, `sluice_bucket_${name}_units`) / perAmount;
    return {
      bucket,
      level: amount("level"),
      capacity: amount("capacity"),
      fleetLevel: amount("fleet_level"),
      fleetCapacity: amount("fleet_capacity"),
      waiting: sum(group, "sluice_bucket_waiting_requests"),
      refused: sum(group, "sluice_bucket_refused_requests_total"),
    };
  });
}

/** Those that somebody waits for first, then those with the smallest part left. */
function scarcest(buckets: readonly BucketStatus[]): readonly BucketStatus[] {
  const part = ({ fleetLevel, fleetCapacity }: BucketStatus): number => fleetLevel / fleetCapacity;
  return buckets.toSorted((left, right) => right.waiting - left.waiting || part(left) - part(right));
}

/** For people; empty when all are shown. */
export function describeHidden(hidden: number): string {
  return hidden === 0
    ? ""
    : `… and ${count(hidden)} more limits: --match 'NAME*' picks some, --rows N shows more.`;
}

/** `ready`, or why not; with what should be looked at. */
export function stateOf({ isReady, reasons, warnings }: InstanceStatus): string {
  const state = isReady ? "ready" : `not ready (${reasons.join(", ") || "no reason given"})`;
  return warnings.length === 0 ? state : `${state}; look at ${warnings.join(", ")}`;
}

/** For people. */
export function describeStatus(status: InstanceStatus): string {
  const parts = [`${status.url} is ${stateOf(status)}.`];
  if (status.traffic.length > 0) parts.push(trafficTable(status.traffic));
  parts.push(describeHeldBack(status.heldBack));
  if (status.buckets.length > 0) parts.push(bucketTable(status));
  parts.push(describeHidden(status.bucketsHidden));
  parts.push(describeSetLimits(status.setLimits));
  parts.push(describeFleet(status.fleet));
  return parts.filter((part) => part !== "").join("\n\n");
}

function trafficTable(traffic: readonly TrafficStatus[]): string {
  const rows = traffic.map(({ provider, model, requests, failed, firstTokenS, overheadS, tokens }) => [
    provider === "" ? "(none)" : `${provider}/${model}`,
    count(requests),
    count(failed),
    Number.isNaN(firstTokenS) ? "–" : `${count(firstTokenS * 1000)} ms`,
    Number.isNaN(overheadS) ? "–" : `${count(overheadS * 1000)} ms`,
    count(tokens),
  ]);
  return table(["model", "requests", "failed", "first token", "overhead", "tokens"], rows);
}

/** Also where one holds all of every limit: the same columns at every instance, and in every frame. */
export function hasSiblings({ buckets, fleet }: Levels): boolean {
  return (
    (fleet?.members ?? []).filter(isPresent).length > 1 ||
    buckets.some(({ capacity, fleetCapacity }) => Math.abs(fleetCapacity - capacity) > 1e-6)
  );
}

/** The levels of an instance that is alone say it all; with siblings the fleet's stand beside them. */
function bucketTable(status: Levels): string {
  const { buckets } = status;
  if (buckets.length === 0) return "There are no limits.";
  const isShared = hasSiblings(status);
  const rows = buckets.map(({ bucket, level, capacity, fleetLevel, fleetCapacity, waiting, refused }) => {
    const here = [bucket, amountOf(bucket, level), amountOf(bucket, capacity)];
    const all = isShared ? [amountOf(bucket, fleetLevel), amountOf(bucket, fleetCapacity)] : [];
    return here.concat(all, count(waiting), count(refused));
  });
  const fleet = isShared ? ["fleet left", "fleet of"] : [];
  return table(["limit", "left", "of", ...fleet, "waiting", "refused"], rows);
}
