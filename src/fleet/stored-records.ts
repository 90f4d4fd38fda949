// What a store holds of the shared map (shared-map.ts), read at a start.
import { Malformed } from "../bucket/codec.ts";
import { decodeMapRecord } from "../bucket/lww-codec.ts";
import type { Entry } from "../bucket/lww-map.ts";
import type { Log } from "../observe/events.ts";

/** The entries in the order in which they were written; damaged ones are left out, and the log says so. */
export function readRecords(
  stored: Iterable<readonly [key: string, value: Uint8Array]>,
  moment: { readonly nowMs: number; readonly wallMs: number },
  log: Log,
): { readonly entries: readonly Entry[]; readonly isDamaged: boolean } {
  const entries: Entry[] = [];
  let isDamaged = false;
  for (const [key, bytes] of stored) {
    try {
      entries.push(decodeMapRecord(bytes, moment));
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      isDamaged = true;
      log.error("a stored entry is damaged and was left out", { key, reason: error.message });
    }
  }
  return { entries: entries.sort((left, right) => left.time - right.time), isDamaged };
}
