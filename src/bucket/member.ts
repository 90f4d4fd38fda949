// The things that a ledger is made of: members, the entries that they have said, and the buckets that these are about.
import { markOf, withMark } from "./digest.ts";
import { compareStamps, NEVER, type Row, type Stamp } from "./row.ts";
import type { Claim, Standing } from "./succession.ts";

/** What a replica says about itself. */
export interface Profile {
  /** For people. */
  readonly name: string;
  /** Whom it handed everything to: the first that has not left itself; empty while it has not left. It only grows. */
  readonly heirs: readonly string[];
  readonly claims: ReadonlyMap<string, Claim>;
  /** Marks each change of heir, claims and farewells; later than every edition known to whoever made it. */
  readonly edition: number;
  /** The replicas whose rows this one has taken over (see farewell.ts), and at which edition. */
  readonly farewells: ReadonlyMap<string, number>;
  /** The edition of each other replica's profile that this one has taken in, durably; absent: none. */
  readonly seen: ReadonlyMap<string, number>;
  /** The latest edition of the farewells that this replica has carried out; it only grows. */
  readonly era: number;
}

export const NEW_PROFILE: Profile = {
  name: "",
  heirs: [],
  claims: new Map(),
  edition: 0,
  farewells: new Map(),
  seen: new Map(),
  era: 0,
};

/** That a gone replica's rows were taken over. */
export interface Farewell {
  readonly gone: string;
  readonly by: string;
  readonly edition: number;
}

/** A number that two lists of farewells have in common only when they are the same, in whatever order; 0: none. */
export function digestOf(farewells: readonly Farewell[]): number {
  let digest = 0;
  for (const { gone, by, edition } of farewells)
    digest = withMark(digest, markOf(`${gone} ${by} ${edition}`));
  return digest;
}

/** One entry, linked into its author's list. */
export class Entry {
  readonly author: Member;
  readonly bucket: BucketRows;
  boot = 0;
  version = 0;
  row: Row;
  /** When it came in, by the clock of the replica that keeps this ledger, in elapsed milliseconds. */
  heardMs = 0;
  newer: Entry | null = null;
  older: Entry | null = null;

  constructor(author: Member, bucket: BucketRows, row: Row) {
    this.author = author;
    this.bucket = bucket;
    this.row = row;
  }
}

export class Member implements Standing {
  readonly id: string;
  /** Everything up to here is known. */
  boot = 0;
  version = 0;
  /** Everything up to here is on this replica's disk. */
  saved: Stamp = NEVER;
  /** Whether this replica's disk names it. */
  isStored = false;
  /** It is about to leave, as it said last. */
  isLeaving = false;
  /** It knows that this replica is about to leave, and nothing that it gave to this one is still to come. */
  isAware = false;
  profile: Profile = NEW_PROFILE;
  profileStamp: Stamp = NEVER;
  /** When something new was last heard of it, in elapsed milliseconds. */
  heardMs = -Infinity;
  newest: Entry | null = null;
  oldest: Entry | null = null;
  /** Where the last section that was cut short ended: the next one mostly goes on there. */
  cutAt: Entry | null = null;
  /** Its rows were taken over and dropped; only its name is left, until nobody can speak of it any more. */
  farewell: Farewell | null = null;
  /** Since when it is known to be gone, in elapsed milliseconds. */
  goneMs = Infinity;
  /** Since when it claims somebody of whom more is to be heard first, in elapsed milliseconds. */
  unjudgedMs = Infinity;

  constructor(id: string) {
    this.id = id;
  }

  get heirs(): readonly string[] {
    return this.profile.heirs;
  }

  /** Whether it has left by its own word. */
  get hasLeft(): boolean {
    return this.profile.heirs.length > 0;
  }

  get claims(): ReadonlyMap<string, Claim> {
    return this.profile.claims;
  }
}

/** All that is said about one bucket. */
export class BucketRows {
  readonly key: string;
  readonly entries = new Map<string, Entry>();
  /** The balance of gives of every replica named in the rows, before succession; the founder's whole is not in it. */
  readonly balances = new Map<string, number>();

  constructor(key: string) {
    this.key = key;
  }
}

/** Takes an entry out of its author's list. */
export function unlink(entry: Entry): void {
  const { author, newer, older } = entry;
  if (newer !== null) newer.older = older;
  else if (author.newest === entry) author.newest = older;
  if (older !== null) older.newer = newer;
  else if (author.oldest === entry) author.oldest = newer;
  if (author.cutAt === entry) author.cutAt = null;
  entry.newer = null;
  entry.older = null;
}

/** Puts an entry into its author's list, by its stamp. */
export function link(entry: Entry): void {
  const { author } = entry;
  let newer: Entry | null = null;
  let older = author.newest;
  while (older !== null && compareStamps(older, entry) > 0) {
    newer = older;
    older = older.older;
  }
  entry.older = older;
  entry.newer = newer;
  if (older !== null) older.newer = entry;
  else author.oldest = entry;
  if (newer !== null) newer.older = entry;
  else author.newest = entry;
}
