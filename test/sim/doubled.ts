// By how much the promise may give way, seen from outside, where only one who sees all replicas at once can know it.
// Parts of a bucket exist twice, or more often,
//
//   claimed    while one who was declared dead lives, or its last gives are not known to the one who took over;
//   forgotten  while a disk that was set back does not know what it had given;
//   copied     while two processes run from copies of one disk;
//   owed       while a replica's share is below zero: it was given on before that was noticed.
//
// As long as they do they hold and bring units twice, and that is all: the fleet's bucket is larger by these parts, and
// refills faster by them. Parts that exist once are never counted here, so without such an event nothing is allowed.
import { difference, WHOLE } from "../../src/bucket/parts.ts";
import type { Edge } from "../../src/bucket/row.ts";
import type { Succession } from "../../src/bucket/succession.ts";
import type { Replica } from "../../src/fleet/replica.ts";
import type { Machine } from "./machine.ts";

export type Given = ReadonlyMap<string, Edge>;
const NOTHING: Given = new Map();

/** What a replica counts as its own of one who is gone. */
interface Inherited {
  readonly parts: number;
  /** What it knows the gone one to have given; null when it says that itself by now. */
  readonly given: Given | null;
}

type ByGone = ReadonlyMap<string, Inherited>;

/** What was seen of a process when it last ran. */
interface View {
  /** What it was made from: it stays as it is while these do. */
  readonly version: number;
  readonly merges: number;
  readonly succession: Succession;
  readonly id: string;
  /** It may come back under this one. */
  readonly diskId: string;
  /** It knows that another holds its share, and admits nothing any more. */
  readonly isGone: boolean;
  /** What it holds by itself of each bucket, as it knows it; below zero when it gave on what was another's after all. */
  readonly own: ReadonlyMap<string, number>;
  /** By bucket. */
  readonly inherited: ReadonlyMap<string, ByGone>;
  readonly given: ReadonlyMap<string, Given>;
}

/** The parts that `known` says were given and `ours` does not. */
export function missing(known: Given, ours: Given): number {
  let parts = 0;
  for (const [receiver, edge] of known) {
    parts += Math.max(0, difference(edge.parts, ours.get(receiver)?.parts ?? 0));
  }
  return parts;
}

export function givenBy({ state }: Replica): Map<string, Given> {
  return new Map([...state.holdings].map(([key, { given }]) => [key, given]));
}

export class Claims {
  readonly #views = new Map<Machine, View>();
  /** What those had given who left, or go on under another id. */
  readonly #last = new Map<string, ReadonlyMap<string, Given>>();
  /** Whose rows were taken over for good. */
  readonly #settled = new Set<string>();
  /** What was counted since anything was seen to change. */
  readonly #parts = new Map<string, number>();

  /** Looks at every process; to be called after every event. */
  look(machines: Iterable<Machine>): void {
    for (const machine of machines) {
      const { replica } = machine;
      if (replica === null) continue;
      const before = this.#views.get(machine);
      if (before !== undefined && isStillSo(before, replica)) continue;
      const view = viewOf(replica);
      if (before !== undefined && before.id !== view.id) this.#last.set(before.id, before.given);
      if (view.isGone) this.#last.set(view.id, view.given);
      this.#views.set(machine, view);
      for (const byGone of view.inherited.values()) {
        for (const [gone, { given }] of byGone) if (given === null) this.#settled.add(gone);
      }
      this.#parts.clear();
    }
  }

  forget(machine: Machine): void {
    this.#views.delete(machine);
    this.#parts.clear();
  }

  /**
   * Parts of a bucket that exist once more than they should because somebody was declared dead. Who lives, or may come
   * back, has them too; of one who doesn't, those that it had given on before, and what more than one took over.
   */
  parts(key: string): number {
    let parts = this.#parts.get(key);
    if (parts === undefined) this.#parts.set(key, (parts = this.#count(key)));
    return parts;
  }

  #count(key: string): number {
    const counted = new Map<string, Inherited[]>();
    const living = new Set<string>();
    for (const view of this.#views.values()) {
      if (!view.isGone) living.add(view.id).add(view.diskId);
      for (const [gone, inherited] of view.inherited.get(key) ?? []) {
        if (view.isGone && this.#isHeir(view.succession.get(view.id), gone, key)) continue;
        const list = counted.get(gone);
        if (list === undefined) counted.set(gone, [inherited]);
        else list.push(inherited);
      }
    }
    let sum = 0;
    for (const view of this.#views.values()) sum += this.#owed(view, key);
    for (const [gone, list] of counted) {
      // Whoever took its rows over for good has its parts among its own, and others who claimed it have them twice.
      const first = this.#settled.has(gone) ? list.filter(({ given }) => given === null) : list;
      // Less than nothing where it had given away more than its successor knows it to have had.
      const known = first.map((each) => each.parts - this.#unheard(each, gone, key));
      const once = known.length === 0 ? 0 : Math.max(...known);
      const all = list.reduce((parts, each) => parts + each.parts, 0);
      sum += Math.max(0, all - once, living.has(gone) ? all : 0);
    }
    return sum;
  }

  /** What one that has left owes, until its heir knows that it is the heir. */
  #owed(view: View, key: string): number {
    if (!view.isGone || this.#isHeir(view.succession.get(view.id), view.id, key)) return 0;
    let parts = view.own.get(key) ?? 0;
    for (const inherited of view.inherited.get(key)?.values() ?? []) parts += inherited.parts;
    return Math.max(0, -parts);
  }

  /** Whether this replica counts as its own what the gone one had: before it knows, who left to it speaks for it. */
  #isHeir(id: string | undefined, gone: string, key: string): boolean {
    for (const view of this.#views.values()) {
      if (view.id === id) return view.inherited.get(key)?.has(gone) === true;
    }
    return false;
  }

  /** What a gone one had given and its successor does not know. */
  #unheard({ given }: Inherited, gone: string, key: string): number {
    const last = this.#last.get(gone)?.get(key);
    return last === undefined || given === null ? 0 : missing(last, given);
  }
}

const NONE: ReadonlyMap<string, ByGone> = new Map();
const NOTHING_OWN: ReadonlyMap<string, number> = new Map();

function isStillSo(view: View, { state, id }: Replica): boolean {
  return (
    view.merges === state.counts.merges &&
    view.version === state.me.version &&
    view.succession === state.ledger.succession &&
    view.id === id &&
    view.diskId === state.durableId
  );
}

function viewOf(replica: Replica): View {
  const { state, id } = replica;
  return {
    version: state.me.version,
    merges: state.counts.merges,
    succession: state.ledger.succession,
    id,
    diskId: state.durableId,
    isGone: state.ledger.succession.has(id),
    inherited: state.ledger.succession.size === 0 ? NONE : inheritedOf(replica),
    own: state.ledger.succession.has(id) ? ownOf(replica) : NOTHING_OWN,
    given: givenBy(replica),
  };
}

function ownOf({ state, id }: Replica): Map<string, number> {
  const { ledger } = state;
  const whole = id === ledger.lineage?.founder ? WHOLE : 0;
  return new Map([...ledger.buckets].map(([key, { balances }]) => [key, whole + (balances.get(id) ?? 0)]));
}

function inheritedOf({ state, id }: Replica): Map<string, ByGone> {
  const { ledger } = state;
  const inherited = new Map<string, ByGone>();
  const self = ledger.succession.get(id) ?? id;
  for (const [key, { balances, entries }] of ledger.buckets) {
    const byGone = new Map<string, Inherited>();
    for (const [gone, holder] of ledger.succession) {
      if (holder !== self || gone === id) continue;
      const whole = gone === ledger.lineage?.founder ? WHOLE : 0;
      const parts = whole + (balances.get(gone) ?? 0);
      const isSettled = ledger.members.get(gone)?.farewell !== null;
      byGone.set(gone, { parts, given: isSettled ? null : (entries.get(gone)?.row.given ?? NOTHING) });
    }
    inherited.set(key, byGone);
  }
  return inherited;
}
