// A provider's key that is replaced, by a reload or by its source: what was seen of the one before speaks of that one alone, so a
// circuit that it has opened is closed, and the next request tries the new key.
import { isDeepStrictEqual } from "node:util";
import type { Config, Provider } from "../../config/config.ts";
import type { HealthBook } from "../../routing/health-book.ts";
import { accountsOf, keyNameOf } from "./accounts.ts";

/** After a reload: closes the circuits of the API keys that differ from those of the configuration before. */
export function trustNewKeys(before: Config, after: Config, health: HealthBook, now: number): void {
  for (const provider of after.providers.values()) {
    const former = before.providers.get(provider.name);
    for (const account of former === undefined ? [] : accountsOf(provider)) {
      const known = former?.pool.get(keyNameOf(account)) ?? former;
      if (!isDeepStrictEqual(shown(known), shown(account))) trustNewKey(account, health, now);
    }
  }
}

/** An account's key was replaced. */
export function trustNewKey(
  account: Pick<Provider, "name" | "account">,
  health: HealthBook,
  now: number,
): void {
  health.renewed(account.name, keyNameOf(account), now);
}

/** What a request shows of who sends it, and to whom: another region may know other keys. */
function shown(provider: Provider | undefined): unknown {
  if (provider === undefined) return null;
  const { apiKey, auth, keySource, headers, query, baseUrl } = provider;
  return { apiKey, auth, keySource, headers, query, baseUrl };
}
