// By how much the promise may give way, seen from outside, where only one who sees all replicas at once can know it.
// Parts of a bucket exist twice, or more often,
//
//   claimed    while one who was declared dead lives, or its last gives are not known to the one who took over: also
//              when that one has taken over its rows for good, and has its parts among its own;
//   forgotten  while a disk that was set back does not know what it had given;
//   copied     while two processes run from copies of one disk;
//   owed       while a replica's share is below zero: it was given on before that was noticed. Also while it is down, and
//              of one that has left, or goes on under another id, until its heir hears that it is the heir.
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
  /** Who counts it. */
  readonly by: string;
  readonly parts: number;
  /** What it knows the gone one to have given; null when it says that itself by now. */
  readonly given: Given | null;
}

type ByGone = Map<string, Inherited>;

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
  /** Those of whom it still counts what they say. */
  readonly members: ReadonlySet<string>;
  /** What it holds by itself of each bucket, as it knows it; below zero when it gave on what was another's after all. */
  readonly own: ReadonlyMap<string, number>;
  /** By bucket. */
  readonly inherited: ReadonlyMap<string, ByGone>;
  readonly given: ReadonlyMap<string, Given>;
}

/** What was known of one whose rows were taken over for good. */
interface Settled {
  readonly by: string;
  readonly machine: Machine;
  /** What its successor knew it to have given, by bucket. */
  readonly known: ReadonlyMap<string, Given>;
}

/** The parts that `known` says were given and `ours` does not; only those to receivers that count. */
export function missing(
  known: Given,
  ours: Given,
  counts: (receiver: string) => boolean = () => true,
): number {
  let parts = 0;
  for (const [receiver, edge] of known) {
    if (counts(receiver)) parts += Math.max(0, difference(edge.parts, ours.get(receiver)?.parts ?? 0));
  }
  return parts;
}

export function givenBy({ state }: Replica): Map<string, Given> {
  return new Map([...state.holdings].map(([key, { given }]) => [key, given]));
}

export class Claims {
  readonly #views = new Map<Machine, View>();
  /** Who left, or goes on under another id: it speaks for what it had until its heir does. */
  readonly #former = new Map<string, View>();
  /** What those had given who left, or go on under another id. */
  readonly #last = new Map<string, ReadonlyMap<string, Given>>();
  /** Whose rows were taken over for good. */
  readonly #settled = new Map<string, Settled>();
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
      if (before !== undefined && before.id !== view.id) {
        this.#last.set(before.id, before.given);
        if (before.isGone) this.#former.set(before.id, before);
      }
      if (view.isGone) this.#last.set(view.id, view.given);
      this.#views.set(machine, view);
      this.#settle(machine, before, view);
      this.#parts.clear();
    }
    if (this.#parts.size === 0) this.#handOn();
  }

  /** Notes whose rows a process has taken over, and those that a crash gave back. */
  #settle(machine: Machine, before: View | undefined, view: View): void {
    for (const byGone of view.inherited.values()) {
      for (const [gone, { given }] of byGone) {
        const settled = this.#settled.get(gone);
        if (given !== null && settled?.machine === machine) this.#settled.delete(gone);
        if (given !== null || settled !== undefined) continue;
        const known = new Map<string, Given>();
        for (const [key, had] of before?.inherited ?? []) known.set(key, had.get(gone)?.given ?? NOTHING);
        this.#settled.set(gone, { by: view.id, machine, known });
      }
    }
  }

  /** What an heir speaks for is not its predecessor's word any more, whatever becomes of it. */
  #handOn(): void {
    for (const [id, view] of this.#former) {
      const heir = this.#speakerOf(view.succession.get(id));
      for (const [key, byGone] of view.inherited) {
        for (const gone of byGone.keys()) {
          if (heir?.inherited.get(key)?.has(gone) === true) byGone.delete(gone);
        }
      }
      const isHandedOn = heir !== null && heir.inherited.values().every((byGone) => byGone.has(id));
      const isEmpty = view.inherited.values().every((byGone) => byGone.size === 0);
      if (this.#settled.has(id) || (isHandedOn && isEmpty)) this.#former.delete(id);
    }
  }

  forget(machine: Machine): void {
    const view = this.#views.get(machine);
    if (view?.isGone === true) this.#former.set(view.id, view);
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

  /** All who ever spoke for parts and may do so still. */
  *#speakers(): Iterable<View> {
    yield* this.#views.values();
    yield* this.#former.values();
  }

  #count(key: string): number {
    const counted = new Map<string, Inherited[]>();
    const living = new Set<string>();
    let sum = 0;
    for (const view of this.#views.values()) if (!view.isGone) living.add(view.id).add(view.diskId);
    for (const view of this.#speakers()) {
      sum += this.#owed(view, key);
      // All that it holds is there twice.
      if (!view.isGone && this.#settled.has(view.id)) continue;
      for (const [gone, inherited] of view.inherited.get(key) ?? []) {
        if (view.isGone && this.#isHeir(view.succession.get(view.id), gone, key)) continue;
        const list = counted.get(gone);
        if (list === undefined) counted.set(gone, [inherited]);
        else list.push(inherited);
      }
    }
    for (const [gone, list] of counted) sum += this.#twice(gone, list, living, key);
    return sum + this.#alsoHeld(key);
  }

  /** Parts of a gone one that more than one counts as its own. */
  #twice(gone: string, list: readonly Inherited[], living: ReadonlySet<string>, key: string): number {
    const settled = this.#settled.get(gone);
    if (settled === undefined && living.has(gone)) return Math.max(0, sumOf(list));
    // Who took its rows over for good has its parts among its own.
    if (settled !== undefined && living.has(settled.by))
      return Math.max(0, sumOf(list.filter(({ by }) => by !== settled.by)));
    const isHeldBySelf = settled !== undefined && living.has(gone);
    if (isHeldBySelf) return Math.max(0, sumOf(list.filter(({ given }) => given !== null)));
    const first = settled === undefined ? list : list.filter(({ given }) => given === null);
    // Less than nothing where it had given away more than its successor knows it to have had.
    const known = first.map((each) => each.parts - this.#unheard(each, gone, key));
    return Math.max(0, sumOf(list) - (known.length === 0 ? 0 : Math.max(...known)));
  }

  /**
   * What those hold still whose rows were taken over for good, and what they gave to others who have not heard of that.
   * Of several that did so to each other all but one: of that one it is the only time.
   */
  #alsoHeld(key: string): number {
    const held = new Map<string, number>();
    for (const [gone, { known }] of this.#settled) {
      const view = this.#viewOf(gone);
      const given = (view?.given ?? this.#last.get(gone))?.get(key) ?? NOTHING;
      const unheard = missing(given, known.get(key) ?? NOTHING, (receiver) =>
        this.#listensTo(receiver, gone),
      );
      held.set(gone, (view === null || view.isGone ? 0 : shareOf(view, key)) + unheard);
    }
    let sum = 0;
    for (const parts of held.values()) sum += parts;
    for (const circle of this.#circles()) sum -= Math.max(...circle.map((id) => held.get(id) ?? 0));
    return sum;
  }

  /** Those who have taken over each other's rows, and live. */
  #circles(): string[][] {
    const circles: string[][] = [];
    const seen = new Set<string>();
    for (const start of this.#settled.keys()) {
      const path: string[] = [];
      for (let id = start; !seen.has(id); id = this.#settled.get(id)?.by ?? "") {
        const view = this.#viewOf(id);
        if (view === null || view.isGone) break;
        seen.add(id);
        path.push(id);
        const next = this.#settled.get(id)?.by;
        const first = next === undefined ? -1 : path.indexOf(next);
        if (first >= 0) circles.push(path.slice(first));
      }
    }
    return circles;
  }

  #viewOf(id: string): View | null {
    for (const view of this.#views.values()) if (view.id === id) return view;
    return null;
  }

  /** Whether what a replica was given by one whose rows were taken over counts for it still. */
  #listensTo(receiver: string, gone: string): boolean {
    return this.#viewOf(receiver)?.members.has(gone) ?? false;
  }

  /**
   * What one owes that gave on more than it holds, also while it is down; of one that has left, until its heir knows that
   * it is the heir.
   */
  #owed(view: View, key: string): number {
    if (view.isGone && this.#isHeir(view.succession.get(view.id), view.id, key)) return 0;
    return Math.max(0, -balanceOf(view, key));
  }

  /** Whether this replica counts as its own what the gone one had: before it knows, who left to it speaks for it. */
  #isHeir(id: string | undefined, gone: string, key: string): boolean {
    return this.#speakerOf(id)?.inherited.get(key)?.has(gone) === true;
  }

  #speakerOf(id: string | undefined): View | null {
    for (const view of this.#speakers()) if (view.id === id) return view;
    return null;
  }

  /** What a gone one had given and its successor does not know. */
  #unheard({ given }: Inherited, gone: string, key: string): number {
    const last = this.#last.get(gone)?.get(key);
    return last === undefined || given === null ? 0 : missing(last, given);
  }
}

function sumOf(list: readonly Inherited[]): number {
  return list.reduce((parts, each) => parts + each.parts, 0);
}

/** What it holds, by itself and as a successor; below zero when it owes. */
function balanceOf(view: View, key: string): number {
  return (view.own.get(key) ?? 0) + sumOf([...(view.inherited.get(key)?.values() ?? [])]);
}

function shareOf(view: View, key: string): number {
  return Math.max(0, balanceOf(view, key));
}

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
    inherited: inheritedOf(replica),
    members: membersOf(replica),
    own: ownOf(replica),
    given: givenBy(replica),
  };
}

function membersOf({ state }: Replica): Set<string> {
  const members = new Set<string>();
  for (const { id, farewell } of state.ledger.members.values()) if (farewell === null) members.add(id);
  return members;
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
      byGone.set(gone, {
        by: id,
        parts,
        given: isSettled ? null : (entries.get(gone)?.row.given ?? NOTHING),
      });
    }
    inherited.set(key, byGone);
  }
  return inherited;
}
