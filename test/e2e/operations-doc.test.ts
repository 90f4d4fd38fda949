// The metrics that docs/OPERATIONS.md lists are those that a gateway shows.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { RequestMetrics } from "../../src/observe/request-metrics.ts";
import { startGateway } from "./harness.ts";

test("docs/OPERATIONS.md lists every metric, and none besides", async () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/OPERATIONS.md"), "utf8");
  const listed = [...page.matchAll(/^\| `(sluice_\w+)` \| [\w, ]*\|/gm)].map(([, name = ""]) => name);
  const folder = mkdtempSync(join(tmpdir(), "sluice-metrics-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "key"), "a-key-in-a-file");
  const gateway = await startGateway({
    providers: {
      slow: { type: "simulator", options: { first_ms: 5000 } },
      simulator: {},
      filed: {
        dialect: "openai",
        base_url: "http://127.0.0.1:9/v1",
        api_key_file: join(folder, "key"),
      },
    },
    models: {
      all: {
        targets: ["slow/sim-chat", "simulator/sim-chat"],
        shadow: { to: "simulator/sim-echo", percent: 100 },
      },
    },
    hedge: { after: "1ms", min: "1ms", percent: 100 },
  });
  onTestFinished(async () => void (await gateway.stop()));
  await fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "all", messages: [{ role: "user", content: "hello" }] }),
  });
  const shown = [...(await gateway.metrics()).matchAll(/^# TYPE (sluice_\w+)/gm)].map(
    ([, name = ""]) => name,
  );
  // Those of requests are left out while they have nothing to show, such as waiting.
  const ofRequests = new RequestMetrics((model) => model).families().map(({ name }) => name);
  expect(new Set(listed)).toEqual(new Set([...shown, ...ofRequests]));
  expect(listed).toHaveLength(new Set(listed).size);
});
