// The order in which a gateway stops, in time moved by hand.
import { describe, expect, test } from "vitest";
import { Drain } from "../../../src/cli/wiring/drain.ts";
import { silentLog } from "../../../src/observe/events.ts";
import { ManualClock } from "../../manual-clock.ts";
import type { StopSteps } from "../../../src/cli/wiring/drain.ts";

/** Lets everything that was resolved run on. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

function stopping(changes: Partial<StopSteps> = {}) {
  const clock = new ManualClock();
  const calls: string[] = [];
  let finish = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const note = (name: string) => async () => void calls.push(name);
  const drain = new Drain({
    drainMs: () => 1000,
    timers: clock,
    log: silentLog,
    running: () => 1,
    steps: {
      finish: () => (calls.push("finish"), finished),
      cut: () => (calls.push("cut"), finish()),
      handBack: note("handBack"),
      close: note("close"),
      ...changes,
    },
  });
  return { drain, clock, calls, finish };
}

const never = () => new Promise<void>(() => {});
const fails = () => Promise.reject(new Error("no"));

describe("a gateway that is told to stop", () => {
  test("lets what runs finish, then hands back, then closes, and exits with 0", async () => {
    const { drain, calls, finish } = stopping();
    expect(drain.isDraining).toBe(false);
    const code = drain.stop("SIGTERM");
    await settled();
    expect([drain.state, drain.isDraining, calls]).toEqual(["draining", true, ["finish"]]);
    finish();
    expect(await code).toBe(0);
    expect(calls).toEqual(["finish", "handBack", "close"]);
    expect(drain.state).toBe("closed");
  });

  test("cuts what still runs at the limit, not before it", async () => {
    const { drain, clock, calls } = stopping();
    const code = drain.stop("SIGTERM");
    await settled();
    clock.advance(999);
    await settled();
    expect(calls).toEqual(["finish"]);
    clock.advance(1);
    expect(await code).toBe(0);
    expect(calls).toEqual(["finish", "cut", "handBack", "close"]);
  });

  test("hands back even when a request outlives its cut", async () => {
    const { drain, clock, calls } = stopping({ cut: () => {} });
    const code = drain.stop("SIGTERM");
    await settled();
    clock.advance(1000);
    await settled();
    expect(calls).toEqual(["finish"]);
    clock.advance(2000);
    expect(await code).toBe(0);
    expect(calls).toEqual(["finish", "handBack", "close"]);
  });

  test.each([
    ["handing back fails", { handBack: fails }, 0],
    ["handing back never ends", { handBack: never }, 10_000],
    ["closing fails", { close: fails }, 0],
    ["closing never ends", { close: never }, 5000],
  ])("exits with 1, and in bounded time, when %s", async (_, steps, waitMs) => {
    const { drain, clock, finish } = stopping(steps);
    finish();
    const code = drain.stop("SIGTERM");
    await settled();
    clock.advance(waitMs);
    expect(await code).toBe(1);
    expect(clock.pending()).toBe(0);
  });

  test("stops only once, however often it is told to", async () => {
    const { drain, calls, finish } = stopping();
    finish();
    const [first, second] = [drain.stop("SIGTERM"), drain.stop("SIGINT")];
    expect(first).toBe(second);
    await first;
    expect(calls).toEqual(["finish", "handBack", "close"]);
  });
});
