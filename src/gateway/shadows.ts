// Copies of requests to a second target, to find out about it under real load. Nobody sees their answers: they are read
// to the end, measured and thrown away. A shadow never waits for units, takes none from the client's key, holds back
// nothing and delays nobody: whatever is in its way, it is left out and counted.
import { GatewayError } from "../errors.ts";
import type { Sample, Usage } from "../observe/events.ts";
import type { Target } from "../routing/target.ts";
import { Granted } from "./admission.ts";
import type { AttemptEnd } from "./attempt.ts";
import { carryOut } from "./carry-out.ts";
import type { ClientResponse, Downstream } from "./downstream.ts";
import { Exchange } from "./exchange.ts";
import { PlannedRequest } from "./planned-request.ts";
import type { ServeParts } from "./serve.ts";
import type { UpstreamTarget } from "./sending/upstream-target.ts";

/** How many run at once, and how many bytes of requests they may keep. */
const RUNNING_MAX = 64;
const BYTES_MAX = 32 * 1024 * 1024;

type Outcome = "ok" | "failed" | "skipped";

interface Counts {
  readonly labels: { readonly provider: string; readonly model: string };
  readonly outcomes: Record<Outcome, number>;
  /** Of those that began to answer. */
  begun: number;
  firstByteMs: number;
  totalMs: number;
  outputTokens: number;
}

export class Shadows {
  readonly #running = new Set<Exchange>();
  /** By the target's full name; targets of shadows are named in the configuration, so there are few. */
  readonly #counts = new Map<string, Counts>();
  #bytes = 0;
  #isStopped = false;

  /** How many run. */
  get size(): number {
    return this.#running.size;
  }

  /** Sends a copy if there is room for it now. Returns at once and never throws. */
  send({ request, runtime }: Exchange, target: Target<UpstreamTarget>, parts: ServeParts): void {
    // A copy would be kept at the provider like the request itself; a form flows by once.
    if (request.route.kind === "responses" || request.upload !== null) return;
    const counts = this.#of(target);
    const size = request.body.length;
    const isFull = this.#running.size >= RUNNING_MAX || this.#bytes + size > BYTES_MAX;
    if (this.#isStopped || isFull) return void (counts.outcomes.skipped += 1);
    const now = parts.clock.elapsedMs();
    const exchange = new Exchange({ ...request, receivedMs: now, timeoutMs: null }, new Nobody(), runtime);
    const planned = new PlannedRequest(exchange, parts, now);
    // The lowest priority: whoever waits for these units comes first.
    const ask = { ...planned.ask(target, 0), priority: 2, clientKey: "" } as const;
    const taken = parts.limiter.reserveNow(target.upstream.limits.meters, ask, now);
    if (taken === null) return void (counts.outcomes.skipped += 1);
    this.#running.add(exchange);
    this.#bytes += size;
    const ended = (end: AttemptEnd | null): void => {
      this.#running.delete(exchange);
      this.#bytes -= size;
      count(counts, end, exchange.record.usage, parts.clock.elapsedMs());
    };
    carryOut(new Granted(target, taken), { exchange, planned, parts, race: null }).then(
      ended,
      (cause: unknown) => {
        ended(null);
        parts.observer.log.error("a shadow request failed unexpectedly", { requestId: request.id, cause });
      },
    );
  }

  /** Ends those that run and sends no more: the gateway is stopping, and nobody waits for them. */
  stop(): void {
    this.#isStopped = true;
    const error = new GatewayError("shutting_down", "The gateway is stopping.");
    for (const exchange of this.#running) exchange.stop(error);
  }

  /** For metrics. */
  *samples(): Iterable<Sample> {
    for (const { labels, outcomes, begun, firstByteMs, totalMs, outputTokens } of this.#counts.values()) {
      for (const [outcome, value] of Object.entries(outcomes)) {
        yield sample("requests_total", "Copies of requests by how they ended; skipped: there was no room.", {
          labels: { ...labels, outcome },
          value,
        });
      }
      yield sample("answers_total", "Copies whose target began to answer.", { labels, value: begun });
      yield sample("first_token_seconds_total", "Time until those answers began, added up.", {
        labels,
        value: firstByteMs / 1000,
      });
      yield sample("seconds_total", "Time until those answers ended, added up.", {
        labels,
        value: totalMs / 1000,
      });
      yield sample("output_tokens_total", "Model tokens of those answers.", { labels, value: outputTokens });
    }
  }

  #of({ provider, model }: Target<UpstreamTarget>): Counts {
    const name = `${provider}/${model}`;
    const known = this.#counts.get(name);
    if (known !== undefined) return known;
    const none: Counts = {
      labels: { provider, model },
      outcomes: { ok: 0, failed: 0, skipped: 0 },
      begun: 0,
      firstByteMs: 0,
      totalMs: 0,
      outputTokens: 0,
    };
    this.#counts.set(name, none);
    return none;
  }
}

/** `usage`: what it was settled with. */
function count(counts: Counts, end: AttemptEnd | null, usage: Usage | null, now: number): void {
  counts.outcomes[end?.kind === "answered" ? "ok" : "failed"] += 1;
  if (end === null || end.firstByteMs === 0) return;
  counts.begun += 1;
  counts.firstByteMs += end.firstByteMs - end.sentMs;
  counts.totalMs += now - end.sentMs;
  counts.outputTokens += usage?.outputTokens ?? 0;
}

function sample(name: string, help: string, of: Pick<Sample, "labels" | "value">): Sample {
  return { name: `sluice_shadow_${name}`, help, kind: "counter", ...of };
}

/** A client that reads everything and keeps nothing. */
class Nobody implements Downstream {
  isStream = false;
  readonly response: ClientResponse = new Nowhere();

  fail(): void {
    // Nobody is there to be told.
  }
}

class Nowhere implements ClientResponse {
  headersSent = false;
  writableEnded = false;
  readonly destroyed = false;

  writeHead(): void {
    this.headersSent = true;
  }

  write(): boolean {
    return true;
  }

  end(): void {
    this.writableEnded = true;
  }

  once(): void {
    // It never closes and never has to catch up.
  }
}
