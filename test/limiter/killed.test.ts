// What is left of a quota for a process that is killed again and again in the midst of a burst, in virtual time: the real
// limiter, replica and journal, a disk that takes its time, and a provider that answers after a while.
import { expect, test } from "vitest";
import { PLAIN_COUNTING } from "../../src/limiter/cost.ts";
import { Limiter } from "../../src/limiter/limiter.ts";
import { Solo } from "../fleet/solo.ts";
import { ManualClock } from "../manual-clock.ts";
import { limitSpec, tokens } from "./solo-limiter.ts";

const LIVES = 10;
const BURST = 40;
/** 60 at once, and ten per second. */
const QUOTA = limitSpec("provider", "p", "requests=60/6s");
const FREE = { input: 0, output: 0, cachedInput: 0, cacheWrite: 0 };
const ANSWER_MS = 8;
/** When the burst comes, and when the process is killed if it has not served enough until then. */
const START_MS = 20;
const LIFE_MS = 200;
const STEP_MS = 0.25;

interface Life {
  readonly admitted: number;
  readonly served: number;
}

/** A process that is killed when so many have been served, or after a while. */
function live(solo: Solo, commitMs: number, servedUntilKill: number): Life {
  const clock = new ManualClock(solo.nowMs, solo.wallMs - solo.nowMs);
  const { replica } = solo;
  const { journal } = replica;
  const limiter = new Limiter({ quota: replica, clock, timers: clock, lineLengthMax: BURST });
  const target = { provider: "p", model: "m", specs: [QUOTA], counting: PLAIN_COUNTING, prices: FREE };
  const meters = limiter.target(target);
  const life = { admitted: 0, served: 0 };
  const write = (): void => {
    if (journal.isFlushing) return;
    const instant = { bootId: "m", monotonicMs: clock.elapsedMs(), wallMs: clock.wallMs() };
    const flush = journal.collect(clock.elapsedMs(), instant);
    if (flush === null) return;
    clock.after(commitMs / 2, () => solo.apply(flush));
    clock.after(commitMs, () => journal.written(clock.elapsedMs()));
  };
  const admit = (): void => {
    life.admitted++;
    clock.after(ANSWER_MS, () => void life.served++);
  };
  const ask = (): void => {
    const now = clock.elapsedMs();
    const wanted = { estimate: tokens(1), priority: 1, clientKey: "k", deadlineMs: now } as const;
    const outcome = limiter.reserve(meters, wanted, now);
    if (outcome.kind === "reserved") admit();
    else if (outcome.kind === "waiting") outcome.decided(({ kind }) => kind === "reserved" && admit());
  };
  for (let request = 0; request < BURST; request++) clock.after(START_MS + request / 2, ask);
  for (let ms = 0; ms < LIFE_MS && life.served < servedUntilKill; ms += STEP_MS) {
    clock.advance(STEP_MS);
    write();
  }
  solo.nowMs = clock.elapsedMs();
  solo.wallMs = clock.wallMs();
  return life;
}

test.each([
  { commitMs: 1, downMs: 200, part: 0.45 },
  { commitMs: 1, downMs: 1000, part: 0.25 },
  { commitMs: 5, downMs: 300, part: 0.55 },
  { commitMs: 20, downMs: 500, part: 0.25 },
])(
  "ten kills burn at most $part of what was admitted, where a commit takes $commitMs ms and a start $downMs ms",
  ({ commitMs, downMs, part }) => {
    const solo = new Solo();
    let admitted = 0;
    let served = 0;
    for (let life = 0; life < LIVES; life++) {
      const lived = live(solo, commitMs, 1 + ((life * 7) % 30));
      admitted += lived.admitted;
      served += lived.served;
      solo.kill(downMs);
    }
    const left = solo.replica.room(solo.replica.open(QUOTA.limit), solo.nowMs).level;
    const burnt = 60 + solo.nowMs / 100 - admitted - left;
    expect(burnt).toBeGreaterThanOrEqual(0);
    expect(burnt).toBeLessThan(part * admitted);
    expect(served).toBeGreaterThanOrEqual(3 * LIVES);
  },
);
