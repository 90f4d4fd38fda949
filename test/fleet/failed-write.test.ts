// What a write that failed leaves due: everything that it would have written or deleted, and all at once if it was to be.
import { describe, expect, test } from "vitest";
import type { Limit } from "../../src/bucket/limit.ts";
import { WHOLE } from "../../src/bucket/parts.ts";
import { NO_ROW } from "../../src/bucket/row.ts";
import { carryOut } from "../../src/fleet/farewell.ts";
import { give } from "../../src/fleet/giving.ts";
import { type Flush, load, PREFIX } from "../../src/fleet/journal.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { Solo } from "./solo.ts";

const GONE = "b".repeat(32);
const SIBLING = "c".repeat(32);

function limitOf(key: string): Limit {
  return { key, dimension: "requests", capacity: 100, refill: { kind: "continuous", unitsPerMs: 0.1 } };
}

/** What the next flush would write. */
function collected({ replica, nowMs, wallMs }: Solo): Flush["batch"] {
  const flush = replica.journal.collect(nowMs, { bootId: "m", monotonicMs: nowMs, wallMs });
  return flush?.batch ?? [];
}

function deletedIn(batch: Flush["batch"]): string[] {
  return batch.flatMap(([key, value]) => (value === null && key.endsWith(GONE) ? [key] : []));
}

/** A replica with this many buckets of which one who is gone had a row. */
function afterFarewell(count: number): Solo {
  const solo = new Solo();
  for (let index = 0; index < count; index++) solo.replica.open(limitOf(`b${index}`));
  const { state } = solo.replica;
  let version = 0;
  for (const { rows } of state.holdings.values()) {
    state.ledger.place(state.ledger.member(GONE), rows, { boot: 1, version: ++version }, NO_ROW);
  }
  while (solo.replica.journal.hasWork) solo.flush();
  carryOut(state, { gone: GONE, by: SIBLING, edition: 1 });
  return solo;
}

test("a farewell is written in one piece, however many rows it drops", () => {
  expect(deletedIn(collected(afterFarewell(1200)))).toHaveLength(1200);
});

describe("a write that fails", () => {
  test("leaves the rows of one who is gone to be deleted", () => {
    const solo = afterFarewell(1);
    const before = deletedIn(collected(solo));
    solo.replica.journal.failed();
    expect(before).toHaveLength(1);
    expect(deletedIn(collected(solo))).toEqual(before);
    solo.replica.journal.written();
    expect(deletedIn(collected(solo))).toEqual([]);
  });

  test("leaves one who is forgotten to be deleted", () => {
    const solo = afterFarewell(1);
    const { ledger, dirtyMembers } = solo.replica.state;
    const deleted = (): string[] =>
      collected(solo).flatMap(([key, value]) =>
        value === null && key.endsWith(`member/${GONE}`) ? [key] : [],
      );
    while (solo.replica.journal.hasWork) solo.flush();
    ledger.forget(ledger.member(GONE));
    dirtyMembers.add(GONE);
    expect(deleted()).toHaveLength(1);
    solo.replica.journal.failed();
    expect(deleted()).toHaveLength(1);
    solo.replica.journal.written();
    expect(deleted()).toHaveLength(0);
  });

  test("leaves what must become durable at once in one piece, however much it is", () => {
    const solo = afterFarewell(1200);
    const before = collected(solo).length;
    solo.replica.journal.failed();
    expect(before).toBeGreaterThan(2400);
    expect(collected(solo).length).toBeGreaterThanOrEqual(before);
  });
});

test("a give stays hidden until a write of it has succeeded", () => {
  const solo = new Solo();
  const { state } = solo.replica;
  solo.replica.open(limitOf("a"));
  const holding = state.holding("a");
  give(state, holding, { to: SIBLING, parts: WHOLE / 2, units: 0 });
  solo.flush("refused");
  expect([holding.isHidden, state.toTell.size]).toEqual([true, 0]);
  solo.flush();
  expect([holding.isHidden, [...state.toTell]]).toEqual([false, [SIBLING]]);
});

describe("one whose writes fail", () => {
  /** A request that waits here, and demand that others can see. */
  function inNeed(): Solo {
    const solo = new Solo();
    const bucket = solo.replica.open(limitOf("a"));
    solo.flush();
    for (let turn = 0; turn < 20; turn++) {
      while (solo.replica.take([bucket], [10], solo.nowMs) === null);
      solo.flush();
      solo.advance(100);
    }
    solo.replica.wait(bucket, { cost: 10, sinceMs: solo.nowMs }, solo.nowMs);
    return solo;
  }

  function shownBy({ replica }: Solo): { readonly waits: boolean; readonly hasDemand: boolean } {
    const { state } = replica;
    const gauge = state.holding("a").rows.entries.get(state.me.id)?.row.gauge;
    return { waits: (gauge?.waiting ?? 0) > 0, hasDemand: (gauge?.demand ?? 0) > 0 };
  }

  test("shows at once that it needs nothing, and what it needs as soon as a write has succeeded", () => {
    const solo = inNeed();
    solo.flush();
    expect(shownBy(solo)).toEqual({ waits: true, hasDemand: true });
    solo.replica.state.isIdentityDirty = true;
    solo.flush("refused");
    expect(shownBy(solo)).toEqual({ waits: false, hasDemand: false });
    for (let turn = 0; turn < 20; turn++) solo.advance(100);
    expect(shownBy(solo)).toEqual({ waits: false, hasDemand: false });
    solo.flush();
    expect(shownBy(solo)).toEqual({ waits: true, hasDemand: true });
  });

  test("gives nothing, for that would hide what it shows, and what is due as soon as a write has succeeded", () => {
    const solo = new Solo();
    const { state } = solo.replica;
    solo.replica.open(limitOf("a"));
    const holding = state.holding("a");
    solo.flush();
    state.isIdentityDirty = true;
    solo.flush("refused");
    const sibling = state.ledger.member(SIBLING);
    sibling.heardMs = Infinity;
    const gauge = { level: 0, demand: 10, cost: 10, waiting: 10, waitingMs: 100 };
    state.ledger.place(sibling, holding.rows, { boot: 1, version: 1 }, { ...NO_ROW, gauge });
    state.waitedFor.add(holding);
    solo.advance(100);
    expect(holding.given.size).toBe(0);
    solo.flush();
    solo.advance(100);
    expect([...holding.given.keys()]).toEqual([SIBLING]);
  });
});

/** Buckets of which all that its disk says is given away, and whether it says that the replica has left. */
function leftOn({ disk }: Solo): { readonly given: number; readonly hasLeft: boolean } {
  const loaded = load(new MemoryStore({ contents: disk }).entries(PREFIX));
  const given = loaded?.holdings.filter(([, { row }]) => row.given.get(SIBLING)?.parts === WHOLE) ?? [];
  return {
    given: given.length,
    hasLeft: loaded?.members.some(({ profile }) => profile.heirs.length > 0) ?? false,
  };
}

test.each([
  [[]],
  [["refused"]],
  [["no", "refused"]],
  [["no", "no", "refused"]],
  [["refused", "no", "refused", "refused"]],
] as const)(
  "who leaves is not known to have left before all that it gave is on disk, when writes go %j",
  (fates) => {
    const COUNT = 1200;
    const solo = new Solo();
    const { state } = solo.replica;
    for (let index = 0; index < COUNT; index++) {
      const bucket = solo.replica.open(limitOf(`b${index}`));
      solo.replica.take([bucket], [1], solo.nowMs);
    }
    for (const holding of state.holdings.values()) state.publish(holding);
    while (solo.replica.journal.hasWork) solo.flush();
    const sibling = state.ledger.member(SIBLING);
    sibling.boot = 1;
    sibling.version = 1;
    sibling.heardMs = solo.nowMs;
    sibling.isAware = true;
    solo.replica.leave();
    for (let turn = 0; !state.me.hasLeft; turn++) {
      expect(turn).toBeLessThan(20);
      solo.flush(fates[turn] ?? "no");
      const { given, hasLeft } = leftOn(solo);
      expect(hasLeft).toBe(given === COUNT && hasLeft);
      expect(state.me.hasLeft && !hasLeft).toBe(false);
      solo.advance(100);
    }
    expect(leftOn(solo)).toEqual({ given: COUNT, hasLeft: true });
  },
);
