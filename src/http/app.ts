// Everything but the busy routes: lists, health, metrics and operators' commands, through Hono. Every answer, also to a
// path that does not exist, carries the request's id and, where it is an error, the envelope.
import { getRequestListener, RequestError } from "@hono/node-server";
import { Hono, type Context } from "hono";
import { IncomingMessage, type ServerResponse } from "node:http";
import { randomRequestId, type Clock } from "../clock.ts";
import { assert, GatewayError } from "../errors.ts";
import type { Gateway } from "../gateway/gateway.ts";
import type { ClientKey } from "../gateway/runtime.ts";
import type { Log } from "../observe/events.ts";
import { authenticateOperator, type Authenticator } from "./authenticate.ts";
import type { BodyReader } from "./body.ts";
import { errorBody, errorHeaders, hiddenError } from "./error-answer.ts";
import { HOME_PAGE } from "./home-page.ts";
import { modelById, modelList } from "./models.ts";
import { methodNotAllowed, notFound, pathOf } from "./paths.ts";
import { jsonAnswer, type PlainAnswer, type PlainRequest, type PlainRoute } from "./plain-route.ts";

export interface AppOptions {
  readonly gateway: Gateway;
  readonly log: Log;
  readonly clock: Clock;
  readonly authenticator: Authenticator;
  /** Routes that anyone may ask: health and metrics. */
  readonly openRoutes: readonly PlainRoute[];
  /** Routes that need a client key. */
  readonly clientRoutes: readonly PlainRoute[];
  /** Routes that need the admin key. */
  readonly operatorRoutes: readonly PlainRoute[];
  /** Reads the bodies of commands. */
  readonly bodyReader: BodyReader;
  /** The SHA-256 of the admin key in force, in hexadecimal; null lets only this machine in. */
  readonly adminKeySha256: () => string | null;
  /** Whether a busy route has this path, for hints in 404s. */
  readonly isBusyPath: (path: string) => boolean;
}

type Env = { Bindings: { readonly incoming: IncomingMessage; readonly requestId: string } };
type Handler = (context: Context<Env>) => PlainAnswer | Promise<PlainAnswer>;

const MODELS_PATH = "/v1/models";

/** The listener for all requests that are not for a busy route. It answers every failure itself. */
export function createApp(
  options: AppOptions,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const app = new Hono<Env>();
  app.onError((error, context) => errorResponse(error, context.env.requestId, options.log));
  const paths = new RouteTable(app);
  addModels(paths, options);
  paths.add("GET", "/", () => ({ status: 200, headers: HTML, body: HOME_PAGE }));
  for (const route of options.openRoutes) paths.add(route.method, route.path, plainHandler(route, options));
  for (const route of options.clientRoutes) {
    paths.add(route.method, route.path, clientHandler(route, options));
  }
  for (const route of options.operatorRoutes) {
    paths.add(route.method, route.path, operatorHandler(route, options));
  }
  paths.refuseOtherMethods();
  const isKnown = (path: string): boolean => paths.has(path) || options.isBusyPath(path);
  app.notFound((context) => {
    const error = notFound(context.req.method, pathOf(context.env.incoming), isKnown);
    return errorResponse(error, context.env.requestId, options.log);
  });
  return getRequestListener(
    (request, { incoming }) => {
      assert(incoming instanceof IncomingMessage, "The server speaks HTTP/1.1 only.");
      return app.fetch(request, { incoming, requestId: randomRequestId() });
    },
    {
      overrideGlobalObjects: false,
      // For requests of HTTP/1.0, which need not name a host. Nothing depends on it.
      hostname: "localhost",
      errorHandler: (error) => errorResponse(requestFault(error), randomRequestId(), options.log),
    },
  );
}

const HTML = { "content-type": "text/html; charset=utf-8" };

/** Routes as they are added, so that a known path can tell which methods it answers. */
class RouteTable {
  readonly #app: Hono<Env>;
  readonly #methods = new Map<string, string[]>();

  constructor(app: Hono<Env>) {
    this.#app = app;
  }

  has(path: string): boolean {
    return this.#methods.has(path);
  }

  add(method: PlainRoute["method"], path: string, handler: Handler): void {
    const methods = this.#methods.get(path) ?? [];
    this.#methods.set(path, [...methods, method]);
    this.#app.on(method, path, async (context) => {
      const { status, headers, body } = await handler(context);
      return new Response(body, { status, headers: { ...headers, "x-request-id": context.env.requestId } });
    });
  }

  /** Comes after all routes have been added: what they did not answer is answered here. */
  refuseOtherMethods(): void {
    for (const [path, methods] of this.#methods) {
      const answered = methods.includes("GET") ? [...methods, "HEAD", "OPTIONS"] : [...methods, "OPTIONS"];
      const allow = answered.join(", ");
      this.#app.all(path, (context) => {
        const { requestId } = context.env;
        const headers = { allow, "x-request-id": requestId };
        if (context.req.method === "OPTIONS") return new Response(null, { status: 204, headers });
        const error = methodNotAllowed(context.req.method, context.req.path, allow);
        return errorResponse(error, requestId, undefined, ["allow", allow]);
      });
    }
  }
}

function addModels(routes: RouteTable, options: AppOptions): void {
  const { authenticator, gateway } = options;
  const caller = (context: Context<Env>): ClientKey =>
    authenticator.authenticate(context.env.incoming, gateway.runtime);
  routes.add("GET", MODELS_PATH, (context) => jsonAnswer(modelList(gateway.runtime, caller(context))));
  // Ids hold slashes, plain or encoded: everything after the prefix is one id.
  routes.add("GET", `${MODELS_PATH}/:id{.+}`, (context) => {
    const id = decodeURIComponent(pathOf(context.env.incoming).slice(MODELS_PATH.length + 1));
    return jsonAnswer(modelById(gateway.runtime, caller(context), id));
  });
}

function plainHandler(route: PlainRoute, options: AppOptions): Handler {
  return async (context) => route.handle(await plainRequest(context, options));
}

async function plainRequest(context: Context<Env>, options: AppOptions): Promise<PlainRequest> {
  // Hono's own reading of bodies has no bounds.
  const body = await readText(context.env.incoming, options);
  return { params: context.req.param(), query: new URL(context.req.url).searchParams, body };
}

function clientHandler(route: PlainRoute, options: AppOptions): Handler {
  return async (context) => {
    const caller = options.authenticator.authenticate(context.env.incoming, options.gateway.runtime);
    return route.handle({ ...(await plainRequest(context, options)), caller });
  };
}

function operatorHandler(route: PlainRoute, options: AppOptions): Handler {
  const handler = plainHandler(route, options);
  return (context) => {
    authenticateOperator(context.env.incoming, options.adminKeySha256());
    return handler(context);
  };
}

function readText(request: IncomingMessage, { bodyReader, clock }: AppOptions): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  bodyReader.read(request, clock.elapsedMs(), (error, body) => {
    if (error === null) resolve(body.toString("utf8"));
    else reject(error);
  });
  return promise;
}

/** What the adapter could not make a request of (a Host header that is none, for one) is the client's fault. */
function requestFault(error: unknown): unknown {
  if (!(error instanceof RequestError)) return error;
  return new GatewayError("invalid_request", `The request is malformed: ${error.message}.`, { cause: error });
}

function errorResponse(
  error: unknown,
  requestId: string,
  log: Log | undefined,
  extra: readonly string[] = [],
): Response {
  const known = error instanceof GatewayError ? error : hiddenError(error);
  if (known !== error) log?.error("request failed unexpectedly", { requestId, error });
  const headers = new Headers();
  const list = errorHeaders(known, "chat", requestId, extra);
  for (let at = 0; at < list.length; at += 2) headers.set(list[at] ?? "", list[at + 1] ?? "");
  return new Response(errorBody(known, "chat", requestId), { status: known.status, headers });
}
