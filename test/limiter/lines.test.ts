// The lines of limits that no configuration and no request has any more are freed, and with them their metrics.
import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import type { IsAsked } from "../../src/observe/events.ts";
import { limitSpec, SoloLimiter } from "./solo-limiter.ts";

setFlagsFromString("--expose-gc");
const collect: unknown = runInNewContext("gc");

function namesIn(solo: SoloLimiter, isAsked?: IsAsked): ReadonlySet<string> {
  return new Set([...solo.limiter.samples(isAsked)].flatMap(({ labels }) => labels["bucket"] ?? []));
}

function leftOut(solo: SoloLimiter, isAsked?: IsAsked): number | undefined {
  return [...solo.limiter.samples(isAsked)].find(({ name }) => name === "sluice_limits_left_out")?.value;
}

function bucketsIn(solo: SoloLimiter): number {
  return namesIn(solo).size;
}

test("the line of a limit that is configured no more is freed; that of one which stays is the same", async () => {
  const solo = new SoloLimiter();
  const kept = solo.target("p", [limitSpec("provider", "p", "tokens=100/10s")]);
  for (let reload = 0; reload < 50; reload++) {
    const meters = solo.target("p", [
      limitSpec("provider", "p", "tokens=100/10s"),
      limitSpec("provider", `q${reload}`, "requests=5/1s"),
    ]);
    expect(meters.lines[0]).toBe(kept.lines[0]);
  }
  expect(bucketsIn(solo)).toBe(51);
  await nextTurn();
  if (typeof collect !== "function") throw new Error("the collector can't be called");
  collect();
  await nextTurn();
  // The last reload may still be on the stack.
  expect(bucketsIn(solo)).toBeLessThanOrEqual(2);
  expect(kept.lines[0]?.size).toBe(0);
});

test("metrics show a bounded number of limits, providers' first, or those that are asked for, and count the others", () => {
  const solo = new SoloLimiter();
  const spec = (at: number) => limitSpec("key", `k${at}`, "requests=5/1s");
  const keys = solo.limiter.open(Array.from({ length: 1500 }, (_, at) => spec(at)));
  const target = solo.target("p", [limitSpec("provider", "p", "tokens=100/10s")]);
  expect([bucketsIn(solo), leftOut(solo)]).toEqual([1000, 501]);
  expect(namesIn(solo).has("p/tokens")).toBe(true);
  const isAsked: IsAsked = (limit) => limit.startsWith("k149");
  expect([namesIn(solo, isAsked).size, leftOut(solo, isAsked)]).toEqual([11, 0]);
  // Both are held to here.
  expect([keys.lines.length, target.lines.length]).toEqual([1500, 1]);
});
