// Which place in the line a request gets.
import { describe, expect, test } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import { priorityOf } from "../../src/gateway/priority.ts";

const KEY = { name: "team-a", models: null, weight: 1, expiresMs: Infinity } as const;

/** The priority, or the code and the message of the error. */
function outcome(right: 0 | 1 | 2, header: string | undefined, name: string): number | string {
  const headers = header === undefined ? {} : { "x-sluice-priority": header };
  try {
    return priorityOf(headers, { ...KEY, name, priority: right });
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return `${error.status} ${error.code} ${error.message}`;
  }
}

describe("a key of the priority", () => {
  test.each([
    [0, undefined, 0],
    [1, undefined, 1],
    [2, undefined, 2],
    [0, "high", 0],
    [0, "normal", 1],
    [0, "low", 2],
    [1, "normal", 1],
    [1, "low", 2],
    [2, "low", 2],
  ] as const)("%d whose request asks for %s gets %d", (right, header, priority) => {
    expect(outcome(right, header, "team-a")).toBe(priority);
  });

  test.each([
    [1, "high", "403 permission_denied The key `team-a` may not claim a priority above normal"],
    [2, "high", "403 permission_denied The key `team-a` may not claim a priority above low"],
    [2, "normal", "says normal"],
    [0, "urgent", "400 invalid_request `x-sluice-priority` must be one of high, normal, low."],
    [0, "", "400 invalid_request"],
    [0, "HIGH", "400 invalid_request"],
    [0, "high, low", "400 invalid_request"],
    [0, "toString", "400 invalid_request"],
  ] as const)("%d whose request asks for %j is told: %s", (right, header, problem) => {
    expect(outcome(right, header, "team-a")).toContain(problem);
  });

  test("may be nobody's: a gateway without keys says so", () => {
    expect(outcome(1, "high", "")).toContain("Requests without a key may not claim");
  });
});
