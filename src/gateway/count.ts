// Answers how many tokens a request has, for targets that can't tell: an estimate, and nothing is sent or taken.
import { countTokens } from "../../providers/dialects/index.ts";
import type { HeaderList } from "./downstream.ts";
import type { Exchange } from "./exchange.ts";

/** `targetHeaders`: whose model it was counted for. */
export function answerCount(exchange: Exchange, targetHeaders: HeaderList): void {
  const { response } = exchange.downstream;
  const { id } = exchange.request;
  const body = JSON.stringify({ input_tokens: countTokens(exchange.parsedBody()) });
  exchange.record.status = 200;
  response.writeHead(200, [
    "content-type",
    "application/json",
    "content-length",
    String(Buffer.byteLength(body)),
    ...targetHeaders,
    "x-sluice-attempts",
    "0",
    "x-request-id",
    id,
    "request-id",
    id,
  ]);
  response.end(body);
}
