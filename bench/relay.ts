// The limit of this stack: a relay in the fewest lines of node:http and undici, without anything that a gateway is for.
// `node bench/relay.ts UPSTREAM_PORT` prints its own port on the first line.
import { createServer } from "node:http";
import { Pool } from "undici";

const pool = new Pool(`http://127.0.0.1:${process.argv[2]}`);
const headers = ["content-type", "application/json", "authorization", "Bearer sk-bench-upstream-key"];

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const body = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
    pool.dispatch(
      { path: request.url ?? "/", method: "POST", headers, body: body ?? null },
      {
        onRequestStart() {},
        onResponseStart(_controller, status, answerHeaders) {
          response.writeHead(status, answerHeaders);
        },
        onResponseData(controller, chunk) {
          if (response.write(chunk)) return;
          controller.pause();
          response.once("drain", () => controller.resume());
        },
        onResponseEnd() {
          response.end();
        },
        onResponseError() {
          response.destroy();
        },
      },
    );
  });
});
process.once("SIGTERM", () => process.exit());
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  console.log(typeof address === "object" ? address?.port : address);
});
