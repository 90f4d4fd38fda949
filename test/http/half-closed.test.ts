import { once } from "node:events";
import { describe, expect, test } from "vitest";
import type { ClientDownstream } from "../../src/http/downstream.ts";
import { jsonRequest } from "./raw-client.ts";
import { startServer } from "./server-fixture.ts";

const CHAT = { model: "smart", messages: [{ role: "user", content: "hi" }] };

describe("a client that has closed its sending side", () => {
  async function halfClosed(bytes: string | Buffer, begin?: (downstream: ClientDownstream) => void) {
    const { promise, resolve } = Promise.withResolvers<ClientDownstream["response"]>();
    const server = await startServer({
      serve(_, downstream) {
        begin?.(downstream);
        resolve(downstream.response);
      },
    });
    const client = server.client();
    client.socket.end(bytes);
    return { client, response: await promise };
  }

  test("gets its answer", async () => {
    const { client, response } = await halfClosed(jsonRequest(CHAT));
    expect((await client.answer()).status).toBe(102);
    response.end("whole");
    let answer = await client.answer();
    while (answer.status === 102) answer = await client.answer();
    expect(answer).toMatchObject({ status: 200, body: "whole" });
    await client.untilClosed();
  });

  test("gets all of its requests' answers", async () => {
    const server = await startServer();
    const client = server.client();
    client.socket.end(Buffer.concat([jsonRequest(CHAT), jsonRequest({ ...CHAT, model: "other" })]));
    expect((await client.answer()).body).toContain("smart");
    expect((await client.answer()).body).toContain("other");
    await client.untilClosed();
  });

  test("gets its stream, with comments between the events", async () => {
    const { client, response } = await halfClosed(jsonRequest(CHAT), ({ response }) => {
      response.writeHead(200, ["content-type", "text/event-stream"]).write("data: 1\n\n");
    });
    await client.until(":\n\n\r\n");
    response.end("data: 2\n\n");
    expect((await client.answer()).body.replaceAll(":\n\n", "")).toBe("data: 1\n\ndata: 2\n\n");
  });

  test("and not gone gets nothing into an answer of another kind", async () => {
    const { client, response } = await halfClosed(jsonRequest(CHAT), ({ response }) => {
      response.writeHead(200, ["content-type", "application/json"]).write("{");
    });
    await client.until("{");
    // Another one that came later has been asked meanwhile.
    const later = await halfClosed(jsonRequest(CHAT));
    await later.client.until("102");
    response.end("}");
    expect((await client.answer()).body).toBe("{}");
  });

  test.each([
    ["before its answer", undefined],
    [
      "in a silent stream",
      ({ response }: ClientDownstream) =>
        void response.writeHead(200, ["content-type", "text/event-stream"]).write("data: 1\n\n"),
    ],
  ])("and goes away altogether is found out: %s", async (_, begin) => {
    const { client, response } = await halfClosed(jsonRequest(CHAT), begin);
    client.close();
    await once(response, "close");
    expect(response.writableFinished).toBe(false);
  });

  test("and speaks HTTP/1.0 counts as gone, since it can't be asked", async () => {
    const body = JSON.stringify(CHAT);
    const head = `POST /v1/chat/completions HTTP/1.0\r\ncontent-length: ${body.length}\r\n\r\n`;
    const { client, response } = await halfClosed(head + body);
    await once(response, "close");
    expect(await client.untilClosed()).toBe("");
  });
});
