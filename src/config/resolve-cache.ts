// What of answers is kept, and for whom.
import type { CacheConfig } from "./gateway-config.ts";
import { checkModel, type Offer } from "./resolve-keys.ts";
import type { RawCache } from "./gateway-schema.ts";

export function resolveCache(raw: RawCache, offer: Offer): CacheConfig {
  for (const member of ["models", "except"] as const) {
    for (const [index, name] of (raw[member] ?? []).entries())
      checkModel(name, ["cache", member, index], offer);
  }
  return {
    ttlMs: raw.ttl,
    models: raw.models === undefined ? null : new Set(raw.models),
    except: new Set(raw.except),
    isShared: raw.scope === "shared",
    memoryBytesMax: raw.max_memory,
    diskBytesMax: raw.max_disk,
    answerBytesMax: raw.max_answer,
  };
}
