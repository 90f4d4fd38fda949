// Who holds the share of a replica that is gone. A replica that leaves names its heir; one that is declared dead is
// claimed by another. Either way everything it holds, in every bucket (those that nobody has touched yet included,
// which is how the founder's role is handed on), counts for its successor from then on, and it never comes back under
// the same id: a replica that finds itself succeeded goes on under a new id with share zero.
//
// As a function of the members alone it is the same wherever the same is known: a leaver's own word comes first, then
// the claimant with the lowest id. A wish that would close a circle (two halves of a fleet that declared each other
// dead) is passed over, in the order of ids, so every chain ends in exactly one replica.

export interface Standing {
  readonly id: string;
  /** The replicas that a leaver handed everything to, in the order of its wishes; empty while it has not left. */
  readonly heirs: readonly string[];
  /** The replicas that this one declared dead, and at which edition of its profile. */
  readonly claims: ReadonlyMap<string, number>;
  /** Who has taken its rows over for good (see farewell.ts); it comes before every other wish. */
  readonly farewell: { readonly by: string } | null;
}

/** The final holder of each replica that is gone; a replica that is not in the map holds its own. */
export type Succession = ReadonlyMap<string, string>;

/** Follows everyone's wishes to the replica that holds the share in the end. */
export function successionOf(members: Iterable<Standing>): Succession {
  const all = [...members].sort((left, right) => (left.id < right.id ? -1 : 1));
  const wishes = new Map<string, string[]>();
  for (const member of all) {
    if (member.farewell !== null) wishes.set(member.id, [member.farewell.by]);
    else if (member.heirs.length > 0) wishes.set(member.id, [...member.heirs]);
  }
  for (const claimant of all) {
    for (const victim of claimant.claims.keys()) {
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

function endOf(start: string, next: ReadonlyMap<string, string>): string {
  let end = start;
  for (let after = next.get(end); after !== undefined; after = next.get(end)) end = after;
  return end;
}
