// Recorded errors of eleven hosts. They are not part of the project: the test is skipped where they are absent.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { classify } from "../../providers/dialects/classify.ts";

const FIXTURES = process.env["SLUICE_FIXTURES"] ?? join(import.meta.dirname, "../../../shared/fixtures");
const ERRORS = join(FIXTURES, "limits/errors-recorded.jsonl");
const QUOTA_ERROR = join(FIXTURES, "gemini/429-retry-info.json");
const ROUTER_ERRORS = join(FIXTURES, "compat/openrouter-errors.json");

interface Recorded {
  readonly status: number;
  readonly body: unknown;
}

function readLines(path: string): readonly Recorded[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line): Recorded => JSON.parse(line));
}

describe.skipIf(!existsSync(ERRORS))("recorded errors (skipped where the recordings are absent)", () => {
  const recorded = existsSync(ERRORS) ? readLines(ERRORS) : [];

  test.each(recorded)("$host $status $body", ({ status, body }) => {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    // All recorded failures are either about the model or about the request; wrong models say so in some words.
    const isAboutModel =
      /not_found|DeploymentNotFound|NOT_FOUND|identifier is invalid|Model nonexistent/.test(text);
    const failure = classify({ status, headers: {}, body }, [], 0);
    expect(failure.kind).toBe(isAboutModel ? "not_found" : "bad_request");
    expect(failure.message).not.toBe("");
  });

  test("a router's upstream limit is capacity, not a limit of ours", () => {
    const cassette: { interactions: { response: { status: number; json: unknown } }[] } = JSON.parse(
      readFileSync(ROUTER_ERRORS, "utf8"),
    );
    for (const { response } of cassette.interactions) {
      const failure = classify({ status: response.status, headers: {}, body: response.json }, [], 0);
      expect(failure).toMatchObject({ kind: "capacity", message: expect.stringContaining("upstream") });
    }
  });

  test("a quota of a minute is a limit, with the delay that stands beside it", () => {
    const body: unknown = JSON.parse(readFileSync(QUOTA_ERROR, "utf8"));
    expect(classify({ status: 429, headers: {}, body }, [], 0)).toMatchObject({
      kind: "rate_limited",
      waitMs: 34_400,
    });
  });
});
