// What `/healthz`, `/readyz` and `/metrics` answer, as plain values; http/ sends them.
import { METRICS_CONTENT_TYPE } from "./exposition.ts";

export interface PlainAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What readiness depends on. */
export interface Readiness {
  readonly isStoreOpen: boolean;
  /** What is taken can be written down: else nothing is admitted beyond what is reserved. */
  readonly isStoreWritable: boolean;
  readonly isDraining: boolean;
  readonly providerCount: number;
  /** Why the replica admits nothing yet, or no longer: `seeking`, `recovering`, `superseded`; null: it does. */
  readonly fleetState: string | null;
  /** What does not keep it from serving, and should be looked at all the same. */
  readonly warnings: readonly string[];
}

function json(status: number, value: object): PlainAnswer {
  const headers = { "content-type": "application/json", "cache-control": "no-store" };
  return { status, headers, body: `${JSON.stringify(value)}\n` };
}

/** The process lives and its event loop turns: that it answers at all is the answer. */
export function healthz(): PlainAnswer {
  return json(200, { status: "ok" });
}

/** 200 when requests can be served, else 503 with the reasons; and warnings, if there are any. */
export function readyz(readiness: Readiness): PlainAnswer {
  const reasons = reasonsAgainst(readiness);
  const warned = readiness.warnings.length === 0 ? {} : { warnings: readiness.warnings };
  if (reasons.length === 0) return json(200, { status: "ready", ...warned });
  return json(503, { status: "not_ready", reasons, ...warned });
}

function reasonsAgainst({
  isStoreOpen,
  isStoreWritable,
  isDraining,
  providerCount,
  fleetState,
}: Omit<Readiness, "warnings">): readonly string[] {
  return [
    ...(isDraining ? ["draining"] : []),
    ...(isStoreOpen ? [] : ["store_closed"]),
    ...(isStoreWritable || !isStoreOpen ? [] : ["store_unwritable"]),
    ...(providerCount > 0 ? [] : ["no_provider"]),
    ...(fleetState === null ? [] : [`fleet_${fleetState}`]),
  ];
}

export function metricsAnswer(text: string): PlainAnswer {
  return {
    status: 200,
    headers: { "content-type": METRICS_CONTENT_TYPE, "cache-control": "no-store" },
    body: text,
  };
}
