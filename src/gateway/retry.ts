// Whether and when a request that failed is sent again: routing decides, here its answer is carried out. Only asked while
// nothing has gone to the client.
import type { Timers } from "../clock.ts";
import { Progress } from "../routing/retry.ts";
import type { Setback } from "../routing/retry.ts";
import type { Attempt, Target } from "../routing/target.ts";
import type { AttemptEnd } from "./attempt.ts";
import type { Exchange } from "./exchange.ts";
import { isUnsuited, verdictOf } from "./outcome.ts";
import type { UpstreamTarget } from "./sending/upstream-target.ts";

/** The request's way through its plan, made when the attempt at `first` has failed. */
export function progressFrom(
  attempts: readonly Attempt<UpstreamTarget>[],
  first: Target<UpstreamTarget>,
  { runtime, deadlineMs }: Exchange,
): Progress<UpstreamTarget> {
  const progress = new Progress(
    attempts.map(({ target }) => target),
    runtime.retry,
    deadlineMs,
  );
  progress.started(first);
  return progress;
}

/** A failed attempt as routing looks at it. */
export function setbackOf(end: AttemptEnd): Setback {
  if (isUnsuited(end)) return { kind: "unsuited", waitMs: null };
  const verdict = verdictOf(end);
  // An attempt that was stopped says nothing of its target, and is not tried again either.
  if (verdict.kind === "ok" || verdict.kind === "abandoned") return { kind: "bad_request", waitMs: null };
  return { kind: verdict.kind, waitMs: verdict.waitMs ?? null };
}

/** Lets time pass before the next attempt; ends early when the request is stopped. */
export async function pause(exchange: Exchange, delayMs: number, timers: Timers): Promise<void> {
  if (delayMs < 1) return;
  await new Promise<void>((resolve) => {
    const cancel = timers.after(delayMs, resolve);
    exchange.onStop = () => {
      cancel();
      resolve();
    };
  });
  exchange.onStop = null;
}
