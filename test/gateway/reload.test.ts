// A new configuration while requests run: they go on as they began, new ones follow the new one, no bucket is reset.
import { expect, test } from "vitest";
import { formatDuration } from "../../src/gateway/relay/answer-headers.ts";
import { jsonRequest } from "../http/raw-client.ts";
import { startGateway } from "./gateway-fixture.ts";
import { contentFrame, DONE_FRAME, FINISH_FRAME, scriptedUpstream, whole } from "./scripted-upstream.ts";

test("a stream that runs is finished by the provider it began with", async () => {
  const before = await scriptedUpstream((r) => void r.streamHead().chunk(contentFrame("Hel", null)));
  const after = await scriptedUpstream(whole);
  const gateway = await startGateway({ providers: { a: before } });
  const client = gateway.client().send(jsonRequest({ model: "any", messages: [], stream: true }));
  await client.until("Hel");
  const used = gateway.used();
  await gateway.reload({ providers: { a: after } });
  expect((await gateway.ask({ model: "any" })).status).toBe(200);
  expect(gateway.used().requests).toBe(used.requests + 1);
  (await before.request(0)).chunk(FINISH_FRAME).chunk(DONE_FRAME).endChunks();
  const answer = await client.answer();
  expect(answer.body.endsWith(DONE_FRAME)).toBe(true);
  await gateway.settled();
});

test("a model that is gone from the new configuration is not found", async () => {
  const upstream = await scriptedUpstream(whole);
  const gateway = await startGateway({ providers: { a: upstream } });
  await gateway.reload({ providers: { b: upstream } });
  expect((await gateway.ask({ model: "a/m" })).status).toBe(404);
  expect((await gateway.ask({ model: "b/m" })).status).toBe(200);
  await gateway.settled();
});

test.each([
  [0, "0s"],
  [0.2, "1ms"],
  [12, "12ms"],
  [999.5, "1s"],
  [6200, "6.2s"],
  [63_200, "1m3.2s"],
  [360_000, "6m0s"],
  [86_400_000, "24h0m0s"],
  [Infinity, "0s"],
])("%s ms until a bucket is full is written %s", (ms, expected) => {
  expect(formatDuration(ms)).toBe(expected);
});
