// Those who are gone, as one replica sees it: whatever is dropped, taken over or forgotten, nobody's share moves by it,
// and nothing is credited twice.
import { describe, expect, test } from "vitest";
import { WHOLE } from "../../src/bucket/parts.ts";
import { NEVER } from "../../src/bucket/row.ts";
import { carryOut, isAcquainted, sayFarewells, toldFarewells } from "../../src/fleet/farewell.ts";
import { give } from "../../src/fleet/giving.ts";
import { mergeMessage } from "../../src/fleet/merging.ts";
import { messageOf } from "../bucket/empty-message.ts";
import { FAREWELL, LINEAGE, Scene, withGone } from "./scene.ts";

describe("a farewell", () => {
  test("comes before the rows that it goes with: what a gone one gave is not counted twice", () => {
    const scene = withGone();
    const before = scene.shares;
    expect(before).toEqual([WHOLE - 600, 100, 400, 100]);
    scene.hears("heir", { me: 100, other: 100 }, [FAREWELL]);
    expect(scene.shares).toEqual(before);
    expect(scene.holding.local?.share).toBe(100);
  });

  test("moves what was given to the gone one over to who took over", () => {
    const scene = withGone();
    give(scene.state, scene.holding, { to: "gone", parts: 30, units: 0 });
    const before = scene.shares;
    expect(before).toEqual([WHOLE - 600, 70, 430, 100]);
    // `heir` says what `gone` gave.
    scene.gives("heir", { me: 100, other: 100 });
    carryOut(scene.state, FAREWELL);
    expect(scene.shares).toEqual(before);
    expect(scene.holding.given.get("heir")?.parts).toBe(30);
    expect(scene.holding.given.has("gone")).toBe(false);
  });
});

test("what is given to one that is gone arrives at once at the replica that succeeded it", () => {
  const scene = new Scene().gives("founder", { gone: 600 }).profile("gone", { heirs: ["me"], edition: 4 });
  expect(scene.holding.local?.share).toBe(600);
  scene.hears("other", { gone: 50 });
  expect(scene.share("me")).toBe(650);
  expect(scene.holding.local?.share).toBe(650);
});

test("who takes over rows says again what parts they gave, and no units: those were credited or are lost", () => {
  const scene = withGone().profile("gone", { heirs: ["me"], edition: 4 });
  const { state, holding } = scene;
  give(state, holding, { to: "other", parts: 20, units: 7 });
  const before = scene.shares;
  for (let round = 0; round < 3; round++) {
    scene.looksAfter();
    state.nowMs += 6000;
  }
  expect(holding.rows.entries.has("gone")).toBe(false);
  expect(scene.shares).toEqual(before);
  expect(holding.given.get("other")).toMatchObject({ parts: 120, units: 7 });
});

test("what was given to one that is gone goes on as an edge to who took over, with the units that are under way to that one", () => {
  const scene = withGone();
  const { state, holding } = scene;
  give(state, holding, { to: "gone", parts: 30, units: 3000 });
  give(state, holding, { to: "heir", parts: 20, units: 2000 });
  const before = holding.given.get("heir");
  carryOut(state, FAREWELL);
  expect(holding.given.get("heir")).toEqual({ ...before, parts: 50, partsBefore: 30 });
});

test("units of a period wait while the farewell has come and the successor's rows have not", () => {
  const scene = withGone(new Scene({ kind: "calendar", period: "day", timezone: "UTC" }));
  const { state, holding } = scene;
  const { local } = holding;
  if (local === null) throw new Error("it is open");
  local.level = local.capacity;
  const full = local.level;
  mergeMessage(state, { ...messageOf("other"), lineage: LINEAGE, farewells: [FAREWELL] });
  expect([local.level, local.late]).toEqual([0, full]);
  scene.gives("heir", { me: 100, other: 100 });
  expect([local.level, local.late]).toEqual([full, 0]);
});

test("a farewell is told of when it is durable, and not before", () => {
  const { state, looksAfter } = withGone().profile("gone", { heirs: ["me"], edition: 4 });
  while (!state.profile.farewells.has("gone")) {
    expect(state.nowMs).toBeLessThan(20_000);
    looksAfter();
    state.nowMs += 6000;
    sayFarewells(state);
  }
  expect(state.ledger.farewells()).toMatchObject([{ gone: "gone", by: "me" }]);
  expect(toldFarewells(state)).toEqual([]);
  looksAfter();
  expect(toldFarewells(state)).toEqual(state.ledger.farewells());
});

/** What the others are known to have taken in of `gone`; `other` has heard of no claim. */
function takesOver(scene: Scene): boolean {
  const seen = new Map([["gone", 4]]);
  for (const id of ["founder", "other"]) scene.profile(id, { seen });
  for (const nowMs of [1, 6001, 6002]) {
    scene.state.nowMs = nowMs;
    scene.looksAfter();
  }
  return scene.state.ledger.members.get("gone")?.farewell !== null;
}

test("who takes over by a leaver's word does not wait until all have heard of a claim that can't count", () => {
  const claims = new Map([["gone", { edition: 6, known: NEVER }]]);
  const back = { heirs: [], claims, edition: 6 };
  expect(
    takesOver(
      withGone()
        .profile("gone", { heirs: ["me"], edition: 4 })
        .profile("back", back),
    ),
  ).toBe(true);
  expect(takesOver(withGone().profile("gone", { edition: 4 }).profile("me", back))).toBe(false);
});

test("a claim is not said to be carried out before its victim's rows are known as the claimant knew them", () => {
  const scene = new Scene();
  const claims = new Map([["gone", { edition: 6, known: { boot: 1, version: 50 } }]]);
  scene.profile("other", { claims, edition: 6 });
  scene.looksAfter();
  expect(scene.state.me.profile.seen.get("other")).toBeUndefined();
  const { ledger } = scene.state;
  ledger.know(ledger.member("gone"), { boot: 1, version: 50 });
  scene.looksAfter();
  expect(scene.state.me.profile.seen.get("other")).toBe(6);
});

test.each([
  ["is not said while one that can be reached has not heard that it left", 0, 3, false],
  ["is said when all that can be reached have heard that it left", 0, 4, true],
  ["does not wait for one that can't be reached", 60_000, 3, true],
] as const)("a farewell to a leaver %s", (_, silentMs, seen, isSaid) => {
  const scene = withGone().profile("gone", { heirs: ["me"], edition: 4 });
  const { state, looksAfter } = scene;
  for (const id of ["founder", "heir"]) scene.profile(id, { seen: new Map([["gone", 4]]) });
  scene.profile("other", { seen: new Map([["gone", seen]]) });
  for (let times = 0; times < 5; times++) {
    state.nowMs += 6000;
    for (const member of state.ledger.members.values()) member.heardMs = state.nowMs;
    state.ledger.member("other").heardMs = state.nowMs - silentMs;
    looksAfter();
  }
  expect(state.profile.farewells.has("gone")).toBe(isSaid);
});

test("a claim on one who is forgotten keeps nobody from acknowledging, and is dropped by who made it", () => {
  const scene = new Scene();
  const { state } = scene;
  const claims = new Map([["forgotten", { edition: 2, known: { boot: 1, version: 50 } }]]);
  scene.profile("other", { claims, edition: 6 });
  state.publishProfile({ ...state.me.profile, claims });
  scene.looksAfter();
  expect(state.me.profile.seen.get("other")).toBeUndefined();
  state.ledger.forgotten = 3;
  scene.looksAfter();
  expect(state.me.profile.seen.get("other")).toBe(6);
  expect(state.me.profile.claims.size).toBe(0);
});

test("a claim of which nobody can tell the rest is carried out after a while", () => {
  const scene = new Scene();
  const claims = new Map([["gone", { edition: 6, known: { boot: 1, version: 50 } }]]);
  scene.profile("other", { claims, edition: 6 });
  const acknowledged = [0, 9999, 10_000].map((nowMs) => {
    scene.state.nowMs = nowMs;
    scene.looksAfter();
    return scene.state.me.profile.seen.get("other");
  });
  expect(acknowledged).toEqual([undefined, undefined, 6]);
});

test("who has forgotten somebody has carried that out, and is heard", () => {
  const { state, looksAfter } = new Scene();
  state.ledger.forgotten = 5;
  looksAfter();
  expect(state.me.profile.era).toBe(5);
});

describe("a farewell by one who is gone as well", () => {
  const NEXT = { gone: "heir", by: "other", edition: 7 };

  test.each([
    ["first", [FAREWELL, NEXT]],
    ["last", [NEXT, FAREWELL]],
  ])("passes to who took over from that one, when it is heard %s", (_, farewells) => {
    const { state } = withGone().gives("heir", {});
    for (const farewell of farewells) {
      state.dirtyMembers.clear();
      carryOut(state, farewell);
    }
    expect(state.ledger.member("gone").farewell).toEqual({ gone: "gone", by: "other", edition: Infinity });
    expect(state.dirtyMembers.has("gone")).toBe(true);
  });

  test("said in a circle, as nobody honest does, ends nowhere and is kept as it was said", () => {
    const { state } = withGone().gives("heir", {});
    carryOut(state, FAREWELL);
    carryOut(state, { gone: "heir", by: "gone", edition: 7 });
    expect(state.ledger.farewells()).toHaveLength(2);
  });

  test("is over when that one says nothing of it: it was forgotten before", () => {
    const scene = withGone().gives("heir", {}).gives("founder", {});
    const { state } = scene;
    for (const farewell of [FAREWELL, NEXT]) carryOut(state, farewell);
    const seen = new Map([["other", 7]]);
    scene.profile("other", { edition: 7, farewells: new Map([["heir", 7]]) });
    for (const id of ["me", "founder"]) scene.profile(id, { seen });
    scene.looksAfter();
    expect(state.ledger.members.has("gone")).toBe(false);
    expect(Number.isFinite(state.ledger.forgotten)).toBe(true);
  });
});

test.each([
  ["is a member here too", 5, true],
  ["is none, when the message is from before the last who was forgotten", 4, false],
])("whom a sibling knows %s", (_, era, isMember) => {
  const { state } = new Scene();
  state.ledger.forgotten = 5;
  state.publishProfile({ ...state.me.profile, era: 5 });
  const vector = new Map([["stranger", { boot: 1, version: 1 }]]);
  mergeMessage(state, { ...messageOf("other"), lineage: LINEAGE, era, forgotten: 0, vector });
  expect(state.ledger.members.has("stranger")).toBe(isMember);
  // Its name alone is worth no write; it goes with the next one.
  expect(state.dirtyMembers.has("stranger")).toBe(false);
  state.checkpoint();
  expect(state.dirtyMembers.has("stranger")).toBe(isMember);
});

test("a newcomer that does not know who was forgotten carries out a farewell to one that rows name", () => {
  const scene = new Scene().gives("founder", { gone: 600 });
  scene.state.ledger.members.delete("gone");
  scene.state.ledger.forgotten = 9;
  carryOut(scene.state, { gone: "stranger", by: "heir", edition: 5 });
  expect(scene.state.ledger.members.has("stranger")).toBe(false);
  carryOut(scene.state, FAREWELL);
  expect(scene.share("heir")).toBe(600);
});

test("rows that name one who is forgotten here come with its farewell, or its successor's own would read as a disk set back", () => {
  const scene = new Scene();
  const { state } = scene;
  state.publishProfile({ ...state.me.profile, era: 9 });
  state.ledger.forgotten = 9;
  scene.hears("other", { gone: 600 }, [FAREWELL]);
  expect(scene.share("heir")).toBe(600);
  scene.hears("other", { heir: 600 });
  expect([scene.share("heir"), state.setBack.size]).toEqual([600, 0]);
});

test.each([
  ["is behind here too", 6, 5],
  ["is not, where less is carried out", 4, 0],
])("who is behind what a sibling has forgotten %s", (_, era, forgotten) => {
  const { state } = new Scene();
  state.publishProfile({ ...state.me.profile, era });
  mergeMessage(state, { ...messageOf("other"), lineage: LINEAGE, era: 6, forgotten: 5 });
  expect(state.ledger.forgotten).toBe(forgotten);
});

test.each([
  ["one who knows what the fleet has forgotten takes nothing from one who is behind that", 6, [6, 5, true]],
  ["one who is behind that itself tells nothing", 4, [4, 5, false]],
] as const)("who is taken in by %s", (_, era, expected) => {
  const { state } = new Scene();
  state.ledger.lineage = null;
  mergeMessage(state, { ...messageOf("other"), lineage: LINEAGE, era, forgotten: 5 });
  const { profile, ledger } = state;
  state.pendingProfile = null;
  state.isNewcomer = false;
  state.publishProfile(profile);
  expect([profile.era, ledger.forgotten, isAcquainted(state)]).toEqual(expected);
});

/** One more says that it leaves, and was heard last at that moment. */
function leaves(heardMs: number): (scene: Scene) => void {
  return (scene) => {
    scene.profile("leaver", { heirs: ["me"], edition: 3 });
    scene.state.ledger.member("leaver").heardMs = heardMs;
  };
}

describe("one to whom farewell was said", () => {
  /** All have carried the farewell out, and nothing names the gone one any more. */
  function after(change: (scene: Scene) => void): boolean {
    const scene = new Scene();
    const seen = new Map([["heir", FAREWELL.edition]]);
    for (const id of ["me", "founder", "other"]) scene.profile(id, { seen });
    scene.gives("heir", {}).profile("heir", { edition: FAREWELL.edition });
    carryOut(scene.state, FAREWELL);
    change(scene);
    scene.looksAfter();
    return scene.state.ledger.members.has("gone");
  }

  test.each<[string, boolean, (scene: Scene) => void]>([
    ["is forgotten when all have carried it out", false, () => {}],
    ["is kept while a row names it", true, (scene) => scene.gives("other", { gone: 1 })],
    [
      "is kept while one has carried out an earlier edition only",
      true,
      (scene) => scene.profile("other", { seen: new Map([["heir", FAREWELL.edition - 1]]) }),
    ],
    ["is kept while one has not spoken", true, (scene) => scene.gives("new", {})],
    ["is kept while one that leaves is still there and has not carried it out", true, leaves(0)],
    ["is forgotten without one that has left", false, leaves(-3000)],
  ])("%s", (_, isKept, change) => {
    expect(after(change)).toBe(isKept);
  });
});

test("one that leaves says what it has carried out, as long as it is there", () => {
  const scene = withGone().profile("heir", { edition: 5 });
  carryOut(scene.state, FAREWELL);
  scene.state.isAdmitting = false;
  scene.looksAfter();
  expect(scene.state.me.profile).toMatchObject({ era: 5, seen: new Map([["heir", 5]]) });
});
