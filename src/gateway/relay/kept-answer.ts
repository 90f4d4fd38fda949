// Sends an answer that was kept: the same bytes, an event stream as an event stream, with headers that say so.
import type { CachedAnswer } from "../../cache/answer.ts";
import { addWarnings, answerType, JSON_TYPE, STREAM_TYPE } from "./answer-headers.ts";
import { endWith } from "./event-writer.ts";
import type { Exchange } from "../exchange.ts";
import { headerSafe } from "../sending/upstream-target.ts";

export function sendKept(exchange: Exchange, answer: CachedAnswer, ageMs: number): void {
  const { request, record, downstream } = exchange;
  const { id, route } = request;
  const headers = answerType(answer.isStream ? STREAM_TYPE : JSON_TYPE);
  headers.push("content-length", String(answer.body.length), "x-request-id", id);
  if (route.kind === "messages") headers.push("request-id", id);
  headers.push(
    "x-sluice-provider",
    headerSafe(answer.provider),
    "x-sluice-model",
    headerSafe(answer.model),
    "x-sluice-attempts",
    "0",
    "x-sluice-cache",
    record.cache,
    "age",
    String(Math.floor(ageMs / 1000)),
  );
  addWarnings(headers, answer.warnings);
  record.status = 200;
  downstream.response.writeHead(200, headers);
  endWith(downstream.response, answer.body);
}
