// `sluice check`: reads the configuration as a start would, and says either what it amounts to or all that is wrong with it.
// `program.ts` runs it with `runCheck({ file: parsed.option("config") }, shell)`, whose result is the exit code.
import type { KeySourceConfig } from "../../config/access-config.ts";
import type { Config, LimitSpec, Provider } from "../../config/config.ts";
import { KeyFault } from "../../credentials/key.ts";
import { accountsOf } from "../wiring/accounts.ts";
import { sourceOf } from "../wiring/renewals.ts";
import { describeLimit } from "../../config/limits.ts";
import { type LoadOptions, loadConfig } from "../../config/load.ts";
import { ConfigError, describeProblems } from "../../config/problems.ts";

/** How long an issuer of keys may take to answer. */
const KEY_MS = 10_000;

/** Where a command writes. */
export interface Output {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/**
 * Checks the configuration, and when `isOnline` gets each key that is renewed. Resolves with the exit code: 0 when it is
 * sound, 1 when it is not.
 */
export async function runCheck(options: LoadOptions, output: Output, isOnline = false): Promise<number> {
  try {
    const { config, warnings } = await loadConfig(options);
    if (warnings.length > 0) output.err(`${describeProblems(warnings)}\n`);
    output.out(`${describeConfig(config)}\n`);
    return isOnline ? await tryKeys(config, output) : 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    output.err(`${error.message}\n`);
    const count = error.problems.length;
    output.err(`The configuration has ${count === 1 ? "1 problem" : `${count} problems`}.\n`);
    return 1;
  }
}

/** Gets every key that is renewed once, as a start would. */
async function tryKeys(config: Config, { out, err }: Output): Promise<number> {
  const accounts = Array.from(config.providers.values(), accountsOf).flat();
  const faults = await Promise.all(
    accounts.map(async ({ account, keySource }) => {
      if (keySource === null) {
        out(`  ${account}: nothing to get, and its key is not tried\n`);
        return null;
      }
      const fault = await keyFault(keySource);
      if (fault === null) out(`  ${account}: a key was got\n`);
      else err(`${account}: no key can be got: ${fault}\n`);
      return fault;
    }),
  );
  return faults.every((fault) => fault === null) ? 0 : 1;
}

/** Why there is no key to be had now; null: there is. */
async function keyFault(source: KeySourceConfig): Promise<string | null> {
  try {
    await sourceOf(source).issue(AbortSignal.timeout(KEY_MS));
    return null;
  } catch (error) {
    if (error instanceof KeyFault) return error.message;
    throw error;
  }
}

/** The configuration in a few lines for people; no secrets. */
export function describeConfig(config: Config): string {
  return [
    `The configuration is sound${config.file === null ? " (no file: built-in defaults)" : `: ${config.file}`}.`,
    `  listen    ${config.listen.host}:${config.listen.port}`,
    `  data      ${config.dataDir}`,
    ...section("providers", [...config.providers.values()].map(describeProvider)),
    ...section(
      "models",
      [...config.models.values()].map(({ name, strategy, targets }) => {
        const to = targets.map((target) =>
          target.kind === "model" ? `${target.provider}/${target.model}` : target.alias,
        );
        return `${name} → ${to.join(", ")}${strategy === "ordered" ? "" : ` (${strategy})`}`;
      }),
    ),
    ...section("limits", [...limitLines(config)]),
    ...section(
      "keys",
      [...config.keys.values()].map(({ name, priority, models }) => {
        const what = models === null ? "everything" : [...models].join(", ");
        return `${name}: ${what}${priority === "normal" ? "" : `, priority ${priority}`}`;
      }),
    ),
    ...section("fleet", fleetLines(config)),
  ].join("\n");
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.map((line, index) => `  ${(index === 0 ? title : "").padEnd(10)}${line}`);
}

function describeProvider(provider: Provider): string {
  const { name, type, baseUrl, isSimulator, models, pool } = provider;
  const kind = type === name ? "" : ` (${type})`;
  const known = models.size === 0 ? "" : `, ${models.size} models known`;
  const keys = pool.size === 0 ? "" : `, API keys ${[...pool.keys()].join(", ")}`;
  return `${name}${kind}: ${isSimulator ? "built in" : baseUrl}${known}${keys}`;
}

function* limitLines(config: Config): Generator<string> {
  const accounts = Array.from(config.providers.values(), accountsOf).flat();
  for (const { account: name, limits, learnsLimits, models } of accounts) {
    if (limits.length > 0) yield `${name}: ${describeLimits(limits)}`;
    if (learnsLimits) yield `${name}: learned from its answers`;
    for (const model of models.values()) {
      if (model.limits.length > 0) yield `${name}/${model.name}: ${describeLimits(model.limits)}`;
    }
  }
  for (const { name, limits } of config.keys.values()) {
    if (limits.length > 0) yield `key ${name}: ${describeLimits(limits)}`;
  }
}

function describeLimits(limits: readonly LimitSpec[]): string {
  return limits.map(describeLimit).join(", ");
}

function fleetLines({ fleet }: Config): string[] {
  if (fleet.listen === null && fleet.peers.length === 0) return [];
  const peers = fleet.peers.map((peer) =>
    peer.kind === "dns" ? `dns://${peer.host}:${peer.port}` : withoutPassword(peer.url),
  );
  return [`${fleet.name} with ${peers.length === 0 ? "whoever asks" : peers.join(", ")}`];
}

/** User and password of a NATS server are nobody's business who reads over one's shoulder. */
function withoutPassword(url: string): string {
  return url.replace(/\/\/[^/]*@/, "//");
}
