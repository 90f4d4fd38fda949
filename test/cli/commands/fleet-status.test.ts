// The fleet in words: members, shares, what differs, and what somebody should do about it.
import { describe, expect, test } from "vitest";
import { describeFleet, type FleetStatus } from "../../../src/cli/commands/fleet-status.ts";
import { FLEET, member } from "./fleet-fixture.ts";

test("buckets that nothing configures any more are counted", () => {
  const view = { ...FLEET, members: FLEET.members.slice(0, 1), buckets: [], limits_differ: [] };
  expect(describeFleet({ ...view, buckets_not_configured: 0 })).toBe("");
  expect(describeFleet({ ...view, buckets_not_configured: 1234 })).toBe(
    "1,234 buckets are kept whose limit is not configured here (any more).",
  );
});

test("limits that are not the same at a sibling are told", () => {
  const limits_differ = [
    { limit: "main/requests/min", here: "50", there: "100, burst 200", at: ["gw-1", "gw-2"] },
    { limit: "main/tokens/min", here: null, there: "9", at: ["gw-2"] },
    { limit: null, here: null, there: null, at: ["gw-3"] },
  ];
  const text = describeFleet({ ...FLEET, buckets_not_configured: 0, limits_differ });
  expect(text).toContain(
    [
      "Limits differ, and each instance keeps its share of its own: give all the same.",
      "limit              here  there           at",
      "main/requests/min  50    100, burst 200  gw-1, gw-2",
      "main/tokens/min    –     9               gw-2",
      "(one of many)      –     –               gw-3",
    ].join("\n"),
  );
});

test("replicas that are gone are one line, and those that share a name are told apart", () => {
  const members = [
    ...FLEET.members,
    member({ replica: "c".repeat(32), name: "gw-2" }),
    member({ replica: "d".repeat(32), name: "gw-2", state: "silent" }),
    ...["e", "f", "0"].map((digit) => member({ replica: digit.repeat(32), name: "gw-2", state: "gone" })),
  ];
  const text = describeFleet({
    ...FLEET,
    members,
    buckets: [],
    buckets_not_configured: 0,
    limits_differ: [],
  });
  expect(text).toBe(`Fleet: gw-0 is serving.

member           state                    version  last heard
gw-0             live, founder, this one        7  –
gw-1             silent                         7  4,000 ms ago
gw-2 (cccccccc)  live                           7  0 ms ago
gw-2 (dddddddd)  silent                         7  0 ms ago
gw-1, gw-2 (dddddddd) are silent, and nobody else uses that share meanwhile: start them again, or \`sluice evict NAME\` if gone for good.
3 gone; kept in mind while somebody is silent.`);
  const settled = members.filter(({ state }) => state !== "silent");
  expect(
    describeFleet({ ...FLEET, members: settled, buckets: [], buckets_not_configured: 0, limits_differ: [] }),
  ).toMatch(/^3 gone\.$/m);
});

describe("what status says of the members", () => {
  const about = (
    members: readonly FleetStatus["members"][number][],
    rest: Partial<FleetStatus> = {},
  ): string =>
    describeFleet({
      ...FLEET,
      members: [...members],
      buckets: [],
      buckets_not_configured: 0,
      limits_differ: [],
      ...rest,
    });

  test("they are in the order of their names, at every instance", () => {
    const members = ["gw-10", "gw-2", "gw-1"].map((name) => member({ replica: name, name }));
    expect(about(members).match(/^gw-\d+/gm)).toEqual(["gw-1", "gw-2", "gw-10"]);
    const parts = members.map(({ replica }) => ({ replica, share: 0, level: 0, demand: 0, waiting: 0 }));
    const buckets = [{ bucket: "main/requests/min", capacity: 20, parts }];
    const shares = about(members, { buckets }).split("share")[1] ?? "";
    expect(shares.match(/gw-\d+/g)).toEqual(["gw-1", "gw-2", "gw-10"]);
    expect(shares).toMatch(/\nmain\/requests\/min +gw-1 /);
  });

  test.each([
    [-1, "never"],
    [0, "0 ms ago"],
    [9999, "9,999 ms ago"],
    [40_400, "40 s ago"],
    [720_000, "12 min ago"],
    [108_000_000, "30 h ago"],
  ])("a silence of %d ms is told as %s", (silent_ms, told) => {
    const members = [
      member({ name: "gw-0", is_self: true }),
      member({ replica: "b", name: "gw-1", silent_ms }),
    ];
    expect(about(members)).toMatch(new RegExp(`^gw-1 .* ${told}$`, "m"));
  });

  test("addresses that don't answer as siblings are told with the reason, ten of them, also to one that is alone", () => {
    const peers_failing = Array.from({ length: 12 }, (_, at) => ({
      peer: `http://gw-${at}`,
      reason: `http://gw-${at} is a page`,
    }));
    const text = about([member({ is_self: true })], { peers_failing });
    expect(text.split("\n").slice(0, 2)).toEqual([
      "Peers that can't be exchanged with now:",
      "  http://gw-0 is a page",
    ]);
    expect(text).toMatch(/gw-9 is a page\n {2}… and 2 more\.$/);
  });

  test("one without a name is evicted by its id", () => {
    const members = [member({ name: "gw-0" }), member({ replica: "b".repeat(32), state: "silent" })];
    expect(about(members)).toContain("`sluice evict bbbbbbbb`");
  });

  test.each([
    [["http://gw-1:8788", "http://gw-2:8788"], "it asks http://gw-1:8788, http://gw-2:8788"],
    [[], "no address of one is known"],
  ])("one that waits for its siblings says for which: %j", (peers, whom) => {
    const text = about([member({ is_self: true })], { state: "seeking", peers });
    expect(text.split("\n")[0]).toBe(
      `Fleet: gw-0 is seeking: it serves nobody before its siblings have answered (${whom}; the log says what is in the way).`,
    );
  });
});
