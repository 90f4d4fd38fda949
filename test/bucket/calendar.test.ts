// Calendar boundaries, around the days on which clocks change.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { boundaryAfter, periodOf } from "../../src/bucket/calendar.ts";
import type { CalendarPeriod } from "../../src/bucket/limit.ts";

describe("a calendar boundary", () => {
  test.each<[CalendarPeriod, string, string, string]>([
    ["day", "UTC", "2026-11-21T08:00:00Z", "2026-11-22T00:00:00Z"],
    ["day", "America/Los_Angeles", "2026-11-21T08:00:00Z", "2026-11-22T08:00:00Z"],
    ["day", "America/Los_Angeles", "2026-03-08T09:00:00Z", "2026-03-09T07:00:00Z"],
    ["day", "America/Los_Angeles", "2026-11-01T08:00:00Z", "2026-11-02T08:00:00Z"],
    ["month", "UTC", "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"],
    ["month", "Asia/Kolkata", "2026-01-31T18:29:59Z", "2026-01-31T18:30:00Z"],
    ["h", "Asia/Kolkata", "2026-01-31T18:29:59Z", "2026-01-31T18:30:00Z"],
    ["h", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z"],
    ["min", "Asia/Kolkata", "2026-01-31T18:29:59Z", "2026-01-31T18:30:00Z"],
  ])("of a %s in %s after %s is at %s", (period, timezone, at, expected) => {
    expect(boundaryAfter(Date.parse(at), period, timezone)).toBe(Date.parse(expected));
  });

  test("lies after every instant, and periods never fall as time advances", () => {
    const zones = fc.constantFrom("UTC", "America/Los_Angeles", "Asia/Kolkata", "Australia/Lord_Howe");
    const periods = fc.constantFrom<CalendarPeriod>("min", "h", "day", "month");
    fc.assert(
      fc.property(
        zones,
        periods,
        fc.integer({ min: 1.7e12, max: 1.9e12 }),
        fc.integer({ min: 0, max: 1e8 }),
        (zone, period, at, later) => {
          const end = boundaryAfter(at, period, zone);
          expect(end).toBeGreaterThan(at);
          expect(periodOf(end, period, zone)).toBeGreaterThan(periodOf(at, period, zone));
          expect(periodOf(end - 1, period, zone)).toBe(periodOf(at, period, zone));
          expect(periodOf(at + later, period, zone)).toBeGreaterThanOrEqual(periodOf(at, period, zone));
        },
      ),
      { numRuns: 300 },
    );
  });
});
