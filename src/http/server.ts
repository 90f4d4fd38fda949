// The gateway's door: one Node server. Busy routes go straight to the gateway, everything else through Hono. Every wait
// of a connection is bounded here (its head, its body, its silence between requests), and whatever Node itself would
// answer with an empty page is answered in the clients' envelope instead.
//
// An answer's `x-request-id` is always ours and always new. One that the client sends is not taken over: ids that
// callers can choose could be made to collide in the log.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { randomRequestId, type Clock } from "../clock.ts";
import { GatewayError } from "../errors.ts";
import type { Gateway } from "../gateway/gateway.ts";
import type { Observer, Sample } from "../observe/events.ts";
import { counter, gauge } from "../observe/sample.ts";
import { createApp } from "./app.ts";
import { Authenticator } from "./authenticate.ts";
import { BodyReader, type BodyLimits } from "./body.ts";
import { BodyBudget } from "./body-budget.ts";
import { answerClientError, pendingAnswer, rawAnswer } from "./client-error.ts";
import { hiddenError } from "./error-answer.ts";
import { askWhetherGone } from "./half-closed.ts";
import { DirectRoutes } from "./direct-routes.ts";
import { FormRoutes } from "./form-routes.ts";
import { JsonRoutes } from "./json-routes.ts";
import { checkPath, methodNotAllowed, pathOf } from "./paths.ts";
import type { PlainRoute } from "./plain-route.ts";
import { recordRefusal } from "./refusal.ts";
import { sendError } from "./respond.ts";
import { StalledClients } from "./stalled.ts";
import { UploadReader, type UploadLimits } from "./upload.ts";

export interface HttpLimits extends BodyLimits, UploadLimits {
  /** All large bodies together, from their first bytes until their answers are over. */
  readonly bodyBytesTotalMax: number;
  /** Connections beyond this many are closed at once. */
  readonly connectionsMax: number;
  readonly headBytesMax: number;
  /** From a connection's first byte, or the end of its last answer's request, to the end of the head. */
  readonly headTimeoutMs: number;
  /** For the head and the body together. */
  readonly requestTimeoutMs: number;
  /** How long an idle connection is kept. Longer than load balancers keep theirs (60 s to 600 s): the side that sends next must not be the side that finds the connection closed. */
  readonly keepAliveMs: number;
  /** How long a client may take nothing of what waits for it. */
  readonly writeStallMs: number;
  /** How often waits are looked at, and so how late a bound may be noticed. */
  readonly sweepMs: number;
}

export const DEFAULT_HTTP_LIMITS: HttpLimits = {
  bodyBytesMax: 64 * 1024 * 1024,
  bodyBytesTotalMax: 1024 * 1024 * 1024,
  uploadBytesMax: 512 * 1024 * 1024,
  bodyStallMs: 30_000,
  connectionsMax: 20_000,
  headBytesMax: 32 * 1024,
  headTimeoutMs: 15_000,
  requestTimeoutMs: 300_000,
  keepAliveMs: 620_000,
  writeStallMs: 30_000,
  sweepMs: 1000,
};

/** Largest body of an operator's command. */
const COMMAND_BYTES_MAX = 1_048_576;

export interface HttpOptions {
  readonly gateway: Gateway;
  readonly observer: Observer;
  readonly clock: Clock;
  /** Routes that anyone may ask: health and metrics. */
  readonly openRoutes: readonly PlainRoute[];
  /** Routes below `/admin` and `/fleet`, behind the admin key. */
  readonly operatorRoutes: readonly PlainRoute[];
  /** Routes that need a client key. */
  readonly clientRoutes?: readonly PlainRoute[];
  /** The SHA-256 of the admin key in force, in hexadecimal; null lets only callers of this machine in. */
  readonly adminKeySha256: () => string | null;
  readonly limits?: Partial<HttpLimits>;
}

export interface HttpServer {
  /** Starts listening; port 0 lets the system choose. Rejects with `invalid_config` when the address can't be had. */
  listen(address: { readonly host: string; readonly port: number }): Promise<{ readonly port: number }>;
  /** Accepts no more connections and refuses new requests; resolves when every running one has ended. */
  drain(): Promise<void>;
  /** Cuts all connections. `drain` resolves with it. */
  close(): void;
}

export function createHttpServer(options: HttpOptions): HttpServer {
  return new NodeHttpServer(options);
}

class NodeHttpServer implements HttpServer {
  readonly #options: HttpOptions;
  readonly #server: Server;
  readonly #bodyBudget: BodyBudget;
  readonly #bodyReader: BodyReader;
  readonly #jsonRoutes: JsonRoutes;
  readonly #uploadReader: UploadReader;
  readonly #formRoutes: FormRoutes;
  readonly #directRoutes: DirectRoutes;
  readonly #app: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  readonly #sweep: NodeJS.Timeout;
  readonly #sockets = new Set<Socket>();
  readonly #stalled: StalledClients;
  #droppedCount = 0;
  #isDraining = false;

  constructor(options: HttpOptions) {
    const { gateway, observer, clock, openRoutes, operatorRoutes, adminKeySha256 } = options;
    const limits: HttpLimits = { ...DEFAULT_HTTP_LIMITS, ...options.limits };
    const authenticator = new Authenticator(clock);
    this.#options = options;
    this.#stalled = new StalledClients(limits.writeStallMs);
    this.#bodyBudget = new BodyBudget(limits.bodyBytesTotalMax);
    this.#bodyReader = new BodyReader(limits, this.#bodyBudget);
    const { bodyBytesMax } = limits;
    const bodyReader = this.#bodyReader;
    this.#jsonRoutes = new JsonRoutes({
      gateway,
      clock,
      observer,
      authenticator,
      bodyReader,
      bodyBudget: this.#bodyBudget,
      bodyBytesMax,
    });
    this.#uploadReader = new UploadReader(limits, this.#bodyBudget);
    const uploadReader = this.#uploadReader;
    this.#formRoutes = new FormRoutes({
      gateway,
      clock,
      observer,
      authenticator,
      uploadReader,
      uploadBytesMax: limits.uploadBytesMax,
    });
    this.#directRoutes = new DirectRoutes({
      gateway,
      clock,
      observer,
      authenticator,
      bodyReader,
      bodyBudget: this.#bodyBudget,
      bodyBytesMax,
      uploadReader,
      uploadBytesMax: limits.uploadBytesMax,
    });
    const commandReader = new BodyReader({ ...limits, bodyBytesMax: COMMAND_BYTES_MAX }, this.#bodyBudget);
    const { log } = observer;
    this.#app = createApp({
      gateway,
      log,
      clock,
      authenticator,
      bodyReader: commandReader,
      openRoutes,
      operatorRoutes,
      clientRoutes: this.#options.clientRoutes ?? [],
      adminKeySha256,
      isBusyPath: (path) => this.#isBusyPath(path),
    });
    this.#server = this.#createServer(limits);
    this.#sweep = setInterval(() => {
      bodyReader.sweep(clock.elapsedMs());
      uploadReader.sweep(clock.elapsedMs());
      commandReader.sweep(clock.elapsedMs());
      this.#stalled.sweep(this.#sockets, clock.elapsedMs());
    }, limits.sweepMs).unref();
    observer.addSource(() => this.#samples());
  }

  listen(address: { readonly host: string; readonly port: number }): Promise<{ readonly port: number }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ readonly port: number }>();
    const onError = (cause: Error): void => {
      const message = `Can't listen on ${address.host}:${address.port}: ${cause.message}`;
      reject(new GatewayError("invalid_config", message, { cause }));
    };
    this.#server.once("error", onError);
    this.#server.listen(address.port, address.host, () => {
      this.#server.off("error", onError);
      const bound = this.#server.address();
      resolve({ port: typeof bound === "object" && bound !== null ? bound.port : address.port });
    });
    return promise;
  }

  drain(): Promise<void> {
    this.#isDraining = true;
    const { promise, resolve } = Promise.withResolvers<void>();
    const sinceMs = this.#options.clock.elapsedMs();
    // A request that has arrived on an idle connection is read and answered first: closed unread, it would be lost.
    const look = setInterval(() => afterReading(() => this.#closeIdle(sinceMs)), DRAIN_LOOK_MS);
    afterReading(() => {
      this.#server.close(() => {
        clearInterval(look);
        clearInterval(this.#sweep);
        resolve();
      });
      this.#closeIdle(sinceMs);
    });
    return promise;
  }

  /**
   * Closes the connections that no answer is due on. Node does so for those between requests; it would wait for ever
   * for one that has not sent its first byte, or stopped in the middle of a head.
   */
  #closeIdle(drainingSinceMs: number): void {
    this.#server.closeIdleConnections();
    if (this.#options.clock.elapsedMs() - drainingSinceMs < DRAIN_HEAD_MS) return;
    for (const socket of this.#sockets) if (pendingAnswer(socket) === null) socket.destroy();
  }

  close(): void {
    clearInterval(this.#sweep);
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #createServer(limits: HttpLimits): Server {
    const server = createServer({
      maxHeaderSize: limits.headBytesMax,
      headersTimeout: limits.headTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.keepAliveMs,
      connectionsCheckingInterval: limits.sweepMs,
      // A missing Host would be answered with an empty page; `#onRequest` answers it in the envelope.
      requireHostHeader: false,
    });
    server.maxConnections = limits.connectionsMax;
    // A client may close its sending side behind its request. Node has this switch without listing it.
    Reflect.set(server, "httpAllowHalfOpen", true);
    server.on("request", (request, response) => this.#onRequest(request, response));
    // "100 Continue" is sent once the head has been found good, not before.
    server.on("checkContinue", (request, response) => this.#onRequest(request, response));
    server.on("checkExpectation", (_: IncomingMessage, response: ServerResponse) => {
      const error = new GatewayError("invalid_request", "The expectation can't be met.", { status: 417 });
      sendError(response, error, { requestId: randomRequestId(), shape: "chat" });
    });
    server.on("connect", (_, socket: Duplex) => {
      const error = methodNotAllowed("CONNECT", "A gateway", "other methods");
      socket.end(rawAnswer(error, randomRequestId()), () => socket.destroy());
    });
    server.on("clientError", (error, socket) => answerClientError(error, socket, randomRequestId()));
    server.on("error", (error) => {
      // Out of file descriptors, for one: connections fail, and those that are open go on. Without a listener it would throw.
      if (server.listening) this.#options.observer.log.error("can't accept a connection", { error });
    });
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => {
        this.#sockets.delete(socket);
        this.#stalled.forget(socket);
      });
      socket.once("end", () => askWhetherGone(socket, (answer) => this.#jsonRoutes.has(pathOf(answer.req))));
    });
    server.on("drop", () => this.#droppedCount++);
    return server;
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const path = pathOf(request);
    try {
      if (this.#isDraining) refuseDraining(response);
      checkHost(request);
      checkTransferCoding(request.headers["transfer-encoding"]);
      if (this.#jsonRoutes.serve(path, request, response)) return;
      if (this.#formRoutes.serve(path, request, response)) return;
      if (this.#directRoutes.serve(path, request, response)) return;
      checkPath(path);
    } catch (error) {
      this.#fail(response, error);
      return;
    }
    if (request.headers.expect !== undefined) response.writeContinue();
    this.#app(request, response).catch((error: unknown) => this.#fail(response, error));
  }

  /** Answers a request that reached no route. */
  #fail(response: ServerResponse, error: unknown): void {
    const { observer, clock } = this.#options;
    const id = randomRequestId();
    const known = error instanceof GatewayError ? error : hiddenError(error);
    sendError(response, known, { requestId: id, shape: "chat" });
    const path = pathOf(response.req);
    const route = this.#directRoutes.patternOf(path) ?? (this.#isBusyPath(path) ? path : "other");
    const nowMs = clock.elapsedMs();
    recordRefusal(observer, { id, route, startedMs: nowMs, endedMs: nowMs }, known);
  }

  #isBusyPath(path: string): boolean {
    return this.#jsonRoutes.has(path) || this.#formRoutes.has(path);
  }

  *#samples(): Iterable<Sample> {
    yield gauge("sluice_http_connections", "Open client connections.", this.#sockets.size);
    const waiting = "Requests whose body has not arrived whole.";
    yield gauge("sluice_http_bodies_waiting", waiting, this.#bodyReader.waitingCount);
    const uploads = "Forms with files that are on their way.";
    yield gauge("sluice_http_uploads", uploads, this.#uploadReader.runningCount);
    const large = "Bytes of large request bodies in memory.";
    yield gauge("sluice_http_large_bodies_bytes", large, this.#bodyBudget.heldBytes);
    const dropped = "Connections closed at once because there were too many.";
    yield counter("sluice_http_connections_dropped_total", dropped, this.#droppedCount);
    const stalled = "Connections closed because the client did not read what it was sent.";
    yield counter("sluice_http_connections_stalled_total", stalled, this.#stalled.closedCount);
  }
}

/** How often a drain looks for connections that have become idle. */
const DRAIN_LOOK_MS = 50;
/** How long a drain waits for a head that may be on its way. */
const DRAIN_HEAD_MS = 500;

/** Runs the action when all that the system holds for this process now has been read: behind the next whole turn of the loop. */
function afterReading(action: () => void): void {
  setImmediate(() => setImmediate(action));
}

function refuseDraining(response: ServerResponse): never {
  response.shouldKeepAlive = false;
  throw new GatewayError(
    "shutting_down",
    "This gateway is shutting down. Try again: another one may answer.",
    {
      retryAfterMs: 1000,
    },
  );
}

/** RFC 9112 section 3.2: a request of HTTP/1.1 has one Host header, an older one at most one. Node itself takes the first of several. */
function checkHost({ rawHeaders, httpVersionMinor }: IncomingMessage): void {
  let count = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at];
    if (name?.length === 4 && name.toLowerCase() === "host") count += 1;
  }
  if (count > 1) throw new GatewayError("invalid_request", "The request has more than one Host header.");
  if (count === 0 && httpVersionMinor > 0)
    throw new GatewayError("invalid_request", "The request has no Host header.");
}

/**
 * RFC 9112 section 6.1: a transfer coding that is not understood is refused with 501. Node's parser undoes `chunked` alone and
 * would hand over the rest as it is.
 */
function checkTransferCoding(coding: string | undefined): void {
  if (coding === undefined || coding.toLowerCase() === "chunked") return;
  const message = "The only transfer coding understood here is `chunked`; compress with `content-encoding`.";
  throw new GatewayError("unsupported_media_type", message, { status: 501 });
}
