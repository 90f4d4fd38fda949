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

/** A request that one of the languages has no words for. */
const SPOKEN = {
  model: "any",
  messages: [
    { role: "user", content: [{ type: "input_audio", input_audio: { data: "AAAA", format: "wav" } }] },
  ],
};

test.each([
  ["first", { a: "anthropic" }, "b", "1"],
  ["after a failure", { b: "anthropic" }, "c", "2"],
])(
  "a target that can't be asked this is passed over, and is no attempt: %s",
  async (_, dialects, provider, attempts) => {
    const [a, b, c] = await Promise.all([
      scriptedUpstream((r) => r.answer(503, "{}")),
      scriptedUpstream(whole),
      scriptedUpstream(whole),
    ]);
    const gateway = await startGateway({ providers: { a, b, c }, dialects });
    const answer = await gateway.ask(SPOKEN);
    expect(answer).toMatchObject({
      status: 200,
      headers: { "x-sluice-provider": provider, "x-sluice-attempts": attempts },
    });
    expect((await gateway.settled()).requests).toBe(Number(attempts));
  },
);

test("the client is told how the targets failed that could be asked", async () => {
  const [a, b] = [await scriptedUpstream((r) => r.answer(401, "{}")), await scriptedUpstream(whole)];
  const gateway = await startGateway({ providers: { a, b }, dialects: { b: "anthropic" } });
  const answer = await gateway.ask(SPOKEN);
  expect(answer).toMatchObject({
    status: 502,
    headers: { "x-sluice-error": "provider_auth", "x-sluice-provider": "a", "x-sluice-attempts": "1" },
  });
  expect(gateway.records).toMatchObject([{ provider: "a", attempts: 1, errorCode: "provider_auth" }]);
  await gateway.settled();
});

test("and what can't be asked of any of them is the request's fault", async () => {
  const [a, b] = [await scriptedUpstream(whole), await scriptedUpstream(whole)];
  const gateway = await startGateway({ providers: { a, b }, dialects: { a: "anthropic", b: "anthropic" } });
  const answer = await gateway.ask(SPOKEN);
  expect(answer).toMatchObject({
    status: 400,
    headers: { "x-sluice-error": "unsupported_parameter", "x-sluice-attempts": "0" },
  });
  expect((await gateway.settled()).requests).toBe(0);
});
