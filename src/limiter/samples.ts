// What metrics read of one bucket's line and level. Made at a scrape; requests only add to the line's counters.
import type { Quota } from "../fleet/quota.ts";
import type { Sample } from "../observe/events.ts";
import type { Line } from "./line.ts";

type Reading = readonly [name: string, kind: Sample["kind"], value: number, help: string];

export function* lineSamples(quota: Quota, line: Line, now: number): Iterable<Sample> {
  const { meter } = line;
  if (meter === null) return;
  const labels = { bucket: meter.limit.key, dimension: meter.limit.dimension };
  for (const [name, kind, value, help] of readings(quota, line, now)) {
    yield { name: `sluice_bucket_${name}`, help, kind, labels, value };
  }
}

function readings(quota: Quota, line: Line, now: number): Reading[] {
  if (line.bucket === null) return [];
  const room = quota.room(line.bucket, now);
  return [
    ["taken_units_total", "counter", line.taken, "Units taken for requests, before settlement."],
    [
      "returned_units_total",
      "counter",
      line.returned,
      "Units given back at settlement: estimated but not used.",
    ],
    ["overrun_units_total", "counter", line.overrun, "Units used beyond the estimate, booked as debt."],
    [
      "lowered_units_total",
      "counter",
      line.lowered,
      "Units that the provider reported as gone though no request of this fleet took them.",
    ],
    [
      "refused_requests_total",
      "counter",
      line.refused,
      "Requests turned away because this bucket had no room.",
    ],
    [
      "waited_requests_total",
      "counter",
      line.waits,
      "Requests admitted after waiting in this bucket's line.",
    ],
    ["waited_seconds_total", "counter", line.waitedMs / 1000, "Time that admitted requests waited in line."],
    ["waiting_requests", "gauge", line.size, "Requests in this bucket's line now."],
    ["level_units", "gauge", room.level, "Units that this replica could hand out now; below zero: debt."],
    ["capacity_units", "gauge", room.capacity, "Units that this replica's share can hold."],
    [
      "fleet_level_units",
      "gauge",
      room.fleetLevel,
      "Units that the whole fleet could hand out, from the latest gauges.",
    ],
    ["fleet_capacity_units", "gauge", room.fleetCapacity, "Units that the bucket can hold."],
  ];
}
