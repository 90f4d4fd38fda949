// Several API keys of one provider: the provider as it is with each of them. All is the same but the key, the limits if it
// has its own, and whose they are; every key has the limits for itself.
import type { Provider } from "./config.ts";
import type { Path } from "./problems.ts";
import { checkCarried, type Report } from "./report.ts";
import { type DayDefaults, resolveLimits } from "./resolve-limits.ts";
import type { RawProvider } from "./schema.ts";

/** Names stand in bucket names, paths and logs. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/;

/** The pool of a provider, by the keys' names; empty when it has no `api_keys`. */
export function resolvePool(
  raw: RawProvider,
  provider: Provider,
  days: DayDefaults,
  report: Report,
): Provider["pool"] {
  const path: Path = ["providers", provider.name, "api_keys"];
  const pool = new Map<string, Provider>();
  const owners = new Map<string, string>();
  if (raw.api_keys !== undefined) checkPlace(raw, provider, path, report);
  for (const [index, entry] of (raw.api_keys ?? []).entries()) {
    const place = [...path, index];
    const { key, name = String(index + 1), limits } = typeof entry === "string" ? { key: entry } : entry;
    const owner = owners.get(key);
    checkCarried(key, place, report);
    if (!NAME.test(name)) {
      report.error([...place, "name"], "a name is made of at most 32 letters, digits and `.`, `_`, `-`");
    }
    if (owner !== undefined) report.error(place, `the key called ${owner} is the same`);
    if (pool.has(name)) report.error(place, `there already is a key called ${name}`);
    owners.set(key, name);
    pool.set(name, {
      ...provider,
      account: `${provider.name}~${name}`,
      apiKey: key,
      ...(limits && { limits: resolveLimits(limits, days, [...place, "limits"], report) }),
    });
  }
  return pool;
}

function checkPlace(raw: RawProvider, { auth }: Provider, path: Path, report: Report): void {
  if (raw.api_key !== undefined) report.error(path, "set either `api_key` or `api_keys`");
  if (auth.kind === "none") report.error(path, "this provider asks for no key");
}
