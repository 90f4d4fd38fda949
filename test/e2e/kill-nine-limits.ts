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
    // A kill burns about as much as is refilled until the next: little is there, so a unit admitted twice shows.
    {
      key: "p2/tokens",
      dimension: "tokens",
      capacity: 3000,
      refill: { kind: "continuous", unitsPerMs: 3 },
    },
    {
      key: "p3/usd",
      dimension: "usd",
      capacity: 50_000,
      refill: { kind: "calendar", period: "month", timezone: "UTC" },
    },
  ];
}
