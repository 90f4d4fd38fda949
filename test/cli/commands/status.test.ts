// `sluice status` against a server that answers with what the observer really writes.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseCommandLine } from "../../../src/cli/args.ts";
import { parseMetrics } from "../../../src/cli/commands/metrics-text.ts";
import { askedBuckets } from "../../../src/cli/name-pattern.ts";
import { FLEET } from "./fleet-fixture.ts";
import { messageIn } from "../../../src/cli/commands/remote.ts";
import { runLimits, runStatus } from "../../../src/cli/commands/status.ts";
import { count, table } from "../../../src/cli/commands/table.ts";
import { jsonAnswer } from "../../../src/http/plain-route.ts";
import { metricsAnswer, readyz } from "../../../src/observe/health.ts";
import { createObserver } from "../../../src/observe/observer.ts";
import { ManualClock } from "../../manual-clock.ts";
import { memoryWriter } from "../../observe/memory-writer.ts";
import { requestRecord } from "../../observe/record.ts";
import { gauge } from "../../../src/observe/sample.ts";
import type { Sample } from "../../../src/observe/events.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-status-"));
afterAll(() => rmSync(folder, { recursive: true }));

let server: Server;
let url: string;
let isDraining: boolean;
let keySent: string | undefined;
let hasBudget: boolean;
let leftOut: number;
let fleetAsked: string;

function bucketSamples(bucket: string, values: Readonly<Record<string, number>>): Sample[] {
  return Object.entries(values).map(([name, value]) => ({
    name: `sluice_bucket_${name}`,
    help: "",
    kind: "gauge",
    labels: { bucket },
    value,
  }));
}

/** A budget of 5 dollars, of which 1,234 micro-dollars are spent. */
function budgetSamples(): Sample[] {
  const [level, capacity] = [4_998_766, 5_000_000];
  const values = {
    level_units: level,
    capacity_units: capacity,
    fleet_level_units: level,
    fleet_capacity_units: capacity,
  };
  return bucketSamples("key/a/usd/day", values);
}

const LEVELS = { level_units: 480, capacity_units: 500, fleet_level_units: 480, fleet_capacity_units: 500 };

beforeEach(async () => {
  isDraining = false;
  hasBudget = false;
  leftOut = 0;
  const observer = createObserver({
    writer: memoryWriter(),
    clock: new ManualClock(),
    level: "error",
    hasProcessMetrics: false,
  });
  observer.requestEnded(requestRecord());
  observer.requestEnded(requestRecord({ route: "/v1/completions", outcome: "provider_error", usage: null }));
  observer.addSource((isAsked) => [
    gauge("sluice_limits_left_out", "", isAsked("key/b/usd/day") ? leftOut : 0),
    ...bucketSamples("main/requests/min", { ...LEVELS, waiting_requests: 3, refused_requests_total: 1 }),
    ...(hasBudget ? budgetSamples() : []),
  ]);
  server = createServer((request, response) => {
    keySent = request.headers.authorization;
    if (request.url?.startsWith("/fleet?") === true) fleetAsked = request.url;
    const answer =
      request.url?.startsWith("/metrics") === true
        ? metricsAnswer(observer.metrics(askedBuckets(new URL(request.url, url).searchParams)))
        : request.url?.startsWith("/fleet?") === true
          ? jsonAnswer(FLEET)
          : readyz({
              isStoreOpen: true,
              isStoreWritable: true,
              isDraining,
              providerCount: 1,
              fleetState: null,
              warnings: [],
            });
    response.writeHead(answer.status, answer.headers).end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(() => {
  server.close();
  server.closeAllConnections();
});

async function run(line: string, env: Record<string, string> = {}) {
  const parsed = parseCommandLine(line.split(" "));
  if (parsed.kind !== "run") throw new Error(parsed.text);
  let out = "";
  let err = "";
  const shell = {
    out: (text: string) => void (out += text),
    err: (text: string) => void (err += text),
    cwd: "/",
    env,
    hostName: "host",
  };
  const code = await (parsed.command === "limits" ? runLimits : runStatus)(parsed, shell);
  return { code, out: out.replace(url, "URL"), err };
}

describe("sluice status", () => {
  test("shows readiness, traffic and limits", async () => {
    expect(await run(`status --url ${url}`)).toEqual({
      code: 0,
      err: "",
      out: `URL is ready.

model       requests  failed  first token  overhead  tokens
main/large         2       1       100 ms    0.2 ms      30

limit              left   of  fleet left  fleet of  waiting  refused
main/requests/min   480  500         480       500        3        1

Fleet: gw-0 is serving.

member  state                    version  last heard
gw-0    live, founder, this one        7  –
gw-1    silent                         7  4,000 ms ago
gw-1 is silent, and nobody else uses that share meanwhile: start it again, or \`sluice evict gw-1\` if gone for good.

limit              replica  share                       level  demand/s  waits for
main/requests/min  gw-0     ███████████████░░░░░  75 %      5       2.5  3
                   gw-1     █████░░░░░░░░░░░░░░░  25 %      4         0  –
`,
    });
  });

  test("exits with 1 and says why when the instance is not ready", async () => {
    isDraining = true;
    const { code, out } = await run(`status --url ${url}`);
    expect([code, out.split("\n")[0]]).toEqual([1, "URL is not ready (draining)."]);
  });

  test("writes JSON for programs", async () => {
    const { out } = await run(`status --json --url ${url}`);
    expect(JSON.parse(out)).toMatchObject({
      isReady: true,
      buckets: [{ bucket: "main/requests/min", level: 480 }],
    });
  });

  test("sends the admin key of the environment", async () => {
    await run(`status --url ${url}`, { SLUICE_ADMIN_KEY: "abc" });
    expect(keySent).toBe("Bearer abc");
  });

  test("finds the instance and its admin key in a configuration whose other variables are not set here", async () => {
    const file = join(folder, "sluice.yaml");
    const listen = new URL(url).host;
    writeFileSync(
      file,
      `listen: ${listen}\nadmin: { key: abc }\nproviders: { openai: { api_key: \${NOT_SET} } }\n`,
    );
    expect(await run(`status --config ${file}`)).toMatchObject({ code: 0, err: "" });
    expect(keySent).toBe("Bearer abc");
  });

  test.each([
    ["--url http://127.0.0.1:1", "No Sluice answers at http://127.0.0.1:1. Does it run?"],
    ["--config /nowhere/sluice.yaml", "sluice.yaml"],
    ["--config /nowhere/sluice.yaml", "name it with --url HOST:PORT"],
  ])("exits with 1 and says why for %s", async (options, reason) => {
    const { code, err } = await run(`status ${options}`);
    expect(code).toBe(1);
    expect(err).toContain(reason);
  });
});

test("sluice limits shows the limits alone", async () => {
  const { out } = await run(`limits --url ${url}`);
  expect(out.split("\n")).toHaveLength(3);
});

test("an instance that asks for its admin key is told of as a command's user can help it", () => {
  const text = '{"error":{"message":"This needs the admin key: `Authorization: Bearer KEY`."}}';
  expect(messageIn(text, 401)).toBe("The instance wants its admin key: set SLUICE_ADMIN_KEY to it.");
  expect(messageIn(text, 403)).toBe("This needs the admin key: `Authorization: Bearer KEY`.");
});

describe("of many limits", () => {
  test("those that somebody waits for come first, and the rest are counted", async () => {
    hasBudget = true;
    const { out } = await run(`status --rows 1 --url ${url}`);
    expect(out).toContain("main/requests/min");
    expect(out).not.toContain("key/a/usd/day");
    expect(out).toContain("… and 1 more limits: --match 'NAME*' picks some, --rows N shows more.");
    expect(fleetAsked).toBe("/fleet?limit=1&bucket=main%2Frequests%2Fmin");
  });

  test("those that the instance does not tell at once are counted too, and not where others are picked", async () => {
    leftOut = 2000;
    expect((await run(`status --url ${url}`)).out).toContain("… and 2,000 more limits");
    expect((await run(`status --match main/* --url ${url}`)).out).not.toContain("more limits");
  });

  test("some can be picked by name", async () => {
    hasBudget = true;
    const { out } = await run(`limits --match key/*/day --url ${url}`);
    expect(out.split("\n").map((line) => line.split(" ")[0])).toEqual(["limit", "key/a/usd/day", ""]);
  });
});

test("a limit in dollars is shown in dollars, as it is configured and set", async () => {
  hasBudget = true;
  const { out } = await run(`limits --url ${url}`);
  expect(out).toContain("key/a/usd/day      4.9988    5  ");
  const json: unknown = JSON.parse((await run(`limits --json --url ${url}`)).out);
  expect(json).toContainEqual(
    expect.objectContaining({ bucket: "key/a/usd/day", level: 4.998766, fleetCapacity: 5 }),
  );
});

test("labels are read back as they were written", () => {
  const text = '# HELP x y\nx{a="q\\"\\\\\\n,}",b=""} 1.5\nx 2\nx_bucket{le="+Inf"} +Inf\nnonsense\n';
  expect(parseMetrics(text)).toEqual([
    { name: "x", labels: { a: 'q"\\\n,}', b: "" }, value: 1.5 },
    { name: "x", labels: {}, value: 2 },
    { name: "x_bucket", labels: { le: "+Inf" }, value: Infinity },
  ]);
});

test("numbers stand to the right, texts to the left", () => {
  expect(
    table(
      ["name", "n"],
      [
        ["a", count(5)],
        ["long name", count(1234.5)],
      ],
    ),
  ).toBe("name           n\na              5\nlong name  1,235");
});
