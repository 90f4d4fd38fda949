// A provider of any language for end-to-end tests: it answers with what it was given to say, in pieces that cut frames
// anywhere, and keeps what it was sent.
import { createServer, type IncomingHttpHeaders } from "node:http";
import { isObject, type Json } from "../../providers/dialects/json.ts";

export interface Reply {
  readonly status?: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

export interface Sent {
  /** `POST /path?query`. */
  readonly line: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Json;
}

export interface Vendor {
  readonly url: string;
  /** Sets the answers to the next requests, in order, and forgets what was sent before. */
  willAnswer(...replies: readonly Reply[]): void;
  readonly sent: readonly Sent[];
  close(): void;
}

const PIECE_BYTES = 97;

export async function startVendor(): Promise<Vendor> {
  const replies: Reply[] = [];
  const sent: Sent[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request
      .on("data", (part: Buffer) => parts.push(part))
      .on("end", () => {
        const body: unknown = JSON.parse(Buffer.concat(parts).toString());
        const line = `${request.method} ${request.url}`;
        sent.push({ line, headers: request.headers, body: isObject(body) ? body : {} });
        const reply = replies.shift() ?? NOTHING_TO_SAY;
        response.writeHead(reply.status ?? 200, reply.headers);
        const bytes = Buffer.from(reply.body);
        for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
          response.write(bytes.subarray(at, at + PIECE_BYTES));
        }
        response.end();
      });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    sent,
    willAnswer(...next) {
      replies.splice(0, replies.length, ...next);
      sent.length = 0;
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

const NOTHING_TO_SAY: Reply = {
  status: 418,
  headers: { "content-type": "application/json" },
  body: '{"error":{"message":"This request was not expected."}}',
};
