// One leader at a time, and every follower hears exactly once, whatever becomes of the leaders.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Flights, type FlightEnd } from "../../src/cache/flights.ts";
import { answer } from "./answers.ts";

function withFollowers(count: number) {
  const flights = new Flights();
  const flight = flights.begin("k");
  const ends: (FlightEnd["kind"] | null)[] = Array.from({ length: count }, () => null);
  const cancels = ends.map((_, index) => flight.follow(({ kind }) => (ends[index] = kind)));
  return { flights, flight, ends, cancels };
}

describe("followers", () => {
  test("all get the answer, and the question is open again", () => {
    const { flights, flight, ends } = withFollowers(3);
    flight.answered(answer());
    expect(ends).toEqual(["answered", "answered", "answered"]);
    expect(flights.get("k")).toBeUndefined();
  });

  test("take over one after the other when leaders leave", () => {
    const { flights, flight, ends } = withFollowers(3);
    flight.abandoned();
    flight.abandoned();
    expect(ends).toEqual(["lead", "lead", null]);
    expect(flights.get("k")).toBe(flight);
    flight.answered(answer());
    expect(ends).toEqual(["lead", "lead", "answered"]);
  });

  test("take over once after a failure, and go on alone after the second", () => {
    const { flights, flight, ends } = withFollowers(3);
    flight.failed();
    expect(ends).toEqual(["lead", null, null]);
    flight.failed();
    expect(ends).toEqual(["lead", "alone", "alone"]);
    expect(flights.get("k")).toBeUndefined();
  });

  test("go on alone when the answer can't be kept, and what comes later changes nothing", () => {
    const { flights, flight, ends } = withFollowers(2);
    flight.release();
    const next = flights.begin("k");
    flight.answered(answer());
    flight.failed();
    flight.abandoned();
    expect(ends).toEqual(["alone", "alone"]);
    expect(flights.get("k")).toBe(next);
  });

  test("that have left hear nothing and do not lead", () => {
    const { flight, ends, cancels } = withFollowers(2);
    cancels[0]?.();
    flight.abandoned();
    expect(ends).toEqual([null, "lead"]);
  });

  test("are bounded in number", () => {
    const { flight } = withFollowers(1000);
    expect(flight.isFull).toBe(true);
  });
});

test("a flight whose last leader has left is over", () => {
  const { flights, flight } = withFollowers(0);
  flight.abandoned();
  expect(flights.get("k")).toBeUndefined();
});

test("nobody hears twice and nobody waits for ever, in any order of events", () => {
  const event = fc.constantFrom("answered", "failed", "abandoned", "release", "leave", "join");
  fc.assert(
    fc.property(fc.array(event), (events) => {
      const flights = new Flights();
      let flight = flights.begin("k");
      const heard: number[] = [];
      const cancels: (() => void)[] = [];
      for (const each of events) {
        if (each === "join") {
          const index = heard.push(0) - 1;
          flight = flights.get("k") ?? flights.begin("k");
          cancels.push(flight.follow(() => void (heard[index] = (heard[index] ?? 0) + 1)));
        } else if (each === "leave") cancels.pop()?.();
        else if (each === "answered") flight.answered(answer());
        else flight[each]();
      }
      expect(Math.max(0, ...heard)).toBeLessThanOrEqual(1);
      flights.get("k")?.release();
      expect(flights.followerCount).toBe(0);
    }),
  );
});
