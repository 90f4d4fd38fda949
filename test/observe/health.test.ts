import { expect, test } from "vitest";
import { healthz, metricsAnswer, readyz } from "../../src/observe/health.ts";

test("a living process is healthy", () => {
  expect(healthz()).toMatchObject({ status: 200, body: '{"status":"ok"}\n' });
});

test.each([
  [
    {
      isStoreOpen: true,
      isStoreWritable: true,
      isDraining: false,
      providerCount: 1,
      fleetState: null,
      warnings: [],
    },
    200,
    undefined,
  ],
  [
    {
      isStoreOpen: true,
      isStoreWritable: true,
      isDraining: true,
      providerCount: 1,
      fleetState: null,
      warnings: [],
    },
    503,
    ["draining"],
  ],
  [
    {
      isStoreOpen: false,
      isStoreWritable: false,
      isDraining: false,
      providerCount: 1,
      fleetState: null,
      warnings: [],
    },
    503,
    ["store_closed"],
  ],
  [
    {
      isStoreOpen: true,
      isStoreWritable: false,
      isDraining: false,
      providerCount: 1,
      fleetState: null,
      warnings: [],
    },
    503,
    ["store_unwritable"],
  ],
  [
    {
      isStoreOpen: true,
      isStoreWritable: true,
      isDraining: false,
      providerCount: 0,
      fleetState: null,
      warnings: [],
    },
    503,
    ["no_provider"],
  ],
  [
    {
      isStoreOpen: true,
      isStoreWritable: true,
      isDraining: false,
      providerCount: 1,
      fleetState: "seeking",
      warnings: [],
    },
    503,
    ["fleet_seeking"],
  ],
  [
    {
      isStoreOpen: false,
      isStoreWritable: false,
      isDraining: true,
      providerCount: 0,
      fleetState: null,
      warnings: [],
    },
    503,
    ["draining", "store_closed", "no_provider"],
  ],
])("readiness of %o is %i", (readiness, status, reasons) => {
  const answer = readyz(readiness);
  expect(answer.status).toBe(status);
  expect(JSON.parse(answer.body)["reasons"]).toEqual(reasons);
});

test("what does not keep it from serving is a warning", () => {
  const sound = {
    isStoreOpen: true,
    isStoreWritable: true,
    isDraining: false,
    providerCount: 1,
    fleetState: null,
  };
  const { status, body } = readyz({ ...sound, warnings: ["fleet_other_secret"] });
  expect([status, JSON.parse(body)]).toEqual([200, { status: "ready", warnings: ["fleet_other_secret"] }]);
});

test("metrics are served as Prometheus' text", () => {
  expect(metricsAnswer("x 1\n").headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
});
