// `GET /admin/providers`: how each provider is, each of its API keys by name, and each of its models: the circuits'
// states, and how long it is paused because it asked for that.
import type { Clock } from "../../clock.ts";
import type { Config, Provider } from "../../config/config.ts";
import { jsonAnswer, type PlainRoute } from "../../http/plain-route.ts";
import type { Limiter } from "../../limiter/limiter.ts";
import type { CircuitReport, HealthBook } from "../../routing/health-book.ts";

interface ProviderParts {
  readonly config: () => Config;
  readonly health: HealthBook;
  readonly limiter: Limiter;
  readonly clock: Clock;
}

export function providerRoute({ config, health, limiter, clock }: ProviderParts): PlainRoute {
  return {
    method: "GET",
    path: "/admin/providers",
    handle() {
      const now = clock.elapsedMs();
      const circuits = Map.groupBy(health.circuits(now), ({ provider }) => provider);
      const pausedMs = (owner: string): number => Math.max(0, Math.ceil(limiter.pausedUntilMs(owner) - now));
      const providers = [...config().providers.values()].map((provider) =>
        describe(provider, circuits.get(provider.name) ?? [], pausedMs),
      );
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

/** `suspect`: a sibling's is open, so that the next failure opens this one. */
function circuitView({ state, blockedMs }: CircuitReport) {
  return { state, blocked_ms: Math.ceil(blockedMs) };
}
