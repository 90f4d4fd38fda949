// Who should hold how much of a bucket: a function of what everybody knows, so that all compute it alike and a round
// of giving ends instead of going back and forth.
//
// Nothing moves while nobody waits. Otherwise the share held by those that can be reached is divided anew:
//   1. In the order of age, each one that waits is entitled to what its oldest request needs, if there is as much: less
//      would fill up there and overflow before it is of use. Only the oldest gets what there is in any case.
//   2. The rest is divided by demand among those that can use it. One whose portion could not hold a typical request
//      of its own would only strand units: it is left out, the smallest demand first, and the rest divided again.
//   3. What nobody can use goes to the oldest in line.
// Those who only expect requests are in line for their portion by demand; the first and third rule pass over them, for
// a bucket that holds one request would go back and forth between two of them.
import { WHOLE } from "./parts.ts";

/** A replica that can be reached, as it shows itself for one bucket. */
export interface Party {
  readonly id: string;
  /** Parts. Below zero after a false death: it is owed, before anyone else gets anything. */
  readonly share: number;
  /** Units that its oldest request needs; 0 when nobody waits there. */
  readonly waiting: number;
  /** Its age; 0 when no request waits yet, but one soon will at the present demand. */
  readonly waitingMs: number;
  /** Units per second. */
  readonly demand: number;
  /** Units of a typical request. */
  readonly cost: number;
}

/** Whether a party is in line: it has a request waiting, or it is owed. */
export function isInLine(party: Party): boolean {
  return party.waiting > 0 || party.share < 0;
}

/** The order of the line: who is owed comes first, then the oldest; ids decide ties. */
export function lineOf<P extends Party>(parties: readonly P[]): P[] {
  return parties
    .filter(isInLine)
    .sort(
      (left, right) =>
        Number(right.share < 0) - Number(left.share < 0) ||
        right.waitingMs - left.waitingMs ||
        (left.id < right.id ? -1 : 1),
    );
}

/** The parts that `units` take up of a bucket of this capacity, rounded up. */
export function partsFor(units: number, capacity: number): number {
  return Math.min(WHOLE, Math.ceil((units / capacity) * WHOLE));
}

/**
 * What each party should hold, in parts; together what they hold now. `null` while nobody waits. With `isWhole` a part
 * of a unit is of no use to anyone (running requests): portions are whole units then.
 */
export function entitlementsOf(
  parties: readonly Party[],
  capacity: number,
  isWhole = false,
): ReadonlyMap<string, number> | null {
  const line = lineOf(parties);
  const oldest = line[0];
  if (oldest === undefined) return null;
  let left = Math.max(
    0,
    parties.reduce((sum, party) => sum + party.share, 0),
  );
  const entitled = new Map(parties.map((party) => [party.id, 0]));
  const add = (id: string, parts: number): void => {
    entitled.set(id, (entitled.get(id) ?? 0) + parts);
    left -= parts;
  };
  for (const party of line) {
    if (isEarly(party)) continue;
    const needed = partsFor(party.waiting, capacity);
    if (party === oldest) add(party.id, Math.min(left, needed));
    else if (needed <= left) add(party.id, needed);
  }
  const portions = portionsOf(parties, entitled, left, capacity);
  for (const [party, portion] of portions) {
    const units = Math.floor((portion / WHOLE) * capacity + 1e-6);
    add(party.id, isWhole ? Math.min(portion, partsFor(units, capacity)) : portion);
  }
  if (left <= 0) return entitled;
  const [first] = portions.keys();
  if (first !== undefined) add(first.id, left);
  else if (isEarly(oldest)) return null;
  else add(oldest.id, left);
  return entitled;
}

/** Whether it asks before a request waits: then it gets its portion by demand, and nothing hangs on it. */
function isEarly(party: Party): boolean {
  return party.waiting > 0 && party.waitingMs === 0 && party.share >= 0;
}

/** Units below which a part is of no use: the request at the head of a line keeps the others behind it from going. */
function needOf({ cost, waiting }: Party): number {
  return Math.max(cost, waiting, Number.MIN_VALUE);
}

/** The division by demand: of `parts`, among those whose portion lets them use it. */
function portionsOf(
  parties: readonly Party[],
  entitled: ReadonlyMap<string, number>,
  parts: number,
  capacity: number,
): Map<Party, number> {
  const users = parties
    .filter((party) => party.demand > 0)
    .sort(
      (left, right) =>
        right.demand / needOf(right) - left.demand / needOf(left) || (left.id < right.id ? -1 : 1),
    );
  for (; users.length > 0; users.pop()) {
    const demand = users.reduce((sum, party) => sum + party.demand, 0);
    const portion = (party: Party): number => Math.floor(parts * (party.demand / demand));
    const isUsable = users.every((party) => {
      const holds = ((entitled.get(party.id) ?? 0) + portion(party)) / WHOLE;
      return holds * capacity >= needOf(party) * (1 - 1e-6);
    });
    if (isUsable) return new Map(users.map((party) => [party, portion(party)]));
  }
  return new Map();
}
