// Every fault as a client meets it, and the table in docs/SIMULATOR.md compared with the code.
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MODELS } from "../../src/simulator/chat-answer.ts";
import { FAULTS, parseFault } from "../../src/simulator/faults.ts";
import { SETTINGS, parseSettings } from "../../src/simulator/settings.ts";
import { startSimulator } from "../../src/simulator/simulator.ts";
import { ManualClock } from "../manual-clock.ts";
import type { Simulator, SimulatorEvent } from "../../src/simulator/simulator.ts";

let simulator: Simulator;
let clock: ManualClock;
let random = 0;
const waiting: ((event: SimulatorEvent) => void)[] = [];

beforeEach(async () => {
  clock = new ManualClock();
  random = 0;
  simulator = await startSimulator({
    clock,
    timers: clock,
    random: () => random,
    quota: { tokens: { capacity: 1000, perMinute: 0 }, requests: { capacity: 100, perMinute: 0 } },
    onEvent: (event) => waiting.shift()?.(event),
  });
});

afterEach(() => simulator.close());

const nextEvent = () => new Promise<SimulatorEvent>((resolve) => waiting.push(resolve));

interface Raw {
  readonly status: number | null;
  readonly headers: string;
  /** Without the chunked encoding. */
  readonly body: Buffer;
  /** Whether the body came to its proper end. */
  readonly isWhole: boolean;
}

/** One request on a socket of its own, read until it is closed or whole; nothing repairs what comes back. */
function exchange(model: string, body: object = {}, headers: readonly string[] = []): Promise<Raw> {
  const text = JSON.stringify({
    model,
    stream: true,
    messages: [{ role: "user", content: "one two three four" }],
    ...body,
  });
  const head = [
    "POST /v1/chat/completions HTTP/1.1",
    "host: x",
    `content-length: ${Buffer.byteLength(text)}`,
  ];
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(simulator.url).port), "127.0.0.1");
    const parts: Buffer[] = [];
    const done = () => {
      socket.destroy();
      resolve(decode(Buffer.concat(parts)));
    };
    socket.write([...head, ...headers, "", text].join("\r\n"));
    socket.on("data", (part: Buffer) => {
      parts.push(part);
      if (part.subarray(-5).toString() === "0\r\n\r\n") done();
    });
    socket.on("close", done);
    socket.on("error", reject);
  });
}

function decode(bytes: Buffer): Raw {
  const split = bytes.indexOf("\r\n\r\n");
  if (split < 0) return { status: null, headers: "", body: bytes, isWhole: false };
  const headers = bytes.subarray(0, split).toString();
  const parts: Buffer[] = [];
  let rest = bytes.subarray(split + 4);
  for (;;) {
    const line = rest.indexOf("\r\n");
    const size = line < 0 ? Number.NaN : Number.parseInt(rest.subarray(0, line).toString(), 16);
    if (!(size > 0))
      return {
        status: Number(headers.slice(9, 12)),
        headers,
        body: Buffer.concat(parts),
        isWhole: size === 0,
      };
    parts.push(rest.subarray(line + 2, line + 2 + size));
    rest = rest.subarray(line + 4 + size);
  }
}

const frames = (raw: Raw) =>
  raw.body
    .toString()
    .split("\n\n")
    .filter((frame) => frame !== "");

describe("a fault in a stream", () => {
  test.each([
    ["sim-cut", 3, false],
    ["sim-cut;after=1", 1, false],
    ["sim-cut;after=0", 0, false],
    ["sim-early-end", 3, true],
    ["sim-half-frame", 4, true],
    ["sim-error-in-stream", 4, true],
    ["sim-error-first", 1, true],
    ["sim-empty", 0, true],
    ["sim-empty-stream", 1, true],
  ])("%s: %i frames, properly ended: %s", async (model, count, isWhole) => {
    const raw = await exchange(model);
    expect([frames(raw).length, raw.isWhole]).toEqual([count, isWhole]);
  });

  test("error-in-stream ends with an error event and without [DONE]", async () => {
    const last = frames(await exchange("sim-error-in-stream")).at(-1) ?? "";
    expect(JSON.parse(last.slice(6))).toMatchObject({ error: { type: "server_error", param: null } });
  });

  test("malformed has one frame that is not JSON", async () => {
    const broken = frames(await exchange("sim-malformed")).filter((frame) => {
      try {
        return frame !== "data: [DONE]" && JSON.parse(frame.slice(6)) === undefined;
      } catch {
        return true;
      }
    });
    expect(broken).toHaveLength(1);
  });

  test.each([
    ["sim-no-done", "data: [DONE]"],
    ["sim-no-finish", '"finish_reason":"stop"'],
    ["sim-no-usage", '"usage"'],
    ["sim-crlf", "}\n\n"],
  ])("%s: the stream does not contain %s", async (model, text) => {
    const body = { stream_options: { include_usage: true } };
    expect((await exchange("sim-chat", body)).body.toString()).toContain(text);
    expect((await exchange(model, body)).body.toString()).not.toContain(text);
  });

  test.each(["sim-gzip", "sim-bytes", "sim-comments", "sim-crlf"])(
    "%s says the same as ever",
    async (model) => {
      const raw = await exchange(model, { max_tokens: 3 });
      const plain = model === "sim-gzip" ? gunzipSync(raw.body) : raw.body;
      const text = plain.toString().replaceAll("\r\n", "\n").replaceAll(": keep-alive\n\n", "");
      const normal = (await exchange("sim-x", { max_tokens: 3 })).body.toString();
      const words = (of: string) => [...of.matchAll(/"content":"[^"]*"/g)].length;
      expect(words(text)).toBe(words(normal));
      expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
    },
  );

  test("gzip-cut can't be decompressed", async () => {
    const raw = await exchange("sim-gzip-cut");
    expect(raw.isWhole).toBe(true);
    expect(() => gunzipSync(raw.body)).toThrow("unexpected end of file");
  });

  test("endless-line sends 64 MiB without a line's end, and stops when the client goes", async () => {
    const started = nextEvent();
    const ended = started.then(nextEvent);
    const controller = new AbortController();
    const body = JSON.stringify({
      model: "sim-endless-line",
      stream: true,
      messages: [{ role: "user", content: "x" }],
    });
    const response = await fetch(`${simulator.url}/v1/chat/completions`, {
      method: "POST",
      body,
      signal: controller.signal,
    });
    const reader = response.body?.getReader();
    for (let bytes = 0; bytes < 1_000_000;) bytes += (await reader?.read())?.value?.length ?? 1_000_000;
    controller.abort();
    expect((await ended).kind).toBe("aborted");
    expect(simulator.stats().aborted).toBe(1);
  });
});

describe("a fault before the answer", () => {
  test("reset tears the connection without a byte", async () => {
    expect(await exchange("sim-reset")).toMatchObject({ status: null });
  });

  test.each([
    [400, "sim-400"],
    [401, "sim-401"],
    [404, "sim-404"],
    [408, "sim-408"],
    [429, "sim-429"],
    [429, "sim-quota"],
    [500, "sim-500"],
    [502, "sim-html-502"],
    [503, "sim-503"],
    [529, "sim-529"],
    [200, "sim-html"],
    [200, "sim-not-an-object"],
  ])("status %i for %s", async (status, model) => {
    expect(await exchange(model)).toMatchObject({ status, isWhole: true });
  });

  test("429 says when to come back", async () => {
    const { headers } = await exchange("sim-429; ms=2500");
    expect(headers).toContain("retry-after-ms: 2500");
    expect(headers).toContain("retry-after: 3");
  });

  test("slow waits before the first byte", async () => {
    const started = nextEvent();
    const answer = exchange("sim-slow; ms=700");
    await started;
    clock.advance(699);
    expect(clock.pending()).toBe(1);
    clock.advance(1);
    expect((await answer).isWhole).toBe(true);
  });

  test.each(["sim-silent", "sim-headers-only", "sim-stall", "sim-linger"])(
    "%s ends only when the client goes, or after 15 minutes",
    async (model) => {
      const started = nextEvent();
      const answer = exchange(model);
      await started;
      expect(clock.pending()).toBe(1);
      clock.advance(15 * 60_000);
      expect((await answer).isWhole).toBe(false);
      expect(clock.pending()).toBe(0);
    },
  );
});

describe("an unstreamed answer", () => {
  test.each([
    ["sim-cut", false],
    ["sim-half-frame", true],
    ["sim-malformed", true],
  ])("%s breaks off; properly ended: %s", async (model, isWhole) => {
    const raw = await exchange(model, { stream: false });
    expect(raw.isWhole).toBe(isWhole);
    expect(() => JSON.parse(raw.body.toString())).toThrow(SyntaxError);
  });

  test("no-usage has none", async () => {
    expect((await exchange("sim-no-usage", { stream: false })).body.toString()).not.toContain('"usage"');
  });

  test("error-in-stream is an error with status 200", async () => {
    const raw = await exchange("sim-error-in-stream", { stream: false });
    expect(raw.status).toBe(200);
    expect(JSON.parse(raw.body.toString())).toHaveProperty("error.code");
  });
});

describe("a fault can be asked for", () => {
  test("by header, which comes before the model", async () => {
    expect(await exchange("sim-500", {}, ["x-simulator-fault: 503"])).toMatchObject({ status: 503 });
  });

  test("by injection, for so many requests, which comes before both", async () => {
    simulator.inject("529", 2);
    const statuses = [await exchange("sim-500"), await exchange("sim-chat"), await exchange("sim-chat")];
    expect(statuses.map(({ status }) => status)).toEqual([529, 529, 200]);
  });

  test("over HTTP, for processes that do not share memory", async () => {
    const body = JSON.stringify({ fault: "500", times: 1 });
    await fetch(`${simulator.url}/simulator/faults`, { method: "POST", body });
    expect((await exchange("sim-chat")).status).toBe(500);
    const stats = await (await fetch(`${simulator.url}/simulator/stats`)).json();
    expect(stats).toMatchObject({ faults: { "500": 1 } });
  });

  test("for a part of the requests", async () => {
    random = 0.5;
    expect((await exchange("sim-500; rate=0.5")).status).toBe(200);
    random = 0.49;
    expect((await exchange("sim-500; rate=0.5")).status).toBe(500);
  });

  test("but not under a name that does not exist", async () => {
    expect((await exchange("sim-chat", {}, ["x-simulator-fault: nonsense"])).status).toBe(400);
    expect(() => simulator.inject("nonsense", 1)).toThrow("There is no fault");
    expect(parseFault("toString")).toBeNull();
  });
});

describe("the quota under faults", () => {
  const used = async (model: string, body: object = {}) => {
    await exchange(model, body);
    return simulator.stats();
  };

  test("a failed request costs a request and no tokens", async () => {
    expect(await used("sim-500")).toMatchObject({ requests: { admitted: 1 }, tokens: { admitted: 0 } });
  });

  test("a refusal costs nothing", async () => {
    expect(await used("sim-429")).toMatchObject({ requests: { admitted: 0 }, tokens: { admitted: 0 } });
  });

  test("a broken-off answer costs what was produced", async () => {
    const whole = (await used("sim-chat", { max_tokens: 40 })).tokens.admitted;
    simulator.reset();
    const cut = (await used("sim-cut; after=2", { max_tokens: 40 })).tokens.admitted;
    expect(cut).toBeLessThan(whole / 2);
    expect(cut).toBeGreaterThan(10);
  });
});

describe("docs/SIMULATOR.md", () => {
  const text = readFileSync(join(import.meta.dirname, "../../docs/SIMULATOR.md"), "utf8");
  const rows = (heading: string) => {
    const section = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? "";
    const cells = [...section.matchAll(/^\| `([^`]+)` \| (.+) \|$/gm)];
    return Object.fromEntries(cells.map(([, name = "", summary = ""]) => [name, summary]));
  };

  test("lists every fault with the code's own words, and none besides", () => {
    const summaries = Object.entries(FAULTS).map(([name, { summary }]) => [name, summary]);
    expect(rows("Faults")).toEqual(Object.fromEntries(summaries));
  });

  test("lists every model and every setting, and none besides", () => {
    expect(rows("Models")).toEqual(MODELS);
    expect(rows("Settings")).toEqual(SETTINGS);
  });
});

describe("settings", () => {
  test("become a quota with slack for the network", () => {
    expect(parseSettings({ requests_per_min: "600", concurrent: "8", pace_ms: "20" })).toEqual({
      quota: { requests: { capacity: 600, perMinute: 600, slack: 2.5 }, concurrent: 8 },
      firstMs: 0,
      paceMs: 20,
    });
  });

  test.each([
    [{ requests: "1" }, "has no setting `requests`"],
    [{ tokens_per_min: "-1" }, "`tokens_per_min` must be a number"],
    [{ pace_ms: "fast" }, "`pace_ms` must be a number"],
  ])("%j is refused", (settings, reason) => {
    expect(() => parseSettings(settings)).toThrow(reason);
  });
});
