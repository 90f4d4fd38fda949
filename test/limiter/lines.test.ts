// The lines of limits that no configuration and no request has any more are freed, and with them their metrics.
import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { limitSpec, SoloLimiter } from "./solo-limiter.ts";

setFlagsFromString("--expose-gc");
const collect: unknown = runInNewContext("gc");

function bucketsIn(solo: SoloLimiter): number {
  return new Set([...solo.limiter.samples()].map(({ labels }) => labels["bucket"])).size;
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
