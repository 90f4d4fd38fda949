// What `/metrics` shows of the fleet is what has happened: messages, merges, gives, refusals, and how old the news is.
import { afterEach, expect, test } from "vitest";
import { fleetSamples } from "../../src/fleet/view.ts";
import { gauge, Liar, post, startVictim, type Victim } from "./victim.ts";

let victim: Victim;

afterEach(() => victim.running.close());

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
  victim = await startVictim();
  expect(shown()).toEqual({ members: 1, live_members: 1 });
});

test("of siblings what they said, what they were given, and since when they are silent", async () => {
  victim = await startVictim();
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
  victim = await startVictim();
  await post(victim.port, Buffer.from("<!doctype html>"));
  expect(shown()).toEqual({ members: 1, live_members: 1, "refused_messages_total malformed": 1 });
});
