// Limits set at run time: for every replica of the fleet, until they are unset, whatever the configuration says and
// however often it is loaded anew. They change how much, never what is counted or over which period.
import { z } from "zod";
import type { Config, LimitSpec, Provider } from "../../config/config.ts";
import { limitKey, type LimitOwner } from "../../config/limits.ts";
import { limitFault } from "../../config/resolve-limits.ts";
import type { Board } from "../../fleet/board.ts";
import { readBody } from "../routes/command-body.ts";

const PREFIX = "limits/";

const change = z.strictObject({
  amount: z.number().positive().max(1e12),
  burst: z.number().positive().max(1e12).nullish(),
  /** Who says so, for people. */
  by: z.string().max(100).optional(),
});

/** A limit as it was set; amounts are in the limit's own unit, dollars for `usd`. */
export type LimitChange = z.infer<typeof change>;

export interface LimitOverride extends LimitChange {
  /** Milliseconds since the epoch, by the clock of the instance that was told. */
  readonly setMs: number;
}

/** Reads an operator's or a sibling's words; a text says what is wrong with them. */
export function parseLimitChange(text: string): LimitChange | string {
  return readBody(text, change, '{"amount": 300}');
}

/** The limit with another amount, or why it can't have it. */
export function changedLimit(spec: LimitSpec, { amount, burst }: LimitChange): LimitSpec | string {
  const raw = {
    ...(burst === undefined || burst === null ? {} : { burst }),
    ...(spec.refill === "calendar" ? { refill: spec.refill } : {}),
  };
  if (spec.per === null && !Number.isInteger(amount)) return "the amount must be a whole number";
  return limitFault(raw, { ...spec, amount }) ?? { ...spec, amount, burst: burst ?? amount };
}

export class LimitOverrides {
  readonly #board: Board;

  constructor(board: Board) {
    this.#board = board;
  }

  /** By the limits' names. */
  all(): ReadonlyMap<string, LimitOverride> {
    const found = new Map<string, LimitOverride>();
    for (const { key, value, writtenMs } of this.#board.entries(PREFIX)) {
      const read = parseLimitChange(Buffer.from(value).toString());
      // What a later version may have said is left to it.
      if (typeof read === "string") continue;
      found.set(key.slice(PREFIX.length), { ...read, setMs: writtenMs });
    }
    return found;
  }

  /** Resolves when it is durable here; siblings hear of it with the next exchange. */
  async set(limit: string, value: LimitChange): Promise<void> {
    this.#board.set(PREFIX + limit, Buffer.from(JSON.stringify(value)));
    await this.#board.flush();
  }

  async unset(limit: string): Promise<void> {
    this.#board.delete(PREFIX + limit);
    await this.#board.flush();
  }

  /** Calls back when one was set or unset, here or elsewhere. */
  onChange(listener: () => void): void {
    this.#board.onChange((key) => {
      if (key.startsWith(PREFIX)) listener();
    });
  }

  /** The configuration with these limits in place of its own. One that does not fit any more is left out. */
  applyTo(config: Config): Config {
    const overrides = this.all();
    if (overrides.size === 0) return config;
    const change = (owner: LimitOwner, limits: readonly LimitSpec[]): readonly LimitSpec[] =>
      limits.map((spec) => {
        const override = overrides.get(limitKey(owner, spec));
        const changed = override === undefined ? spec : changedLimit(spec, override);
        return typeof changed === "string" ? spec : changed;
      });
    return mapLimits(config, change);
  }
}

type Change = (owner: LimitOwner, limits: readonly LimitSpec[]) => readonly LimitSpec[];

function mapLimits(config: Config, change: Change): Config {
  const providers = [...config.providers].map(
    ([name, provider]) => [name, mapProvider(provider, change)] as const,
  );
  const keys = [...config.keys].map(
    ([name, key]) => [name, { ...key, limits: change({ kind: "key", name: key.name }, key.limits) }] as const,
  );
  return { ...config, providers: new Map(providers), keys: new Map(keys) };
}

/** With several API keys, each has the limits for itself, and the provider as such has none. */
function mapProvider(provider: Provider, change: Change): Provider {
  const { account, pool } = provider;
  if (pool.size > 0) {
    const keys = [...pool].map(([key, pooled]) => [key, mapProvider(pooled, change)] as const);
    return { ...provider, pool: new Map(keys) };
  }
  const models = [...provider.models].map(
    ([model, entry]) =>
      [
        model,
        { ...entry, limits: change({ kind: "model", provider: account, model }, entry.limits) },
      ] as const,
  );
  const limits = change({ kind: "provider", provider: account }, provider.limits);
  return { ...provider, limits, models: new Map(models) };
}

/** Every limit of the configuration by its name in the fleet. */
export function configuredLimits(config: Config): ReadonlyMap<string, LimitSpec> {
  const found = new Map<string, LimitSpec>();
  mapLimits(config, (owner, limits) => {
    for (const spec of limits) found.set(limitKey(owner, spec), spec);
    return limits;
  });
  return found;
}
