// The suites that planted faults are tried on: laws, one replica alone, messages, stories of members, the small model,
// and random seeds.

/** A busy machine is no failure: only a suite that never ends at all is ended (see run.ts). */
const VITEST = ["vitest", "run", "--bail", "1", "--testTimeout", "600000"] as const;

/** What has to notice, each quick by itself; the whole is tried only when a fault's own suite passes. */
export const SUITES = {
  laws: [...VITEST, "test/bucket", "test/clock.test.ts"],
  "one replica": [
    ...VITEST,
    "test/fleet/reserve-ahead.test.ts",
    "test/fleet/downtime.test.ts",
    "test/fleet/calendar.test.ts",
    "test/fleet/crediting.test.ts",
    "test/fleet/failed-write.test.ts",
    "test/fleet/kept-apart.test.ts",
    "test/fleet/rounding.test.ts",
    "test/fleet/farewell.test.ts",
    "test/fleet/outdated.test.ts",
    "test/fleet/written-names.test.ts",
    "test/fleet/leaving.test.ts",
    "test/fleet/founding.test.ts",
    "test/fleet/superseded.test.ts",
    "test/fleet/shell.test.ts",
    "test/fleet/view.test.ts",
  ],
  messages: [
    ...VITEST,
    "test/fleet/bad-messages.test.ts",
    "test/fleet/receiver.test.ts",
    "test/fleet/board.test.ts",
    "test/fleet/http-transport.test.ts",
    "test/cli/wiring/fleet-pauses.test.ts",
    "test/limiter/siblings.test.ts",
    "test/gateway/refusals.test.ts",
    "test/observe/provider-refusals.test.ts",
  ],
  members: [
    ...VITEST,
    "test/sim/members.test.ts",
    "test/sim/returns.test.ts",
    "test/sim/leaving.test.ts",
    "test/sim/rolling.test.ts",
    "test/sim/mutual-heirs.test.ts",
    "test/sim/churn.test.ts",
    "test/sim/disks.test.ts",
    "test/sim/reclaim.test.ts",
    "test/sim/small-quotas.test.ts",
  ],
  "small model": [...VITEST, "test/sim/small"],
  seeds: ["node", "test/sim/run.ts", "--seeds", "400", "--jobs", "1", "--bail"],
} as const satisfies Readonly<Record<Suite, readonly [string, ...string[]]>>;

/** In the order in which they are tried. */
export const SUITE_NAMES = ["laws", "one replica", "messages", "members", "small model", "seeds"] as const;

export type Suite = (typeof SUITE_NAMES)[number];

/** A fault that can be planted. */
export interface Mutant {
  /** What is wrong with it. */
  readonly fault: string;
  readonly file: string;
  /** Stands exactly once in the file. */
  readonly find: string;
  readonly replace: string;
  /** What is expected to notice it. */
  readonly by: Suite;
}
