// Every fault the simulator knows, streamed and not, through a real gateway: what the client gets, within which time,
// and that nothing stays taken or running behind it.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FAULTS } from "../../src/simulator/faults.ts";
import type { FaultName } from "../../src/simulator/faults.ts";
import { startSimulator } from "../../src/simulator/simulator.ts";
import type { Simulator } from "../../src/simulator/simulator.ts";
import { startGateway } from "./harness.ts";
import type { GatewayProcess } from "./harness.ts";

/**
 * `whole`: the complete answer. A status and a code: an error instead of an answer. A code alone: a stream that had
 * begun and ends with this error.
 */
type Expected = "whole" | readonly [status: number, code: string] | { readonly brokenWith: string };

const BAD = [502, "provider_bad_response"] as const;
const LATE = [504, "provider_timeout"] as const;
const OVERLOADED = [503, "provider_overloaded"] as const;
const FAILED = [502, "provider_error"] as const;
const broken = (brokenWith: string) => ({ brokenWith });

/** What clients know some of our codes as. */
const CLIENT_CODES: Readonly<Record<string, string>> = {
  provider_rate_limited: "rate_limit_exceeded",
  provider_quota_spent: "insufficient_quota",
};

/** What a client gets of each, streamed and as a whole. */
const EXPECTED: Readonly<Record<FaultName, readonly [Expected, Expected]>> = {
  slow: [LATE, LATE],
  silent: [LATE, LATE],
  "headers-only": [LATE, LATE],
  stall: [broken("provider_timeout"), LATE],
  cut: [broken("stream_interrupted"), [502, "provider_unreachable"]],
  reset: [
    [502, "provider_unreachable"],
    [502, "provider_unreachable"],
  ],
  "early-end": [broken("stream_interrupted"), BAD],
  "half-frame": [broken("stream_interrupted"), BAD],
  "error-in-stream": [broken("provider_error"), FAILED],
  "error-first": [FAILED, FAILED],
  malformed: [broken("provider_bad_response"), BAD],
  "endless-line": [broken("provider_bad_response"), BAD],
  linger: ["whole", LATE],
  "no-finish": ["whole", "whole"],
  "no-done": ["whole", "whole"],
  "no-usage": ["whole", "whole"],
  "no-tool-index": ["whole", "whole"],
  html: [BAD, BAD],
  "html-502": [FAILED, FAILED],
  "wrong-type": [BAD, "whole"],
  "not-an-object": [BAD, BAD],
  empty: [BAD, BAD],
  "empty-stream": [BAD, BAD],
  // Compressed although it was asked not to.
  gzip: ["whole", "whole"],
  "gzip-cut": [broken("provider_bad_response"), BAD],
  bytes: ["whole", "whole"],
  crlf: ["whole", "whole"],
  comments: ["whole", "whole"],
  floats: ["whole", "whole"],
  400: [
    [400, "invalid_request"],
    [400, "invalid_request"],
  ],
  401: [
    [502, "provider_auth"],
    [502, "provider_auth"],
  ],
  403: [
    [502, "provider_auth"],
    [502, "provider_auth"],
  ],
  404: [
    [404, "model_not_found"],
    [404, "model_not_found"],
  ],
  408: [FAILED, FAILED],
  422: [
    [422, "invalid_request"],
    [422, "invalid_request"],
  ],
  context: [
    [400, "context_length_exceeded"],
    [400, "context_length_exceeded"],
  ],
  filter: [
    [400, "content_filter"],
    [400, "content_filter"],
  ],
  429: [
    [429, "provider_rate_limited"],
    [429, "provider_rate_limited"],
  ],
  quota: [
    [429, "provider_quota_spent"],
    [429, "provider_quota_spent"],
  ],
  500: [FAILED, FAILED],
  502: [FAILED, FAILED],
  503: [OVERLOADED, OVERLOADED],
  529: [OVERLOADED, OVERLOADED],
};

const isFault = (name: string): name is FaultName => Object.hasOwn(FAULTS, name);
const NAMES = Object.keys(FAULTS).filter(isFault);
/** How it is asked, and whether the provider's frames are passed on as they are (`canonical`) or mended. */
const FORMS = [
  { form: "streamed", isStream: true, quirks: {} },
  { form: "whole", isStream: false, quirks: {} },
  { form: "passed", isStream: true, quirks: { canonical: true } },
] as const;
/** Faults that end by a deadline. They get short ones, the others long ones that a busy machine does not reach. */
const LATE_FAULTS = new Set<FaultName>(["slow", "silent", "headers-only", "stall", "linger"]);
const HURRIED = { first_token: "500ms", idle: "500ms", total: "2s" };
const PATIENT = { first_token: "20s", idle: "20s", total: "20s" };
/** Nothing may hang. */
const BOUND_MS = 25_000;

let simulator: Simulator;
let hurried: GatewayProcess;
let patient: GatewayProcess;

beforeAll(async () => {
  simulator = await startSimulator();
  const isLate = (name: FaultName): boolean => LATE_FAULTS.has(name);
  [hurried, patient] = await Promise.all([
    startFor(NAMES.filter(isLate), HURRIED),
    startFor(
      NAMES.filter((name) => !isLate(name)),
      PATIENT,
    ),
  ]);
});

afterAll(async () => {
  await hurried.stop();
  await patient.stop();
  await simulator.close();
});

/** One provider per case: a circuit that one fault opens would answer for the next. */
function startFor(faults: readonly FaultName[], timeouts: object): Promise<GatewayProcess> {
  const base = { dialect: "openai", base_url: `${simulator.url}/v1`, limits: [{ concurrent: 1 }] };
  const providers = faults.flatMap((name) =>
    FORMS.map(({ form, quirks }) => [`${form}-${name}`, { ...base, quirks }] as const),
  );
  return startGateway({
    providers: Object.fromEntries(providers),
    queue: { max_wait: "0s" },
    retry: { attempts: 1 },
    timeouts,
  });
}

async function ask(name: FaultName, form: string, stream: boolean) {
  const gateway = LATE_FAULTS.has(name) ? hurried : patient;
  const response = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    signal: AbortSignal.timeout(BOUND_MS),
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      model: `${form}-${name}/sim-${name}`,
      stream,
      messages: [{ role: "user", content: "hello" }],
    }),
  });
  const text = (await response.text()).replaceAll("\r\n", "\n");
  return { status: response.status, code: response.headers.get("x-sluice-error"), text };
}

function check(
  { status, code, text }: Awaited<ReturnType<typeof ask>>,
  expected: Expected,
  isStream: boolean,
): void {
  if (expected === "whole") {
    expect(status).toBe(200);
    if (isStream) expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
    else expect(JSON.parse(text)).toMatchObject({ object: "chat.completion" });
    return;
  }
  if ("brokenWith" in expected) {
    const last = text.trimEnd().split("\n\n").at(-1) ?? "";
    expect(status).toBe(200);
    expect(JSON.parse(last.slice("data: ".length))).toMatchObject({
      error: { code: expected.brokenWith, param: null, message: expect.any(String) },
    });
    expect(text).not.toContain("[DONE]");
    return;
  }
  expect([status, code]).toEqual(expected);
  expect(JSON.parse(text)).toMatchObject({
    error: { code: CLIENT_CODES[code ?? ""] ?? code, message: expect.any(String) },
  });
}

describe("a client meets a provider's fault", () => {
  const cases = NAMES.flatMap((name) => FORMS.map(({ form, isStream }) => ({ name, form, isStream })));

  test.each(cases)("$name, $form", async ({ name, form, isStream }) => {
    const [streamed, whole] = EXPECTED[name];
    check(await ask(name, form, isStream), form === "whole" ? whole : streamed, isStream);
  });

  test("and behind all of them nothing is taken and nothing runs", async () => {
    const levels: number[] = [];
    for (const gateway of [hurried, patient]) {
      const text = await gateway.metrics();
      for (const [, level] of text.matchAll(/^sluice_bucket_level_units\{.*\} (\S+)$/gm))
        levels.push(Number(level));
      expect(text).toContain("\nsluice_requests_running 0\n");
      expect(await gateway.isHealthy()).toBe(true);
    }
    expect(levels).toEqual(cases.map(() => 1));
  });
});
