// What reading a request costs, scanned against parsed: microseconds per request for bodies of several sizes, read
// only and with the model's name changed. `node bench/json-scan.ts`
import { performance } from "node:perf_hooks";
import { rewriteRequest } from "../src/gateway/request/request-rewrite.ts";
import { scanRequest } from "../src/gateway/request/request-scan.ts";
import { chatRequest } from "./load.ts";

const REQUIRED = { name: "messages", kind: "array" } as const;
const CHANGES = { model: Buffer.from('"gpt-5-mini"'), addUsage: true };

function parsed(body: Buffer): Record<string, unknown> {
  return JSON.parse(body.toString("utf8"));
}

const WAYS: Readonly<Record<string, (body: Buffer) => unknown>> = {
  scan: (body) => scanRequest(body, REQUIRED),
  parse: (body) => parsed(body),
  "scan + splice": (body) => rewriteRequest(body, scanRequest(body, REQUIRED), CHANGES),
  "parse + stringify": (body) => {
    const options = { include_usage: true };
    return Buffer.from(JSON.stringify({ ...parsed(body), model: "gpt-5-mini", stream_options: options }));
  },
};

/** The best of many short rounds: what the work takes when nothing else runs on the machine. */
function microseconds(work: () => unknown, bytes: number): number {
  const batch = Math.max(1, Math.floor(100_000 / bytes));
  const rounds = bytes > 1_000_000 ? 30 : 200;
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const startedMs = performance.now();
    let count = 0;
    while (count === 0 || performance.now() - startedMs < 2) {
      for (let inner = 0; inner < batch; inner++) work();
      count += batch;
    }
    if (round >= rounds / 4) best = Math.min(best, ((performance.now() - startedMs) * 1000) / count);
  }
  return best;
}

function chat(content: unknown): Buffer {
  return Buffer.from(JSON.stringify({ model: "smart", messages: [{ role: "user", content }] }));
}

const request = chatRequest({ isStream: true });
const image = { type: "image_url", image_url: { url: `data:image/png;base64,${"A".repeat(10_000_000)}` } };
const BODIES: Readonly<Record<string, Buffer>> = {
  "chat, 600 bytes": request.subarray(request.indexOf("\r\n\r\n") + 4),
  "prompt, 32 KB": chat("Some words of a long prompt.\n".repeat(1100)),
  "prompt, 512 KB": chat("Some words of a long prompt.\n".repeat(17_600)),
  "image, 10 MB": chat([image]),
};

console.log(`| µs per request | ${Object.keys(WAYS).join(" | ")} |\n| --- |${" ---: |".repeat(4)}`);
for (const [name, body] of Object.entries(BODIES)) {
  const figures = Object.values(WAYS).map((way) => microseconds(() => way(body), body.length));
  console.log(`| ${name} | ${figures.map((figure) => figure.toFixed(figure < 100 ? 1 : 0)).join(" | ")} |`);
}
