// What sends requests past a provider, a model or an API key now: a pause that the provider asked for, a circuit that is
// not closed. Nothing is said of those that are well.
import type { MetricSample } from "./metrics-text.ts";
import { count, table } from "./table.ts";

export interface HeldBack {
  /** `main`, `main/some-model`, `main key b`, or `main/some-model with key b`: one key of several. */
  readonly target: string;
  readonly reason: "paused" | "circuit open" | "circuit in doubt";
  /** Seconds that a pause still lasts; null where only trying will tell. */
  readonly seconds: number | null;
}

/** From the samples of `/metrics`, in their order. */
export function heldBackOf(samples: readonly MetricSample[]): readonly HeldBack[] {
  return samples.flatMap(({ name, labels, value }): readonly HeldBack[] => {
    if (value === 0) return [];
    if (name === "sluice_provider_paused_seconds")
      return [{ target: labels["provider"] ?? "", reason: "paused", seconds: value }];
    if (name !== "sluice_circuit_state") return [];
    const reason = value === 2 ? "circuit open" : "circuit in doubt";
    return [{ target: targetOf(labels), reason, seconds: null }];
  });
}

function targetOf({ scope, provider = "", name = "", key }: MetricSample["labels"]): string {
  if (scope === "key") return `${provider} key ${name}`;
  const target = scope === "model" ? `${provider}/${name}` : provider;
  return key === undefined ? target : `${target} with key ${key}`;
}

/** For people; empty when all is well. */
export function describeHeldBack(held: readonly HeldBack[]): string {
  if (held.length === 0) return "";
  const rows = held.map(({ target, reason, seconds }) => [
    target,
    reason,
    seconds === null ? "" : `${count(seconds)} s`,
  ]);
  return table(["held back", "why", "still"], rows);
}
