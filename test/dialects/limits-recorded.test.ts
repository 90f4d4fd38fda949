// Recorded headers of many hosts. They are not part of the project: the tests are skipped where they are absent.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { LimitReader } from "../../providers/dialects/limits.ts";

const FIXTURES = process.env["SLUICE_FIXTURES"] ?? join(import.meta.dirname, "../../../shared/fixtures");
const RESETS = join(FIXTURES, "limits/reset-semantics-recorded.jsonl");
const HEADERS = join(FIXTURES, "limits/ratelimit-headers-recorded.json");

interface RecordedReset {
  readonly host: string;
  readonly dimension: string;
  readonly limit: number;
  readonly remaining: number;
  /** As it was sent, except that instants are seconds from the answer's date. */
  readonly reset: string | number;
}

describe.skipIf(!existsSync(RESETS))("recorded resets (skipped where the recordings are absent)", () => {
  const lines = existsSync(RESETS) ? readFileSync(RESETS, "utf8").trim().split("\n") : [];
  const recorded = lines.map((line): RecordedReset => JSON.parse(line));

  test.each(recorded)("$host $dimension: $remaining of $limit, full in $reset", (line) => {
    const { dimension, limit, remaining, reset } = line;
    const name = dimension.split(" ").at(-1) ?? "";
    const headers = {
      [`x-ratelimit-limit-${name}`]: String(limit),
      [`x-ratelimit-remaining-${name}`]: String(remaining),
      // Instants are given as seconds from the answer's date.
      [`x-ratelimit-reset-${name}`]:
        typeof reset === "number" ? new Date(reset * 1000).toISOString().replace(".000", "") : reset,
    };
    const [report] = new LimitReader({ resetUnit: null, names: {} }).read(headers, 200, 0);
    const isDaily = (line.host === "api.groq.com" && name === "requests") || limit === 200;
    // A reset that was rounded away shows no window, but a wrong one is never shown.
    expect(report?.windowMs ?? null).toBeOneOf(isDaily ? [86_400_000] : [60_000, null]);
  });

  test("show their window as a rule", () => {
    const seen = recorded.filter(({ reset }) => !["0s", -1, 0].includes(reset));
    const shown = seen.filter(({ dimension, limit, remaining, reset }) => {
      const headers = {
        [`x-ratelimit-limit-${dimension}`]: String(limit),
        [`x-ratelimit-remaining-${dimension}`]: String(remaining),
        [`x-ratelimit-reset-${dimension}`]: typeof reset === "number" ? `${reset}s` : reset,
      };
      return new LimitReader({ resetUnit: null, names: {} }).read(headers, 200, 0)[0]?.windowMs != null;
    });
    expect(shown.length / seen.length).toBeGreaterThan(0.7);
  });
});

describe.skipIf(!existsSync(HEADERS))("recorded headers (skipped where the recordings are absent)", () => {
  test("are all understood that speak of limits", () => {
    const { hosts }: { hosts: Record<string, Record<string, string[]>> } = JSON.parse(
      readFileSync(HEADERS, "utf8"),
    );
    for (const headers of Object.values(hosts)) {
      const first = Object.fromEntries(
        Object.entries(headers).map(([name, values]) => [name, values[0] ?? ""]),
      );
      const reports = new LimitReader({ resetUnit: null, names: {} }).read(
        first,
        200,
        Date.UTC(2025, 4, 13, 13, 41),
      );
      const isAboutLimits = Object.keys(first).some((name) =>
        /ratelimit-(?!tokens-query|abuse)|-limit$/.test(name),
      );
      expect(reports.length > 0 ? "some" : "none").toBe(isAboutLimits ? "some" : "none");
      for (const { name, dimension } of reports) expect(dimension === null).toBe(name === "input-images");
    }
  });
});
