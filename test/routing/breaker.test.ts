import { describe, expect, test } from "vitest";
import * as fc from "fast-check";
import { Circuit, CIRCUIT_POLICY, REFUSED } from "../../src/routing/breaker.ts";

const { failuresInRow, openMs, openMsMax, probes } = CIRCUIT_POLICY;

/** Fails as often as it takes; returns when the circuit opened. */
function open(circuit: Circuit, now: number): void {
  for (let count = 0; count < failuresInRow; count += 1) circuit.failed(circuit.start(now), now);
}

describe("a circuit", () => {
  test("opens after so many failures in a row and is half-open in time", () => {
    const circuit = new Circuit(CIRCUIT_POLICY);
    open(circuit, 100);
    expect(circuit.state(100)).toBe("open");
    expect(circuit.blockedMs(100)).toBe(openMs);
    expect(circuit.start(100 + openMs - 1)).toBe(REFUSED);
    expect(circuit.state(100 + openMs)).toBe("half_open");
    expect(circuit.blockedMs(100 + openMs)).toBe(0);
  });

  test("doubles its time with each failed probe up to a bound", () => {
    const circuit = new Circuit(CIRCUIT_POLICY);
    open(circuit, 0);
    let now = 0;
    const times: number[] = [];
    for (let round = 0; round < 8; round += 1) {
      times.push(circuit.blockedMs(now));
      now += circuit.blockedMs(now);
      circuit.failed(circuit.start(now), now);
    }
    expect(times).toEqual([5000, 10_000, 20_000, 40_000, 80_000, openMsMax, openMsMax, openMsMax]);
  });

  test("is not kept closed to others by a probe that never reports", () => {
    const circuit = new Circuit(CIRCUIT_POLICY);
    open(circuit, 0);
    const lost = circuit.start(openMs);
    expect(circuit.start(openMs + 1)).toBe(REFUSED);
    const second = circuit.start(openMs + CIRCUIT_POLICY.probeTimeoutMs);
    expect(second).not.toBe(REFUSED);
    circuit.succeeded(second, openMs + 61_000);
    expect(circuit.state(openMs + 61_000)).toBe("closed");
    circuit.failed(lost, openMs + 62_000);
    expect(circuit.state(openMs + 62_000)).toBe("closed");
  });

  test("is shortened by no later trip", () => {
    const circuit = new Circuit(CIRCUIT_POLICY);
    circuit.trip(0, 3_600_000);
    circuit.trip(1000, 60_000);
    expect(circuit.blockedMs(1000)).toBe(3_599_000);
  });

  test("closes by hand", () => {
    const circuit = new Circuit(CIRCUIT_POLICY);
    circuit.trip(0, 3_600_000);
    circuit.reset(1);
    expect(circuit.state(1)).toBe("closed");
  });

  const step = fc.oneof(
    fc.record({ kind: fc.constant("start" as const) }),
    fc.record({
      kind: fc.constantFrom("succeeded" as const, "failed" as const, "abandoned" as const),
      which: fc.nat(20),
    }),
    fc.record({ kind: fc.constant("trip" as const), forMs: fc.nat(100_000) }),
    fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(30_000) }),
    fc.record({ kind: fc.constant("suspect" as const), forMs: fc.nat(100_000) }),
  );

  test("never lets a request pass while it is open, nor more than its probes while it is half-open", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const circuit = new Circuit(CIRCUIT_POLICY);
        let now = 0;
        let running: { ticket: number; startedMs: number; wasHalfOpen: boolean }[] = [];
        for (const action of steps) {
          const before = circuit.state(now);
          const blockedMs = circuit.blockedMs(now);
          switch (action.kind) {
            case "start": {
              const ticket = circuit.start(now);
              expect(ticket === REFUSED).toBe(blockedMs > 0);
              if (before === "open") expect(ticket).toBe(REFUSED);
              if (ticket !== REFUSED)
                running.push({ ticket, startedMs: now, wasHalfOpen: before === "half_open" });
              const fresh = running.filter(
                (one) =>
                  one.wasHalfOpen &&
                  one.ticket === ticket &&
                  now - one.startedMs < CIRCUIT_POLICY.probeTimeoutMs,
              );
              expect(fresh.length).toBeLessThanOrEqual(probes);
              break;
            }
            case "wait":
              now += action.ms;
              break;
            case "trip":
              circuit.trip(now, action.forMs);
              break;
            case "suspect":
              circuit.suspect(now, action.forMs);
              break;
            case "succeeded":
            case "failed":
            case "abandoned": {
              const one = running[action.which % Math.max(1, running.length)];
              if (one === undefined) break;
              running = running.filter((other) => other !== one);
              if (action.kind === "abandoned") circuit.abandoned(one.ticket);
              else circuit[action.kind](one.ticket, now);
              break;
            }
          }
          expect(circuit.blockedMs(now)).toBeGreaterThanOrEqual(0);
          expect(circuit.blockedMs(now) > 0 || circuit.state(now) !== "open").toBe(true);
        }
        // Whatever has happened, it lets requests through again in bounded time, and a success closes it.
        now += 200_000;
        const ticket = circuit.start(now);
        expect(ticket).not.toBe(REFUSED);
        circuit.succeeded(ticket, now);
        expect(circuit.state(now)).toBe("closed");
      }),
      { numRuns: 500 },
    );
  });
});
