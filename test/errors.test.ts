// The table of errors and its page in the docs say the same.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ERRORS, GatewayError } from "../src/errors.ts";

const PAGE = readFileSync(join(import.meta.dirname, "../docs/ERRORS.md"), "utf8");
const ROW = /^\| `(\w+)` \| (?:same|`(\w+)`) \| (\d+) \| `(\w+)` \| (\w+) \| (.+) \|$/gm;

describe("docs/ERRORS.md", () => {
  const rows = [...PAGE.matchAll(ROW)];

  test("lists every code with the clients' word for it, its status, type and advice, and none besides", () => {
    const listed = rows.map(([, code, clientCode, status, type, retry]) => [
      code,
      { status: Number(status), type, retry, ...(clientCode === undefined ? {} : { clientCode }) },
    ]);
    expect(Object.fromEntries(listed)).toEqual(ERRORS);
    expect(listed).toHaveLength(Object.keys(ERRORS).length);
  });

  test("says what each means in a sentence", () => {
    for (const [, , , , , , meaning] of rows) expect(meaning).toMatch(/^[A-Z].+\.$/);
  });
});

test("an error takes its status and type from the table, unless it says otherwise", () => {
  expect(new GatewayError("queue_full", "x")).toMatchObject({
    status: 429,
    type: "rate_limit_error",
    param: null,
  });
  expect(new GatewayError("provider_error", "x", { status: 418 })).toMatchObject({
    status: 418,
    retry: "later",
  });
});
