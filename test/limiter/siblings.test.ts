// The limiter in a fleet of two real replicas: units come from the sibling that has them, also to a request that would
// not wait, and both together admit what one bucket would.
import { afterEach, describe, expect, test } from "vitest";
import { WHOLE } from "../../src/bucket/parts.ts";
import { give } from "../../src/fleet/giving.ts";
import type { Limiter } from "../../src/limiter/limiter.ts";
import { refusalError } from "../../src/limiter/refusal.ts";
import type { Ask, Reservation } from "../../src/limiter/reservation.ts";
import { admitted, Pair, type Place } from "./pair.ts";
import { limitSpec, tokens, used } from "./solo-limiter.ts";

let pair: Pair;
afterEach(() => pair.close());

test("a request is admitted wherever it comes, whoever holds the units, even if it has no time to wait", async () => {
  pair = new Pair();
  await pair.start();
  const places = pair.limiters([limitSpec("provider", "p", "tokens=1000/100s")]);
  await pair.pass(300);
  for (let round = 0; round < 4; round++) {
    for (const place of places) {
      const outcome = await pair.reserve(place, 100, 0);
      expect(outcome.kind === "refused" ? refusalError(outcome).message : "", `round ${round}`).toBe("");
    }
  }
});

test("a bucket that nobody has touched is full: no request is refused because its holder has not spoken of it", async () => {
  pair = new Pair();
  await pair.start();
  // Only the one that did not found the fleet has opened it.
  const [, newcomer] = pair.members;
  const [place] =
    newcomer === undefined ? [] : pair.limiters([limitSpec("provider", "p", "tokens=1000/100s")], [newcomer]);
  if (place === undefined) throw new Error("a second member");
  const now = pair.clock.elapsedMs();
  const ask = { estimate: tokens(100), priority: 1, clientKey: "k", deadlineMs: now + 500 } as const;
  const asked = Array.from({ length: 12 }, () => place.limiter.reserve(place.target, ask, now));
  expect(asked.map(({ kind }) => kind)).toEqual([
    ...Array.from({ length: 10 }, () => "waiting"),
    ...Array.from({ length: 2 }, () => "refused"),
  ]);
  let admitted = 0;
  for (const each of asked)
    if (each.kind === "waiting") each.decided(({ kind }) => (admitted += Number(kind === "reserved")));
  await pair.pass(100);
  expect(admitted).toBe(10);
});

test("together they admit what one bucket would, and tell the truth about the wait", async () => {
  pair = new Pair();
  await pair.start();
  const places = pair.limiters([limitSpec("provider", "p", "tokens=1000/100s")]);
  await pair.pass(300);
  let admitted = 0;
  for (let at = 0; at < 40; at++) {
    for (const place of places) {
      if ((await pair.reserve(place, 90, 0)).kind === "reserved") admitted += 90;
    }
  }
  const refilled = pair.clock.elapsedMs() / 100;
  expect(admitted).toBeLessThanOrEqual(1000 + refilled);
  expect(admitted).toBeGreaterThan(900);
  // What they know of each other is up to a second old.
  await pair.pass(1500);
  for (const place of places) {
    const refused = await pair.reserve(place, 90, 0);
    if (refused.kind === "reserved") continue;
    expect(refused.reason).toBe("no_room");
    await pair.pass(refused.retryAfterMs, 50);
    expect((await pair.reserve(place, 90, 1000)).kind).toBe("reserved");
    await pair.pass(1500);
  }
});

test.each(["tokens=1000/100s", "tokens=1000/day", "concurrent=4"])(
  "beside one that has all of %s and is silent, a request that would not wait is refused at once",
  async (limit) => {
    pair = new Pair();
    await pair.start();
    const [, place] = pair.limiters([limitSpec("provider", "p", limit)]);
    if (place === undefined) throw new Error("a second member");
    await pair.pass(300);
    pair.cut();
    await pair.pass(5000);
    const since = pair.clock.elapsedMs();
    expect(await pair.reserve(place, 100, 0)).toMatchObject({ kind: "refused", reason: "no_room" });
    expect(pair.clock.elapsedMs() - since).toBeLessThanOrEqual(20);
  },
);

test("a place of a running request moves to the replica that needs it, and is never there twice", async () => {
  pair = new Pair();
  await pair.start();
  const places = pair.limiters([limitSpec("provider", "p", "concurrent=4")]);
  await pair.pass(300);
  const held: [Limiter, Reservation][] = [];
  for (let at = 0; at < 4; at++) {
    const place = places[at % 2];
    if (place === undefined) break;
    const outcome = await pair.reserve(place, 0, 5000);
    if (outcome.kind === "reserved") held.push([place.limiter, outcome]);
  }
  expect(held).toHaveLength(4);
  for (const place of places) expect((await pair.reserve(place, 0, 500)).kind).toBe("refused");
  for (const [limiter, reservation] of held) limiter.settle(reservation, used(1), pair.clock.elapsedMs());
  const [first] = places;
  if (first === undefined) return;
  for (let at = 0; at < 4; at++) expect((await pair.reserve(first, 0, 5000)).kind).toBe("reserved");
});

describe("where a sibling has all places of running requests, and none is in use", () => {
  const CAPACITY = 6;

  async function idleAtFirst(): Promise<Place> {
    pair = new Pair();
    return pair.idleAtFirst(limitSpec("provider", "p", `concurrent=${CAPACITY}`));
  }

  test.each([0, 50, 2000, 10_000])(
    "a burst at another instance gets them all, with %d ms to wait",
    async (withinMs) => {
      const place = await idleAtFirst();
      const now = pair.clock.elapsedMs();
      const asked = Array.from({ length: CAPACITY }, () =>
        place.limiter.reserve(place.target, ask(withinMs), now),
      );
      expect(asked.map(({ kind }) => kind)).toEqual(asked.map(() => "waiting"));
      let count = 0;
      for (const each of asked)
        if (each.kind === "waiting") each.decided(({ kind }) => (count += Number(kind === "reserved")));
      // The first place comes within a round trip; the others when the line's demand has been told.
      await pair.pass(700);
      expect(count).toBe(CAPACITY);
    },
  );

  test("there is room for as many as siblings have places, and those who stand in line get theirs first", async () => {
    const place = await idleAtFirst();
    const { limiter, target } = place;
    const now = pair.clock.elapsedMs();
    const forecasts: number[] = [];
    for (let at = 0; at < CAPACITY + 2; at++) {
      forecasts.push(limiter.roomMs(target, ask(0), now));
      limiter.reserve(target, ask(60_000), now);
    }
    // Nobody has told this instance how long a place is held: 2 s are taken for it, one in 333 ms.
    expect(forecasts.map(Math.round)).toEqual([0, 0, 0, 0, 0, 0, 333, 667]);
  });

  test("one more than there are is refused at once where it may not wait, and told when a place comes back", async () => {
    const { limiter, target } = await idleAtFirst();
    const now = pair.clock.elapsedMs();
    for (let at = 0; at < CAPACITY; at++) limiter.reserve(target, ask(0), now);
    const refused = limiter.reserve(target, ask(0), now);
    expect(refused).toMatchObject({ kind: "refused", reason: "no_room" });
    if (refused.kind === "refused") expect(Math.round(refused.retryAfterMs)).toBe(333);
  });

  test("when they are taken meanwhile, who may not wait is refused within a second", async () => {
    const second = await idleAtFirst();
    const [first] = pair.limiters([limitSpec("provider", "p", `concurrent=${CAPACITY}`)]);
    if (first === undefined) throw new Error("two members");
    for (let at = 0; at < CAPACITY; at++) admitted(await pair.reserve(first, 0, 0));
    const startMs = pair.clock.elapsedMs();
    expect((await pair.reserve(second, 0, 0)).kind).toBe("refused");
    expect(pair.clock.elapsedMs() - startMs).toBeLessThanOrEqual(1050);
  });

  test("the least wait counts only places that must come back for those ahead", async () => {
    const { limiter, target } = await idleAtFirst();
    const now = pair.clock.elapsedMs();
    // Here it is known that a place is held for a minute.
    target.lines[0]?.learnHeld(60_000);
    for (let at = 0; at < CAPACITY; at++) limiter.reserve(target, ask(100), now);
    // The next to end may end at any moment; of two, one is waited for in any case.
    expect(limiter.reserve(target, ask(100), now).kind).toBe("waiting");
    expect(limiter.reserve(target, ask(100), now).kind).toBe("refused");
  });

  function ask(withinMs: number): Ask {
    const deadlineMs = pair.clock.elapsedMs() + withinMs;
    return { estimate: tokens(0), priority: 1, clientKey: "k", deadlineMs };
  }
});

test("the last of a day's quota, in pieces at two instances, is not refused because they add up to a hair less", async () => {
  pair = new Pair();
  await pair.start();
  const places = pair.limiters([limitSpec("provider", "p", "tokens=300/day")]);
  await pair.pass(300);
  const members = pair.members.map(({ running }, index) => {
    const { state } = running.replica;
    const holding = state.holding("p/tokens");
    return { state, holding, place: places[index] };
  });
  const holder = members.find(({ holding }) => (holding.local?.share ?? 0) > 0);
  const other = members.find((member) => member !== holder);
  if (holder === undefined || other?.place === undefined) throw new Error("there are two");
  holder.holding.local?.owe(200, pair.clock.elapsedMs());
  // In single precision 200/3 is less than that.
  give(holder.state, holder.holding, { to: other.state.me.id, parts: WHOLE / 2, units: 100_000 / 3 });
  await pair.pass(1500);
  expect((await pair.reserve(other.place, 100, 0)).kind).toBe("reserved");
});
