// Log lines: their shape, their levels, and what never gets into them.
import { describe, expect, test } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import { createObserver } from "../../src/observe/observer.ts";
import { ManualClock } from "../manual-clock.ts";
import { memoryWriter } from "./memory-writer.ts";
import { requestRecord } from "./record.ts";
import type { LogLevel } from "../../src/observe/log.ts";
import type { LogFields } from "../../src/observe/events.ts";

function logging(options: { level?: LogLevel; isPretty?: boolean; secrets?: readonly string[] } = {}) {
  const writer = memoryWriter();
  const level = options.level ?? "info";
  const observer = createObserver({
    writer,
    clock: new ManualClock(),
    level,
    isPretty: options.isPretty ?? false,
    hasProcessMetrics: false,
  });
  observer.configure({ level, secrets: options.secrets ?? [], models: [] });
  return {
    observer,
    lines: () => writer.lines(),
    objects: () => writer.lines().map((line) => JSON.parse(line)),
  };
}

describe("a line", () => {
  test("is a JSON object with time, level and message", () => {
    const { observer, objects } = logging();
    observer.log.warn("provider paused", { provider: "main", retryAfterMs: 1200 });
    expect(objects()).toEqual([
      {
        time: "2025-12-01T00:00:00.000Z",
        level: "warn",
        message: "provider paused",
        provider: "main",
        retryAfterMs: 1200,
      },
    ]);
  });

  test("below the level is not written; the level can be changed", () => {
    const { observer, lines } = logging({ level: "warn" });
    observer.log.info("quiet");
    observer.requestEnded(requestRecord());
    expect(lines()).toHaveLength(0);
    observer.configure({ level: "debug", secrets: [], models: [] });
    observer.log.debug("loud");
    expect(lines()).toHaveLength(1);
  });

  test("takes any value", () => {
    const cycle: Record<string, unknown> = {};
    cycle["self"] = cycle;
    const { observer, objects } = logging();
    observer.log.info("odd", { cycle, big: 10n, none: undefined, bytes: new Uint8Array(5), f: () => 1 });
    expect(objects()[0]).toMatchObject({ big: "10", bytes: "[5 bytes]", f: "[function]" });
  });

  test("for a terminal is short and has no control characters", () => {
    const { observer, lines } = logging({ isPretty: true });
    observer.log.info("provider paused", { provider: "ma\u001B[2Jin" });
    observer.requestEnded(requestRecord());
    expect(lines()).toEqual([
      "00:00:00 info  provider paused  provider=ma?[2Jin",
      "00:00:00 info  200  /v1/chat/completions  main/large  500 ms  10+20 tokens",
    ]);
  });
});

describe("a request's line", () => {
  test("tells who, where, how long and how much", () => {
    const { observer, objects } = logging();
    observer.requestEnded(requestRecord({ isStream: true, attempts: 2, waitedMs: 12.34567 }));
    expect(objects()[0]).toEqual({
      time: "2025-12-01T00:00:00.000Z",
      level: "info",
      message: "request",
      id: "request-1",
      route: "/v1/chat/completions",
      status: 200,
      outcome: "ok",
      provider: "main",
      model: "large",
      model_asked: "smart",
      key_name: "team-a",
      stream: true,
      attempts: 2,
      ms: 500,
      waited_ms: 12.346,
      first_token_ms: 100,
      input_tokens: 10,
      output_tokens: 20,
      cached_input_tokens: 4,
    });
  });

  test("stays JSON whatever the client called the model", () => {
    const { observer, objects } = logging();
    const modelAsked = '"},{"\n\\ \u0000 \u{1F642}';
    observer.requestEnded(requestRecord({ modelAsked }));
    expect(objects()[0]["model_asked"]).toBe(modelAsked);
  });

  test("is an error when the gateway itself failed", () => {
    const { observer, objects } = logging({ level: "error" });
    observer.requestEnded(
      requestRecord({ outcome: "internal_error", errorCode: "internal_error", status: 500 }),
    );
    expect(objects()[0]).toMatchObject({ level: "error", error: "internal_error" });
  });
});

const KEY = "sk-proj-abcdefghijklmnop";
const CONFIGURED = "correct horse/battery";
const PROMPT = "my mother's maiden name is";

function syntaxError(): unknown {
  try {
    return JSON.parse(`${PROMPT} x`);
  } catch (error) {
    return error;
  }
}

describe("secrets and prompts", () => {
  const planted: readonly (readonly [string, LogFields])[] = [
    ["a header", { headers: { authorization: `Bearer ${KEY}` } }],
    ["a header by itself", { authorization: CONFIGURED }],
    ["a bearer token in a text", { detail: "sent Authorization: Bearer abc.def" }],
    ["a key in a URL's query", { url: `https://host/v1?key=${KEY}&x=1` }],
    ["a configured secret in a URL", { url: `https://host/${encodeURIComponent(CONFIGURED)}/x` }],
    ["credentials in a URL", { url: "https://user:abc.def@host/v1" }],
    ["a key deep inside", { request: { options: { note: [`x ${KEY} y`] } } }],
    ["a member's name", { request: { [KEY]: 1 } }],
    ["a body", { body: PROMPT }],
    ["a prompt under camel case", { requestBody: PROMPT, lastPrompt: [PROMPT] }],
    ["messages", { request: { messages: [{ role: "user", text: PROMPT }] } }],
    ["bytes", { raw: Buffer.from(PROMPT) }],
    ["an error's message", { error: new Error(`failed with ${KEY}`) }],
    ["an error's cause", { error: new Error("failed", { cause: new Error(`at ${CONFIGURED}`) }) }],
    ["an error that quotes what it parsed", { error: new Error("bad", { cause: syntaxError() }) }],
    ["an error's own members", { error: Object.assign(new Error("bad"), { body: PROMPT, headers: KEY }) }],
    [
      "our own error's cause",
      { error: new GatewayError("invalid_json", "Not JSON.", { cause: syntaxError() }) },
    ],
  ];

  test.each(planted)("in %s do not reach the log", (_, fields) => {
    for (const isPretty of [false, true]) {
      const { observer, lines } = logging({ isPretty, secrets: [CONFIGURED] });
      observer.log.error("request failed", fields);
      const text = lines().join("\n");
      expect(text).toContain("request failed");
      for (const secret of [
        KEY,
        CONFIGURED,
        encodeURIComponent(CONFIGURED),
        "abc.def",
        PROMPT,
        PROMPT.slice(0, 9),
      ]) {
        expect(text).not.toContain(secret);
      }
    }
  });

  test("in the model's name do not reach the request's line", () => {
    const { observer, lines } = logging();
    observer.requestEnded(requestRecord({ modelAsked: `model-${KEY}` }));
    expect(lines().join()).not.toContain(KEY);
  });

  test("are looked for in texts that are cut", () => {
    const { observer, lines } = logging();
    observer.log.info("long", { detail: `${"x ".repeat(145)}${KEY}${"y".repeat(10_000)}` });
    expect(lines().join()).not.toContain("sk-proj");
    expect(lines().join().length).toBeLessThan(500);
  });

  test("do not hide what happened: codes, causes and places stay", () => {
    const { observer, objects } = logging();
    const refused = Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:1"), { code: "ECONNREFUSED" });
    observer.log.error("request failed", {
      error: new GatewayError("provider_unreachable", "The provider can't be reached.", { cause: refused }),
    });
    expect(objects()[0].error).toEqual({
      name: "GatewayError",
      code: "provider_unreachable",
      message: "The provider can't be reached.",
      cause: { name: "Error", code: "ECONNREFUSED", message: "connect ECONNREFUSED 127.0.0.1:1" },
    });
    observer.log.error("broken", { error: new TypeError("x is not a function") });
    expect(objects()[1].error.stack[0]).toContain("log.test.ts");
  });
});
