// What http/ sees of the gateway.
import type { Downstream } from "./downstream.ts";
import type { RequestFacts } from "./request.ts";
import type { Runtime } from "./runtime.ts";

export interface Gateway {
  /** The snapshot in force; read it once per request. */
  readonly runtime: Runtime;
  /** Serves one request to its end. Never throws and never rejects: every failure goes to `downstream.fail`. */
  serve(request: RequestFacts, downstream: Downstream): void;
}
