// A gateway whose sibling has all places of a provider's limit on running requests, and uses none.
import { expect, onTestFinished, test } from "vitest";
import { Pair } from "../limiter/pair.ts";
import { limitSpec } from "../limiter/solo-limiter.ts";
import type { RawAnswer } from "../http/raw-client.ts";
import { startGateway } from "./gateway-fixture.ts";
import { answerBody, scriptedUpstream } from "./scripted-upstream.ts";

const CAPACITY = 4;

test.each(["0s", "300ms", "10s"])(
  "all places are used before the fallback is, with max_wait: %s",
  async (maxWait) => {
    const a = await scriptedUpstream(() => undefined);
    const b = await scriptedUpstream(() => undefined);
    const pair = new Pair();
    onTestFinished(() => pair.close());
    await pair.idleAtFirst(limitSpec("provider", "a", `concurrent=${CAPACITY}`));
    const gateway = await startGateway({
      providers: { a, b },
      limits: { a: `[ { concurrent: ${CAPACITY} } ]` },
      config: `queue: { max_wait: ${maxWait} }`,
      solo: pair.solo(1),
    });
    const answers: Promise<RawAnswer>[] = [];
    const served: number[] = [];
    for (let at = 1; at <= CAPACITY + 1; at++) {
      answers.push(gateway.ask({ model: "any" }));
      while (a.requests.length + b.requests.length < at) {
        await new Promise((resolve) => setImmediate(resolve));
        if (gateway.solo.limiter.waiting > 0) await pair.pass(10);
      }
      served.push(a.requests.length);
      // What the sibling still kept for itself follows once this instance's demand is known.
      await pair.pass(600);
    }
    expect(served).toEqual([1, 2, 3, 4, 4]);
    for (const { requests } of [a, b]) for (const request of requests) request.answer(200, answerBody());
    for (const answer of await Promise.all(answers)) expect(answer.status).toBe(200);
    await gateway.settled();
  },
);
