// A provider with several API keys is several accounts, each with limits and pauses of its own.
import type { Provider } from "../../config/config.ts";

/** The provider as it is with each of its API keys; itself where it has no pool. */
export function accountsOf(provider: Provider): readonly Provider[] {
  return provider.pool.size === 0 ? [provider] : Array.from(provider.pool.values());
}

/** The API key's name in that of an account; empty for a provider's only one. */
export function keyNameOf({ name, account }: Pick<Provider, "name" | "account">): string {
  return account === name ? "" : account.slice(name.length + 1);
}
