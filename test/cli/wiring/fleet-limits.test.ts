// Limits that are not the same everywhere: told once they have lasted, until they are, and not for a roll-out's sake.
import { afterEach, beforeEach, expect, test } from "vitest";
import { FleetLimits } from "../../../src/cli/wiring/fleet-limits.ts";
import { packSheet, sheetOf, unpackSheet } from "../../../src/cli/wiring/limit-sheet.ts";
import type { LimitSpec } from "../../../src/config/config.ts";
import { type Log, silentLog } from "../../../src/observe/events.ts";
import { Liar, startVictim, type Victim } from "../../fleet/victim.ts";

const LIMIT = "openai/requests/min";

let victim: Victim;
let sibling: Liar;
let watched: FleetLimits;
let amount: number;
let lines: string[];
let version: number;

function limits(of: number): ReadonlyMap<string, LimitSpec> {
  const spec: LimitSpec = {
    dimension: "requests",
    amount: of,
    per: "min",
    burst: of,
    refill: "continuous",
    timezone: "UTC",
  };
  return new Map([[LIMIT, spec]]);
}

beforeEach(async () => {
  lines = [];
  amount = 50;
  version = 2;
  victim = await startVictim();
  sibling = new Liar(victim);
  const log: Log = {
    ...silentLog,
    warn: (message, fields) => void lines.push(`${message}: ${JSON.stringify(fields?.["limits"])}`),
    info: (message) => void lines.push(message),
  };
  const { running, time } = victim;
  const clock = { elapsedMs: () => time.nowMs, wallMs: () => time.wallMs };
  watched = new FleetLimits({ replica: running, clock, log, limits: () => limits(amount) });
  await sibling.send(sibling.message([sibling.section({})]));
});

afterEach(() => victim.running.close());

/** The sibling's limit from now on. */
function tells(of: number): void {
  victim.running.board.offer(`told-limits/${sibling.id}`, packSheet(sheetOf(limits(of))));
}

/** Seconds go by in which both are there, or the sibling is not. */
async function pass(seconds: number, isLive = true): Promise<void> {
  const section = sibling.section({});
  for (let second = 0; second < seconds; second++) {
    victim.time.pass(1000);
    if (isLive) {
      const from = { boot: 1, version };
      version += 1;
      const said = { ...section, from, to: { boot: 1, version }, entries: [] };
      expect(await sibling.send(sibling.message([said]))).toBe("ok");
    }
    watched.look();
  }
}

const DIFFER = [{ limit: LIMIT, here: "50", there: "100", at: ["liar"] }];
const WARNING = `limits differ between instances, and each keeps its share of its own: ["${LIMIT} is 100 at liar, and 50 here"]`;
const SAME = "limits are the same at all siblings again";

test("what differs for a minute is told once, and that it does not any more", async () => {
  tells(100);
  await pass(59);
  expect([watched.differences, lines]).toEqual([[], []]);
  await pass(120);
  expect([watched.differences, lines]).toEqual([DIFFER, [WARNING]]);
  expect([...watched.samples()].map(({ value }) => value)).toEqual([1]);
  amount = 100;
  watched.changed();
  await pass(15);
  expect([watched.differences, lines]).toEqual([[], [WARNING, SAME]]);
});

test("a roll-out that takes less is not told", async () => {
  tells(100);
  await pass(50);
  tells(50);
  await pass(5);
  tells(100);
  await pass(50);
  expect([watched.differences, lines]).toEqual([[], []]);
});

test("a sibling that falls silent is not taken for one that has changed its limits", async () => {
  tells(100);
  await pass(70);
  await pass(30, false);
  expect([watched.differences, lines]).toEqual([DIFFER, [WARNING]]);
});

test("what a sibling that is silent had said before is not held against it", async () => {
  tells(50);
  await pass(5);
  amount = 70;
  watched.changed();
  await pass(10);
  await pass(100, false);
  expect([watched.differences, lines]).toEqual([[], []]);
});

test("each tells its own limits, again when they change, and now and then lest they expire", async () => {
  const key = `told-limits/${victim.running.replica.id}`;
  const told = (): unknown => unpackSheet(victim.running.board.get(key)?.value ?? new Uint8Array())?.limits;
  await pass(1);
  expect(told()).toEqual({ [LIMIT]: "50" });
  amount = 70;
  watched.changed();
  await pass(6);
  expect(told()).toEqual({ [LIMIT]: "70" });
  victim.time.pass(1_900_000);
  await pass(1);
  expect(victim.running.board.get(key)?.ageMs).toBeLessThan(2000);
});

test("a replica that is alone tells nothing", async () => {
  const alone = await startVictim();
  const { running, time } = alone;
  const clock = { elapsedMs: () => time.nowMs, wallMs: () => time.wallMs };
  const own = new FleetLimits({ replica: running, clock, log: silentLog, limits: () => limits(1) });
  own.look();
  expect([...running.board.entries("told-limits/")]).toEqual([]);
  await running.close();
});
