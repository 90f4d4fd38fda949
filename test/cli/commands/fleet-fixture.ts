// A fleet of two as `GET /fleet` tells it: one that serves, and one that is silent.
import type { FleetStatus } from "../../../src/cli/commands/fleet-status.ts";

export const FLEET = {
  name: "gw-0",
  state: "serving",
  peers: ["http://gw-1:8788"],
  peers_failing: [],
  members: [
    member({ replica: "a".repeat(32), name: "gw-0", is_self: true, is_founder: true }),
    member({ replica: "b".repeat(32), name: "gw-1", state: "silent", silent_ms: 4000 }),
  ],
  buckets: [
    {
      bucket: "main/requests/min",
      capacity: 20,
      parts: [
        { replica: "a".repeat(32), share: 0.75, level: 5, demand: 2.5, waiting: 3 },
        { replica: "b".repeat(32), share: 0.25, level: 4, demand: 0, waiting: 0 },
      ],
    },
  ],
};

export function member(given: Partial<FleetStatus["members"][number]>): FleetStatus["members"][number] {
  const plain = {
    replica: "",
    name: "",
    is_self: false,
    is_founder: false,
    state: "live",
    version: 7,
    silent_ms: 0,
  };
  return { ...plain, ...given };
}
