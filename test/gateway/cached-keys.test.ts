// Whose an answer is that is kept, and what it costs whom it is given to.
import { describe, expect, test } from "vitest";
import { BODY, cached, useOf, uses } from "./cached-fixture.ts";
import type { GatewayFixture } from "./gateway-fixture.ts";
import { good } from "./scripted-upstream.ts";

describe("client keys", () => {
  const keys = (scope: string, more = "") =>
    `cache: { ttl: 60s, scope: ${scope} }\nkeys: [ { name: ann, key: sk-ann${more} }, { name: bob, key: sk-bob }, { name: eve, key: sk-eve, models: [a/m] } ]`;
  const ask =
    (gateway: GatewayFixture, who: string, members: object = {}) =>
    () =>
      gateway.ask({ ...BODY, ...members }, undefined, { authorization: `Bearer sk-${who}` });

  test("get only their own answers", async () => {
    const { gateway, upstream } = await cached({ config: keys("key") });
    const asks = [ask(gateway, "ann"), ask(gateway, "bob"), ask(gateway, "ann"), ask(gateway, "bob")];
    expect(await uses(gateway, ...asks)).toEqual(["miss", "miss", "hit", "hit"]);
    expect(upstream.requests).toHaveLength(2);
  });

  test("get each other's where that is configured, if they may ask at all", async () => {
    const { gateway } = await cached({ config: keys("shared") });
    expect(await uses(gateway, ask(gateway, "ann"), ask(gateway, "bob"))).toEqual(["miss", "hit"]);
    expect((await ask(gateway, "eve")()).status).toBe(403);
  });

  test("don't share where a condition looks at the key", async () => {
    const alias = "  choosy: [{ to: a/m, when: { keys: [ann] } }, a/m]\n";
    const { gateway } = await cached({ config: `${alias}${keys("shared")}` });
    const choosy = { model: "choosy" };
    const asks = [ask(gateway, "ann", choosy), ask(gateway, "bob", choosy), ask(gateway, "bob", choosy)];
    expect(await uses(gateway, ...asks)).toEqual(["miss", "miss", "hit"]);
  });

  test("pay for a kept answer with a request, and with nothing else", async () => {
    const limits = ", limits: [ { requests: 2/day }, { tokens: 40/day } ]";
    const { gateway } = await cached({ config: `${keys("key", limits)}\nqueue: { max_wait: 0 }` });
    const asks = [ask(gateway, "ann"), ask(gateway, "ann")];
    expect(await uses(gateway, ...asks)).toEqual(["miss", "hit"]);
    const refused = await ask(gateway, "ann")();
    expect(refused.status).toBe(429);
    expect(refused.body).toContain("requests: 2/day");
    expect(await uses(gateway, ask(gateway, "bob"))).toEqual(["miss"]);
  });

  test("get a kept answer while all places of their key are taken", async () => {
    const limits = ", limits: [ { concurrent: 1 }, { requests: 100/day } ]";
    const { gateway, upstream } = await cached({
      config: `${keys("key", limits)}\nqueue: { max_wait: 0 }`,
      scripts: [good, () => undefined],
    });
    await ask(gateway, "ann")();
    const running = ask(gateway, "ann", { n: 2 })();
    await upstream.request(1);
    expect(useOf(await ask(gateway, "ann")())).toBe("hit");
    good(await upstream.request(1));
    await running;
    await gateway.settled();
  });

  test("wait for room in their own limit as they do without a cache", async () => {
    const limits = ", limits: [ { dimension: requests, amount: 60, per: min, burst: 1 } ]";
    const { gateway } = await cached({ config: keys("key", limits) });
    await ask(gateway, "ann")();
    const pending = ask(gateway, "ann")();
    while (gateway.solo.limiter.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
    gateway.advance(1000);
    expect(useOf(await pending)).toBe("hit");
    expect(gateway.records.at(-1)?.waitedMs).toBeGreaterThan(900);
  });
});
