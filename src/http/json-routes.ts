// The routes that carry the traffic. They go from Node's request to the gateway without a framework in between, which
// would cost a fifth of the whole relay: authenticate, read the bounded body, scan it, hand over.
import type { IncomingMessage, ServerResponse } from "node:http";
import { randomRequestId } from "../clock.ts";
import type { Gateway } from "../gateway/gateway.ts";
import type { RequiredMember } from "../gateway/request/request-members.ts";
import { scanRequest } from "../gateway/request/request-scan.ts";
import { ROUTES, type Route } from "../gateway/routes.ts";
import type { ClientKey, Runtime } from "../gateway/runtime.ts";
import { downstreamOf, factsOf, isMethodServed, turnAway, type Arrival, type Door } from "./arrival.ts";
import type { Authenticator } from "./authenticate.ts";
import type { BodyReader } from "./body.ts";
import { LARGE_BYTES_MIN, type BodyBudget } from "./body-budget.ts";
import { announcedLength, checkIsJson, decodeBody } from "./content.ts";
import type { ErrorShape } from "./error-answer.ts";

/** A route of the gateway with what the HTTP border must know of it. */
interface JsonRoute {
  readonly route: Route;
  /** The member that it can't do without; null: there is none that every request has. */
  readonly required: RequiredMember | null;
  readonly shape: ErrorShape;
}

const JSON_ROUTES: readonly JsonRoute[] = [
  { route: ROUTES.chat, required: { name: "messages", kind: "array" }, shape: "chat" },
  { route: ROUTES.completions, required: { name: "prompt", kind: "string or array" }, shape: "chat" },
  { route: ROUTES.embeddings, required: { name: "input", kind: "string or array" }, shape: "chat" },
  { route: ROUTES.messages, required: { name: "messages", kind: "array" }, shape: "messages" },
  { route: ROUTES.countTokens, required: { name: "messages", kind: "array" }, shape: "messages" },
  { route: ROUTES.responses, required: null, shape: "chat" },
  { route: ROUTES.moderations, required: { name: "input", kind: "string or array" }, shape: "chat" },
  { route: ROUTES.rerank, required: { name: "query", kind: "string or array" }, shape: "chat" },
  { route: ROUTES.images, required: { name: "prompt", kind: "string or array" }, shape: "chat" },
  { route: ROUTES.speech, required: { name: "input", kind: "string or array" }, shape: "chat" },
];

/** The alias of requests that name no model, if the route has one and the configuration too. */
export function unnamedModel({ unnamedModel: alias }: Route, { models }: Runtime): string | null {
  return alias !== null && models.some(({ id }) => id === alias) ? alias : null;
}

export interface JsonRoutesOptions extends Door {
  readonly gateway: Gateway;
  readonly authenticator: Authenticator;
  readonly bodyReader: BodyReader;
  readonly bodyBudget: BodyBudget;
  readonly bodyBytesMax: number;
}

/** One request on its way to the gateway. */
interface JsonArrival extends Arrival {
  readonly to: JsonRoute;
}

export class JsonRoutes {
  readonly #options: JsonRoutesOptions;
  readonly #routes = new Map(JSON_ROUTES.map((entry) => [entry.route.pattern, entry]));

  constructor(options: JsonRoutesOptions) {
    this.#options = options;
  }

  has(path: string): boolean {
    return this.#routes.has(path);
  }

  /** Serves the request if it is for one of these routes; `false`: it is not, nothing was done. */
  serve(path: string, request: IncomingMessage, response: ServerResponse): boolean {
    const to = this.#routes.get(path);
    if (to === undefined) return false;
    const receivedMs = this.#options.clock.elapsedMs();
    const { pattern } = to.route;
    const { shape } = to;
    const arrival = {
      id: randomRequestId(),
      receivedMs,
      pattern,
      shape,
      allow: "POST",
      request,
      response,
      to,
    };
    try {
      this.#admit(arrival);
    } catch (error) {
      turnAway(this.#options, arrival, error);
    }
    return true;
  }

  /** Everything that can be said by the head alone; then the body is read. */
  #admit(arrival: JsonArrival): void {
    const { gateway, authenticator, bodyReader, bodyBytesMax } = this.#options;
    const { request, response, receivedMs } = arrival;
    if (!isMethodServed(arrival)) return;
    const key = authenticator.authenticate(request, gateway.runtime);
    checkIsJson(request.headers["content-type"]);
    announcedLength(request.headers, bodyBytesMax);
    if (request.headers.expect !== undefined) response.writeContinue();
    bodyReader.read(request, receivedMs, (error, body) => {
      if (error === null) this.#decode(arrival, key, body);
      else turnAway(this.#options, arrival, error);
    });
  }

  #decode(arrival: JsonArrival, key: ClientKey, body: Buffer): void {
    const encoding = arrival.request.headers["content-encoding"];
    if (encoding === undefined || encoding === "" || encoding === "identity") {
      this.#handOver(arrival, key, body);
      return;
    }
    decodeBody(body, encoding, this.#options.bodyBytesMax, (error, plain) => {
      if (error === null) this.#handOver(arrival, key, plain);
      else turnAway(this.#options, arrival, error);
    });
  }

  #handOver(arrival: JsonArrival, key: ClientKey, body: Buffer): void {
    const { response, to } = arrival;
    if (response.destroyed) return;
    try {
      this.#options.bodyBudget.hold(body, response);
      const members = scanRequest(body, to.required, unnamedModel(to.route, this.#options.gateway.runtime));
      const facts = factsOf(arrival, to.route, key, { body, upload: null, direct: null, members });
      const downstream = downstreamOf(arrival, members.isStream);
      const { gateway } = this.#options;
      // Reading it and writing it anew are two steps, between which others get their turn.
      if (body.length >= LARGE_BYTES_MIN) setImmediate(() => gateway.serve(facts, downstream));
      else gateway.serve(facts, downstream);
    } catch (error) {
      turnAway(this.#options, arrival, error);
    }
  }
}
