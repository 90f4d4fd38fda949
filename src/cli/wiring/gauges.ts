// What `/metrics` shows besides finished requests and buckets: what runs now, and how the providers are.
import type { Sample } from "../../observe/events.ts";
import { gauge } from "../../observe/sample.ts";
import type { CircuitReport } from "../../routing/health-book.ts";

export interface GaugeSource {
  /** Requests that run. */
  readonly running: number;
  /** The names of the providers in force. */
  readonly providers: Iterable<string>;
  readonly circuits: Iterable<CircuitReport>;
  /** Whether the configuration has this model: others are named by clients, who could name thousands, or secrets. */
  readonly isConfigured: (provider: string, model: string) => boolean;
  /** Milliseconds for which a provider is held back, with all its keys, because it asked for that; 0 or less: it is not. */
  readonly pausedMs: (provider: string) => number;
}

const CIRCUIT_VALUES = { closed: 0, half_open: 1, suspect: 1, open: 2 } as const satisfies Record<
  CircuitReport["state"],
  number
>;

export function* gaugeSamples({
  running,
  providers,
  circuits,
  isConfigured,
  pausedMs,
}: GaugeSource): Iterable<Sample> {
  yield gauge("sluice_requests_running", "Requests that run now.", running);
  const reports = [...circuits];
  for (const provider of providers) {
    const circuit = reports.find((report) => report.scope === "provider" && report.provider === provider);
    const paused = Math.max(0, pausedMs(provider));
    const isUp = circuit?.state !== "open" && paused === 0;
    yield gauge(
      "sluice_provider_up",
      "Whether requests are sent to the provider: 0 while its circuit is open or it asked for a pause.",
      isUp ? 1 : 0,
      { provider },
    );
    yield gauge("sluice_provider_paused_seconds", "How long it is still held back.", paused / 1000, {
      provider,
    });
  }
  for (const { scope, provider, name, key, state } of reports) {
    if (scope === "model" && !isConfigured(provider, name)) continue;
    yield gauge(
      "sluice_circuit_state",
      "Circuit breakers of providers, models and API keys: 0 closed, 1 half-open or in doubt since a sibling's is open, 2 open.",
      CIRCUIT_VALUES[state],
      key === "" ? { scope, provider, name } : { scope, provider, name, key },
    );
  }
}
