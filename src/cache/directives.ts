// What a client's `cache-control` asks for (RFC 9111 section 5.2.1), as much of it as means something here. Unknown
// directives are passed over; an age that can't be read counts as 0, the careful reading.

export interface Directives {
  /** `no-store`: the cache is left out altogether. */
  readonly isBypassed: boolean;
  /** `no-cache`: the provider is asked, and its answer replaces what is kept. */
  readonly isRefresh: boolean;
  /** `only-if-cached`: the provider is not asked. */
  readonly isOnlyIfCached: boolean;
  /** `max-age`: how old an answer may be, in milliseconds. */
  readonly maxAgeMs: number;
}

const NONE: Directives = { isBypassed: false, isRefresh: false, isOnlyIfCached: false, maxAgeMs: Infinity };

const MAX_AGE = /^max-age\s*=\s*"?(.*?)"?$/;

export function directivesOf(header: string | undefined): Directives {
  if (header === undefined) return NONE;
  const words = header.split(",").map((word) => word.trim().toLowerCase());
  const ages = words.flatMap((word) => MAX_AGE.exec(word)?.[1] ?? []);
  return {
    isBypassed: words.includes("no-store"),
    isRefresh: words.includes("no-cache"),
    isOnlyIfCached: words.includes("only-if-cached"),
    maxAgeMs: Math.min(Infinity, ...ages.map(milliseconds)),
  };
}

function milliseconds(seconds: string): number {
  return /^\d+$/.test(seconds) ? Number(seconds) * 1000 : 0;
}
