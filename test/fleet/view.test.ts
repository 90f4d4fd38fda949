// What `/metrics` shows of the fleet is what has happened: messages, merges, gives, refusals, and how old the news is.
// What `GET /fleet` shows of a part is what is known of it, also where nobody has said a word.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fleetSamples, fleetView, type PartView } from "../../src/fleet/view.ts";
import { admitted, Pair, type Place } from "../limiter/pair.ts";
import { limitSpec } from "../limiter/solo-limiter.ts";
import { gauge, Liar, post, startVictim, type Victim } from "./victim.ts";

let victim: Victim;
let started: Victim | null = null;

async function start(): Promise<void> {
  started = victim = await startVictim();
}

afterEach(async () => {
  await started?.running.close();
  started = null;
});

/** Those of the victim that are not zero, without the prefix; with the reason where there is one. */
function shown(): Record<string, number> {
  const { replica, counts } = seen();
  const samples = [...fleetSamples(replica, victim.time.nowMs, counts)];
  return Object.fromEntries(
    samples
      .filter(({ value }) => value !== 0)
      .map(({ name, labels, value }) => [
        [name.replace("sluice_fleet_", ""), ...Object.values(labels)].join(" "),
        value,
      ]),
  );
}

function seen() {
  const { running } = victim;
  return { replica: running.replica, counts: running.counts() };
}

test("of an instance that is alone only itself", async () => {
  await start();
  expect(shown()).toEqual({ members: 1, live_members: 1 });
});

test("of siblings what they said, what they were given, and since when they are silent", async () => {
  await start();
  const liar = new Liar(victim);
  const waiting = gauge({ waiting: 40, waitingMs: 10, demand: 40, cost: 40 });
  expect(await liar.send(liar.message([liar.section({ gauge: waiting })]))).toBe("ok");
  expect(shown()).toMatchObject({ messages_received_total: 1, merges_total: 1, gives_total: 1, members: 2 });
  victim.time.pass(2500);
  expect(shown()).toMatchObject({ live_members: 2, lag_seconds: 2.5 });
  victim.time.pass(600);
  // Who is silent makes no lag: it is missing among those who live.
  expect(shown()).toMatchObject({ members: 2, live_members: 1 });
  expect(shown()).not.toHaveProperty("lag_seconds");
});

test("of strangers that they were refused, and nothing else", async () => {
  await start();
  await post(victim.port, Buffer.from("<!doctype html>"));
  expect(shown()).toEqual({ members: 1, live_members: 1, "refused_messages_total malformed": 1 });
});

test("of messages the bytes as they travel: sealed, with what is shared beside the buckets, answers and refusals too", async () => {
  await start();
  const liar = new Liar(victim);
  expect(await liar.send(liar.message([liar.section({})]))).toBe("ok");
  expect(await liar.send(Buffer.from("no message"))).toBe("malformed");
  const { out, back } = liar.posted;
  expect(Math.min(out, back)).toBeGreaterThan(0);
  expect(shown()).toMatchObject({ received_bytes_total: out, sent_bytes_total: back });
});

describe("one that has joined shows of a bucket that nobody has used", () => {
  let pair: Pair;
  let places: Place[];

  beforeEach(async () => {
    pair = new Pair();
    await pair.start();
    places = pair.limiters([limitSpec("provider", "p", "tokens=100/100s")]);
    await pair.pass(1500);
  });

  afterEach(() => pair.close());

  const parts = (): readonly PartView[] => {
    const surroundings = { peers: [], failing: new Map(), isConfigured: () => true, limitsDiffer: [] };
    const question = { isAsked: () => true, after: "", limit: 10 };
    const joined = pair.members[1]!.running.replica;
    return fleetView(joined, pair.clock.elapsedMs(), surroundings, question).buckets[0]!.parts;
  };
  const founders = () => parts().find(({ replica }) => replica.startsWith("a"))!;
  const own = () => parts().find(({ replica }) => replica.startsWith("b"))!;

  test("that the founder's part is full, as far as that one was heard", async () => {
    expect(founders()).toMatchObject({ share: 1, level: 100, demand: 0, waiting: 0 });
    expect(own()).toMatchObject({ share: 0, level: 0, age_ms: 0 });
    pair.cut();
    const { age_ms: before } = founders();
    expect(before).toBeGreaterThanOrEqual(0);
    expect(before).toBeLessThanOrEqual(1100);
    await pair.pass(5000, 100);
    expect(founders()).toMatchObject({ level: 100, age_ms: before + 5000 });
  });

  test("parts that are together what the fleet has, and so when it was used", async () => {
    const { quota } = pair.members[1]!.running;
    const { target } = places[1]!;
    const left = (): number => quota.room(target.buckets[0]!, pair.clock.elapsedMs()).fleetLevel;
    const shown = (): number => parts().reduce((sum, { level }) => sum + level, 0);
    expect([left(), shown()]).toEqual([100, 100]);
    admitted(await pair.reserve(places[0]!, 40, 1000));
    await pair.pass(1000);
    expect(shown()).toBeLessThan(65);
    expect(Math.abs(left() - shown())).toBeLessThan(0.01);
  });
});
