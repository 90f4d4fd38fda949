// How much a replica keeps of what others tell: whoever knows the secret could invent any number of members and buckets.
import type { Ledger } from "../bucket/ledger.ts";
import type { WholeMessage } from "../bucket/message.ts";

/** Members and buckets that a replica keeps, those of other configurations included: one who knows the secret could invent any number. */
export const MEMBERS_MAX = 4096;
export const BUCKETS_MAX = 50_000;

/** Why a message brings more than a replica keeps; null: it does not. Part of one can't be left out: the shares would not add up. */
export function crowdedBy(
  { sender, vector, sections, farewells }: WholeMessage,
  { members, buckets }: Ledger,
): string | null {
  if (vector.size > MEMBERS_MAX) return `it knows of ${vector.size} members; at most ${MEMBERS_MAX} are kept`;
  let rows = 0;
  for (const { entries } of sections) rows += entries.length;
  if (members.size + vector.size + sections.length + 2 * farewells.length + 1 > MEMBERS_MAX) {
    const ids = new Set([sender, ...vector.keys(), ...sections.map(({ author }) => author)]);
    for (const { gone, by } of farewells) ids.add(gone).add(by);
    const count = members.size + countNew(ids, members);
    if (count > MEMBERS_MAX)
      return `it would make ${count} members of the fleet; at most ${MEMBERS_MAX} are kept`;
  }
  if (rows > 0 && buckets.size + rows > BUCKETS_MAX) {
    const keys = new Set(sections.flatMap(({ entries }) => entries.map(({ bucket }) => bucket)));
    const count = buckets.size + countNew(keys, buckets);
    if (count > BUCKETS_MAX) return `it would make ${count} buckets; at most ${BUCKETS_MAX} are kept`;
  }
  for (const { entries } of sections) {
    const { row } = entries.find(({ row: { given } }) => given.size > MEMBERS_MAX) ?? {};
    if (row !== undefined)
      return `a row gives to ${row.given.size} replicas; at most ${MEMBERS_MAX} are kept`;
  }
  return null;
}

function countNew(names: ReadonlySet<string>, known: ReadonlyMap<string, unknown>): number {
  let count = 0;
  for (const name of names) if (!known.has(name)) count += 1;
  return count;
}
