// The built-in provider: a pretend model server on real HTTP, so that Sluice can be tried, tested and measured without
// an account. The gateway reaches it like any other provider. Its answers are a function of the request, it counts its
// own quota exactly (quota.ts), and it misbehaves on demand (faults.ts). docs/SIMULATOR.md is its manual.
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { GatewayError } from "../errors.ts";
import { systemClock, systemRandom, systemTimers } from "../clock.ts";
import type { Clock, Random, Timers } from "../clock.ts";
import { ROUTES, modelJson, modelsJson } from "./answers.ts";
import { faultEntry, omissionsOf, parseFault, spoiled } from "./faults.ts";
import { parseBody, stringAt } from "./json.ts";
import { boundaryOf, parseForm } from "./multipart.ts";
import { QuotaKeeper } from "./quota.ts";
import { ResponseMemory } from "./responses.ts";
import { play } from "./plan.ts";
import { headerNumber, readBody, refusalPlan, sendError, sendJson } from "./exchange.ts";
import type { Answer, Route } from "./answers.ts";
import type { Fault } from "./faults.ts";
import type { JsonObject } from "./json.ts";
import type { Plan } from "./plan.ts";
import type { QuotaStats, SimulatorQuota } from "./quota.ts";

export interface SimulatorOptions {
  /** Default: loopback, a port of the system's choice. */
  readonly listen?: { readonly host: string; readonly port: number };
  /** What it enforces. Default: nothing. */
  readonly quota?: SimulatorQuota;
  /** Before the first byte of an answer. Default 0. */
  readonly firstMs?: number;
  /** Between two chunks of a stream. Default 0: all at once. */
  readonly paceMs?: number;
  /** The key it asks for. Default: none. */
  readonly apiKey?: string;
  readonly clock?: Clock;
  readonly timers?: Timers;
  readonly random?: Random;
  /** Told of each request that was let in, when it starts and when it is over. */
  readonly onEvent?: (event: SimulatorEvent) => void;
}

export interface SimulatorEvent {
  readonly kind: "started" | "ended" | "aborted";
  readonly path: string;
  readonly model: string;
  /** `elapsedMs` of the simulator's clock. */
  readonly atMs: number;
  /** The request's headers, as Node gives them. */
  readonly headers: IncomingMessage["headers"];
}

export interface SimulatorStats extends QuotaStats {
  /** Answers that were carried out to their planned end. */
  readonly ended: number;
  /** Answers whose client went away before that. */
  readonly aborted: number;
  /** How often each fault struck, by name. */
  readonly faults: Readonly<Record<string, number>>;
}

export interface Simulator {
  /** `http://127.0.0.1:PORT`; the routes begin with `/v1`. */
  readonly url: string;
  stats(): SimulatorStats;
  /** Fills the quota (or replaces it) and sets all counts to 0; running requests go on. */
  reset(quota?: SimulatorQuota): void;
  /** The next `times` requests meet this fault, whatever they ask for: `500`, `cut; after=2`. Throws on an unknown name. */
  inject(fault: string, times: number): void;
  /** Stops at once; what runs is torn. */
  close(): Promise<void>;
}

/** Starts a simulator; rejects when it can't listen. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const core = new SimulatorCore(options);
  const server = createServer((request, response) => core.handle(request, response));
  await listening(server, options.listen ?? { host: "127.0.0.1", port: 0 });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The simulator has no port.");
  const host = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return {
    url: `http://${host}:${address.port}`,
    stats: () => core.stats(),
    reset: (quota) => core.reset(quota),
    inject: (fault, times) => core.inject(fault, times),
    close: () => closed(server),
  };
}

function listening(server: Server, at: { readonly host: string; readonly port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(at.port, at.host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

class SimulatorCore {
  private readonly options: SimulatorOptions;
  private readonly clock: Clock;
  private readonly timers: Timers;
  private readonly random: Random;
  private quota: SimulatorQuota;
  private keeper: QuotaKeeper;
  private readonly memory = new ResponseMemory();
  private injected: Fault[] = [];
  private requestCount = 0;
  private ended = 0;
  private aborted = 0;
  private faults = new Map<string, number>();

  constructor(options: SimulatorOptions) {
    this.options = options;
    this.clock = options.clock ?? systemClock;
    this.timers = options.timers ?? systemTimers;
    this.random = options.random ?? systemRandom;
    this.quota = options.quota ?? {};
    this.keeper = new QuotaKeeper(this.quota, this.clock.elapsedMs());
  }

  stats(): SimulatorStats {
    const { ended, aborted, faults } = this;
    return { ...this.keeper.stats(), ended, aborted, faults: Object.fromEntries(faults) };
  }

  reset(quota: SimulatorQuota | undefined): void {
    this.quota = quota ?? this.quota;
    this.keeper = new QuotaKeeper(this.quota, this.clock.elapsedMs(), this.keeper.runningNow());
    this.injected = [];
    this.ended = 0;
    this.aborted = 0;
    this.faults = new Map();
  }

  inject(text: string, times: number): void {
    const fault = parseFault(text);
    if (fault === null) throw new GatewayError("invalid_request", `There is no fault \`${text}\`.`);
    for (let left = times; left > 0; left -= 1) this.injected.push(fault);
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    this.requestCount += 1;
    response.setHeader("x-request-id", `sim_${this.requestCount}`);
    response.on("error", () => response.destroy());
    readBody(request, (body) => {
      try {
        this.route(request, response, body);
      } catch (error) {
        sendError(response, error);
      }
    });
  }

  private route(request: IncomingMessage, response: ServerResponse, body: Buffer | null): void {
    const { pathname } = new URL(request.url ?? "/", "http://simulator");
    // A gateway passes on what begins with its base URL alone.
    const path = pathname.replace(/^\/v1(?=\/simulator\/)/, "");
    if (body === null) throw new GatewayError("request_too_large", "The body is larger than 64 MiB.");
    if (path.startsWith("/simulator/")) {
      sendJson(response, 200, this.control(`${request.method} ${path}`, body));
      return;
    }
    this.authenticate(request);
    const stored = this.stored(`${request.method} ${path}`);
    if (stored !== null) {
      sendJson(response, 200, stored);
      return;
    }
    const answer = request.method === "POST" ? ROUTES.get(path) : undefined;
    if (answer === undefined)
      throw new GatewayError("not_found", `There is no route ${request.method} ${path}.`);
    const boundary = boundaryOf(request.headers["content-type"]);
    const fields = boundary === null ? parseBody(body) : parseForm(body, boundary);
    this.serve(request, response, fields, answer);
  }

  /** Answers that no model is asked for: models, and responses made before. null: it is no such route. */
  private stored(route: string): string | null {
    const [, method, kind, text = ""] =
      /^(GET|DELETE) \/v1\/(models|responses)(?:\/(.+))?$/.exec(route) ?? [];
    const id = decodeURIComponent(text);
    if (method === "GET" && kind === "models") return id === "" ? modelsJson() : modelJson(id);
    if (kind !== "responses" || id === "") return null;
    if (method === "GET") return JSON.stringify(this.memory.get(id));
    this.memory.remove(id);
    return JSON.stringify({ id, object: "response", deleted: true });
  }

  private authenticate(request: IncomingMessage): void {
    const { apiKey } = this.options;
    if (apiKey === undefined || request.headers.authorization === `Bearer ${apiKey}`) return;
    throw new GatewayError("invalid_api_key", "The key is missing or wrong.");
  }

  private control(route: string, body: Buffer): string {
    const settings = body.length === 0 ? {} : parseBody(body);
    switch (route) {
      case "GET /simulator/stats":
        break;
      case "POST /simulator/reset":
        this.reset(undefined);
        break;
      case "POST /simulator/faults":
        this.inject(stringAt(settings, "fault"), Number(settings["times"] ?? 1));
        break;
      default:
        throw new GatewayError("not_found", `There is no route ${route}.`);
    }
    return JSON.stringify(this.stats());
  }

  private serve(request: IncomingMessage, response: ServerResponse, body: JsonObject, route: Route): void {
    // Some routes do without a model; the others look for it themselves.
    const model = typeof body["model"] === "string" ? body["model"] : "";
    const fault = this.faultFor(request, model);
    const answer = route(body, {
      created: Math.floor(this.clock.wallMs() / 1000),
      omitted: omissionsOf(fault),
      tokens: headerNumber(request, "x-simulator-tokens"),
      alwaysFloats: fault?.name === "floats",
      memory: this.memory,
    });
    const now = this.clock.elapsedMs();
    const isRefusal = fault !== null && faultEntry(fault.name).isRefusal === true;
    const tokens = answer.promptTokens + answer.completionTokens;
    const refusal = isRefusal ? null : this.keeper.admit(tokens, now);
    if (refusal !== null) {
      play(refusalPlan(refusal, model, this.keeper.headers(now)), response, this.timers, () => {});
      return;
    }
    const event = { path: request.url ?? "", model, headers: request.headers };
    this.options.onEvent?.({ ...event, kind: "started", atMs: now });
    const plan = spoiled(this.planFor(request, answer, now), fault);
    play(plan, response, this.timers, ({ part, isAborted }) => {
      const endedMs = this.clock.elapsedMs();
      if (!isRefusal) this.keeper.end(unused(answer, plan, part), endedMs);
      if (isAborted) this.aborted += 1;
      else this.ended += 1;
      this.options.onEvent?.({ ...event, kind: isAborted ? "aborted" : "ended", atMs: endedMs });
    });
  }

  /** What is injected comes first, then the header, then the model's name. */
  private faultFor(request: IncomingMessage, model: string): Fault | null {
    const header = request.headers["x-simulator-fault"];
    const asked = typeof header === "string" ? header : model.startsWith("sim-") ? model.slice(4) : "";
    const fault = this.injected.shift() ?? parseFault(asked);
    if (fault === null && typeof header === "string") {
      throw new GatewayError("invalid_request", `There is no fault \`${header}\`.`);
    }
    if (fault === null || (fault.settings.rate < 1 && this.random() >= fault.settings.rate)) return null;
    this.faults.set(fault.name, (this.faults.get(fault.name) ?? 0) + 1);
    return fault;
  }

  private planFor(request: IncomingMessage, answer: Answer, now: number): Plan {
    return {
      status: 200,
      headers: {
        "content-type": answer.contentType ?? (answer.isStream ? "text/event-stream" : "application/json"),
        ...this.keeper.headers(now),
      },
      chunks: answer.chunks,
      firstMs: headerNumber(request, "x-simulator-first-ms") ?? this.options.firstMs ?? 0,
      paceMs: headerNumber(request, "x-simulator-pace-ms") ?? this.options.paceMs ?? 0,
      isHeadFirst: false,
      isSplit: false,
      repeats: 0,
      ending: "end",
    };
  }
}

/** Tokens that were charged and never produced: none of a failed request's, the rest of a broken-off answer's. */
function unused(answer: Answer, plan: Plan, part: number): number {
  if (plan.status >= 400) return answer.promptTokens + answer.completionTokens;
  const sent = (part * plan.chunks.length) / Math.max(1, answer.chunks.length);
  return answer.isStream ? Math.floor(answer.completionTokens * Math.max(0, 1 - sent)) : 0;
}
