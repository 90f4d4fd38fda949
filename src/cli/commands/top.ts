// `sluice top`: the same as `sluice status`, drawn again every second, with rates in place of totals and a bar per limit.
import { systemTimers } from "../../clock.ts";
import type { Timers } from "../../clock.ts";
import type { Invocation } from "../args.ts";
import { findRemote, reporting } from "./remote.ts";
import type { RemoteShell } from "./remote.ts";
import { describeHidden, hasSiblings, pickOf, readStatus, stateOf } from "./status.ts";
import type { InstanceStatus, TrafficStatus } from "./status.ts";
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
  /** What the window has room for at this moment; 0: not known. */
  readonly screen: () => Screen;
}

export interface Screen {
  readonly lines: number;
  readonly columns: number;
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
      const isDrawn = shell.isTerminal && !invocation.flag("json");
      shell.out(isDrawn ? `${HOME}${clipped(text, shell.screen())}\n` : `${text}\n`);
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
  if (current.buckets.length > 0) parts.push(bars(current));
  parts.push(describeHidden(current.bucketsHidden));
  parts.push(describeFleet(current.fleet));
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

/** With siblings the bar is the fleet's: what is not here they send. */
function bars(status: InstanceStatus): string {
  const isShared = hasSiblings(status);
  const rows = status.buckets.map(({ bucket, level, capacity, fleetLevel, fleetCapacity, waiting }) => {
    const here = [amountOf(bucket, level), amountOf(bucket, capacity)];
    const all = isShared ? [amountOf(bucket, fleetLevel), amountOf(bucket, fleetCapacity)] : here;
    const drawn = isShared ? bar(fleetLevel, fleetCapacity) : bar(level, capacity);
    return [bucket, drawn, ...all, ...(isShared ? here : []), count(waiting)];
  });
  const columns = isShared ? ["fleet left", "", "of", "here", "of"] : ["left", "", "of"];
  return table(["limit", ...columns, "waiting"], rows);
}

/** As much of a frame as the window shows: one that is longer would scroll its head away. */
export function clipped(text: string, { lines, columns }: Screen): string {
  const all = text.split("\n").map((line) => (columns > 0 ? line.slice(0, columns) : line));
  // The cursor stands on a line of its own.
  if (lines === 0 || all.length < lines) return all.join("\n");
  const shown = all.slice(0, Math.max(1, lines - 2));
  return [...shown, `… ${all.length - shown.length} lines more: --match 'NAME*' picks limits`].join("\n");
}

/** What is left of a bucket. An empty or indebted one has no filled cell, one with anything left at least one. */
export function bar(level: number, capacity: number): string {
  const part = capacity > 0 ? Math.min(1, Math.max(0, level / capacity)) : 0;
  const filled = part === 0 ? 0 : Math.max(1, Math.round(part * BAR_WIDTH));
  return "█".repeat(filled) + "░".repeat(BAR_WIDTH - filled);
}
