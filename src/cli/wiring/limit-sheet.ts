// What a replica tells its siblings of the limits that it has in force, and how two such sheets differ. The sum over all of them
// is always told, the limits in words as far as an entry of the shared map has room (some hundreds): providers' first, since
// client keys are what is many.
import { createHash } from "node:crypto";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { z } from "zod";
import type { LimitSpec } from "../../config/config.ts";

/** An entry of the shared map has room for so many bytes (lww-map.ts), and what comes out of them is bounded too. */
const PACKED_BYTES_MAX = 4096;
const TEXT_BYTES_MAX = 256 * 1024;
/** The most limits that are told in words. */
const WORDS_MAX = 1000;

const sheet = z.object({
  /** What a later version says otherwise is left to it. */
  version: z.literal(1),
  /** Of all limits. */
  sum: z.string().max(100),
  count: z.int().nonnegative(),
  /** Each limit in words, by its name in the fleet; the first of them if there is no room for all. */
  limits: z.record(z.string().max(1024), z.string().max(200)),
});

type Told = z.infer<typeof sheet>;

/** A replica's limits as it tells them. */
export type LimitSheet = Readonly<Omit<Told, "version">>;

/** One limit that is not the same at two replicas, in words. */
export interface SheetDifference {
  /** Its name in the fleet; null: one of those that are too many to be told by name. */
  readonly limit: string | null;
  /** null: there is no such limit, or it is not told. */
  readonly here: string | null;
  readonly there: string | null;
}

/** The sheet of these limits, whole. */
export function sheetOf(limits: ReadonlyMap<string, LimitSpec>): LimitSheet {
  const named = [...limits].map(([name, spec]) => [name, inWords(spec)] as const).sort(inOrder);
  const sum = createHash("sha256").update(JSON.stringify(named)).digest("base64url");
  return { sum, count: named.length, limits: Object.fromEntries(named) };
}

function inWords({ amount, burst, refill, timezone }: LimitSpec): string {
  const ofBurst = burst === amount ? "" : `, burst ${burst}`;
  return `${amount}${ofBurst}${refill === "calendar" ? `, calendar ${timezone}` : ""}`;
}

type Named = readonly [name: string, words: string];

function inOrder([left]: Named, [right]: Named): number {
  const isOfKey = (name: string): boolean => name.startsWith("key/");
  if (isOfKey(left) !== isOfKey(right)) return isOfKey(left) ? 1 : -1;
  return left < right ? -1 : 1;
}

/** As bytes for the shared map, with as many limits in words as there is room for. */
export function packSheet({ sum, count, limits }: LimitSheet): Uint8Array {
  let told = Object.entries(limits).slice(0, WORDS_MAX);
  for (;;) {
    const text = JSON.stringify({ version: 1, sum, count, limits: Object.fromEntries(told) } satisfies Told);
    const packed = deflateRawSync(text);
    if (packed.length <= PACKED_BYTES_MAX && text.length <= TEXT_BYTES_MAX) return packed;
    told = told.slice(0, Math.floor(told.length * 0.8));
  }
}

/** What a sibling tells; null: it can't be read here. */
export function unpackSheet(bytes: Uint8Array): LimitSheet | null {
  try {
    const text = inflateRawSync(bytes, { maxOutputLength: TEXT_BYTES_MAX }).toString();
    return sheet.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    // Not packed, too large, or not JSON: nothing depends on it.
    return null;
  }
}

/** Where a sibling's sheet, as it was unpacked, differs from this replica's own; empty when all limits are the same. */
export function differencesOf(own: LimitSheet, theirs: LimitSheet): readonly SheetDifference[] {
  if (own.sum === theirs.sum) return [];
  const found: SheetDifference[] = [];
  for (const [limit, there] of Object.entries(theirs.limits)) {
    const here = Object.hasOwn(own.limits, limit) ? (own.limits[limit] ?? null) : null;
    if (here !== there) found.push({ limit, here, there });
  }
  const isAllTold = Object.keys(theirs.limits).length === theirs.count;
  for (const [limit, here] of isAllTold ? Object.entries(own.limits) : []) {
    if (!Object.hasOwn(theirs.limits, limit)) found.push({ limit, here, there: null });
  }
  return found.length > 0 ? found : [{ limit: null, here: null, there: null }];
}
