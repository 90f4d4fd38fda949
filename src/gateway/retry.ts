// Whether and when a request that failed is sent again. Only asked while nothing has gone to the client.
import type { Random, Timers } from "../clock.ts";
import type { ErrorCode, GatewayError } from "../errors.ts";
import type { Target } from "../routing/target.ts";
import type { Exchange } from "./exchange.ts";
import type { UpstreamTarget } from "./upstream-target.ts";

type RouteTarget = Target<UpstreamTarget>;

/** The first wait before the same target is tried again, in milliseconds; it doubles each time. */
const BACKOFF_MS = 100;
const BACKOFF_MS_MAX = 5000;

/** What one provider can't serve another one may, though the client should not repeat it: it lacks the model, or its context is too short. */
const MAY_FIT_ELSEWHERE = new Set<ErrorCode>(["model_not_found", "context_length_exceeded"]);

/** The targets that are left after a failure at `failed`, in the order to try them; empty: the failure is final. */
export function targetsAfter(
  error: GatewayError,
  failed: RouteTarget,
  targets: readonly RouteTarget[],
): readonly RouteTarget[] {
  const others = targets.filter((target) => target !== failed);
  if (MAY_FIT_ELSEWHERE.has(error.code)) return others;
  switch (error.retry) {
    case "no":
      return [];
    case "elsewhere":
      return others;
    case "later":
      return [...others, failed];
  }
}

/** The same target is given time before it is tried again, with full jitter; another one is tried at once. */
export async function pauseBeforeRetry(
  exchange: Exchange,
  turn: { readonly next: RouteTarget | undefined; readonly failed: RouteTarget; readonly sent: number },
  { random, timers }: { readonly random: Random; readonly timers: Timers },
): Promise<void> {
  if (turn.next !== turn.failed) return;
  const ms = random() * Math.min(BACKOFF_MS_MAX, BACKOFF_MS * 2 ** (turn.sent - 1));
  if (ms < 1) return;
  await new Promise<void>((resolve) => {
    const cancel = timers.after(ms, resolve);
    exchange.onStop = () => {
      cancel();
      resolve();
    };
  });
  exchange.onStop = null;
}
