// What a reload can't change: addresses that are listened on, the store's folder, and what is set up once at a start.
import { isDeepStrictEqual } from "node:util";
import type { Config } from "./config.ts";

const FIXED = [
  ["listen", "listen"],
  ["http", "http"],
  ["dataDir", "data_dir"],
  ["log", "log"],
  ["fleet", "fleet"],
] as const satisfies readonly (readonly [keyof Config, string])[];

/** The keys of the file whose change takes effect at the next start only. */
export function keysThatNeedRestart(before: Config, after: Config): readonly string[] {
  return FIXED.flatMap(([member, key]) => (isDeepStrictEqual(before[member], after[member]) ? [] : [key]));
}
