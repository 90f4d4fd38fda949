// The limits of the kill -9 test, shared by the process that is killed and the one that keeps the exact books.
import type { Limit } from "../../src/bucket/limit.ts";

/** How many requests may run at the same time. */
export const SLOTS = 6;

export function killNineLimits(): readonly Limit[] {
  return [
    { key: "p0/concurrent", dimension: "concurrent", capacity: SLOTS, refill: { kind: "held" } },
    {
      key: "p1/tokens",
      dimension: "tokens",
      capacity: 5000,
      refill: { kind: "continuous", unitsPerMs: 100 },
    },
    // So little that each life drains it: a unit admitted twice shows at once.
    {
      key: "p2/tokens",
      dimension: "tokens",
      capacity: 400,
      refill: { kind: "continuous", unitsPerMs: 0.5 },
    },
    // Not refilled during the test.
    {
      key: "p3/usd",
      dimension: "usd",
      capacity: 5000,
      refill: { kind: "calendar", period: "month", timezone: "UTC" },
    },
  ];
}
