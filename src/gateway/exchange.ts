// What all attempts of one request share: what was asked, where the answer goes, what is noted about it, and whether
// it has to stop because the client left or the gateway is ending.
import type { ClientDialect, ClientRequest } from "../../providers/dialects/index.ts";
import { isObject, type Json } from "../../providers/dialects/json.ts";
import { assert, GatewayError } from "../errors.ts";
import type { RequestRecord } from "../observe/events.ts";
import type { Seated } from "../roster.ts";
import { keeperOf } from "./affinity.ts";
import type { Attempt } from "./attempt.ts";
import type { Downstream, HeaderList } from "./downstream.ts";
import type { Recording } from "./relay/recording.ts";
import { HeldMedia } from "./request/held-media.ts";
import type { RequestFacts } from "./request/request.ts";
import type { Snapshot } from "./runtime.ts";
import type { Timeouts } from "../upstream/call.ts";

const NO_HEADERS: HeaderList = [];

export class Exchange implements Seated {
  seat = -1;
  readonly request: RequestFacts;
  readonly downstream: Downstream;
  readonly runtime: Snapshot;
  readonly record: RequestRecord;
  /** Why the request can't go on, whatever comes; null while it can. */
  stopped: GatewayError | null = null;
  /** For the error answer, as headers: who was tried last, or else who had no room. */
  targetHeaders: HeaderList = NO_HEADERS;
  /** `x-ratelimit-*` of the limits that refused the request, for the error answer. */
  limitHeaders: HeaderList = NO_HEADERS;
  /** Ends what is under way now: an attempt, a place in line, a pause between attempts. */
  onStop: ((error: GatewayError) => void) | null = null;
  /** Listens to the answer, where it is to be kept. */
  recording: Recording | null = null;
  /** Hears which attempt begins to answer, while there are two of them. */
  onBegin: ((attempt: Attempt) => void) | null = null;
  #parsed: Json | null = null;
  #held: HeldMedia | null | undefined = undefined;
  /** The body without what is held. */
  #rest: Json | null = null;
  #chatRequest: ClientRequest | null = null;

  constructor(request: RequestFacts, downstream: Downstream, runtime: Snapshot) {
    this.request = request;
    this.downstream = downstream;
    this.runtime = runtime;
    this.record = newRecord(request);
    if (request.upload !== null) request.upload.onFailure = (error) => this.stop(error);
    const { response } = downstream;
    // `close` follows a finished answer too; then nothing is left to stop.
    response.once("close", () => {
      if (!response.writableEnded) this.#leave();
    });
    if (response.destroyed) this.#leave();
  }

  get timeouts(): Timeouts {
    const { runtime, request, totalMs } = this;
    const timeouts = request.members.isStream ? runtime.timeouts : runtime.wholeTimeouts;
    return totalMs === timeouts.totalMs ? timeouts : { ...timeouts, totalMs };
  }

  /** How long the request may take: what the configuration says, or less if the client said so. */
  get totalMs(): number {
    const { totalMs } = this.runtime.timeouts;
    return this.request.timeoutMs === null ? totalMs : Math.min(totalMs, this.request.timeoutMs);
  }

  /** The whole body, for requests that have to be written anew; parsed once. */
  parsedBody(): Json {
    return (this.#parsed ??= parse(this.request.body));
  }

  /** The body without what is held. */
  lightBody(): Json {
    return this.held === null ? this.parsedBody() : (this.#rest ??= parse(this.held.rest));
  }

  /** The request as a chat request; `client` is the language it came in, null for chat itself. Throws a `GatewayError`. */
  chatRequest(client: ClientDialect | null): ClientRequest {
    this.#chatRequest ??=
      client === null ? { request: this.lightBody(), warnings: [] } : client.decode(this.lightBody());
    return this.#chatRequest;
  }

  /** Large media that are not in the chat request but have marks there, to be put back into what is written from it; null: none. */
  get held(): HeldMedia | null {
    if (this.#held === undefined) {
      const { body, members, id } = this.request;
      this.#held = HeldMedia.of(body, members.largeMedia, id);
    }
    return this.#held;
  }

  /** Has the chat request made from the whole body: a language has to look into the media. */
  letGoOfMedia(): void {
    this.#held = null;
    this.#chatRequest = null;
  }

  /** The earlier answer at an account that this request builds on; null: there is none, or not one of ours. */
  get previous(): { readonly marked: string; readonly id: string; readonly account: string } | null {
    if (this.request.direct !== null) return this.request.direct.stored;
    if (this.request.route.kind !== "responses") return null;
    const marked = this.request.members.previousResponse;
    const found = marked === null ? null : keeperOf(marked);
    return found === null || marked === null ? null : { marked, ...found };
  }

  /** `elapsedMs` at which the request has to be over. */
  get deadlineMs(): number {
    return this.request.receivedMs + this.totalMs;
  }

  get isGone(): boolean {
    return this.stopped?.code === "client_gone";
  }

  /** Whether the request can be sent from its beginning once more. */
  get isRepeatable(): boolean {
    const { direct, upload } = this.request;
    return direct === null && (upload?.isWhole ?? true);
  }

  /** Ends the request; only the first reason counts. */
  stop(error: GatewayError): void {
    if (this.stopped !== null) return;
    this.stopped = error;
    this.onStop?.(error);
  }

  #leave(): void {
    this.stop(
      new GatewayError("client_gone", "The client closed its connection before the answer was complete."),
    );
  }
}

function newRecord({ id, route, key, members, receivedMs }: RequestFacts): RequestRecord {
  return {
    id,
    route: route.pattern,
    startedMs: receivedMs,
    keyName: key.name,
    modelAsked: members.model,
    provider: "",
    model: "",
    isStream: members.isStream,
    attempts: 0,
    status: 0,
    outcome: "ok",
    errorCode: "",
    waitedMs: 0,
    sentMs: 0,
    firstByteMs: 0,
    endedMs: 0,
    usage: null,
    isUsageEstimated: false,
    cache: "",
  };
}

function parse(body: Buffer): Json {
  const parsed: unknown = JSON.parse(body.toString("utf8"));
  assert(isObject(parsed), "a request's body is an object");
  return parsed;
}
