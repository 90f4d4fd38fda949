// What of `cache-control` is understood, and how what is not is read.
import { expect, test } from "vitest";
import { directivesOf } from "../../src/cache/directives.ts";

const NONE = { isBypassed: false, isRefresh: false, isOnlyIfCached: false, maxAgeMs: Infinity };

test.each([
  [undefined, {}],
  ["", {}],
  ["max-stale=5, no-transform, stale-if-error", {}],
  ["no-store", { isBypassed: true }],
  ["No-Cache", { isRefresh: true }],
  ["only-if-cached", { isOnlyIfCached: true }],
  ["max-age=60", { maxAgeMs: 60_000 }],
  ['max-age="60"', { maxAgeMs: 60_000 }],
  ["max-age=0", { maxAgeMs: 0 }],
  ["max-age=soon", { maxAgeMs: 0 }],
  ["max-age=-1", { maxAgeMs: 0 }],
  ["max-age=", { maxAgeMs: 0 }],
  ["max-age=60, max-age=5", { maxAgeMs: 5000 }],
  ["max-age=5,only-if-cached", { maxAgeMs: 5000, isOnlyIfCached: true }],
])("%j", (header, expected) => {
  expect(directivesOf(header)).toEqual({ ...NONE, ...expected });
});
