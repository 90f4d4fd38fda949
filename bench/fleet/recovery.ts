// How soon a fleet uses the whole quota again after it has lost one of three replicas. Each has more requests than all of
// the quota could serve, so what is admitted is what can be. LMDB on the disk, real HTTP on loopback. All three are in this
// process, and killing one stops its clockwork and its connections; one that is started again has a process of its own.
import { rmSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import { Demand } from "./demand.ts";
import { Lab, labFolder, MEMBERSHIP, quantile, type Seat, shareOf, tightLimit, until } from "./lab.ts";
import { Meter } from "./meter.ts";
import { Mortal, REQUESTS_EVERY_MS } from "./mortal.ts";

const PER_SECOND = 1000;
/** More than `unreachableAfterMs`: until then a dead replica may be the one that is to claim its share. */
const RECLAIM_AFTER_MS = 4000;
const ROUNDS = 3;
/** Until the burst is used up and requests wait everywhere. */
const SETTLE_MS = 1000;
/** The least that each holds before one is lost. */
const SHARE_MIN = 0.25;
const WHOLE = 0.999;

/** In milliseconds since what begins it. */
interface Recovery {
  /** Until those who are there hold all of the bucket: its whole refill is theirs, and room for its whole burst. */
  readonly heldMs: number;
  /** Until they admit at the full rate. */
  readonly admittingMs: number;
}

interface Restart extends Recovery {
  /** Until the new process runs its first line. */
  readonly runsMs: number;
  /** Until it has opened its store and its siblings have told what they remember. */
  readonly servesMs: number;
}

/** The third, of which the others are deprived. */
interface Scene {
  readonly lab: Lab;
  readonly third: Seat;
}

/** Resolves with the instant from which on to measure. */
type Event = (scene: Scene) => Promise<number>;

async function reclaim({ third }: Scene): Promise<number> {
  const killedMs = performance.now();
  await third.kill();
  return killedMs + RECLAIM_AFTER_MS;
}

async function evict({ lab, third }: Scene): Promise<number> {
  await third.kill();
  await pause(MEMBERSHIP.unreachableAfterMs);
  lab.seat(0).running.replica.membership.evict(third.running.replica.id);
  return performance.now();
}

async function leave({ third }: Scene): Promise<number> {
  const toldMs = performance.now();
  if (!(await third.running.leave(5000))) throw new Error("nobody confirmed that it left");
  return toldMs;
}

async function measureLoss(event: Event, reclaimAfterMs = Infinity): Promise<Recovery> {
  const limits = [tightLimit(PER_SECOND)];
  const lab = await Lab.open({ replicas: 3, limits, store: "lmdb", reclaimAfterMs });
  const demands = lab.seats.map((seat) => new Demand(seat));
  try {
    const third = lab.seat(2);
    const stay = [lab.seat(0), lab.seat(1)];
    for (const demand of demands) demand.start(PER_SECOND, REQUESTS_EVERY_MS);
    await pause(SETTLE_MS);
    await until(() => lab.seats.every((seat) => shareOf(seat) > SHARE_MIN) && held(lab.seats) > WHOLE);
    const lost = shareOf(third);
    const meter = new Meter(PER_SECOND, () => demands.reduce((sum, { admitted }) => sum + admitted, 0));
    demands[2]?.stop();
    const begun = event({ lab, third });
    await until(() => held(stay) > WHOLE);
    const heldAtMs = performance.now();
    const fromMs = await begun;
    return { heldMs: Math.max(0, heldAtMs - fromMs), admittingMs: await meter.untilFull(fromMs, lost) };
  } finally {
    for (const demand of demands) demand.stop();
    await lab.close();
  }
}

function held(seats: readonly Seat[]): number {
  return seats.reduce((sum, seat) => sum + shareOf(seat), 0);
}

async function measureRestart(): Promise<Restart> {
  const folder = labFolder();
  const lab = await Lab.open({ replicas: 2, limits: [tightLimit(PER_SECOND)], store: "lmdb" });
  const demands = lab.seats.map((seat) => new Demand(seat));
  const third = new Mortal(lab, folder, PER_SECOND);
  try {
    await third.start();
    for (const demand of demands) demand.start(PER_SECOND, REQUESTS_EVERY_MS);
    await pause(SETTLE_MS);
    const shares = (): number[] => [...lab.seats.map(shareOf), third.share];
    const isWhole = (): boolean => held(lab.seats) + third.share > WHOLE;
    await until(() => shares().every((share) => share > SHARE_MIN) && isWhole());
    const lost = third.share;
    const meter = new Meter(PER_SECOND, () =>
      demands.reduce((sum, { admitted }) => sum + admitted, third.admitted),
    );
    const killedMs = performance.now();
    await third.kill();
    const { runsAtMs, servesAtMs } = await third.start();
    await until(isWhole);
    return {
      heldMs: performance.now() - killedMs,
      admittingMs: await meter.untilFull(killedMs, lost),
      runsMs: runsAtMs - killedMs,
      servesMs: servesAtMs - killedMs,
    };
  } finally {
    for (const demand of demands) demand.stop();
    await third.kill();
    await lab.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The median of each figure over some rounds. */
async function medians<Figures extends Recovery>(
  measure: () => Promise<Figures>,
): Promise<(name: keyof Figures) => number> {
  const rounds: Figures[] = [];
  for (let round = 0; round < ROUNDS; round += 1) rounds.push(await measure());
  return (name) =>
    quantile(
      rounds.map((figures) => Number(figures[name])),
      0.5,
    );
}

/** What was lost and how, and the milliseconds until all is held again and until all is admitted; null: does not apply. */
export type RecoveryRow = readonly [what: string, heldMs: number | null, admittingMs: number | null];

export async function measureRecovery(): Promise<readonly RecoveryRow[]> {
  const restarted = await medians(measureRestart);
  const evicted = await medians(() => measureLoss(evict));
  const reclaimed = await medians(() => measureLoss(reclaim, RECLAIM_AFTER_MS));
  const left = await medians(() => measureLoss(leave));
  return [
    ["killed and started again at once", restarted("heldMs"), restarted("admittingMs")],
    ["… of that, until the process runs", restarted("runsMs"), null],
    ["… until it has read its store and asked its siblings", restarted("servesMs"), null],
    ["killed and evicted: from `sluice evict` on", evicted("heldMs"), evicted("admittingMs")],
    ["killed: beyond `reclaim.after`", reclaimed("heldMs"), reclaimed("admittingMs")],
    ["leaves on SIGTERM", left("heldMs"), left("admittingMs")],
  ];
}
