// Several API keys of one provider: the provider as it is with each of them. All is the same but the key, the limits if it
// has its own, and whose they are; every key has the limits for itself.
import { resolve as resolvePath } from "node:path";
import type { Provider } from "./config.ts";
import type { Path } from "./problems.ts";
import { checkCarried, type Report } from "./report.ts";
import { type DayDefaults, resolveLimits } from "./resolve-limits.ts";
import type { RawProvider } from "./schema.ts";

/** Names stand in bucket names, paths and logs. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/;

interface PoolContext {
  /** What relative paths start from. */
  readonly folder: string;
  readonly report: Report;
}

/** The pool of a provider, by the keys' names; empty when it has no `api_keys`. */
export function resolvePool(
  raw: RawProvider,
  provider: Provider,
  days: DayDefaults,
  { folder, report }: PoolContext,
): Provider["pool"] {
  const path: Path = ["providers", provider.name, "api_keys"];
  const pool = new Map<string, Provider>();
  const owners = new Map<string, string>();
  if (raw.api_keys !== undefined) checkPlace(raw, provider, path, report);
  for (const [index, entry] of (raw.api_keys ?? []).entries()) {
    const place = [...path, index];
    const { name = String(index + 1), limits, ...given } = typeof entry === "string" ? { key: entry } : entry;
    const access = keyOf(given, folder);
    if (access === null) {
      report.error(place, "set either `key` or `key_file`");
      continue;
    }
    const secret = access.apiKey ?? access.keySource?.file ?? "";
    const owner = owners.get(secret);
    if (access.apiKey !== null) checkCarried(access.apiKey, place, report);
    if (!NAME.test(name)) {
      report.error([...place, "name"], "a name is made of at most 32 letters, digits and `.`, `_`, `-`");
    }
    if (owner !== undefined) report.error(place, `the key called ${owner} is the same`);
    if (pool.has(name)) report.error(place, `there already is a key called ${name}`);
    owners.set(secret, name);
    pool.set(name, {
      ...provider,
      account: `${provider.name}~${name}`,
      ...access,
      ...(limits && { limits: resolveLimits(limits, days, [...place, "limits"], report) }),
    });
  }
  return pool;
}

interface GivenKey {
  readonly key?: string | undefined;
  readonly key_file?: string | undefined;
}

/** The key, or the file that it stands in; null: there is neither, or both. */
function keyOf({ key, key_file: file }: GivenKey, folder: string) {
  if (key !== undefined) return file === undefined ? { apiKey: key, keySource: null } : null;
  return file === undefined
    ? null
    : { apiKey: null, keySource: { kind: "file", file: resolvePath(folder, file) } as const };
}

function checkPlace(raw: RawProvider, { auth }: Provider, path: Path, report: Report): void {
  if (raw.api_key !== undefined) report.error(path, "set either `api_key` or `api_keys`");
  if (raw.api_key_file !== undefined) report.error(path, "set either `api_key_file` or `api_keys`");
  if (auth.kind === "none") report.error(path, "this provider asks for no key");
}
