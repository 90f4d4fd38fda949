// Opens the response cache where the configuration wants one; its store is an LMDB of its own below `data_dir`.
import { join } from "node:path";
import { ResponseCache } from "../../cache/response-cache.ts";
import { systemClock, systemTimers } from "../../clock.ts";
import type { Config } from "../../config/config.ts";
import type { Log } from "../../observe/events.ts";
import { openDisposableStore, removeDisposableStore } from "../../store/disposable.ts";

/** The response cache; what an earlier start has kept is removed where nothing is to be kept on disk. */
export function openCache(config: Config, log: Log): ResponseCache {
  const directory = join(config.dataDir, "cache");
  const { ttlMs, diskBytesMax } = config.cache;
  if (ttlMs === 0 || diskBytesMax === 0) removeDisposableStore(directory);
  const cache = new ResponseCache({
    wallMs: () => systemClock.wallMs(),
    log,
    timers: systemTimers,
    openDisk: () => openDisposableStore(directory, log),
  });
  cache.configure(config.cache);
  return cache;
}
