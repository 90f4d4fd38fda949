// The ways in that lead to a provider rather than to a model:
//
//   ANY    /providers/NAME/…                               passed through, for keys that may use that provider
//   GET | DELETE /v1/responses/ID, GET …/input_items, POST …/cancel      to the provider that keeps the response
//
// A JSON body is read whole, as everywhere, to see which model it is about and how long it is; any other flows through.
import type { IncomingMessage, ServerResponse } from "node:http";
import { randomRequestId } from "../clock.ts";
import { GatewayError } from "../errors.ts";
import { keeperOf, providerOf } from "../gateway/affinity.ts";
import { ANY_MODEL, type Direct, type DirectMethod } from "../gateway/direct.ts";
import type { Gateway } from "../gateway/gateway.ts";
import { scanPassed } from "../gateway/request/request-scan.ts";
import { bareMembers, type RequestFacts } from "../gateway/request/request.ts";
import { DIRECT_ROUTES, type Route } from "../gateway/routes.ts";
import type { ClientKey } from "../gateway/runtime.ts";
import { unknownResponse } from "../gateway/sending/stored.ts";
import {
  downstreamOf,
  factsOf,
  isMethodServed,
  NO_BODY,
  turnAway,
  type Arrival,
  type Door,
} from "./arrival.ts";
import type { Authenticator } from "./authenticate.ts";
import type { BodyReader } from "./body.ts";
import type { BodyBudget } from "./body-budget.ts";
import { announcedLength, isJson } from "./content.ts";
import { checkPassedPath, checkPath } from "./paths.ts";
import type { UploadReader } from "./upload.ts";

const PASSED = /^\/providers\/([^/]*)(\/.*)?$/;
const STORED = /^\/v1\/responses\/([^/]+)(\/input_items|\/cancel)?$/;
const PASSED_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
const STORED_METHODS: Readonly<Record<string, string>> = {
  "": "GET, DELETE",
  "/input_items": "GET",
  "/cancel": "POST",
};

export interface DirectRoutesOptions extends Door {
  readonly gateway: Gateway;
  readonly authenticator: Authenticator;
  readonly bodyReader: BodyReader;
  readonly bodyBudget: BodyBudget;
  readonly bodyBytesMax: number;
  readonly uploadReader: UploadReader;
  readonly uploadBytesMax: number;
}

interface DirectArrival extends Arrival {
  readonly route: Route;
  readonly direct: Direct;
  /** The provider's name. */
  readonly provider: string;
}

type Given = Pick<RequestFacts, "body" | "upload" | "members">;

export class DirectRoutes {
  readonly #options: DirectRoutesOptions;

  constructor(options: DirectRoutesOptions) {
    this.#options = options;
  }

  /** The pattern of the route that a path belongs to; null: to none of these. */
  patternOf(path: string): string | null {
    if (PASSED.test(path)) return DIRECT_ROUTES.passed.pattern;
    return STORED.test(path) ? DIRECT_ROUTES.stored.pattern : null;
  }

  /** Serves the request if it is for one of these routes; `false`: it is not, nothing was done. */
  serve(path: string, request: IncomingMessage, response: ServerResponse): boolean {
    const pattern = this.patternOf(path);
    if (pattern === null) return false;
    const receivedMs = this.#options.clock.elapsedMs();
    const isStored = pattern === DIRECT_ROUTES.stored.pattern;
    const allow = isStored ? (STORED_METHODS[STORED.exec(path)?.[2] ?? ""] ?? "") : PASSED_METHODS;
    const arrival: Arrival = {
      id: randomRequestId(),
      receivedMs,
      pattern,
      shape: "chat",
      allow,
      request,
      response,
    };
    try {
      if (!isMethodServed(arrival)) return true;
      const key = this.#options.authenticator.authenticate(request, this.#options.gateway.runtime);
      checkPath(path);
      const to = isStored ? storedOf(path, request) : passedOf(path, request);
      this.#admit({ ...arrival, ...to }, key);
    } catch (error) {
      turnAway(this.#options, arrival, error);
    }
    return true;
  }

  #admit(arrival: DirectArrival, key: ClientKey): void {
    const { request, response, direct, provider } = arrival;
    const { gateway } = this.#options;
    if (direct.stored === null) checkMayPass(key, provider);
    if (!gateway.runtime.providers.has(provider)) {
      throw direct.stored === null ? unknownProvider(provider) : unknownResponse(direct.stored.marked);
    }
    if (request.headers.expect !== undefined) response.writeContinue();
    if (!hasBody(request)) this.#handOver(arrival, key, this.#given(arrival, NO_BODY));
    else if (direct.stored !== null || isPlainJson(request)) this.#readWhole(arrival, key);
    else this.#readOn(arrival, key);
  }

  #readWhole(arrival: DirectArrival, key: ClientKey): void {
    const { bodyReader, bodyBytesMax, bodyBudget } = this.#options;
    announcedLength(arrival.request.headers, bodyBytesMax);
    bodyReader.read(arrival.request, arrival.receivedMs, (error, body) => {
      try {
        if (error !== null) throw error;
        bodyBudget.hold(body, arrival.response);
        this.#handOver(arrival, key, this.#given(arrival, body));
      } catch (failure) {
        turnAway(this.#options, arrival, failure);
      }
    });
  }

  #readOn(arrival: DirectArrival, key: ClientKey): void {
    const { uploadReader, uploadBytesMax } = this.#options;
    const { request, receivedMs, provider } = arrival;
    const announcedBytes = announcedLength(request.headers, uploadBytesMax);
    const head = { contentType: request.headers["content-type"] ?? "", boundary: null, announcedBytes };
    const upload = uploadReader.read(request, head, receivedMs, () => undefined);
    try {
      const model = this.#modelInPath(provider, arrival.direct.path) ?? ANY_MODEL;
      this.#handOver(arrival, key, { body: NO_BODY, upload, members: bareMembers(`${provider}/${model}`) });
    } catch (error) {
      upload.close();
      throw error;
    }
  }

  /** What there is to know of a request whose whole body is here. */
  #given({ provider, direct }: DirectArrival, body: Buffer): Given {
    const found = scanPassed(body);
    const named = found.model !== "" && this.#isListed(provider, found.model) ? found.model : null;
    const model = named ?? this.#modelInPath(provider, direct.path) ?? ANY_MODEL;
    return { body, upload: null, members: { ...found, model: `${provider}/${model}` } };
  }

  /** A configured model of the provider that is a part of the path, as some languages have it: `/models/NAME:generate`. */
  #modelInPath(provider: string, path: string): string | null {
    const [place = ""] = path.split("?", 1);
    for (const segment of place.split("/")) {
      const text = decodeURIComponent(segment);
      const names = [text, text.slice(0, Math.max(0, text.lastIndexOf(":")))];
      const found = names.find((name) => name !== "" && this.#isListed(provider, name));
      if (found !== undefined) return found;
    }
    return null;
  }

  #isListed(provider: string, model: string): boolean {
    const id = `${provider}/${model}`;
    return this.#options.gateway.runtime.models.some((listed) => listed.id === id);
  }

  #handOver(arrival: DirectArrival, key: ClientKey, given: Given): void {
    const { route, direct, response } = arrival;
    if (response.destroyed) return given.upload?.close();
    const facts = factsOf(arrival, route, key, { ...given, direct });
    this.#options.gateway.serve(facts, downstreamOf(arrival, false));
  }
}

type Destination = Pick<DirectArrival, "route" | "direct" | "provider">;

function passedOf(path: string, request: IncomingMessage): Destination {
  const [, name = "", rest = ""] = PASSED.exec(path) ?? [];
  checkPassedPath(rest);
  if (request.headers.upgrade?.toLowerCase().includes("websocket") === true) {
    const message = "WebSocket connections are not passed on: ask the provider by requests.";
    throw new GatewayError("invalid_request", message, { status: 501 });
  }
  const direct = { method: methodOf(request), path: `${rest}${queryOf(request)}`, stored: null };
  return { route: DIRECT_ROUTES.passed, direct, provider: decodeURIComponent(name) };
}

function storedOf(path: string, request: IncomingMessage): Destination {
  const [, marked = "", rest = ""] = STORED.exec(path) ?? [];
  const found = keeperOf(decodeURIComponent(marked));
  if (found === null) throw unknownResponse(marked);
  const direct = {
    method: methodOf(request),
    path: `${rest}${queryOf(request)}`,
    stored: { marked: decodeURIComponent(marked), ...found },
  };
  return { route: DIRECT_ROUTES.stored, direct, provider: providerOf(found.account) };
}

const METHODS: Readonly<Record<string, DirectMethod>> = {
  GET: "GET",
  HEAD: "HEAD",
  POST: "POST",
  PUT: "PUT",
  PATCH: "PATCH",
  DELETE: "DELETE",
  OPTIONS: "OPTIONS",
};

function methodOf({ method = "" }: IncomingMessage): DirectMethod {
  return METHODS[method] ?? "GET";
}

function queryOf({ url = "" }: IncomingMessage): string {
  const at = url.indexOf("?");
  return at === -1 || at === url.length - 1 ? "" : url.slice(at);
}

/** Passing through is a right of its own: `NAME/*` among the key's models, or a key that may ask for everything. */
function checkMayPass({ models, name }: ClientKey, provider: string): void {
  if (models === null || models.has(`${provider}/${ANY_MODEL}`)) return;
  const message = `The key \`${name}\` may not use this provider directly. That takes \`PROVIDER/*\` among its models.`;
  throw new GatewayError("permission_denied", message);
}

function unknownProvider(name: string): GatewayError {
  return new GatewayError("not_found", `There is no provider ${JSON.stringify(name.slice(0, 100))} here.`);
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

function isPlainJson({ headers }: IncomingMessage): boolean {
  const encoding = headers["content-encoding"] ?? "identity";
  return encoding === "identity" && headers["content-type"] !== undefined && isJson(headers["content-type"]);
}
