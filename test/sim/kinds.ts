// What can happen in a random schedule: which buckets there are, which faults strike, and by which rules the fleet lives.
import type { Limit } from "../../src/bucket/limit.ts";
import type { MembershipOptions } from "../../src/fleet/membership.ts";
import type { Chance } from "./random.ts";

/** The buckets of a schedule. */
export function drawLimits(chance: Chance): Limit[] {
  const capacity = chance.pick([1, 2, 5, 20, 100, 5000]);
  const limits: Limit[] = [
    {
      key: "p/requests",
      dimension: "requests",
      capacity,
      refill: { kind: "continuous", unitsPerMs: (capacity * chance.between(0.2, 1.5)) / 1000 },
    },
  ];
  if (chance.hits(0.3)) {
    limits.push({
      key: "p/concurrent",
      dimension: "concurrent",
      capacity: chance.integer(1, 12),
      refill: { kind: "held" },
    });
  }
  if (chance.hits(0.3)) {
    limits.push({
      key: "k/tokens/min",
      dimension: "tokens",
      capacity: capacity * chance.integer(2, 8),
      refill: { kind: "calendar", period: "min", timezone: "UTC" },
    });
  }
  return limits;
}

const FAULTS = [
  "crash",
  "crash",
  "partition",
  "one-way cut",
  "stop and go on",
  "sleep",
  "full disk",
  "clock step",
  "join",
  "leave",
] as const;
const DISK_FAULTS = ["backup", "backup", "disk set back", "disk set back", "disk copied"] as const;
export type Fault = (typeof FAULTS | typeof DISK_FAULTS)[number] | "set limit" | "small step";

/** What can happen in a schedule. */
export interface Kind {
  readonly faults: readonly Fault[];
  readonly membership: Partial<MembershipOptions>;
  readonly mayDouble: boolean;
  readonly isSharing: boolean;
}

const PLAIN: Kind = { faults: FAULTS, membership: {}, mayDouble: false, isSharing: false };
/** A write from more than a day ahead is refused, so where something is shared the clocks don't go that far apart. */
const NEAR_FAULTS = FAULTS.map((fault) => (fault === "clock step" ? "small step" : fault));
/** Two of five schedules are plain: all that can happen to processes, networks and clocks, and no unit may be over. */
const KINDS: readonly Kind[] = [
  PLAIN,
  PLAIN,
  { faults: [...NEAR_FAULTS, ...DISK_FAULTS], membership: {}, mayDouble: true, isSharing: true },
  {
    faults: FAULTS,
    membership: { reclaimAfterMs: 1500, unreachableAfterMs: 1000 },
    mayDouble: true,
    isSharing: false,
  },
  { faults: [...NEAR_FAULTS, "set limit", "set limit"], membership: {}, mayDouble: false, isSharing: true },
];

export function kindOf(seed: number): Kind {
  return KINDS[seed % KINDS.length] ?? PLAIN;
}
