// What a reload can't change: addresses that are listened on, the store's folder, and what is set up once at a start.
import { isDeepStrictEqual } from "node:util";
import type { Config } from "./config.ts";

const FIXED: readonly (readonly [key: string, read: (config: Config) => unknown])[] = [
  ["listen", (config) => config.listen],
  ["http", (config) => config.http],
  ["data_dir", (config) => config.dataDir],
  ["log.merges", (config) => config.log.merges],
  ["fleet", (config) => config.fleet],
];

/** The keys of the file whose change takes effect at the next start only. */
export function keysThatNeedRestart(before: Config, after: Config): readonly string[] {
  return FIXED.flatMap(([key, read]) => (isDeepStrictEqual(read(before), read(after)) ? [] : [key]));
}
