// How a bucket is divided: a function of its rows and of who succeeded whom. Every give is subtracted from its giver
// and added to its receiver, and the founder's whole is added once, so the shares of all replicas named in *any* set
// of rows sum to the whole. This is the plain definition; the ledger keeps the same numbers up to date row by row and
// the tests hold one against the other.
import { WHOLE, wrap } from "./parts.ts";
import type { Row } from "./row.ts";
import type { Succession } from "./succession.ts";

/** What each replica named in these rows holds, in parts. */
export function sharesOf(
  rows: ReadonlyMap<string, Row>,
  founder: string,
  succession: Succession,
): ReadonlyMap<string, number> {
  const shares = new Map<string, number>();
  const add = (replica: string, parts: number): void => {
    const holder = succession.get(replica) ?? replica;
    shares.set(holder, wrap((shares.get(holder) ?? 0) + parts));
  };
  add(founder, WHOLE);
  for (const [giver, row] of rows) {
    for (const [receiver, edge] of row.given) {
      add(giver, -edge.parts);
      add(receiver, edge.parts);
    }
  }
  return shares;
}
