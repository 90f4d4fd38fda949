// Failures that routing answers with another target or a pause.
import { expect, test } from "vitest";
import { startGateway } from "./gateway-fixture.ts";
import { answerBody, scriptedUpstream, whole } from "./scripted-upstream.ts";

const TOO_LONG =
  '{"error":{"message":"too long","type":"invalid_request_error","code":"context_length_exceeded"}}';
const SLOW_DOWN = '{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}';

test("a prompt that is too long for one model goes to another", async () => {
  const small = await scriptedUpstream((r) => r.answer(400, TOO_LONG));
  const large = await scriptedUpstream(whole);
  const gateway = await startGateway({ providers: { a: small, b: large } });
  const answer = await gateway.ask({ model: "any" });
  expect(answer).toMatchObject({ status: 200, body: answerBody(), headers: { "x-sluice-provider": "b" } });
  await gateway.settled();
});

test("a provider is tried again no sooner than it asked for", async () => {
  const upstream = await scriptedUpstream((r) => r.answer(429, SLOW_DOWN, { "retry-after": "3" }), whole);
  const gateway = await startGateway({ providers: { a: upstream } });
  const pending = gateway.ask({ model: "any" });
  while (gateway.solo.limiter.pausedUntilMs("a") < 0) await new Promise((resolve) => setImmediate(resolve));
  gateway.advance(2999);
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  expect(upstream.requests).toHaveLength(1);
  gateway.advance(2);
  expect(await pending).toMatchObject({ status: 200, headers: { "x-sluice-attempts": "2" } });
  await gateway.settled();
});

test("nobody waits longer than ten seconds for a provider to be ready again", async () => {
  const upstream = await scriptedUpstream((r) => r.answer(429, SLOW_DOWN, { "retry-after": "30" }), whole);
  const gateway = await startGateway({ providers: { a: upstream } });
  const answer = await gateway.ask({ model: "any" });
  expect(answer).toMatchObject({ status: 429, headers: { "retry-after": "30", "x-sluice-attempts": "1" } });
  await gateway.settled();
});
