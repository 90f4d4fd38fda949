// A client that asks for a stream and never reads it: it is cut off, the provider's answer is cancelled, the request is
// settled, and its place is free for the next one.
import { once } from "node:events";
import { createServer } from "node:http";
import { connect } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { startGateway } from "./harness.ts";

const FRAME = `data: ${JSON.stringify({
  id: "1",
  object: "chat.completion.chunk",
  created: 1,
  model: "m",
  choices: [{ index: 0, delta: { content: "x".repeat(60_000) }, finish_reason: null }],
})}\n\n`;
const ANSWER = JSON.stringify({
  id: "1",
  object: "chat.completion",
  created: 1,
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", content: "Hello" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
});

/** A provider whose streams never end; `cancelled` resolves when one of them was given up. */
async function endlessProvider() {
  const { promise: cancelled, resolve } = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => (body += text));
    request.on("end", () => {
      if (!body.includes('"stream":true')) {
        response.writeHead(200, { "content-type": "application/json" }).end(ANSWER);
        return;
      }
      response.writeHead(200, { "content-type": "text/event-stream" });
      const write = (): void => {
        while (!response.destroyed && response.write(FRAME));
      };
      response.on("drain", write).on("close", resolve);
      write();
    });
  });
  await new Promise<void>((ready) => void server.listen(0, "127.0.0.1", ready));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return { cancelled, url: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/v1` };
}

test("a client that never reads its stream gives its place back", async () => {
  const { cancelled, url } = await endlessProvider();
  const gateway = await startGateway({
    providers: { p: { dialect: "openai", base_url: url, limits: [{ concurrent: 1 }] } },
    http: { write_stall: "1s" },
    queue: { max_wait: "0" },
  });
  const client = connect(gateway.port, "127.0.0.1");
  onTestFinished(() => void client.destroy());
  client.on("error", () => client.destroy());
  await once(client, "connect");
  client.pause();
  const body = JSON.stringify({ model: "p/m", messages: [], stream: true });
  client.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  await cancelled;
  const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "p/m", messages: [] }),
  });
  expect(answer.status).toBe(200);
  expect(await gateway.metric("sluice_http_connections_stalled_total")).toBe(1);
  expect(await gateway.metric("sluice_requests_running")).toBe(0);
  expect(gateway.output()).toContain('"outcome":"client_gone"');
  await gateway.stop();
});
