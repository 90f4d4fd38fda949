// What a replica says that it has heard of the map. It names each author that has written lately; of the others, who may
// be thousands that are gone, it tells a digest. Two that have exchanged everything have the same of these, so each knows
// from its own what the other means; where they differ, the one that notices says all that it has heard, and is told all.
//
//     word   since · digest of what was heard of those who wrote before it · (author, time) of each that wrote later
//     whole  since 0: everybody is named
import { markOf, withMark } from "./digest.ts";
import type { Heard } from "./lww-map.ts";

export interface Word {
  /** A stamp: whoever wrote last before it is not named. */
  readonly since: number;
  /** Of those who are not named. */
  readonly digest: number;
  readonly recent: Heard;
}

/** What it adds to a digest that an author was heard up to a stamp. */
export type Mark = (author: string, time: number) => number;

export const markOfHeard: Mark = (author, time) => markOf(`${author} ${time}`);

/** `mark`: `markOfHeard`, or the same kept from the last time. */
export function wordOf(heard: Heard, since: number, mark = markOfHeard): Word {
  const recent = new Map<string, number>();
  for (const [author, time] of heard) if (time >= since) recent.set(author, time);
  return { since, digest: digestOfEarlier(heard, since, mark), recent };
}

/** What a sibling has heard that says this, for one that has heard `own` itself; `null`: that can't be known from it. */
export function heardFrom({ since, digest, recent }: Word, own: Heard, mark = markOfHeard): Heard | null {
  if (digestOfEarlier(own, since, mark) !== digest) return null;
  const heard = new Map(recent);
  for (const [author, time] of own) if (time < since) heard.set(author, time);
  return heard;
}

/** Whether two have heard the same of all that wrote last before `since`, as each of them sees it. */
export function isSameBefore(since: number, left: Heard, right: Heard): boolean {
  return isKnownBefore(since, left, right) && isKnownBefore(since, right, left);
}

function isKnownBefore(since: number, known: Heard, by: Heard): boolean {
  for (const [author, time] of known) if (time < since && by.get(author) !== time) return false;
  return true;
}

function digestOfEarlier(heard: Heard, since: number, mark: Mark): number {
  let digest = 0;
  for (const [author, time] of heard) if (time < since) digest = withMark(digest, mark(author, time));
  return digest;
}
