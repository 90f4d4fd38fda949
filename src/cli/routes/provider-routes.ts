// `GET /admin/providers`: how each provider is, each of its API keys by name, and each of its models: the circuits'
// states, how long it is paused because it asked for that, and how the keys are doing that are renewed.
import type { Clock } from "../../clock.ts";
import type { Config, Provider } from "../../config/config.ts";
import { jsonAnswer, type PlainRoute } from "../../http/plain-route.ts";
import type { RenewalReport } from "../../credentials/renewal.ts";
import type { Limiter } from "../../limiter/limiter.ts";
import type { CircuitReport, HealthBook } from "../../routing/health-book.ts";
import type { Renewals } from "../wiring/renewals.ts";

interface ProviderParts {
  readonly config: () => Config;
  readonly health: HealthBook;
  readonly limiter: Limiter;
  readonly clock: Clock;
  readonly renewals: Pick<Renewals, "reports">;
}

export function providerRoute({ config, health, limiter, clock, renewals }: ProviderParts): PlainRoute {
  return {
    method: "GET",
    path: "/admin/providers",
    handle() {
      const now = clock.elapsedMs();
      const circuits = Map.groupBy(health.circuits(now), ({ provider }) => provider);
      const pausedMs = (owner: string): number => Math.max(0, Math.ceil(limiter.pausedUntilMs(owner) - now));
      const renewed = Map.groupBy(renewals.reports(), ({ provider }) => provider);
      const providers = [...config().providers.values()].map((provider) => {
        const health = describe(provider, circuits.get(provider.name) ?? [], pausedMs);
        return Object.assign(health, { renewals: (renewed.get(provider.name) ?? []).map(renewalView) });
      });
      return jsonAnswer({ providers });
    },
  };
}

function describe(
  provider: Provider,
  circuits: readonly CircuitReport[],
  pausedMs: (owner: string) => number,
) {
  const of = (scope: CircuitReport["scope"]) => circuits.filter((circuit) => circuit.scope === scope);
  const { name, type, pool, models } = provider;
  return {
    provider: name,
    type,
    circuit: of("provider").map(circuitView)[0] ?? null,
    keys: of("key").map((circuit) => ({
      key: circuit.name,
      circuit: circuitView(circuit),
      paused_ms: pausedMs(pool.get(circuit.name)?.account ?? name),
    })),
    models: of("model")
      .filter((circuit) => models.has(circuit.name))
      .map((circuit) => ({
        model: circuit.name,
        key: circuit.key,
        circuit: circuitView(circuit),
        paused_ms: pausedMs(`${pool.get(circuit.key)?.account ?? name}/${circuit.name}`),
      })),
  };
}

function renewalView({ account, provider, isValid, endsInMs, renewed, failed, fault }: RenewalReport) {
  const key = account.slice(provider.length + 1);
  return { key, valid: isValid, ends_in_ms: endsInMs, renewed, failed, fault: fault === "" ? null : fault };
}

/** `suspect`: a sibling's is open, so that the next failure opens this one. */
function circuitView({ state, blockedMs }: CircuitReport) {
  return { state, blocked_ms: Math.ceil(blockedMs) };
}
