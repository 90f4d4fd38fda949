// Everybody's health, by name. Targets come and go with the configuration; what is known of them stays for as long as
// somebody asks for it: clients can name any model, so what nobody asks for is forgotten.
import { Circuit, CIRCUIT_POLICY } from "./breaker.ts";
import type { CircuitPolicy, CircuitState } from "./breaker.ts";
import type { Health, Scope } from "./health.ts";
import { LatencyHistogram } from "./hedge.ts";
import { PeakLatency } from "./latency.ts";
import { RETRY_BUDGET_POLICY, RetryBudget } from "./retry-budget.ts";
import type { RetryBudgetPolicy } from "./retry-budget.ts";

/** What the configuration says about health. */
export interface HealthPolicy {
  readonly circuit: CircuitPolicy;
  readonly retryBudget: RetryBudgetPolicy;
}

export const HEALTH_POLICY: HealthPolicy = { circuit: CIRCUIT_POLICY, retryBudget: RETRY_BUDGET_POLICY };

/** One circuit as people see it. */
export interface CircuitReport {
  readonly scope: Scope;
  readonly provider: string;
  /** The model's name, or the API key's; empty for the provider itself and its only key. */
  readonly name: string;
  /** Of a model: the API key that it is seen with, where the provider has several; else empty. */
  readonly key: string;
  readonly state: CircuitState;
  /** Milliseconds until it may be tried; 0 now. */
  readonly blockedMs: number;
}

/** Which circuit is meant. */
export type CircuitName = Pick<CircuitReport, "scope" | "provider" | "name" | "key">;

interface ProviderHealth {
  readonly circuit: Circuit;
  readonly retryBudget: RetryBudget;
  readonly keys: Map<string, Circuit>;
  /** By model, then by key. */
  readonly targets: Map<string, Map<string, Health>>;
}

export class HealthBook {
  #policy: HealthPolicy;
  readonly #providers = new Map<string, ProviderHealth>();
  /** Told of each circuit that opens here, and for how long. */
  onOpen: (circuit: CircuitName, openMs: number) => void = () => {};
  /** What has been asked for since `forgetUnused`. */
  #used = new WeakSet<Health>();

  constructor(policy: HealthPolicy = HEALTH_POLICY) {
    this.#policy = policy;
  }

  /** Another policy holds from now on, for everybody. */
  adopt(policy: HealthPolicy): void {
    this.#policy = policy;
    for (const { circuit, retryBudget, keys, targets } of this.#providers.values()) {
      retryBudget.adopt(policy.retryBudget);
      circuit.adopt(policy.circuit);
      for (const key of keys.values()) key.adopt(policy.circuit);
      for (const byKey of targets.values()) {
        for (const { model } of byKey.values()) model.adopt(policy.circuit);
      }
    }
  }

  /** The health of one model at one provider with one of its API keys; the same object each time. */
  of(provider: string, model: string, key: string): Health {
    const known = this.#provider(provider);
    const byKey = entry(known.targets, model, () => new Map<string, Health>());
    const health = entry(byKey, key, () => ({
      provider: known.circuit,
      model: this.#circuit({ scope: "model", provider, name: model, key }),
      key: entry(known.keys, key, () => this.#circuit({ scope: "key", provider, name: key, key: "" })),
      latency: new PeakLatency(),
      latencies: { whole: new LatencyHistogram(), streamed: new LatencyHistogram() },
      retryBudget: known.retryBudget,
      inFlight: 0,
    }));
    this.#used.add(health);
    return health;
  }

  /** Forgets what has not been asked for since the last call: after a reload, which asks for all that it needs. */
  forgetUnused(): void {
    for (const [provider, { targets }] of this.#providers) {
      for (const [model, byKey] of targets) {
        for (const [key, health] of byKey) if (!this.#used.has(health)) byKey.delete(key);
        if (byKey.size === 0) targets.delete(model);
      }
      if (targets.size === 0) this.#providers.delete(provider);
    }
    this.#used = new WeakSet();
  }

  /** Forgets one model; running requests keep what they hold. */
  forget(provider: string, model: string): void {
    this.#providers.get(provider)?.targets.delete(model);
  }

  /** All circuits, for people and metrics. */
  *circuits(now: number): Iterable<CircuitReport> {
    for (const [provider, known] of this.#providers) {
      yield reportOf(known.circuit, { scope: "provider", provider, name: "", key: "" }, now);
      for (const [model, byKey] of known.targets) {
        for (const [key, health] of byKey) {
          yield reportOf(health.model, { scope: "model", provider, name: model, key }, now);
        }
      }
      for (const [name, circuit] of known.keys) {
        yield reportOf(circuit, { scope: "key", provider, name, key: "" }, now);
      }
    }
  }

  /** A sibling's circuit is open for so long. Ours trusts its own eyes: it is tried, by one request at a time where there are others to go to. */
  suspect({ scope, provider, name, key }: CircuitName, now: number, forMs: number): void {
    const known = this.#providers.get(provider);
    switch (scope) {
      case "provider":
        return known?.circuit.suspect(now, forMs);
      case "model":
        return known?.targets.get(name)?.get(key)?.model.suspect(now, forMs);
      case "key":
        return known?.keys.get(name)?.suspect(now, forMs);
    }
  }

  /** This API key has another secret now (an empty name: the only key): what was seen of the one before does not speak against it. */
  renewed(provider: string, key: string, now: number): void {
    this.#providers.get(provider)?.keys.get(key)?.reset(now);
  }

  #circuit(name: CircuitName): Circuit {
    return new Circuit(this.#policy.circuit, (openMs) => this.onOpen(name, openMs));
  }

  #provider(name: string): ProviderHealth {
    return entry(this.#providers, name, () => ({
      circuit: this.#circuit({ scope: "provider", provider: name, name: "", key: "" }),
      retryBudget: new RetryBudget(this.#policy.retryBudget),
      keys: new Map(),
      targets: new Map(),
    }));
  }
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

function reportOf(circuit: Circuit, whose: CircuitName, now: number): CircuitReport {
  return { ...whose, state: circuit.state(now), blockedMs: circuit.blockedMs(now) };
}
