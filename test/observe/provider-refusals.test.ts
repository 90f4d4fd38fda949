// What the log and `/metrics` say of providers that refuse: every refusal is counted, one in a second is told.
import { describe, expect, test } from "vitest";
import type { ProviderRefusal } from "../../src/observe/events.ts";
import { createObserver } from "../../src/observe/observer.ts";
import { ManualClock } from "../manual-clock.ts";
import { memoryWriter } from "./memory-writer.ts";
import { requestRecord } from "./record.ts";

function observing(models: readonly string[] = ["main/large"]) {
  const writer = memoryWriter();
  const clock = new ManualClock();
  const observer = createObserver({ writer, clock, level: "info", hasProcessMetrics: false });
  observer.configure({ level: "info", secrets: ["a-secret-of-ours"], models });
  const refuse = (changes: Partial<ProviderRefusal> = {}, times = 1): void => {
    for (let time = 0; time < times; time++) observer.providerRefused({ ...REFUSAL, ...changes });
  };
  const lines = () =>
    writer
      .lines()
      .map((line) => JSON.parse(line))
      .filter(({ message }) => message !== "request");
  const counts = () => observer.metrics().match(/^sluice_provider_refusals_total.*$/gm) ?? [];
  return { observer, clock, refuse, lines, counts };
}

const REQUESTS = { limit: "main/requests/min", level: 12.3456, capacity: 500 };
const REFUSAL: ProviderRefusal = {
  provider: "main",
  model: "large",
  limits: [REQUESTS],
  waitMs: 1500,
};

const sample = (labels: string, value: number): string =>
  `sluice_provider_refusals_total{${labels}} ${value}`;

describe("a refusal while the limits had room here", () => {
  test("is a warning that says what was left, and what the provider asked for", () => {
    const { refuse, lines, counts } = observing();
    refuse();
    expect(lines()).toMatchObject([
      {
        level: "warn",
        message: "a provider refused for want of room, though its limits here had room",
        provider: "main",
        model: "large",
        limits: [{ limit: "main/requests/min", level: 12.346, capacity: 500 }],
        retry_after_ms: 1500,
      },
    ]);
    expect(counts()).toEqual([sample('provider="main",model="large",limits="room"', 1)]);
  });

  test("is told once in a second, with how many had no line, and each is counted", () => {
    const { refuse, lines, counts, clock } = observing();
    refuse({}, 5000);
    expect(lines()).toHaveLength(1);
    expect(lines()[0]).not.toHaveProperty("left_out");
    clock.advance(999);
    refuse();
    expect(lines()).toHaveLength(1);
    clock.advance(1);
    refuse({ waitMs: null });
    refuse();
    expect(lines()).toHaveLength(2);
    expect(lines()[1]).toMatchObject({ left_out: 5000 });
    expect(lines()[1]).not.toHaveProperty("retry_after_ms");
    expect(counts()).toEqual([sample('provider="main",model="large",limits="room"', 5003)]);
  });

  test("is told of each provider and model by itself", () => {
    const { refuse, lines } = observing(["main/large", "main/small", "other/large"]);
    refuse();
    refuse({ model: "small" });
    refuse({ provider: "other" });
    expect(lines().map(({ provider, model }) => `${provider}/${model}`)).toEqual([
      "main/large",
      "main/small",
      "other/large",
    ]);
  });

  test("is so of a limit that was used to the last unit: the request had its own", () => {
    const { refuse, counts } = observing();
    refuse({ limits: [REQUESTS, { ...REQUESTS, level: 0 }, { ...REQUESTS, level: -1e-9 }] });
    expect(counts()).toEqual([sample('provider="main",model="large",limits="room"', 1)]);
  });

  test("is an increase from the first on: the count stands at zero since the first request", () => {
    const { observer, refuse, counts } = observing();
    expect(counts()).toEqual([]);
    observer.requestEnded(requestRecord());
    observer.requestEnded(requestRecord({ route: "/v1/embeddings" }));
    observer.requestEnded(requestRecord({ provider: "", model: "", outcome: "refused" }));
    expect(counts()).toEqual([sample('provider="main",model="large",limits="room"', 0)]);
    refuse();
    expect(counts()).toEqual([sample('provider="main",model="large",limits="room"', 1)]);
  });
});

test.each([
  ["none", "and no limit of it is known here", []],
  ["overdrawn", "and a limit of it is overdrawn here", [REQUESTS, { ...REQUESTS, level: -3 }]],
])("a refusal where limits are %s is ordinary, and counted apart", (limits, words, known) => {
  const { refuse, lines, counts } = observing();
  refuse({ limits: known });
  refuse({ limits: known });
  expect(lines()).toMatchObject([
    { level: "info", message: expect.stringContaining(words), limits: known.map(({ limit }) => ({ limit })) },
  ]);
  expect(counts()).toEqual([sample(`provider="main",model="large",limits="${limits}"`, 2)]);
});

test("models that clients invent share a label and a line, and bring no secret into the log", () => {
  const { refuse, lines, counts } = observing();
  for (let name = 0; name < 3000; name++) refuse({ model: `a-secret-of-ours-${name}` });
  expect(counts()).toEqual([sample('provider="main",model="other",limits="room"', 3000)]);
  expect(lines()).toHaveLength(1);
  expect(JSON.stringify(lines())).not.toContain("a-secret-of-ours");
});
