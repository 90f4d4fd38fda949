// One call whose answer is small and wanted whole, as a promise. Not for the busy routes, which relay what they get.
import type { IncomingHttpHeaders } from "node:http";
import { GatewayError } from "../errors.ts";
import { Call, type CallRequest } from "./call.ts";
import type { Origin } from "./origin.ts";
import type { Watch } from "./watch.ts";

/** An answer of any status. */
export interface CollectedAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

/** Sends a request now (`startedMs`) and collects its answer. Rejects with a `GatewayError`; the call's deadlines bound it. */
export function collect(origin: Origin, watch: Watch, request: CallRequest): Promise<CollectedAnswer> {
  return new Promise((resolve, reject) => {
    let status = 0;
    let headers: IncomingHttpHeaders = {};
    const chunks: Buffer[] = [];
    let bytes = 0;
    const call = new Call(origin, watch, request, {
      onHead(newStatus, newHeaders) {
        status = newStatus;
        headers = newHeaders;
        call.markFirst();
      },
      onData(chunk) {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > ANSWER_BYTES_MAX) call.abort(tooLong(origin.provider));
      },
      onEnd() {
        resolve({ status, headers, body: Buffer.concat(chunks, bytes) });
      },
      onFailure: reject,
    });
    call.start(request.startedMs);
  });
}

function tooLong(provider: string): GatewayError {
  const message = `Provider \`${provider}\` answered with more than ${ANSWER_BYTES_MAX >> 20} MiB.`;
  return new GatewayError("provider_bad_response", message);
}
