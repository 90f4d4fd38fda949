// Hot reload: looks at the file twice a second and loads it again when it is another one. Looking beats being told: it works on
// network and bind mounts, where nobody is told, and it makes no difference whether an editor writes into the file, renames a new
// one over it, or Kubernetes swaps a symbolic link further up. A file counts as new only when two looks in a row find it
// the same, so that one that is half written is left alone.
import type { Timers } from "../clock.ts";
import { GatewayError } from "../errors.ts";
import {
  configPath,
  DEFAULT_FILE,
  fingerprintAt,
  type Loaded,
  loadConfig,
  type LoadOptions,
} from "./load.ts";

export interface WatchOptions {
  readonly load: LoadOptions;
  /** What is in force. */
  readonly loaded: Loaded;
  readonly timers: Timers;
  readonly intervalMs?: number;
  /** Told of a new configuration that is valid; the next is loaded when it is done with it. */
  readonly onChange: (loaded: Loaded) => void | Promise<void>;
  /** Told why a new one is not; the old one stays in force. A `ConfigError` unless Sluice itself is at fault. */
  readonly onInvalid: (error: GatewayError) => void;
}

export interface ConfigWatch {
  /** Loads the file now, changed or not. Resolves when `onChange` or `onInvalid` has been told. */
  reload(): Promise<void>;
  /** Ends the watch; nothing is told any more. */
  close(): void;
}

const INTERVAL_MS = 500;

/** Watches the file that a configuration came from, or would come from once there is one. */
export function watchConfig(options: WatchOptions): ConfigWatch {
  const watch = new Watch(options);
  watch.lookLater();
  return watch;
}

class Watch implements ConfigWatch {
  readonly #options: WatchOptions;
  readonly #path: string;
  /** The file that was loaded last, valid or not. */
  #loaded: string;
  /** What the last look found. */
  #found: string;
  #hadFile: boolean;
  #cancel: () => void = () => undefined;
  #isClosed = false;
  #reloading: Promise<void> | undefined;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#path = configPath(options.load);
    this.#loaded = options.loaded.fingerprint;
    this.#found = this.#loaded;
    this.#hadFile = options.loaded.config.file !== null;
  }

  lookLater(): void {
    if (this.#isClosed) return;
    this.#cancel = this.#options.timers.after(this.#options.intervalMs ?? INTERVAL_MS, () => this.#look());
  }

  reload(): Promise<void> {
    this.#reloading ??= this.#load().finally(() => {
      this.#reloading = undefined;
    });
    return this.#reloading;
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel();
  }

  #look(): void {
    const before = this.#found;
    this.#found = fingerprintAt(this.#path);
    const isNew = this.#found !== this.#loaded && this.#found === before;
    // While a load is under way the file stays new, and a later look finds it again.
    if (isNew && this.#reloading === undefined) void this.reload();
    this.lookLater();
  }

  async #load(): Promise<void> {
    const { load, onChange, onInvalid } = this.#options;
    this.#loaded = this.#found;
    try {
      // A file that was there and is gone is a mistake; it does not mean the built-in defaults.
      const file = load.file ?? (this.#hadFile ? DEFAULT_FILE : undefined);
      const loaded = await loadConfig({ ...load, file });
      this.#loaded = loaded.fingerprint;
      this.#hadFile ||= loaded.config.file !== null;
      if (!this.#isClosed) await onChange(loaded);
    } catch (error) {
      const known =
        error instanceof GatewayError
          ? error
          : new GatewayError("internal_error", "The configuration could not be applied.", { cause: error });
      if (!this.#isClosed) onInvalid(known);
    }
  }
}
