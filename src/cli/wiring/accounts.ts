// A provider with several API keys is several accounts, each with limits and pauses of its own.
import type { Provider } from "../../config/config.ts";

/** The provider as it is with each of its API keys; itself where it has no pool. */
export function accountsOf(provider: Provider): readonly Provider[] {
  return provider.pool.size === 0 ? [provider] : Array.from(provider.pool.values());
}
