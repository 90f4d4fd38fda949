// Who holds the share of a replica that is gone. A replica that leaves names its heir; one that is declared dead is
// claimed by another. Either way everything it holds, in every bucket (those that nobody has touched yet included,
// which is how the founder's role is handed on), counts for its successor from then on, and it never comes back under
// the same id: a replica that finds itself succeeded goes on under a new id with share zero.
//
// As a function of the members alone it is the same wherever the same is known: a leaver's own word comes first, then
// the claimant with the lowest id. A wish that would close a circle (two halves of a fleet that declared each other
// dead) is passed over, in the order of ids, so every chain ends in exactly one replica.
//
// A claim counts where as much is known of the one who is gone as the claimant knew. It travels apart from that one's
// rows: whoever took over from the claimant, and had not heard all of these, would hold what was given on before.
import { compareStamps, NEVER, type Stamp } from "./row.ts";

export interface Claim {
  /** Of the profile that it was made in. */
  readonly edition: number;
  /** Up to where the claimant knew what the gone one had said. */
  readonly known: Stamp;
}

/** A member; its stamp (boot, version) is up to where what it said is known. */
export interface Standing extends Stamp {
  readonly id: string;
  /** The replicas that a leaver handed everything to, in the order of its wishes; empty while it has not left. */
  readonly heirs: readonly string[];
  /** The replicas that this one took over from: those that it declared dead, and its former self that has left. */
  readonly claims: ReadonlyMap<string, Claim>;
  /** Who has taken its rows over for good (see farewell.ts); it comes before every other wish. */
  readonly farewell: { readonly by: string } | null;
}

/** The final holder of each replica that is gone; a replica that is not in the map holds its own. */
export type Succession = ReadonlyMap<string, string>;

/** Follows everyone's wishes to the replica that holds the share in the end. */
export function successionOf(members: Iterable<Standing>): Succession {
  const all = [...members].sort((left, right) => (left.id < right.id ? -1 : 1));
  const stamps = new Map(all.map((member) => [member.id, member]));
  const wishes = new Map<string, string[]>();
  for (const member of all) {
    if (member.farewell !== null) wishes.set(member.id, [member.farewell.by]);
    else if (member.heirs.length > 0) wishes.set(member.id, [...member.heirs]);
  }
  for (const claimant of all) {
    for (const [victim, { known }] of claimant.claims) {
      if (compareStamps(stamps.get(victim) ?? NEVER, known) < 0) continue;
      const list = wishes.get(victim);
      if (list === undefined) wishes.set(victim, [claimant.id]);
      else list.push(claimant.id);
    }
  }
  const next = new Map<string, string>();
  for (const gone of [...wishes.keys()].sort()) {
    const successor = wishes.get(gone)?.find((wish) => endOf(wish, next) !== gone);
    if (successor !== undefined) next.set(gone, successor);
  }
  return new Map([...next.keys()].map((gone) => [gone, endOf(gone, next)]));
}

/** Whether a leaver's own word alone says who holds its share, whatever anybody claims. */
export function isNamed(leaver: Standing, members: Iterable<Standing>): boolean {
  const unclaimed = [...members].map(({ id, heirs, claims, farewell, boot, version }) => {
    const others = new Map(claims);
    others.delete(leaver.id);
    return { id, heirs, farewell, boot, version, claims: others };
  });
  return successionOf(unclaimed).has(leaver.id);
}

function endOf(start: string, next: ReadonlyMap<string, string>): string {
  let end = start;
  for (let after = next.get(end); after !== undefined; after = next.get(end)) end = after;
  return end;
}
