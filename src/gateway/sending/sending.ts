// What goes out for one attempt, and what will read its answer. Most requests are the client's bytes and have no
// `Sending`; the others are written anew or signed here.
import type { Clock } from "../../clock.ts";
import type { CallRequest } from "../../upstream/call.ts";
import type { AnswerContext } from "../relay/answer-error.ts";
import { EmbeddingSending } from "./embedding-sending.ts";
import type { Exchange } from "../exchange.ts";
import { MendedSending } from "./mended.ts";
import type { Relay, RelayHost } from "../relay/relay.ts";
import type { Passage } from "./passage.ts";
import { PassedSending } from "./passed.ts";
import { StoredSending } from "./stored.ts";
import { Translation } from "./translation.ts";
import type { UpstreamTarget } from "./upstream-target.ts";
import { VerbatimSending } from "./verbatim.ts";

export interface Sending {
  readonly request: CallRequest;
  /** What the client has to know about how its request was changed. */
  readonly warnings: readonly string[];
  /** Whether the client gets the provider's error answers as they are. */
  readonly keepsErrors: boolean;
  /** The relay for a success of the right content type. */
  relay(host: RelayHost, context: AnswerContext): Relay;
  /** The relay for a whole answer where a stream was asked for; absent: that is a failure. */
  wholeRelay?(host: RelayHost, context: AnswerContext): Relay;
}

/** `null`: the client's bytes go as they are. Throws a `GatewayError` for what can't be asked of this target. */
export function sendingOf(exchange: Exchange, target: UpstreamTarget, clock: Clock): Sending | null {
  const { direct } = exchange.request;
  if (direct !== null) {
    return direct.stored === null ? new PassedSending(exchange, target) : new StoredSending(exchange, target);
  }
  const passage = passageFor(exchange, target);
  if (passage === undefined) return null;
  const wallMs = clock.wallMs();
  switch (passage.kind) {
    case "translated":
      return new Translation(exchange, target, passage, wallMs);
    case "mended":
      return new MendedSending(exchange, target, passage, wallMs);
    case "verbatim":
      return new VerbatimSending(exchange, target, passage, wallMs);
    case "embedded":
      return new EmbeddingSending(exchange, target, passage.dialect, wallMs);
    case "counted":
      throw new Error("Invariant broken: counts are answered without sending anything");
  }
}

/** Longer conversations are not searched: that would hold up other requests. */
const SEARCHED_BYTES_MAX = 1024 * 1024;

function passageFor({ request }: Exchange, { language }: UpstreamTarget): Passage | undefined {
  const { route, body } = request;
  const passage = language.passages[route.kind];
  if (route.kind !== "chat" || passage?.kind === "translated") return passage;
  const isRewritten =
    body.length > SEARCHED_BYTES_MAX
      ? language.rewritesLong
      : language.rewriteMarks.some((mark) => body.includes(mark));
  return isRewritten ? { kind: "translated", dialect: language.chat, client: null } : passage;
}

/** The request with its signature, where the target wants one. */
export function signed(request: CallRequest, target: UpstreamTarget, clock: Clock): CallRequest {
  const { method = "POST", path, body } = request;
  const { sign } = target.access;
  if (sign === null || !(body instanceof Buffer)) return request;
  const signature = sign({ method, path, body }, clock.wallMs());
  return { ...request, headers: [...request.headers, ...signature] };
}
