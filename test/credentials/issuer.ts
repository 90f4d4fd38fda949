// An issuer of keys on loopback: it notes what it is asked and answers what the test says.
import { createServer, type IncomingHttpHeaders } from "node:http";
import { once } from "node:events";
import { afterAll } from "vitest";

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text as it is, anything else as JSON. */
  readonly body: unknown;
}

export interface Issuer {
  readonly url: string;
  readonly asked: Asked[];
  /** What it answers from now on; null: nothing, ever. */
  reply: (asked: Asked) => Reply | null;
}

/** Starts one, which is gone when the test file ends. */
export async function startIssuer(reply: Issuer["reply"]): Promise<Issuer> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (chunk: string) => (body += chunk));
    request.on("end", () => {
      const { method = "", url = "", headers } = request;
      const question = { method, path: url, headers, body };
      asked.push(question);
      const answer = issuer.reply(question);
      if (answer === null) return;
      response.writeHead(answer.status ?? 200, { "content-type": "application/json", ...answer.headers });
      response.end(typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const issuer: Issuer = { url: `http://127.0.0.1:${port}`, asked, reply };
  return issuer;
}
