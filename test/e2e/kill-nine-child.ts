// The process that is killed: store, replica and limiter under as much load as they take. Each line on standard output
// is written before what it tells counts as done, in one system call, so that a kill can't part the two:
//
//   slots N              how many requests could run at the same time right after the start
//   take T NUMBER UNITS  units were admitted (of bucket NUMBER, at T ms of the machine's monotonic clock)
//   back T NUMBER UNITS  units are about to be given back
import { writeSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { setImmediate as nextTurn } from "node:timers/promises";
import { systemClock, systemTimers } from "../../src/clock.ts";
import { openReplica } from "../../src/fleet/shell.ts";
import { type Estimate, PLAIN_COUNTING } from "../../src/limiter/cost.ts";
import { Limiter } from "../../src/limiter/limiter.ts";
import type { Meters } from "../../src/limiter/meters.ts";
import type { Reservation } from "../../src/limiter/reservation.ts";
import { silentLog } from "../../src/observe/events.ts";
import { openStore } from "../../src/store/open.ts";
import { killNineLimits, SLOTS } from "./kill-nine-limits.ts";

const [directory = "", seedText = "1"] = process.argv.slice(2);

/** A small generator with a seed (mulberry32), so that a run's costs can be had again. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

// The compiled code is kept at the end of a process; this one has none.
flushCompileCache();

const random = generator(Number(seedText));
const { store } = await openStore({ directory, log: silentLog, wallMs: systemClock.wallMs() });
const replica = await openReplica({ store, log: silentLog });
const limiter = new Limiter({
  quota: replica.quota,
  clock: systemClock,
  timers: systemTimers,
  lineLengthMax: 100,
});

const targets = killNineLimits().map((limit, index) =>
  limiter.target({
    provider: `p${index}`,
    model: "m",
    specs: [{ limit, ownerKind: "provider", owner: `p${index}`, name: limit.key }],
    counting: PLAIN_COUNTING,
    prices: { input: 1, output: 1, cachedInput: 1, cacheWrite: 1 },
  }),
);

function machineMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

function reserve(meters: Meters, estimate: Estimate) {
  return limiter.reserve(
    meters,
    { estimate, priority: 1, clientKey: "k", deadlineMs: 0 },
    systemClock.elapsedMs(),
  );
}

function tokens(count: number): Estimate {
  return { inputTokens: count, outputTokens: 0, maxTokens: null, modelMaxTokens: null };
}

/** Counts how many may run at once, and lets half of them run for ever: the kill ends them. */
function fillSlots(meters: Meters): void {
  const running: Reservation[] = [];
  for (let tries = 0; tries < SLOTS + 5; tries++) {
    const answer = reserve(meters, tokens(1));
    if (answer.kind === "reserved") running.push(answer);
  }
  writeSync(1, `slots ${running.length}\n`);
  for (const each of running.slice(SLOTS / 2)) limiter.giveBack(each, systemClock.elapsedMs());
}

function load(meters: Meters, number: number): void {
  const cost = 1 + Math.floor(random() ** 3 * 60);
  const before = machineMs();
  const answer = reserve(meters, tokens(cost));
  if (answer.kind === "refused") return;
  if (answer.kind === "waiting") {
    answer.decided((outcome) => {
      if (outcome.kind === "reserved") taken(outcome, machineMs(), number);
    });
    return;
  }
  taken(answer, before, number);
}

function taken(reservation: Reservation, atMs: number, number: number): void {
  const [units = 0] = reservation.costs;
  writeSync(1, `take ${atMs} ${number} ${units}\n`);
  const used = Math.floor(random() * units);
  if (random() < 0.5) return;
  writeSync(1, `back ${machineMs()} ${number} ${units - used}\n`);
  const usage = { outputTokens: 0, cachedInputTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 };
  limiter.settle(reservation, { ...usage, inputTokens: used }, systemClock.elapsedMs());
}

const [slots, ...counted] = targets;
if (slots !== undefined) fillSlots(slots);
for (;;) {
  // Bursts larger than what is reserved on disk: they must be held until more is.
  for (const [index, meters] of counted.entries()) {
    const burst = Math.floor(random() ** 2 * 80);
    for (let each = 0; each < burst; each++) load(meters, index + 1);
  }
  await nextTurn();
}
