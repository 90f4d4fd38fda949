// Every fault the simulator knows, as `faults.txt` tells it: streamed and not, before and behind the first byte, with and
// without another provider, through a real gateway. What the client gets, what is settled at each provider, and that
// nothing stays taken or running behind it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FAULTS } from "../../src/simulator/faults.ts";
import { startSimulator } from "../../src/simulator/simulator.ts";
import type { Simulator } from "../../src/simulator/simulator.ts";
import { startGateway } from "./harness.ts";
import type { GatewayProcess } from "./harness.ts";

const TABLE = readFileSync(join(import.meta.dirname, "faults.txt"), "utf8");

/** How it is asked; `passed` is a stream too, from a provider whose frames are passed on unread (`canonical`). */
const FORMS = ["streamed", "whole", "passed"] as const;
/** Faults that show after some right chunks, which may be none. */
const SETTABLE = new Set([
  "stall",
  "cut",
  "early-end",
  "malformed",
  "half-frame",
  "endless-line",
  "error-in-stream",
]);
/** Faults that end by a deadline. They get short ones, the others long ones that a busy machine does not reach. */
const LATE = new Set(["slow", "silent", "headers-only", "stall", "linger"]);
const HURRIED = { first_token: "3s", attempt: "3s", idle: "3s", total: "30s" };
const PATIENT = { first_token: "60s", idle: "60s", total: "60s" };
/** How many run at a time where none waits for a deadline. */
const AT_ONCE = 8;
/** Nothing may hang. */
const BOUND_MS = 65_000;

interface Cell {
  readonly id: string;
  readonly fault: string;
  readonly form: string;
  readonly when: string;
  readonly isAlone: boolean;
  /** As the table says. */
  readonly expected: string;
}

/** The words of the table's lines: fault, form, when, what becomes of it alone, and beside another. */
const ROWS = TABLE.split("\n")
  .filter((line) => line.includes("|") && !line.startsWith("#"))
  .map((line) => line.split("|").map((part) => part.trim().replaceAll(/ +/g, " ")));

const CELLS: readonly Cell[] = ROWS.flatMap(([head = "", alone = "", beside = ""]) => {
  const [fault = "", form = "", when = ""] = head.split(" ");
  return [
    { fault, form, when, isAlone: true, expected: alone },
    { fault, form, when, isAlone: false, expected: beside === "same" ? alone : beside },
  ];
}).map((cell, index) => Object.assign({ id: String(index).padStart(3, "0") }, cell));

let simulator: Simulator;
const gateways: GatewayProcess[] = [];
const results = new Map<string, string>();

beforeAll(async () => {
  simulator = await startSimulator();
  const hurried = CELLS.filter(({ fault }) => LATE.has(fault));
  const patient = CELLS.filter(({ fault }) => !LATE.has(fault));
  await play(hurried, HURRIED, hurried.length);
  await play(patient, PATIENT, AT_ONCE);
}, 400_000);

afterAll(async () => {
  for (const gateway of gateways) await gateway.stop();
  await simulator.close();
});

/** Asks all of it, so many at a time, and notes what came of it. */
async function play(cells: readonly Cell[], timeouts: object, atOnce: number): Promise<void> {
  const gateway = await startFor(cells, timeouts);
  gateways.push(gateway);
  const outcomes = new Map<string, string>();
  const due = [...cells];
  const next = async (): Promise<void> => {
    const cell = due.shift();
    if (cell === undefined) return;
    outcomes.set(cell.id, await ask(gateway, cell));
    await next();
  };
  await Promise.all(Array.from({ length: atOnce }, next));
  const metrics = await lastMetrics(gateway, cells);
  for (const { id } of cells) results.set(id, `${outcomes.get(id)} ${settled(metrics, id)}`);
}

const PATTERNS = ["*/requests/min", "*/tokens/min", "*/concurrent"];

/** A provider may take a second to end what is over here, and keeps its slot so long; then none is held. */
async function lastMetrics(gateway: GatewayProcess, cells: readonly Cell[]): Promise<string> {
  const untilMs = performance.now() + BOUND_MS;
  for (;;) {
    // All limits of all cells are more than are shown at once.
    const metrics = (await Promise.all(PATTERNS.map((pattern) => gateway.metrics(pattern)))).join("\n");
    const isHeld = cells.some(({ id }) => settled(metrics, id).includes("HELD"));
    if (!isHeld || performance.now() > untilMs) return metrics;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Two providers for each cell, so that no circuit and no pause of one meets another. */
function startFor(cells: readonly Cell[], timeouts: object): Promise<GatewayProcess> {
  const limits = [{ requests: "1000/min" }, { tokens: "1_000_000/min" }, { concurrent: 1 }];
  const base = { dialect: "openai", base_url: `${simulator.url}/v1`, limits };
  const providers: Record<string, object> = {};
  const models: Record<string, readonly string[]> = {};
  for (const { id, fault, form, when, isAlone } of cells) {
    const own = { ...base, quirks: form === "passed" ? { canonical: true } : {} };
    const after = SETTABLE.has(fault) && form !== "whole" ? `;after=${when === "begun" ? 3 : 0}` : "";
    providers[`a${id}`] = own;
    if (!isAlone) providers[`b${id}`] = own;
    models[`m${id}`] = [`a${id}/sim-${fault}${after}`, ...(isAlone ? [] : [`b${id}/sim-chat`])];
  }
  const retry = { attempts: 2, backoff: { first: "20ms" } };
  return startGateway({ providers, models, queue: { max_wait: "0s" }, retry, timeouts });
}

/** What the client got, in the words of the table but for the units. All requests are of one length. */
async function ask(gateway: GatewayProcess, { id, form }: Cell): Promise<string> {
  const stream = form === "whole" ? "false" : "true ";
  const response = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    signal: AbortSignal.timeout(BOUND_MS),
    headers: { "content-type": "application/json" },
    body: `{"model":"m${id}","max_tokens":12,"messages":[{"role":"user","content":"hello"}],"stream":${stream}}`,
  });
  const text = (await response.text()).replaceAll("\r\n", "\n");
  const header = (name: string): string | null => response.headers.get(name);
  const waits = [header("retry-after-ms") === null ? "" : `${header("retry-after-ms")}ms`];
  if (header("x-should-retry") === "false") waits.push("stop");
  const by = header("x-sluice-provider")?.startsWith("b") === true ? "other" : "own";
  const says = waits.filter((word) => word !== "").join(",") || "-";
  return `${meaning(response, text, form !== "whole")} ${response.status} ${header("x-sluice-attempts")}x ${by} ${says}`;
}

/** `whole`, an error's code in front of an answer, or behind the beginning of one. */
function meaning({ status, headers }: Response, text: string, isStream: boolean): string {
  const type = headers.get("content-type");
  if (status !== 200) {
    expect(type).toBe("application/json");
    expect(JSON.parse(text)).toMatchObject({
      error: { message: expect.any(String), code: expect.any(String) },
    });
    return headers.get("x-sluice-error") ?? "no code";
  }
  expect(type).toBe(isStream ? "text/event-stream" : "application/json");
  if (!isStream) {
    expect(JSON.parse(text)).toMatchObject({ object: "chat.completion" });
    return "whole";
  }
  if (text.endsWith("data: [DONE]\n\n")) return "whole";
  expect(text).not.toContain("[DONE]");
  const last: unknown = JSON.parse(text.trimEnd().split("\n\n").at(-1)?.slice("data: ".length) ?? "");
  expect(last).toMatchObject({ error: { message: expect.any(String), code: expect.any(String) } });
  return `broken:${/"code":"(\w+)"/.exec(text)?.[1]}`;
}

/** Units spent at the first provider and at the other, as requests/tokens; slots that are still held, if any. */
function settled(metrics: string, id: string): string {
  const value = (name: string, bucket: string): number => {
    const line = new RegExp(`^sluice_bucket_${name}\\{[^}]*bucket="${bucket}"[^}]*\\} (\\S+)$`, "m");
    return Number(line.exec(metrics)?.[1] ?? 0);
  };
  const spent = (bucket: string): number =>
    value("taken_units_total", bucket) +
    value("overrun_units_total", bucket) -
    value("returned_units_total", bucket);
  const at = (provider: string): string =>
    `${spent(`${provider}/requests/min`)}/${spent(`${provider}/tokens/min`)}`;
  const held = spent(`a${id}/concurrent`) + spent(`b${id}/concurrent`);
  return `${at(`a${id}`)} ${at(`b${id}`)}${held === 0 ? "" : ` HELD ${held}`}`;
}

test("the table has every fault in every form, and no other", () => {
  const all = Object.keys(FAULTS).flatMap((fault) =>
    FORMS.flatMap((form) =>
      (SETTABLE.has(fault) && form !== "whole" ? ["first", "begun"] : ["first"]).map(
        (when) => `${fault} ${form} ${when}`,
      ),
    ),
  );
  const told = ROWS.map(([head = ""]) => head);
  expect(told.filter((head) => !all.includes(head))).toEqual([]);
  expect(all.filter((head) => !told.includes(head))).toEqual([]);
  expect(new Set(told).size).toBe(told.length);
});

describe("a client meets a provider's fault", () => {
  test.each(CELLS.map((cell) => Object.assign({ with: cell.isAlone ? "alone" : "beside another" }, cell)))(
    "$fault, $form, $when, $with",
    ({ id, expected }) => {
      expect(results.get(id)).toBe(expected);
    },
  );

  test("and behind all of them nothing runs", async () => {
    for (const gateway of gateways) {
      expect(await gateway.metrics()).toContain("\nsluice_requests_running 0\n");
      expect(await gateway.isHealthy()).toBe(true);
    }
  });
});
