// A server that is told to stop: what runs is finished, what comes later is sent elsewhere, and nothing that has arrived
// goes without an answer.
import { once } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import type { ClientDownstream } from "../../src/http/downstream.ts";
import { errorOf } from "./envelope.ts";
import { jsonRequest, RawClient } from "./raw-client.ts";
import { startServer } from "./server-fixture.ts";

const CHAT = { model: "smart", messages: [{ role: "user", content: "hi" }] };
const CHAT_HEAD = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";

test("a drain lets running requests finish, refuses new ones and closes idle connections", async () => {
  const pending: ClientDownstream[] = [];
  const server = await startServer({ serve: (_, downstream) => void pending.push(downstream) });
  const running = server.client().send(jsonRequest(CHAT));
  while (pending.length === 0) await nextTurn();
  const idle = server.client();
  await once(idle.socket, "connect");
  const begun = server.client().send(CHAT_HEAD);
  const drained = server.server.drain();
  const late = new RawClient(server.port);
  await late.untilClosed();
  pending[0]?.response.end("whole");
  expect((await running.answer()).body).toBe("whole");
  begun.close();
  await drained;
  await idle.untilClosed();
});

test("a drain refuses a request on an open connection with a hint to come back", async () => {
  const pending: ClientDownstream[] = [];
  const server = await startServer({ serve: (_, downstream) => void pending.push(downstream) });
  const client = server.client().send(jsonRequest(CHAT));
  while (pending.length === 0) await nextTurn();
  const drained = server.server.drain();
  client.send(jsonRequest(CHAT));
  while (server.records.length === 0) await nextTurn();
  expect(server.records).toMatchObject([{ route: "/v1/chat/completions", errorCode: "shutting_down" }]);
  pending[0]?.response.end("whole");
  expect((await client.answer()).body).toBe("whole");
  const refused = await client.answer();
  expect(refused).toMatchObject({ status: 503, headers: { "retry-after": "1", connection: "close" } });
  expect(errorOf(refused)).toMatchObject({ code: "shutting_down" });
  await drained;
});

test("a drain answers a request that had arrived on an idle connection", async () => {
  const server = await startServer({ serve: (_, { response }) => response.end("whole") });
  const client = server.client().send(jsonRequest(CHAT));
  expect((await client.answer()).body).toBe("whole");
  client.send(jsonRequest(CHAT));
  const drained = server.server.drain();
  expect(errorOf(await client.answer())).toMatchObject({ code: "shutting_down" });
  await drained;
});

test("a drain is cut short by close", async () => {
  const server = await startServer({ serve: () => {} });
  const client = server.client().send(jsonRequest(CHAT));
  await once(client.socket, "connect");
  const drained = server.server.drain();
  server.server.close();
  await drained;
  await client.untilClosed();
});
