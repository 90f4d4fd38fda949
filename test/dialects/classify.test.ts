// Errors in the shapes of each provider (classify-cases.txt), and what becomes of them.
import { describe, expect, test } from "vitest";
import * as fc from "fast-check";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { classify, toGatewayError } from "../../providers/dialects/classify.ts";
import type { ErrorKind, FailedAnswer } from "../../providers/dialects/classify.ts";
import type { ErrorKind as ConfigErrorKind } from "../../src/config/config.ts";
import { ERRORS } from "../../src/errors.ts";

const NOW = Date.UTC(2026, 10, 21, 10);

const CASES = readFileSync(join(import.meta.dirname, "classify-cases.txt"), "utf8")
  .replaceAll(/^#.*\n/gm, "")
  .split(/\n\n(?=[^\n]+\n\d{3}\n)/)
  .map(readCase);

/** A name, a status with headers, a body, and what is expected. */
function readCase(text: string): { name: string; answer: FailedAnswer; expected: string } {
  const match = /^\s*(.+)\n(\d{3})\n((?:.+\n)*)\n([^]*)\n----\n(.+)\s*$/.exec(text);
  const [, name = "", status = "", headers = "", body = "", expected = ""] = match ?? [];
  const pairs = headers.split("\n").flatMap((line) => (line === "" ? [] : [line.split(": ", 2)]));
  return {
    name,
    answer: {
      status: Number(status),
      headers: Object.fromEntries(pairs),
      body: new TextEncoder().encode(body),
    },
    expected,
  };
}

/** The envelope of chat completions. */
function plain(
  message: string,
  type: string | null,
  code: string | number | null = null,
  param: string | null = null,
) {
  return { error: { message, type, param, code } };
}

describe("a failure is classified", () => {
  test.each(CASES)("$name", ({ answer, expected }) => {
    const { kind, waitMs } = classify(answer, [], NOW);
    expect(waitMs === null ? kind : `${kind}, wait ${waitMs} ms`).toBe(expected);
  });

  test("in more than a hundred ways", () => {
    expect(CASES.length).toBeGreaterThan(100);
  });

  test("by the provider's hints first, of which all conditions have to hold", () => {
    const hint = { status: 400, code: "1302", message: "Busy", kind: "rate_limited" } as const;
    const kindOf = (status: number, code: string, message: string) =>
      classify({ status, headers: {}, body: plain(message, null, code) }, [hint], NOW).kind;
    expect(kindOf(400, "1302", "too busy now")).toBe("rate_limited");
    expect(kindOf(400, "1303", "too busy now")).toBe("bad_request");
    expect(kindOf(400, "1302", "hello")).toBe("bad_request");
  });

  test("whatever the body is, without a throw", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 100, max: 999 }),
        fc.oneof(fc.json(), fc.anything(), fc.uint8Array()),
        (status, body) => {
          const failure = classify({ status, headers: {}, body }, [], NOW);
          expect(failure.message.length).toBeLessThanOrEqual(501);
          expect(failure.waitMs ?? 1).toBeGreaterThan(0);
          expect(toGatewayError(failure, "p").status).toBeGreaterThanOrEqual(400);
        },
      ),
    );
  });

  test("in time that no body can stretch", () => {
    const pieces = [
      "<title",
      "model: ",
      "the input was ",
      "account ",
      "exceeds the maximum ",
      "sk-",
      "user-a1",
      "1m",
      "arn:aws:",
      " ",
    ];
    for (const status of [200, 403, 429]) {
      for (const piece of pieces) {
        const text = piece.repeat(64_000 / piece.length);
        const startedMs = performance.now();
        for (const body of [text, `<${text}`, plain(text, text, text)])
          classify({ status, headers: {}, body }, [], NOW);
        // Some milliseconds in truth; a pattern that backtracks would take many seconds.
        expect(performance.now() - startedMs).toBeLessThan(1000);
      }
    }
  });

  test("in the same words that the configuration uses", () => {
    const ours: ConfigErrorKind = classify({ status: 500, headers: {}, body: "" }, [], NOW).kind;
    const theirs: ErrorKind = ours;
    expect(theirs).toBe("transient");
  });
});

describe("a failure's message", () => {
  test.each([
    ["on one line", "a\r\n\tb\u0000  c", "a b c"],
    ["without API keys", "Incorrect API key provided: sk-abc***wxyz1.", "Incorrect API key provided: …."],
    [
      "without account ids",
      "Limit reached in organization org-a1B2c3D4e5 for proj_x9Y8z7W6",
      "Limit reached in organization … for …",
    ],
    [
      "without AWS accounts",
      "arn:aws:iam::123456789012:user/x is not authorized",
      "arn:aws:iam::…:user/x is not authorized",
    ],
    [
      "with ordinary words kept",
      "the user-agent and proj-ect sk-etch",
      "the user-agent and proj-ect sk-etch",
    ],
  ])("is %s", (_, said, shown) => {
    expect(classify({ status: 400, headers: {}, body: plain(said, null) }, [], NOW).message).toBe(shown);
  });

  test("is bounded", () => {
    const { message } = classify({ status: 400, headers: {}, body: plain("x".repeat(1e6), null) }, [], NOW);
    expect(message).toHaveLength(501);
  });

  test("comes from the field at fault, which is named", () => {
    const body = { detail: [{ type: "missing", loc: ["body", "messages", 0], msg: "Field required" }] };
    expect(classify({ status: 422, headers: {}, body }, [], NOW)).toMatchObject({
      message: "Field required",
      param: "messages.0",
    });
  });
});

describe("the client's error", () => {
  const errorFor = (status: number, body: unknown) =>
    toGatewayError(classify({ status, headers: { "retry-after": "7" }, body }, [], NOW), "main");

  test("repeats the provider's words for what the client can mend, with its status", () => {
    expect(errorFor(422, plain("bad field", "x", null, "messages"))).toMatchObject({
      code: "invalid_request",
      status: 422,
      param: "messages",
      message: "Provider `main` says: bad field",
      retryAfterMs: undefined,
    });
  });

  test("keeps to its own words about keys and credit", () => {
    expect(errorFor(401, plain("Incorrect API key provided: sk-abc***wxyz1.", null))).toMatchObject({
      code: "provider_auth",
      status: 502,
      message: "Provider `main` refused this gateway's API key.",
    });
  });

  test("tells when to come back", () => {
    expect(errorFor(429, plain("slow", null))).toMatchObject({
      code: "provider_rate_limited",
      retryAfterMs: 7000,
    });
  });

  test("says something when the provider says nothing", () => {
    expect(errorFor(500, "").message).toBe("Provider `main` answered with status 500");
  });

  test.each([
    ["bad_request", "no"],
    ["content_filter", "no"],
    ["context_length", "no"],
    ["not_found", "no"],
    ["auth", "elsewhere"],
    ["quota_spent", "elsewhere"],
    ["rate_limited", "later"],
    ["overloaded", "later"],
    ["capacity", "later"],
    ["transient", "later"],
  ] as const)("of kind %s advises clients to retry: %s", (kind, retry) => {
    const rest = { message: "", param: null, status: 500, isUnsupported: false, isMetered: false };
    const failure = { kind, waitMs: null, ...rest };
    expect(ERRORS[toGatewayError(failure, "main").code].retry).toBe(retry);
  });
});
