// What may happen to a few ledgers, as plain steps that fast-check can draw and shrink: their owners spend, give, start
// anew, leave and tell each other, through the real codec. As replicas do, an owner gives only what it believes to hold.
import * as fc from "fast-check";
import { Ledger, type MergeResult, type Vector } from "../../src/bucket/ledger.ts";
import type { Section } from "../../src/bucket/sections.ts";
import { decodeMessage, encodeMessage } from "../../src/bucket/message.ts";
import { advance } from "../../src/bucket/parts.ts";
import { type Edge, NO_EDGE, NO_ROW, type Row, type Stamp } from "../../src/bucket/row.ts";
import { messageOf } from "./empty-message.ts";

export const IDS = ["a", "b", "c", "d"].map((letter) => letter.repeat(32));
export const FOUNDER = idAt(0);
export const KEYS = ["p/requests", "p/tokens"];
const LINEAGE = { stamp: 1, founder: FOUNDER };

export function idAt(index: number): string {
  return IDS[index % IDS.length] ?? "";
}

export type Step =
  | { readonly kind: "spend"; readonly at: number; readonly bucket: number; readonly units: number }
  | {
      readonly kind: "give";
      readonly at: number;
      readonly bucket: number;
      readonly to: number;
      readonly portion: number;
    }
  | { readonly kind: "restart"; readonly at: number }
  | { readonly kind: "leave"; readonly at: number; readonly to: number }
  | { readonly kind: "tell"; readonly at: number; readonly to: number; readonly entriesMax: number };

const at = fc.nat({ max: IDS.length - 1 });
const bucket = fc.nat({ max: KEYS.length - 1 });

export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("spend"), at, bucket, units: fc.nat(9) }) },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant("give"),
        at,
        bucket,
        to: at,
        portion: fc.constantFrom(0.1, 0.5, 1),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart"), at }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("leave"), at, to: at }) },
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant("tell"),
        at,
        to: at,
        entriesMax: fc.constantFrom(1, 2, 100),
      }),
    },
  ),
  { maxLength: 40, size: "max" },
);

/** One replica's ledger and what it says itself. */
export class Owner {
  readonly id: string;
  readonly ledger = new Ledger();
  #boot = 1;
  #version = 0;
  hasLeft = false;

  constructor(id: string) {
    this.id = id;
    this.ledger.lineage = LINEAGE;
    this.#stamp();
  }

  #stamp(): Stamp {
    this.#version += 1;
    const me = this.ledger.member(this.id);
    me.boot = this.#boot;
    me.version = this.#version;
    return { boot: me.boot, version: me.version };
  }

  row(key: string): Row {
    return this.ledger.bucket(key).entries.get(this.id)?.row ?? NO_ROW;
  }

  share(key: string): number {
    return this.ledger.share(this.ledger.bucket(key), this.id);
  }

  say(key: string, change: Partial<Row>): void {
    const row = { ...this.row(key), ...change };
    this.ledger.place(this.ledger.member(this.id), this.ledger.bucket(key), this.#stamp(), row);
  }

  give(key: string, to: string, parts: number): void {
    if (parts <= 0 || to === this.id) return;
    const { given } = this.row(key);
    const before = given.get(to) ?? NO_EDGE;
    const edge: Edge = { ...before, parts: advance(before.parts, parts), units: advance(before.units, 7) };
    this.say(key, { given: new Map(given).set(to, edge) });
  }

  restart(): void {
    this.#boot += 1;
    this.#version = 0;
    this.#stamp();
  }

  leave(heir: string): void {
    for (const key of KEYS) this.give(key, heir, this.share(key));
    const me = this.ledger.member(this.id);
    this.ledger.setProfile(me, this.#stamp(), { ...me.profile, heirs: [heir] });
    this.hasLeft = true;
  }

  /** What it would tell someone who knows this much, through the codec. */
  told(known: Vector, entriesMax = 1000): readonly Section[] {
    const sections = this.ledger.delta(known, entriesMax, () => false);
    return throughCodec(sections);
  }

  hear(sections: readonly Section[]): MergeResult[] {
    return sections.map((section) => this.ledger.merge(section, 0, () => {}));
  }
}

function throughCodec(sections: readonly Section[]): readonly Section[] {
  return decodeMessage(encodeMessage({ ...messageOf(FOUNDER), lineage: LINEAGE, sections })).sections;
}

/** Some owners, and all that was ever told among them. */
export class Story {
  readonly owners = IDS.map((id) => new Owner(id));
  readonly told: Section[] = [];
  spent = 0;

  owner(index: number): Owner {
    return this.owners[index % this.owners.length] ?? new Owner(FOUNDER);
  }

  play(step: Step): void {
    const owner = this.owner(step.at);
    switch (step.kind) {
      case "tell":
        this.tell(owner, this.owner(step.to), step.entriesMax);
        return;
      case "restart":
        owner.restart();
        return;
      case "spend":
      case "give":
      case "leave":
        if (!owner.hasLeft) this.#say(owner, step);
    }
  }

  #say(owner: Owner, step: Exclude<Step, { kind: "tell" | "restart" }>): void {
    switch (step.kind) {
      case "spend": {
        const key = KEYS[step.bucket] ?? "";
        this.spent += step.units;
        owner.say(key, { spent: owner.row(key).spent + step.units });
        return;
      }
      case "give": {
        const key = KEYS[step.bucket] ?? "";
        owner.give(key, idAt(step.to), Math.floor(owner.share(key) * step.portion));
        return;
      }
      case "leave":
        // The last one stays.
        if (step.to !== step.at && this.owners.filter(({ hasLeft }) => !hasLeft).length > 1) {
          owner.leave(idAt(step.to));
        }
    }
  }

  tell(from: Owner, to: Owner, entriesMax = 1000): void {
    if (from === to) return;
    const sections = from.told(to.ledger.vector(), entriesMax);
    this.told.push(...sections);
    to.hear(sections.filter(({ author }) => author !== to.id));
  }

  /** Everybody hears from everybody until nobody has anything to tell. */
  tellAll(entriesMax = 1000): void {
    for (let round = 0; round < 200; round++) {
      const before = this.owners.map(stateOf).join();
      for (const from of this.owners) for (const to of this.owners) this.tell(from, to, entriesMax);
      if (this.owners.map(stateOf).join() === before) return;
    }
    throw new Error("they never finish");
  }
}

/** A story of these steps. */
export function storyOf(list: readonly Step[]): Story {
  const story = new Story();
  for (const step of list) story.play(step);
  return story;
}

/** All rows of a ledger, as one text. */
export function rowsOf(ledger: Ledger): string {
  const lines = [...ledger.buckets.values()].flatMap(({ key, entries }) =>
    [...entries.values()].map(({ author, boot, version, row }) => {
      const given = [...row.given].sort(([left], [right]) => (left < right ? -1 : 1));
      return `${key} ${author.id} ${boot}.${version} ${row.spent} ${JSON.stringify(given)}`;
    }),
  );
  return lines.sort().join("\n");
}

/** Rows, and what is known to be complete, and who has left. */
export function stateOf({ ledger }: { readonly ledger: Ledger }): string {
  const members = [...ledger.members.values()].map(
    ({ id, boot, version, heirs }) => `${id} ${boot}.${version} ${heirs.join(" ")}`,
  );
  return `${rowsOf(ledger)}\n${members.sort().join("\n")}`;
}
