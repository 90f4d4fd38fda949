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

/** What stands in a replica's way, and passes. */
const TROUBLES = ["partition", "one-way cut", "stop and go on", "sleep", "full disk"] as const;
const FAULTS = ["crash", "crash", ...TROUBLES, "clock step", "join", "leave"] as const;
const DISK_FAULTS = ["backup", "backup", "disk set back", "disk set back", "disk copied"] as const;
export type Fault = (typeof FAULTS | typeof DISK_FAULTS)[number] | "set limit" | "small step" | "scale down";

/** What can happen in a schedule. */
export interface Kind {
  readonly faults: readonly Fault[];
  readonly membership: Partial<MembershipOptions>;
  readonly mayDouble: boolean;
  readonly isSharing: boolean;
  /** Replicas leave and come back, again and again; schedules are longer. */
  readonly isMoving: boolean;
  /** How much fewer requests than usual there are. */
  readonly pace: number;
  /** In the end those who are there hold the whole. */
  readonly isWhole: boolean;
}

const PLAIN: Kind = {
  faults: FAULTS,
  membership: {},
  mayDouble: false,
  isSharing: false,
  isMoving: false,
  pace: 1,
  isWhole: true,
};
/** A write from more than a day ahead is refused, so where something is shared the clocks don't go that far apart. */
const NEAR_FAULTS = FAULTS.map((fault) => (fault === "clock step" ? "small step" : fault));
/** Four of twelve are leaving, one is leaving of nearly all at once, as a deployment that is scaled down does. */
const MOVING_FAULTS: readonly Fault[] = [
  "leave",
  "leave",
  "leave",
  "leave",
  "scale down",
  "join",
  "crash",
  ...TROUBLES,
];
/** Two of six schedules are plain: all that can happen to processes, networks and clocks, and no unit may be over. */
const KINDS: readonly Kind[] = [
  PLAIN,
  PLAIN,
  { ...PLAIN, faults: [...NEAR_FAULTS, ...DISK_FAULTS], mayDouble: true, isSharing: true, isWhole: false },
  {
    ...PLAIN,
    membership: { reclaimAfterMs: 1500, unreachableAfterMs: 1000 },
    mayDouble: true,
    isWhole: false,
  },
  { ...PLAIN, faults: [...NEAR_FAULTS, "set limit", "set limit"], isSharing: true },
  { ...PLAIN, faults: MOVING_FAULTS, isMoving: true, pace: 8 },
];

export function kindOf(seed: number): Kind {
  return KINDS[seed % KINDS.length] ?? PLAIN;
}

/** How long a schedule strikes, how often, and how long it is quiet afterwards. */
export interface Schedule {
  readonly faultsMs: number;
  readonly everyMs: number;
  readonly quietMs: number;
}

const SHORT: Schedule = { faultsMs: 3500, everyMs: 350, quietMs: 0 };
/** One in sixteen: those who are gone are said farewell to and forgotten while faults go on. */
const LONG: Schedule = { faultsMs: 12_000, everyMs: 700, quietMs: 6000 };
/** Where replicas come and go all the time, they are away for long enough to be forgotten. */
const MOVING: Schedule = { faultsMs: 30_000, everyMs: 1200, quietMs: 7000 };

export function scheduleOf(seed: number): Schedule {
  if (kindOf(seed).isMoving) return MOVING;
  return seed % 16 === 0 ? LONG : SHORT;
}
