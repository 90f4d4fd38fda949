// One replica, and what others say put into their mouths: for tests of what it makes of those who are gone.
import { type Farewell, NEW_PROFILE, type Profile } from "../../src/bucket/member.ts";
import type { Limit } from "../../src/bucket/limit.ts";
import { type Edge, NO_EDGE, NO_ROW, type Row } from "../../src/bucket/row.ts";
import { sayFarewells } from "../../src/fleet/farewell.ts";
import type { Holding } from "../../src/fleet/holding.ts";
import { mergeMessage } from "../../src/fleet/merging.ts";
import { ReplicaState } from "../../src/fleet/state.ts";
import { messageOf } from "../bucket/empty-message.ts";

const KEY = "p/requests";
export const LINEAGE = { stamp: 1, founder: "founder" };

/** A replica, `me`, that has one bucket open; what others say is put in their mouths. */
export class Scene {
  readonly state = new ReplicaState({ id: "me", boot: 9, soundSince: 9 }, 0, 1_700_000_000_000);
  readonly holding: Holding;
  #version = 0;

  constructor(refill: Limit["refill"] = { kind: "continuous", unitsPerMs: 0.1 }) {
    this.state.ledger.lineage = LINEAGE;
    this.state.open({ key: KEY, dimension: "requests", capacity: 100, refill });
    this.holding = this.state.holding(KEY);
    // The founder is always there.
    this.gives("founder", {});
  }

  #stamp(): { readonly boot: number; readonly version: number } {
    this.#version += 1;
    return { boot: 1, version: this.#version };
  }

  /** What one has given to others, in parts. */
  gives(author: string, parts: Readonly<Record<string, number>>): this {
    const { ledger } = this.state;
    const stamp = this.#stamp();
    ledger.place(ledger.member(author), this.holding.rows, stamp, rowOf(parts));
    this.state.reshare(this.holding);
    return this;
  }

  profile(author: string, profile: Partial<Profile>): this {
    const { ledger } = this.state;
    ledger.setProfile(ledger.member(author), this.#stamp(), { ...NEW_PROFILE, ...profile });
    this.state.reshare(this.holding);
    return this;
  }

  /** A message that holds one row, and no profile: more is to follow. */
  hears(author: string, parts: Readonly<Record<string, number>>, farewells: readonly Farewell[] = []): void {
    const stamp = this.#stamp();
    const entries = [{ stamp, bucket: KEY, row: rowOf(parts) }];
    const section = { author, from: { boot: 1, version: 0 }, to: stamp, entries, profile: null };
    mergeMessage(this.state, { ...messageOf(author), lineage: LINEAGE, farewells, sections: [section] });
  }

  /** Looks after those who are gone, and has it written. */
  readonly looksAfter = (): void => {
    const { state } = this;
    sayFarewells(state);
    const { pendingProfile } = state;
    state.pendingProfile = null;
    if (pendingProfile !== null) state.publishProfile(pendingProfile);
    for (const holding of state.dirty) holding.isStaged = false;
  };

  share(id: string): number {
    return this.state.ledger.share(this.holding.rows, id);
  }

  get shares(): readonly number[] {
    return ["founder", "me", "heir", "other"].map((id) => this.share(id));
  }
}

function rowOf(parts: Readonly<Record<string, number>>): Row {
  const given = Object.entries(parts).map(([to, count]): [string, Edge] => [
    to,
    { ...NO_EDGE, parts: count, units: 10 * count, boot: 9 },
  ]);
  return { ...NO_ROW, spent: 1, given: new Map(given) };
}

export const FAREWELL = { gone: "gone", by: "heir", edition: 5 };

/** `gone` held 600 of the founder's parts, passed on 100 each, and named `heir`. */
export function withGone(scene = new Scene()): Scene {
  return scene
    .gives("founder", { gone: 600 })
    .gives("gone", { me: 100, other: 100 })
    .profile("gone", { heirs: ["heir"], edition: 4 });
}
