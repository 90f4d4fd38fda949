// What `GET /fleet` tells of many buckets: those that are asked for, a page at a time.
import { afterAll, beforeAll, expect, test } from "vitest";
import { fleetRoutes } from "../../../src/cli/routes/fleet-routes.ts";
import { openReplica, type RunningReplica } from "../../../src/fleet/shell.ts";
import { silentLog } from "../../../src/observe/events.ts";
import { MemoryStore } from "../../../src/store/memory.ts";
import { ManualClock } from "../../manual-clock.ts";

const NAMES = ["main/b/min", "main/a/min", "other/a/min", "gone/a/min", "main/c/min"];
const clock = new ManualClock();
let running: RunningReplica;

beforeAll(async () => {
  running = await openReplica({
    store: new MemoryStore(),
    log: silentLog,
    clock,
    timers: { after: () => () => undefined },
  });
  for (const key of NAMES) {
    const refill = { kind: "continuous", unitsPerMs: 1 } as const;
    running.quota.open({ key, dimension: "requests", capacity: 10, refill });
  }
});
afterAll(() => running.close());

interface View {
  readonly buckets: readonly { readonly bucket: string }[];
}

async function view(query: string): Promise<readonly unknown[]> {
  const routes = fleetRoutes(running, clock, () => ({
    isConfigured: ({ limit }) => !limit.key.startsWith("gone/"),
    limitsDiffer: [],
  }));
  const route = routes.find(({ path }) => path === "/fleet");
  const answer = await route?.handle({ params: {}, query: new URLSearchParams(query), body: "" });
  const { buckets, ...rest }: View & Record<string, unknown> = JSON.parse(answer?.body ?? "");
  return [
    buckets.map(({ bucket }) => bucket),
    rest["buckets_total"],
    rest["next_after"],
    rest["buckets_not_configured"],
  ];
}

test.each([
  ["", ["main/a/min", "main/b/min", "main/c/min", "other/a/min"], 4, null],
  ["limit=2", ["main/a/min", "main/b/min"], 4, "main/b/min"],
  ["limit=2&after=main/b/min", ["main/c/min", "other/a/min"], 4, null],
  ["bucket=main/*&limit=1", ["main/a/min"], 3, "main/a/min"],
  ["bucket=other/a/min&bucket=*/c/*", ["main/c/min", "other/a/min"], 2, null],
  ["bucket=gone/*", [], 0, null],
  ["limit=0", [], 4, null],
])("GET /fleet?%s", async (query, names, total, next) => {
  expect(await view(query)).toEqual([names, total, next, 1]);
});

test.each(["limit=-1", "limit=x", "limit=10001", "limit=1.5"])("GET /fleet?%s is refused", async (query) => {
  await expect(view(query)).rejects.toMatchObject({ code: "invalid_request" });
});
