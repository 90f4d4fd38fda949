// `sluice top`: the same as `sluice status`, drawn again every second, with rates in place of totals and a bar per limit.
import { systemTimers } from "../../clock.ts";
import type { Timers } from "../../clock.ts";
import type { Invocation } from "../args.ts";
import { findRemote, reporting } from "./remote.ts";
import type { RemoteShell } from "./remote.ts";
import { describeHidden, pickOf, readStatus, stateOf } from "./status.ts";
import type { BucketStatus, InstanceStatus, TrafficStatus } from "./status.ts";
import { listenForStop } from "./stop-signals.ts";
import type { SignalSource } from "./stop-signals.ts";
import { describeHeldBack } from "./held-back.ts";
import { describeFleet } from "./fleet-status.ts";
import { amountOf, count, table } from "./table.ts";

const EVERY_MS = 1000;
const BAR_WIDTH = 20;
/** What a screen has room for. */
const ROWS = 30;
/** To the top left, and everything below away: less flicker than clearing the screen first. */
const HOME = "\u001B[H\u001B[J";

export interface TopShell extends RemoteShell {
  readonly signals: SignalSource;
  /** Whether frames may be drawn over each other; otherwise they follow one another. */
  readonly isTerminal: boolean;
}

/** Draws until a signal comes. Resolves with the exit code; 1 when the instance can't be asked. */
export function runTop(
  invocation: Invocation,
  shell: TopShell,
  timers: Timers = systemTimers,
): Promise<number> {
  return reporting(shell, async () => {
    const remote = findRemote(invocation, shell);
    const stop = listenForStop(shell.signals, () => process.exit(1));
    const stopped = stop.first.then(() => "stopped" as const);
    let previous: InstanceStatus | null = null;
    do {
      const current = await readStatus(remote, pickOf(invocation, ROWS));
      const text = invocation.flag("json")
        ? JSON.stringify(current)
        : describeFrame(previous, current, EVERY_MS);
      shell.out(`${shell.isTerminal && !invocation.flag("json") ? HOME : ""}${text}\n`);
      previous = current;
    } while ((await pause(timers, stopped)) === "again");
    stop.off();
    return 0;
  });
}

/** Waits for the next frame's time, or for the end. */
function pause(timers: Timers, stopped: Promise<"stopped">): Promise<"again" | "stopped"> {
  return new Promise((resolve) => {
    const cancel = timers.after(EVERY_MS, () => resolve("again"));
    void stopped.then((reason) => {
      cancel();
      resolve(reason);
    });
  });
}

/** One frame; `previous` is the status `elapsedMs` before, null at the first. */
export function describeFrame(
  previous: InstanceStatus | null,
  current: InstanceStatus,
  elapsedMs: number,
): string {
  const parts = [`${current.url}  ${stateOf(current)}`];
  if (current.traffic.length > 0)
    parts.push(rates(previous?.traffic ?? current.traffic, current.traffic, elapsedMs));
  parts.push(describeHeldBack(current.heldBack));
  if (current.buckets.length > 0) parts.push(bars(current.buckets));
  parts.push(describeHidden(current.bucketsHidden));
  if (current.fleet !== null) parts.push(describeFleet(current.fleet));
  return parts.filter((part) => part !== "").join("\n\n");
}

function rates(before: readonly TrafficStatus[], now: readonly TrafficStatus[], elapsedMs: number): string {
  const rows = now.map((row) => {
    const old = before.find(({ provider, model }) => provider === row.provider && model === row.model);
    const perSecond = (value: number, was: number | undefined): string =>
      count(((value - (was ?? 0)) * 1000) / elapsedMs);
    return [
      row.provider === "" ? "(none)" : `${row.provider}/${row.model}`,
      perSecond(row.requests, old?.requests),
      perSecond(row.failed, old?.failed),
      perSecond(row.tokens, old?.tokens),
      count(row.requests),
    ];
  });
  return table(["model", "requests/s", "failed/s", "tokens/s", "requests"], rows);
}

function bars(buckets: readonly BucketStatus[]): string {
  const rows = buckets.map((row) => [
    row.bucket,
    bar(row.level, row.capacity),
    amountOf(row.bucket, row.level),
    amountOf(row.bucket, row.capacity),
    amountOf(row.bucket, row.fleetCapacity),
    count(row.waiting),
  ]);
  return table(["limit", "left", "", "of", "fleet", "waiting"], rows);
}

/** What is left of a bucket. An empty or indebted one has no filled cell, one with anything left at least one. */
export function bar(level: number, capacity: number): string {
  const part = capacity > 0 ? Math.min(1, Math.max(0, level / capacity)) : 0;
  const filled = part === 0 ? 0 : Math.max(1, Math.round(part * BAR_WIDTH));
  return "█".repeat(filled) + "░".repeat(BAR_WIDTH - filled);
}
