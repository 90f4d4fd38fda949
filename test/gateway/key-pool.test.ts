// Several API keys of one provider: each with the limits for itself and a circuit of its own, chosen by room.
import { describe, expect, test } from "vitest";
import { startGateway, type GatewayFixture } from "./gateway-fixture.ts";
import { answerBody, scriptedUpstream, type Script } from "./scripted-upstream.ts";

const REFUSED = '{"error":{"message":"Incorrect API key","code":"invalid_api_key"}}';
const MISSING = '{"error":{"message":"no such model","code":"model_not_found"}}';
const SLOW_DOWN = '{"error":{"message":"slow down","type":"rate_limit_error"}}';

/** Answers by the key that it is shown. */
function byKey(answers: Readonly<Record<string, Script>>): Script {
  return (request) => {
    const key = request.header("authorization")?.replace("Bearer ", "") ?? "";
    (answers[key] ?? ((one) => one.answer(200, answerBody())))(request);
  };
}

const refuse: Script = (request) => request.answer(401, REFUSED);
const miss: Script = (request) => request.answer(404, MISSING);

async function startPool(script: Script, limits: string, keys = "[ key-one, { name: two, key: key-two } ]") {
  const upstream = await scriptedUpstream(script);
  const gateway = await startGateway({
    providers: { a: upstream },
    keys,
    limits,
    config: "queue: { max_wait: 0s }",
  });
  const used = (): readonly string[] => upstream.requests.map((one) => one.header("authorization") ?? "");
  return { gateway, upstream, used };
}

function levels(gateway: GatewayFixture): Record<string, number> {
  const samples = [...gateway.solo.limiter.samples()].filter(
    ({ name }) => name === "sluice_bucket_level_units",
  );
  return Object.fromEntries(samples.map(({ labels, value }) => [labels["bucket"] ?? "", value]));
}

const states = ({ plant, solo }: GatewayFixture): readonly string[] =>
  [...plant.health.circuits(solo.clock.elapsedMs())]
    .filter(({ state }) => state !== "closed")
    .map(({ scope, name, key, state }) => `${scope} ${name}${key} ${state}`);

describe("a pool of API keys", () => {
  test("has the limits once for each key, and the key with the most room is taken", async () => {
    const { gateway, used } = await startPool(byKey({}), "[ { requests: 60/min, burst: 3 } ]");
    for (let count = 0; count < 6; count++) expect((await gateway.ask({ model: "any" })).status).toBe(200);
    expect((await gateway.ask({ model: "any" })).status).toBe(429);
    expect(used().filter((key) => key === "Bearer key-one")).toHaveLength(3);
    expect(used().filter((key) => key === "Bearer key-two")).toHaveLength(3);
    expect(levels(gateway)).toEqual({ "a~1/requests/min": 0, "a~two/requests/min": 0 });
    await gateway.settled();
  });

  test("lets a key have limits of its own", async () => {
    const keys = "[ key-one, { name: two, key: key-two, limits: [ { requests: 60/min, burst: 1 } ] } ]";
    const { gateway, used } = await startPool(byKey({}), "[ { requests: 60/min, burst: 4 } ]", keys);
    for (let count = 0; count < 5; count++) expect((await gateway.ask({ model: "any" })).status).toBe(200);
    expect((await gateway.ask({ model: "any" })).status).toBe(429);
    expect(used().filter((key) => key === "Bearer key-two")).toHaveLength(1);
    await gateway.settled();
  });

  test.each([401, 403])("goes on without a key that the provider refuses with %i", async (status) => {
    const bad: Script = (request) => request.answer(status, REFUSED);
    const { gateway, upstream } = await startPool(byKey({ "key-one": bad }), "[ { requests: 1000/min } ]");
    for (let count = 0; count < 20; count++) expect((await gateway.ask({ model: "any" })).status).toBe(200);
    expect(states(gateway)).toEqual(["key 1 open"]);
    expect(upstream.requests).toHaveLength(22);
    // Another model of the provider is not tried with it either.
    expect((await gateway.ask({ model: "a/other" })).headers["x-sluice-attempts"]).toBe("1");
    await gateway.settled();
  });

  test("tells the client when every key is refused", async () => {
    const { gateway } = await startPool(refuse, "[ { requests: 1000/min } ]");
    const first = await gateway.ask({ model: "any" });
    expect(first).toMatchObject({ status: 502, headers: { "x-sluice-error": "provider_auth" } });
    expect(`${first.body}${JSON.stringify(first.headers)}`).not.toContain("key-");
    await gateway.settled();
  });

  test("takes a missing model for that model's fault", async () => {
    const { gateway } = await startPool(miss, "[ { requests: 1000/min } ]");
    for (let count = 0; count < 2; count++) await gateway.ask({ model: "any" });
    expect(states(gateway)).toEqual(["model m1 open", "model mtwo open"]);
    await gateway.settled();
  });

  test("pauses the key that a 429 was for, and no other", async () => {
    const busy: Script = (request) => request.answer(429, SLOW_DOWN, { "retry-after": "30" });
    const { gateway, used } = await startPool(byKey({ "key-one": busy }), "[ { requests: 1000/min } ]");
    for (let count = 0; count < 10; count++) expect((await gateway.ask({ model: "any" })).status).toBe(200);
    expect(used().filter((key) => key === "Bearer key-one")).toHaveLength(1);
    const now = gateway.solo.clock.elapsedMs();
    expect(gateway.solo.limiter.pausedUntilMs("a~1")).toBe(now + 30_000);
    expect(gateway.solo.limiter.pausedUntilMs("a~two")).toBeLessThanOrEqual(now);
    await gateway.settled();
  });

  test("keeps its levels over a reload, whatever is changed about the other keys", async () => {
    const { gateway, upstream } = await startPool(byKey({}), "[ { requests: 60/min, burst: 3 } ]");
    for (let count = 0; count < 6; count++) await gateway.ask({ model: "any" });
    await gateway.reload({
      providers: { a: upstream },
      keys: "[ key-new, { name: two, key: key-two }, { name: three, key: key-three } ]",
      limits: "[ { requests: 60/min, burst: 3 } ]",
      config: "queue: { max_wait: 0s }",
    });
    for (let count = 0; count < 3; count++) expect((await gateway.ask({ model: "any" })).status).toBe(200);
    expect((await gateway.ask({ model: "any" })).status).toBe(429);
    expect(upstream.requests.slice(6).map((one) => one.header("authorization"))).toEqual(
      Array.from({ length: 3 }, () => "Bearer key-three"),
    );
    await gateway.settled();
  });
});
