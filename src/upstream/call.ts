// One request to a provider, from connecting to the last byte, as an undici dispatch handler: callbacks, no streams,
// no promise, nothing allocated per chunk. It watches the deadlines, knows whether the provider can have seen the
// request, and ends exactly once, with `onEnd` or `onFailure`.
//
//   connect ──▶ [sending] ──▶ first_token ──▶ idle ──▶ over ──▶ the provider is through with it too: `onReleased`
//   (waiting for a connection)   (sent)     (answer begun: `markFirst`)
//
// The provider counts a call among those that run until it has ended its answer, or has noticed that its connection is
// gone. That may be later than we have all we need, and a place among those that run must not be given to another before.
import type { Client, Dispatcher } from "undici";
import type { IncomingHttpHeaders } from "node:http";
import type { Readable } from "node:stream";
import type { GatewayError } from "../errors.ts";
import { timedOut, toGatewayError, type Phase } from "./failure.ts";
import type { Origin } from "./origin.ts";
import type { Watch, Watched } from "./watch.ts";

/** Who gets the answer. Callbacks run inside undici's parser; none of them may throw. */
export interface Receiver {
  /** The answer's status and headers; at most once, never for interim (1xx) answers. */
  onHead(status: number, headers: IncomingHttpHeaders): void;
  /** A piece of the body. The bytes belong to the receiver, which may change them in place. */
  onData(chunk: Buffer): void;
  /** Nothing has come for a while in the middle of the answer; told again and again. */
  onQuiet?(): void;
  /** All of the answer has arrived. Says whether that was all; else the call goes on, under its deadlines, until `letGo` or `abort`. */
  onEnd(): boolean;
  /** The call failed or was aborted; nothing follows. */
  onFailure(error: GatewayError): void;
}

/** How long each phase may last, in milliseconds. */
export interface Timeouts {
  readonly connectMs: number;
  readonly firstTokenMs: number;
  readonly idleMs: number;
  readonly totalMs: number;
}

/** A body that is sent as it comes. */
export interface OutgoingBody extends Readable {
  /** The provider has room for more, and there is nothing to give: it is not to blame for the silence. */
  readonly isWanting: boolean;
  /** How much of it the provider has taken. */
  readonly at: number;
  /** How long the provider may take none of it, in milliseconds. */
  readonly stallMs: number;
}

export interface CallRequest {
  /** POST when absent. */
  readonly method?: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS";
  /** Path and query on the origin. */
  readonly path: string;
  /** Names and values in turn, without `host`, `connection` and `content-length`. Read only, though undici's types want it writable. */
  readonly headers: string[];
  /** All of it, or a stream that is read as fast as the provider takes it. */
  readonly body: Buffer | OutgoingBody;
  readonly timeouts: Timeouts;
  /** `elapsedMs` from which the total deadline counts: the request's arrival, over all of its attempts. */
  readonly startedMs: number;
}

function isNothing(body: CallRequest["body"]): boolean {
  return body instanceof Uint8Array && body.length === 0;
}

/** Gets what arrives after the receiver has let go of a call. */
const NOBODY: Receiver = { onHead() {}, onData() {}, onEnd: () => true, onFailure() {} };

/** How long a provider may take to end an answer that is complete by its contents, in milliseconds. */
export const LINGER_MS = 1000;

/**
 * How long a provider is given to notice that we have closed a connection, in milliseconds. The news travels as fast as
 * the next request does, so this covers what is different between two ways through a network and a busy server.
 */
export const NOTICE_MS = 100;

/** After how much silence the receiver is told of it. Proxies close connections that have been silent for 30 to 60 s. */
export const QUIET_MS = 15_000;

export class Call implements Dispatcher.DispatchHandler, Watched {
  seat = -1;
  /** Whether the request was handed to a connection, so that the provider may have seen it. */
  isSent = false;
  /** Called once when `isRunning` turns false. */
  onReleased: () => void = () => undefined;
  readonly #origin: Origin;
  readonly #watch: Watch;
  readonly #request: CallRequest;
  #receiver: Receiver;
  #client: Client | null = null;
  #controller: Dispatcher.DispatchController | null = null;
  #phase: Phase = "connect";
  #phaseMs: number;
  /** Coarse time of the latest progress. */
  #progressMs: number;
  /** How much of a streamed body had been taken at the latest check. */
  #takenBytes = 0;
  /** When the receiver was last told of a silence, or would have been had there been one. */
  #toldMs = 0;
  #isOver = false;
  #isRunning = false;
  /** Coarse time since when the provider can notice that we have closed the connection. */
  #closedMs = Infinity;
  #isPaused = false;

  constructor(origin: Origin, watch: Watch, request: CallRequest, receiver: Receiver) {
    this.#origin = origin;
    this.#watch = watch;
    this.#request = request;
    this.#receiver = receiver;
    this.#phaseMs = request.timeouts.connectMs;
    this.#progressMs = watch.nowMs;
  }

  /** Sends the request. */
  start(nowMs: number): void {
    this.#watch.add(this);
    this.#progressMs = nowMs;
    const client = this.#origin.acquire();
    this.#client = client;
    const { path, method = "POST", headers, body } = this.#request;
    client.dispatch(
      { path, method, headers, body: isNothing(body) && method !== "POST" ? null : body },
      this,
    );
  }

  /** The answer's contents have begun: from here on each pause counts as idle. */
  markFirst(): void {
    this.#enter("idle", this.#request.timeouts.idleMs);
  }

  /** Stops reading until `resume`; meanwhile the provider is not blamed for silence. */
  pause(): void {
    this.#isPaused = true;
    this.#controller?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#progressMs = this.#watch.nowMs;
    this.#controller?.resume();
  }

  /** Ends the call now; the receiver gets this error, unless the call is over. */
  abort(error: GatewayError): void {
    if (this.#isOver) return;
    const client = this.#client;
    this.#finish();
    // The receiver hears it first: a connection's end is reported by undici only after it was closed.
    this.#receiver.onFailure(error);
    if (client !== null) this.#origin.discard(client);
  }

  /** Whether the provider has the request and may still count it: until it ends the call, or could notice that we did. */
  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** The receiver has all it needs. The rest of the answer is dropped; the connection is kept if it ends soon. */
  letGo(): void {
    if (this.#isOver) return;
    if (!this.#isRunning) return this.#finish();
    this.#receiver = NOBODY;
    if (this.#isPaused) this.resume();
    this.#enter("idle", LINGER_MS);
  }

  check(nowMs: number): void {
    if (this.#isOver) return this.#lookAtClosing(nowMs);
    const { startedMs, timeouts } = this.#request;
    if (this.#phase === "sending") this.#lookAtBody();
    if (nowMs - startedMs > timeouts.totalMs) {
      this.abort(timedOut("total", timeouts.totalMs, this.#origin.provider));
    } else if (nowMs - this.#progressMs > this.#phaseMs && !this.#isPaused) {
      this.abort(timedOut(this.#phase, this.#phaseMs, this.#origin.provider));
    } else if (nowMs - this.#toldMs >= QUIET_MS && this.#phase === "idle" && !this.#isPaused) {
      this.#tellQuiet(nowMs);
    }
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    this.isSent = true;
    this.#isRunning = true;
    const { body, timeouts } = this.#request;
    if (body instanceof Uint8Array) this.#enter("first_token", timeouts.firstTokenMs);
    else this.#enter("sending", body.stallMs);
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders) {
    if (status >= 200 && !this.#isOver) this.#receiver.onHead(status, headers);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isOver) return;
    if (this.#phase === "idle" && this.#receiver !== NOBODY) this.#progressMs = this.#watch.nowMs;
    this.#receiver.onData(chunk);
  }

  onResponseEnd(): void {
    if (this.#isOver) return;
    if (this.#client !== null) this.#origin.release(this.#client);
    this.#client = null;
    this.#controller = null;
    this.#release();
    if (this.#receiver.onEnd()) this.#finish();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    // Of a connection that we closed undici tells too.
    if (this.#isOver) return;
    this.#release();
    this.abort(toGatewayError(error, this.#origin.provider));
  }

  /** `#toldMs` may be older than the latest progress: that is cheaper than noting each of them twice. */
  #tellQuiet(nowMs: number): void {
    const isQuiet = nowMs - this.#progressMs >= QUIET_MS;
    this.#toldMs = isQuiet ? nowMs : this.#progressMs;
    if (isQuiet) this.#receiver.onQuiet?.();
  }

  /** Whether the provider goes on taking the body, or has it all. */
  #lookAtBody(): void {
    const { body, timeouts } = this.#request;
    if (body instanceof Uint8Array) return;
    if (body.readableEnded) this.#enter("first_token", timeouts.firstTokenMs);
    else if (body.isWanting || body.at !== this.#takenBytes) this.#progressMs = this.#watch.nowMs;
    this.#takenBytes = body.at;
  }

  #enter(phase: Phase, limitMs: number): void {
    this.#phase = phase;
    this.#phaseMs = limitMs;
    this.#progressMs = this.#watch.nowMs;
  }

  /** Whether the provider has had time to notice that the connection was closed. */
  #lookAtClosing(nowMs: number): void {
    this.#closedMs = Math.min(this.#closedMs, nowMs);
    if (nowMs - this.#closedMs < NOTICE_MS) return;
    this.#watch.delete(this);
    this.#release();
  }

  /** From here on the provider does not count the call any more. */
  #release(): void {
    this.#isRunning = false;
    this.onReleased();
  }

  /** Nobody hears of the call any more. Where the provider still has to notice that, the watch goes on. */
  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (!this.#isRunning) this.#watch.delete(this);
  }
}
