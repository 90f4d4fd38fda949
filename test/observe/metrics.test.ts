// What `/metrics` shows after requests, and what it does not grow into.
import { describe, expect, test } from "vitest";
import { createObserver } from "../../src/observe/observer.ts";
import { Histogram } from "../../src/observe/histogram.ts";
import { renderFamilies } from "../../src/observe/exposition.ts";
import { ManualClock } from "../manual-clock.ts";
import { memoryWriter } from "./memory-writer.ts";
import { requestRecord } from "./record.ts";
import type { RequestRecord } from "../../src/observe/events.ts";

function observe(records: readonly Partial<RequestRecord>[], models: readonly string[] = []) {
  const observer = createObserver({
    writer: memoryWriter(),
    clock: new ManualClock(),
    level: "error",
    hasProcessMetrics: false,
  });
  observer.configure({ level: "error", secrets: [], models });
  for (const changes of records) observer.requestEnded(requestRecord(changes));
  return observer;
}

function lines(records: readonly Partial<RequestRecord>[], models?: readonly string[]): string[] {
  return observe(records, models).metrics().split("\n");
}

const ROUTE = 'route="/v1/chat/completions",provider="main",model="large"';

describe("requests", () => {
  test("are counted by route, provider, model and outcome", () => {
    const text = lines([{}, {}, { outcome: "provider_error", errorCode: "provider_error" }]);
    expect(text).toContain(`sluice_requests_total{${ROUTE},outcome="ok"} 2`);
    expect(text).toContain(`sluice_requests_total{${ROUTE},outcome="provider_error"} 1`);
    expect(text).toContain('sluice_errors_total{code="provider_error"} 1');
    expect(text).toContain('sluice_key_requests_total{key="team-a"} 3');
  });

  test("tell latency, time to first token, overhead and waiting in seconds", () => {
    const text = lines([{ waitedMs: 40, sentMs: 1042, firstByteMs: 1100, endedMs: 1500 }]);
    expect(text).toContain(`sluice_request_duration_seconds_sum{${ROUTE}} 0.5`);
    expect(text).toContain(`sluice_request_duration_seconds_bucket{${ROUTE},le="0.5"} 1`);
    expect(text).toContain(`sluice_request_duration_seconds_bucket{${ROUTE},le="0.25"} 0`);
    expect(text).toContain(`sluice_time_to_first_token_seconds_sum{${ROUTE}} 0.1`);
    expect(text).toContain(`sluice_gateway_overhead_seconds_sum{${ROUTE}} 0.002`);
    expect(text).toContain(`sluice_wait_seconds_count{${ROUTE}} 1`);
  });

  test("that took several attempts do not count as overhead", () => {
    const text = lines([{ attempts: 2, sentMs: 1400 }]);
    expect(text.join("\n")).not.toContain("sluice_gateway_overhead_seconds");
    expect(text).toContain(`sluice_attempts_total{${ROUTE}} 2`);
  });

  test("that were refused count without a provider and without an answer", () => {
    const refused = {
      outcome: "refused",
      provider: "",
      model: "",
      sentMs: 0,
      firstByteMs: 0,
      usage: null,
    } as const;
    const text = lines([{ ...refused, errorCode: "rate_limit_exceeded" }]);
    expect(text).toContain(
      'sluice_requests_total{route="/v1/chat/completions",provider="",model="",outcome="refused"} 1',
    );
    expect(text.join("\n")).not.toContain("sluice_time_to_first_token");
  });

  test("add up their tokens by kind", () => {
    const text = lines([{}, { isUsageEstimated: true }]);
    expect(text).toContain(`sluice_tokens_total{${ROUTE},kind="input"} 20`);
    expect(text).toContain(`sluice_tokens_total{${ROUTE},kind="output"} 40`);
    expect(text).toContain(`sluice_tokens_total{${ROUTE},kind="cached_input"} 8`);
    expect(text).toContain(`sluice_usage_estimated_total{${ROUTE}} 1`);
  });
});

describe("label values", () => {
  test("are not made from models nobody knows", () => {
    const invented = Array.from({ length: 50 }, (_, at) => ({
      model: `invented-${at}`,
      outcome: "provider_error" as const,
    }));
    const text = lines(invented).join("\n");
    expect(text).not.toContain("invented");
    expect(text).toContain('model="other",outcome="provider_error"} 50');
  });

  test("are made from models of the configuration, and from those that answered", () => {
    const failed = { model: "listed", outcome: "provider_error" } as const;
    const text = lines([failed, { model: "answered" }], ["main/listed"]).join("\n");
    expect(text).toContain('model="listed"');
    expect(text).toContain('model="answered"');
  });

  test("stay below a bound even when every model answers", () => {
    const many = Array.from({ length: 3000 }, (_, at) => ({ model: `m-${at}`, keyName: `k-${at}` }));
    const text = lines(many);
    expect(text.filter((line) => line.startsWith("sluice_requests_total{")).length).toBeLessThan(1002);
    expect(text.filter((line) => line.startsWith("sluice_key_requests_total{")).length).toBeLessThan(1002);
    const other = text.find((line) => line.startsWith("sluice_requests_total{") && line.includes('"other"'));
    expect(other?.endsWith(" 2000")).toBe(true);
  });

  test("are escaped", () => {
    const point = { suffix: "", labels: { model: 'a"b\\c\nd' }, value: Infinity };
    const text = renderFamilies([{ name: "x", help: "One\nline", kind: "gauge", points: [point] }]);
    expect(text).toBe('# HELP x One\\nline\n# TYPE x gauge\nx{model="a\\"b\\\\c\\nd"} +Inf\n');
  });
});

describe("sources", () => {
  test("are asked at each scrape, and samples of one name become one family", () => {
    const observer = observe([]);
    let level = 5;
    observer.addSource(() => [
      { name: "sluice_bucket_level", help: "Units.", kind: "gauge", labels: { bucket: "a" }, value: level },
    ]);
    observer.addSource(() => [
      { name: "sluice_bucket_level", help: "Units.", kind: "gauge", labels: { bucket: "b" }, value: 1 },
    ]);
    expect(observer.metrics()).toContain('sluice_bucket_level{bucket="a"} 5');
    level = 4;
    const text = observer.metrics();
    expect(text).toContain('sluice_bucket_level{bucket="a"} 4\nsluice_bucket_level{bucket="b"} 1');
    expect(text.match(/# TYPE sluice_bucket_level gauge/g)).toHaveLength(1);
  });

  test("that fail are left out, counted and logged", () => {
    const writer = memoryWriter();
    const clock = new ManualClock();
    const observer = createObserver({ writer, clock, level: "info", hasProcessMetrics: false });
    observer.addSource(() => {
      throw new Error("no gauge");
    });
    expect(observer.metrics()).toContain("sluice_metrics_source_failures_total 1");
    expect(writer.lines().join("")).toContain("metrics source failed");
  });

  test("are joined by the process's own metrics", () => {
    const observer = createObserver({ writer: memoryWriter(), clock: new ManualClock(), level: "error" });
    const text = observer.metrics();
    for (const name of [
      "process_cpu_seconds_total",
      "process_resident_memory_bytes",
      "nodejs_eventloop_lag_p99_seconds",
    ]) {
      expect(Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1])).toBeGreaterThanOrEqual(0);
    }
  });
});

test("a histogram counts a value on a bound as below it, and all values in +Inf", () => {
  const histogram = new Histogram([0.001, 1]);
  for (const ms of [0, 1, 1.01, 1000, 5000]) histogram.observe(ms);
  expect(histogram.points({}).map(({ suffix, labels, value }) => [suffix, labels["le"], value])).toEqual([
    ["_bucket", "0.001", 2],
    ["_bucket", "1", 4],
    ["_bucket", "+Inf", 5],
    ["_sum", undefined, 6.00201],
    ["_count", undefined, 5],
  ]);
});
