// One client key of run time as the fleet keeps it: JSON under `keys/NAME` in the replicated map. A key that was revoked
// leaves a word that it was, rather than nothing: a sibling that comes back after months could bring it back otherwise.
import { z } from "zod";
import { parseKeyDefinition } from "../config/key-definition.ts";
import type { RawKeyDefinition } from "../config/schema.ts";
import { tryParse } from "../json.ts";

const instantMs = z.number().int().nonnegative();

const storedSecret = z.object({
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  prefix: z.string().max(64),
  created: instantMs,
  /** From when on it is refused: another one took its place. */
  until: instantMs.nullish(),
});

const stored = z.union([
  z.object({ revoked: instantMs }),
  z.object({
    definition: z.unknown(),
    created: instantMs,
    secrets: z.array(storedSecret).min(1).max(8),
  }),
]);

/** Times are milliseconds since the epoch. */
export type StoredSecret = z.infer<typeof storedSecret>;

export interface StoredKey {
  readonly name: string;
  readonly raw: RawKeyDefinition;
  /** As it was written, to be written again. */
  readonly plain: unknown;
  readonly createdMs: number;
  /** The newest first. */
  readonly secrets: readonly StoredSecret[];
}

export type Kept =
  | { readonly kind: "key"; readonly key: StoredKey }
  | { readonly kind: "revoked"; readonly atMs: number }
  /** Damaged, or of a version that knows more: it lets nobody in. */
  | { readonly kind: "unreadable" };

export function encodeKey({ plain, createdMs, secrets }: Omit<StoredKey, "name" | "raw">): Uint8Array {
  return Buffer.from(JSON.stringify({ definition: plain, created: createdMs, secrets }));
}

export function encodeRevoked(atMs: number): Uint8Array {
  return Buffer.from(JSON.stringify({ revoked: Math.floor(atMs) }));
}

/** Reads what stands under a key's name. */
export function decodeKey(name: string, bytes: Uint8Array): Kept {
  const parsed = stored.safeParse(tryParse(Buffer.from(bytes).toString()));
  if (!parsed.success) return { kind: "unreadable" };
  if ("revoked" in parsed.data) return { kind: "revoked", atMs: parsed.data.revoked };
  const { definition, created, secrets } = parsed.data;
  const raw = parseKeyDefinition(definition);
  if (raw === null || raw.name !== name) return { kind: "unreadable" };
  return { kind: "key", key: { name, raw, plain: definition, createdMs: created, secrets } };
}

/** The secrets of a key whose secret is replaced at `nowMs`: the former ones stay good until `untilMs` at the latest. */
export function rotated(
  secrets: readonly StoredSecret[],
  fresh: StoredSecret,
  { nowMs, untilMs }: { readonly nowMs: number; readonly untilMs: number },
): readonly StoredSecret[] {
  const former = secrets
    .map((secret) => ({ ...secret, until: Math.min(secret.until ?? Infinity, untilMs) }))
    .filter((secret) => secret.until > nowMs);
  return [fresh, ...former.slice(0, FORMER_MAX)];
}

/** How many replaced secrets can be good at a time. */
const FORMER_MAX = 3;
