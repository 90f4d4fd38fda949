// Everything a provider may answer instead of an answer: the client gets a clear error in the right shape within a bounded
// time and memory, nothing half is taken for whole, and the process goes on.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startSimulator, type Simulator } from "../../src/simulator/simulator.ts";
import { errorOf } from "../http/envelope.ts";
import { jsonRequest, type RawAnswer } from "../http/raw-client.ts";
import { startGateway, type GatewayProcess } from "./harness.ts";
import { MEBIBYTE, Probe } from "./probe.ts";

const CHAT = { model: "sim/sim-chat", messages: [{ role: "user", content: "hi" }] };

/**
 * What a client sees of a provider's answer: a whole one; an error (with its status, or as the last event of a stream that
 * had begun); a stream that the provider itself ended properly without a finish reason; an answer of many megabytes that was
 * passed on as it came, and is not JSON or breaks off. Official clients report the last two as errors of their own.
 */
type Seen = "answer" | "error" | "unfinished" | "garbled";

/** How a simulated provider answers, and what the client sees of it unstreamed and streamed. */
const ANSWERS: readonly (readonly [fault: string, whole: Seen, streamed: Seen])[] = [
  ["html", "error", "error"],
  ["html-502", "error", "error"],
  ["wrong-type", "answer", "answer"],
  ["not-an-object", "error", "error"],
  ["empty", "error", "error"],
  ["empty-stream", "error", "error"],
  ["malformed", "error", "error"],
  ["half-frame", "error", "error"],
  ["endless-line", "error", "error"],
  ["gzip", "answer", "answer"],
  ["gzip-cut", "error", "error"],
  ["cut", "error", "error"],
  ["reset", "error", "error"],
  ["stall", "error", "error"],
  ["silent", "error", "error"],
  ["headers-only", "error", "error"],
  ["early-end", "error", "error"],
  ["no-finish", "answer", "unfinished"],
  ["no-done", "answer", "answer"],
  ["linger", "error", "answer"],
  ["no-usage", "answer", "answer"],
  ["bytes", "answer", "answer"],
  ["crlf", "answer", "answer"],
  ["comments", "answer", "answer"],
  ["error-first", "error", "error"],
  ["error-in-stream", "error", "error"],
  ["500", "error", "error"],
  ["503", "error", "error"],
  ["529", "error", "error"],
  ["401", "error", "error"],
  ["408", "error", "error"],
  ["422", "error", "error"],
  ["429", "error", "error"],
];

let simulator: Simulator;
let gateway: GatewayProcess;
let probe: Probe;

beforeAll(async () => {
  simulator = await startSimulator();
  const base = { dialect: "openai", quirks: { canonical: true }, base_url: `${simulator.url}/v1` };
  const failing = ANSWERS.flatMap(([fault]) => [
    [`${fault}-whole`, base],
    [`${fault}-stream`, base],
  ]);
  gateway = await startGateway({
    providers: { ...Object.fromEntries(failing), sim: { ...base, limits: [{ concurrent: 1 }] } },
    timeouts: { first_token: "1s", idle: "1s", total: "3s" },
    queue: { max_wait: "0s" },
    retry: { attempts: 1 },
    log: { level: "warn" },
  });
  probe = new Probe(gateway, CHAT);
});

afterAll(async () => {
  probe?.close();
  await gateway?.stop();
  await simulator?.close();
});

async function ask(model: string, isStream: boolean): Promise<Seen> {
  const [outcome] = await Promise.allSettled([
    probe.exchange(jsonRequest({ ...CHAT, model, stream: isStream })),
  ]);
  if (outcome.status === "rejected") {
    expect(String(outcome.reason)).toContain("Closed before a whole answer");
    return "garbled";
  }
  const answer = outcome.value;
  return isStream && answer.status === 200 ? seenStream(answer) : seenWhole(answer);
}

function seenWhole(answer: RawAnswer): Seen {
  if (answer.status === 200) {
    expect(answer.headers["content-type"]).toBe("application/json");
    if (answer.body.length > MEBIBYTE) return "garbled";
    expect(JSON.parse(answer.body)).toMatchObject({ object: "chat.completion", choices: [{ index: 0 }] });
    return "answer";
  }
  expect(answer.status).toBeGreaterThanOrEqual(400);
  errorOf(answer);
  return "error";
}

function seenStream(answer: RawAnswer): Seen {
  expect(answer.headers["content-type"]).toMatch(/^text\/event-stream/);
  const frames = answer.body.split(/(?:\r?\n){2}/).filter((frame) => /^data:/m.test(frame));
  if (frames.some((frame) => !isWhole(frame))) return "garbled";
  const last = frames.pop()?.replace(/^data: ?/, "") ?? "";
  for (const frame of frames.filter((frame) => !frame.startsWith('data: {"error"'))) {
    expect(JSON.parse(frame.replace(/^(:.*\n)*data: ?/, ""))).toMatchObject({
      object: "chat.completion.chunk",
    });
  }
  if (last === "[DONE]") {
    return frames.some((frame) => frame.includes('"finish_reason":"stop"')) ? "answer" : "unfinished";
  }
  expect(Object.keys(JSON.parse(last))).toEqual(["error"]);
  return "error";
}

/** Whether a frame's data is JSON or the end mark. */
function isWhole(frame: string): boolean {
  const data = frame.replace(/^(:.*\n)*data: ?/, "");
  try {
    return data === "[DONE]" || JSON.parse(data) !== undefined;
  } catch {
    return false;
  }
}

describe("a provider whose answers are", () => {
  test.each(ANSWERS)("like %s: the client sees whole %s, streamed %s", async (fault, whole, streamed) => {
    // Each has a provider of its own, since a provider that fails is left alone for a while.
    const seen = [
      await ask(`${fault}-whole/sim-${fault}`, false),
      await ask(`${fault}-stream/sim-${fault}`, true),
    ];
    expect(seen).toEqual([whole, streamed]);
    await probe.expectSound();
  });
});

describe("after all of it", () => {
  test("no request is running and no slot is held", async () => {
    const metrics = await gateway.metrics();
    for (const line of metrics
      .split("\n")
      .filter((line) => /^sluice_\w*(running|in_flight)\w*[ {]/.test(line))) {
      expect(line).toMatch(/ 0$/);
    }
  });
});
