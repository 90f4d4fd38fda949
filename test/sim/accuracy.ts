// How much of its quota a fleet uses, as a table: every scenario from fixed seeds, against what one central bucket would
// have admitted of the same requests. The same seeds give the same table on every machine.
import { Broken } from "./cluster.ts";
import { run, type Scenario, SCENARIOS } from "./scenarios.ts";

/** Units; below it is the rounding of milli-units and refills. */
const OVER_MIN = 1e-4;

export interface Accuracy {
  readonly name: string;
  readonly machines: number;
  readonly target: number;
  /** One number per seed, of the central bucket's units; 0 for a run in which the promise broke. */
  readonly uses: readonly number[];
  readonly overMost: number;
  /** What broke; empty when nothing did. */
  readonly broken: string;
}

/** One run of a scenario. */
export interface Piece {
  readonly name: string;
  readonly seed: number;
}

export interface Played {
  /** 0 when the promise broke. */
  readonly use: number;
  readonly over: number;
  /** What broke; empty when nothing did. */
  readonly broken: string;
}

/** Every run that the page needs, the large fleets first, for they take longest; they get the first seed only. */
export function piecesOf(scenarios: readonly Scenario[], seeds: readonly number[]): Piece[] {
  const isLarge = ({ machines, isAnyRunning }: Scenario): boolean => machines > 10 || isAnyRunning === true;
  const pieces = (large: boolean): Piece[] =>
    scenarios
      .filter((scenario) => isLarge(scenario) === large)
      .flatMap(({ name }) => (large ? seeds.slice(0, 1) : seeds).map((seed) => ({ name, seed })));
  return [...pieces(true), ...pieces(false)];
}

export function play({ name, seed }: Piece): Played {
  const scenario = SCENARIOS.find((each) => each.name === name);
  if (scenario === undefined) throw new Error(`no scenario is named ${name}`);
  try {
    const { use, over } = run(scenario, seed);
    return { use, over, broken: "" };
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    return { use: 0, over: 0, broken: `seed ${seed}: ${error.message}` };
  }
}

export function accuracyOf(scenario: Scenario, played: readonly Played[]): Accuracy {
  return {
    name: scenario.name,
    machines: scenario.machines,
    target: scenario.target,
    uses: played.map(({ use }) => use),
    overMost: Math.max(...played.map(({ over }) => over)),
    broken: played.find(({ broken }) => broken !== "")?.broken ?? "",
  };
}

/** Whether even the worst run reached the target, to a tenth of a percent as the table shows it. */
export function hasReached({ uses, target }: Accuracy): boolean {
  return Math.round(Math.min(...uses) * 1000) >= Math.round(target * 1000);
}

function percent(part: number): string {
  return `${(part * 100).toFixed(1)} %`;
}

function lineOf(accuracy: Accuracy): string {
  const { name, uses, target, overMost } = accuracy;
  const mean = uses.reduce((sum, use) => sum + use, 0) / uses.length;
  const over = overMost > OVER_MIN ? overMost.toFixed(3) : "0";
  const verdict = hasReached(accuracy) ? "" : "missed";
  const cells = [
    name,
    uses.length,
    percent(mean),
    percent(Math.min(...uses)),
    percent(target),
    verdict,
    over,
  ];
  return `| ${cells.join(" | ")} |`;
}

const INTRODUCTION = `# How much of the quota is used

\`npm run accuracy\` writes this page, in about three minutes of two cores, from fixed seeds. The real replica code runs in virtual time over the simulator's network and disks: by default
4 replicas, links of 0.5 to 5 ms, a quota of 50 units per second with a capacity of 100, demand of 1.5 times the quota for 60 s, and requests that wait for up to 8 s. *Use* is what the fleet
admitted, of what one central bucket with one line would have admitted of the very same requests; *over* is the most that the fleet was ever ahead of one exact bucket, in units, looked at
after every event. Fleets of 20 and more replicas take long to play and have one seed.

Targets of the design: 99 % for even, skewed and lossy; 97 % for the moving hot spot and the two-way split; 95 % for tiny quotas and for requests of 60 % of the bucket. The design names
none for the other rows; theirs are what we hold ourselves to. A target counts as reached when the *worst* run reaches it.

| scenario | seeds | use, mean | use, worst | target | | over |
| --- | ---: | ---: | ---: | ---: | --- | ---: |`;

const RANDOM_FAULTS = `## Random fleets under random faults

\`npm run sim -- --seeds 100000\` plays that many schedules of a few seconds (\`--seed N\` plays one again): two to eight replicas with random buckets, network, disks and load. After every event the units admitted are held against
one exact bucket; four times per second the shares are added up; afterwards everything heals, and all replicas must come to hold the same and admit again. Of six schedules

- two are **plain**: processes are killed, stopped or put to sleep, machines reboot, links are cut one way or both, clocks are stepped by up to a day, disks are full, replicas join and leave. Not one unit may be over;
- one has **disks** that are set back to an earlier state, now and then while the machine can't reach the others, and copies of disks that are started beside the original. What siblings knew must not be spent again. What nobody who could be asked knew may be, once: that is measured, and no unit more is allowed;
- one **reclaims** the share of who was silent for 1.5 s, although most of them live. The fleet may be over by what exists twice (what the claimed one holds, once, and its refill, until the two meet), as seen by one who sees all replicas at once. No unit more is allowed;
- one **shares** what is not in buckets: limits are halved and doubled while traffic runs, keys are written and deleted, totals are counted. While a limit spreads, each part of a bucket obeys the limit that its holder knows, and no unit may be over that; afterwards all hold the same, nothing that was durable has given way to anything older, and totals are what was counted, less what was not on a disk when its process was killed.
  The schedules with disks share the same, and there nothing is counted twice;
- one is **moving**: for half a minute replicas leave cleanly and most of them come back with their disks, soon or when they have been forgotten, among the faults of the plain ones but for reboots and stepped clocks.

In the plain, the sharing and the moving ones those who are there hold the whole in the end; where all had left at once and the disk of the last in line is no more, after an operator has said so.
`;

export function pageOf(all: readonly Accuracy[]): string {
  const missed = all.filter((each) => !hasReached(each)).map(({ name }) => name);
  const broken = all.filter((each) => each.broken !== "").map((each) => `${each.name}, ${each.broken}`);
  const verdicts = [
    missed.length === 0 ? "Every target is reached." : `Missed: ${missed.join("; ")}.`,
    broken.length === 0 ? "No run was over its quota." : `**The promise broke**: ${broken.join("; ")}.`,
  ];
  return `${INTRODUCTION}\n${all.map(lineOf).join("\n")}\n\n${verdicts.join(" ")}\n\n${RANDOM_FAULTS}`;
}
