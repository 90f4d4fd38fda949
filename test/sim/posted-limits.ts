// Limits that are set at run time, in the simulator: what is shared under which key, and what of it a disk has kept.
import type { Limit } from "../../src/bucket/limit.ts";
import { decodeMapRecord } from "../../src/bucket/lww-codec.ts";
import type { Entry } from "../../src/bucket/lww-map.ts";
import type { Batch } from "../../src/store/store.ts";

/** The key that a limit is shared under. */
export function placeOf({ key }: Limit): string {
  return `limits/${key}`;
}

/** A limit of another size. */
function scaled(limit: Limit, factor: number): Limit {
  const { refill } = limit;
  const capacity = limit.capacity * factor;
  return {
    ...limit,
    capacity: refill.kind === "held" ? Math.ceil(capacity) : capacity,
    refill: refill.kind === "continuous" ? { ...refill, unitsPerMs: refill.unitsPerMs * factor } : refill,
  };
}

/** A limit as somebody set it at run time; unset, it is what is configured. */
export function posted(limit: Limit, value: Entry["value"] | undefined): Limit {
  return value instanceof Uint8Array ? scaled(limit, Number(Buffer.from(value).toString())) : limit;
}

/** The limits that a write of the shared map holds, by their buckets' keys. */
export function postedIn(batch: Batch, limits: readonly Limit[]): Map<string, Limit> {
  const found = new Map<string, Limit>();
  for (const [, bytes] of batch) {
    if (bytes === null) continue;
    const { key, value } = decodeMapRecord(bytes, { nowMs: 0, wallMs: 0 });
    for (const limit of limits) if (key === placeOf(limit)) found.set(limit.key, posted(limit, value));
  }
  return found;
}
