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
      capacity: 2000,
      refill: { kind: "continuous", unitsPerMs: 20 },
    },
    // So slow that what a kill burns is hardly refilled: a unit admitted twice would show.
    {
      key: "p2/tokens",
      dimension: "tokens",
      capacity: 100_000,
      refill: { kind: "continuous", unitsPerMs: 0.01 },
    },
    {
      key: "p3/usd",
      dimension: "usd",
      capacity: 50_000,
      refill: { kind: "calendar", period: "month", timezone: "UTC" },
    },
  ];
}
