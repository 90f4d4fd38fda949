// The providers' keys that are renewed, found again by account and source after a reload; those that no configuration uses any
// more are no longer renewed.
import { systemClock, systemRandom, systemTimers } from "../../clock.ts";
import type { KeySourceConfig } from "../../config/access-config.ts";
import type { Provider } from "../../config/config.ts";
import { keyFile } from "../../credentials/key-file.ts";
import type { KeySource } from "../../credentials/key.ts";
import { Renewal, type RenewalReport } from "../../credentials/renewal.ts";
import { containerKeys, instanceKeys, roleKeys } from "../../credentials/signing-keys.ts";
import { clientCredentials, metadataToken, serviceAccount } from "../../credentials/token-endpoint.ts";
import type { Log, Sample } from "../../observe/events.ts";
import { counter, gauge } from "../../observe/sample.ts";
import { keyNameOf } from "./accounts.ts";

/** The source that the configuration describes. */
export function sourceOf(source: KeySourceConfig): KeySource {
  switch (source.kind) {
    case "file":
      return keyFile(source.file);
    case "service_account":
      return serviceAccount(source, systemClock);
    case "client_credentials":
      return clientCredentials(source);
    case "metadata":
      return metadataToken(source);
    case "container":
      return containerKeys(source, systemClock);
    case "role":
      return roleKeys(source, systemClock);
    case "instance":
      return instanceKeys(source, systemClock);
  }
}

export class Renewals {
  /** Told of each new key, and whose it is. */
  onKey: (provider: Pick<Provider, "name" | "account">) => void = () => undefined;
  readonly #log: Log;
  readonly #open = new Map<string, Renewal>();
  #isUsed = new Set<string>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** The renewal of this account's key, which begins when it is first asked for; null: its key does not change. */
  of({ name, account, keySource }: Provider): Renewal | null {
    if (keySource === null) return null;
    const id = `${account} ${JSON.stringify(keySource)}`;
    this.#isUsed.add(id);
    const known = this.#open.get(id);
    if (known !== undefined) return known;
    const renewal = new Renewal({
      account,
      provider: name,
      source: sourceOf(keySource),
      clock: systemClock,
      timers: systemTimers,
      random: systemRandom,
      log: this.#log,
      onKey: () => this.onKey({ name, account }),
    });
    this.#open.set(id, renewal);
    void renewal.start();
    return renewal;
  }

  /** Ends what has not been asked for since the last call. */
  closeUnused(): void {
    for (const [id, renewal] of this.#open) {
      if (this.#isUsed.has(id)) continue;
      renewal.close();
      this.#open.delete(id);
    }
    this.#isUsed = new Set();
  }

  closeAll(): void {
    for (const renewal of this.#open.values()) renewal.close();
    this.#open.clear();
  }

  /** What must not show in a log line. */
  *secrets(): Iterable<string> {
    for (const { key } of this.#open.values()) {
      if (key?.kind === "shown") yield key.value;
      if (key?.kind === "signing") {
        yield key.secretAccessKey;
        if (key.sessionToken !== null) yield key.sessionToken;
      }
    }
  }

  reports(): readonly RenewalReport[] {
    return Array.from(this.#open.values(), (renewal) => renewal.report());
  }

  *samples(): Iterable<Sample> {
    for (const report of this.reports()) yield* samplesOf(report);
  }
}

function* samplesOf({ account, provider, isValid, renewed, failed }: RenewalReport): Iterable<Sample> {
  const key = keyNameOf({ name: provider, account });
  const labels = key === "" ? { provider } : { provider, key };
  yield gauge(
    "sluice_provider_key_valid",
    "Whether there is a valid key for the provider, where keys are renewed.",
    isValid ? 1 : 0,
    labels,
  );
  const help = "New keys that were got for the provider, and attempts that failed.";
  yield counter("sluice_provider_key_renewals_total", help, renewed, { ...labels, result: "ok" });
  yield counter("sluice_provider_key_renewals_total", help, failed, { ...labels, result: "failed" });
}
