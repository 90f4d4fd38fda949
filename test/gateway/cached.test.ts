// Answers that are kept, through the whole gateway: what is a hit, what is not, whose it is, and what it costs.
import { describe, expect, test } from "vitest";
import { BODY, CACHE, cached, ERROR, useOf, uses } from "./cached-fixture.ts";
import { startGateway, type GatewayFixture } from "./gateway-fixture.ts";
import {
  answerBody,
  contentFrame,
  DONE_FRAME,
  good,
  scriptedUpstream,
  USAGE_FRAME,
  whole,
  type Script,
} from "./scripted-upstream.ts";

describe("an answer that is kept", () => {
  test.each([
    ["as a whole", {}],
    ["as a stream", { stream: true }],
    ["as a stream with usage", { stream: true, stream_options: { include_usage: true } }],
  ])("is given again %s, takes nothing from the provider and says so", async (_, members) => {
    const { gateway, upstream } = await cached();
    const first = await gateway.ask({ ...BODY, ...members });
    const used = await gateway.settled();
    gateway.advance(5300);
    const again = await gateway.ask({ ...BODY, ...members });
    expect(again.body).toBe(first.body);
    expect(again.status).toBe(200);
    expect(again.headers["content-type"]).toBe(first.headers["content-type"]);
    expect([useOf(first), useOf(again)]).toEqual(["miss", "hit"]);
    expect(first.headers["age"]).toBeUndefined();
    expect(again.headers).toMatchObject({
      age: "5",
      "x-sluice-provider": "a",
      "x-sluice-model": "m",
      "x-sluice-attempts": "0",
    });
    expect(again.headers["x-request-id"]).not.toBe(first.headers["x-request-id"]);
    expect(upstream.requests).toHaveLength(1);
    expect(await gateway.settled()).toEqual(used);
    expect(gateway.records.at(-1)).toMatchObject({
      cache: "hit",
      outcome: "ok",
      status: 200,
      attempts: 0,
      provider: "",
      usage: null,
    });
  });

  test("is given until it is too old", async () => {
    const { gateway } = await cached();
    const ask = () => gateway.ask(BODY);
    expect(await uses(gateway, ask)).toEqual(["miss"]);
    gateway.advance(59_000);
    expect(await uses(gateway, ask)).toEqual(["hit"]);
    gateway.advance(1000);
    expect(await uses(gateway, ask, ask)).toEqual(["miss", "hit"]);
  });

  test("is given while its provider does not answer", async () => {
    const { gateway } = await cached({
      scripts: [whole, (r) => r.reset()],
      config: `${CACHE}\nretry: { attempts: 1 }`,
    });
    await gateway.ask(BODY);
    for (let times = 0; times < 10; times++) await gateway.ask({ ...BODY, n: times + 2 });
    expect(useOf(await gateway.ask(BODY))).toBe("hit");
  });

  test("is given in every language that it can be asked in, and not across them", async () => {
    const { gateway, upstream } = await cached();
    const embeddings = { model: "any", input: "Hello" };
    const messages = { ...BODY, max_tokens: 10 };
    const asks = [
      () => gateway.ask(BODY),
      () => gateway.ask({ model: "any", prompt: "Hello" }, "/v1/completions"),
      () => gateway.ask(messages, "/v1/messages"),
      () => gateway.ask({ ...messages, stream: true }, "/v1/messages"),
      () => gateway.ask({ ...embeddings, store: false }, "/v1/responses"),
      () => gateway.ask({ ...embeddings, store: false, stream: true }, "/v1/responses"),
    ];
    expect(await uses(gateway, ...asks)).toEqual(asks.map(() => "miss"));
    expect(await uses(gateway, ...asks)).toEqual(asks.map(() => "hit"));
    expect(upstream.requests).toHaveLength(asks.length);
  });

  test("keeps what the client was told about its request", async () => {
    const { gateway } = await cached({ quirks: "{ drop: [logit_bias] }" });
    const ask = () => gateway.ask({ ...BODY, logit_bias: { "1": 2 } });
    const [first, again] = [await ask(), await ask()];
    expect(useOf(again)).toBe("hit");
    expect(again.headers["x-sluice-warning"]).toBe(first.headers["x-sluice-warning"]);
  });
});

describe("embeddings", () => {
  test("are kept in the form in which they were asked for", async () => {
    const body = JSON.stringify({
      object: "list",
      data: [{ object: "embedding", index: 0, embedding: [0.5, 1] }],
      model: "m",
      usage: { prompt_tokens: 1, total_tokens: 1 },
    });
    const { gateway } = await cached({ scripts: [(r) => r.answer(200, body)] });
    const ask = (form: string) => () =>
      gateway.ask({ model: "any", input: "x", encoding_format: form }, "/v1/embeddings");
    expect(await uses(gateway, ask("float"), ask("base64"), ask("float"), ask("base64"))).toEqual([
      "miss",
      "miss",
      "hit",
      "hit",
    ]);
  });
});

describe("a request is the same", () => {
  test.each([
    ["for another end user", { user: "ann" }],
    ["with other metadata", { metadata: { a: "b" } }],
    ["of another session", { prompt_cache_key: "s" }],
    ["with stream options that it does not use", { stream_options: null }],
  ])("%s", async (_, members) => {
    const { gateway } = await cached();
    expect(
      await uses(
        gateway,
        () => gateway.ask(BODY),
        () => gateway.ask({ ...members, ...BODY }),
      ),
    ).toEqual(["miss", "hit"]);
  });
});

describe("a request is another one", () => {
  test.each([
    ["with another text", { messages: [{ role: "user", content: "Hello!" }] }],
    ["at another temperature", { temperature: 0.5 }],
    ["with another limit", { max_tokens: 5 }],
    ["for another name of the same model", { model: "a/m" }],
    ["as a stream", { stream: true }],
    ["with a member that nobody knows", { x_new: 1 }],
  ])("%s", async (_, members) => {
    const { gateway } = await cached();
    expect(
      await uses(
        gateway,
        () => gateway.ask(BODY),
        () => gateway.ask({ ...BODY, ...members }),
      ),
    ).toEqual(["miss", "miss"]);
  });

  test("in another header or metadata that a condition looks at", async () => {
    const upstream = await scriptedUpstream(good);
    const gateway = await startGateway({
      providers: { a: upstream },
      config: `${CACHE}\n`,
    });
    const conditions = {
      providers: { a: upstream },
      config: `  choosy: [{ to: a/m, when: { headers: { x-task: "*" } } }, { to: a/m, when: { metadata: { tier: gold } } }, a/m]\n${CACHE}`,
    };
    await gateway.reload(conditions);
    const ask =
      (members: object, headers: Record<string, string> = {}) =>
      () =>
        gateway.ask({ ...BODY, model: "choosy", ...members }, undefined, headers);
    expect(
      await uses(
        gateway,
        ask({}),
        ask({}, { "x-task": "a" }),
        ask({}, { "x-task": "b" }),
        ask({ metadata: { tier: "gold" } }),
        ask({}, { "x-task": "b" }),
        ask({}, { "x-other": "b" }),
      ),
    ).toEqual(["miss", "miss", "miss", "miss", "hit", "hit"]);
  });
});

describe("nothing is kept of", () => {
  const isAsked = { ...BODY, stream: true };
  test.each<[string, object, Script]>([
    ["an error", BODY, (r) => r.answer(400, ERROR)],
    ["an overload", BODY, (r) => r.answer(503, ERROR)],
    ["a 200 that holds an error", BODY, (r) => r.answer(200, ERROR)],
    ["a stream that breaks off", isAsked, (r) => r.streamHead().chunk(contentFrame("Hel")).reset()],
    ["a stream without an end", isAsked, (r) => r.streamHead().chunk(contentFrame("Hel")).endChunks()],
    [
      "a stream that tells of an error",
      isAsked,
      (r) =>
        void r
          .streamHead()
          .chunk(contentFrame("Hel"))
          .chunk(`data: ${ERROR}\n\n`)
          .chunk(DONE_FRAME)
          .endChunks(),
    ],
    [
      "an answer that breaks off",
      BODY,
      (r) =>
        r.write("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{").reset(),
    ],
    ["an answer above the bound", BODY, (r) => r.answer(200, answerBody("x".repeat(3000)))],
    [
      "a stream above the bound",
      isAsked,
      (r) =>
        void r
          .streamHead()
          .chunk(contentFrame("x".repeat(3000)))
          .chunk(USAGE_FRAME)
          .chunk(DONE_FRAME)
          .endChunks(),
    ],
  ])("%s", async (_, body, script) => {
    const { gateway, upstream } = await cached({
      scripts: [script, good],
      config: "cache: { ttl: 60s, max_answer: 2kb }\nretry: { attempts: 1 }",
    });
    const first = await gateway.ask(body);
    gateway.advance(30_000);
    const second = await gateway.ask(body);
    expect(second.status).toBe(200);
    expect(useOf(second)).toBe("miss");
    expect(second.body).not.toBe(first.body);
    expect(upstream.requests).toHaveLength(2);
    await gateway.settled();
  });

  test.each([
    ["a response that the provider stores", "/v1/responses", { model: "any", input: "x" }],
    [
      "a response that builds on another",
      "/v1/responses",
      { model: "any", input: "x", store: false, conversation: "c" },
    ],
    [
      "a response in the background",
      "/v1/responses",
      { model: "any", input: "x", store: false, background: true },
    ],
    ["a chat that the provider stores", undefined, { ...BODY, store: true }],
  ])("%s", async (_, path, body) => {
    const { gateway } = await cached();
    await gateway.ask(body, path);
    await gateway.ask(body, path);
    await gateway.settled();
    expect(gateway.records.map(({ cache }) => cache)).toEqual(["bypass", "bypass"]);
  });

  test("counted tokens, which cost nothing anyway", async () => {
    const { gateway } = await cached();
    const ask = () => gateway.ask({ ...BODY, max_tokens: 1 }, "/v1/messages/count_tokens");
    expect(await uses(gateway, ask, ask)).toEqual([undefined, undefined]);
  });
});

describe("cache-control", () => {
  const ask = (gateway: GatewayFixture, directive: string) => () =>
    gateway.ask(BODY, undefined, { "cache-control": directive });

  test("no-store leaves the cache out", async () => {
    const { gateway } = await cached();
    const asks = [ask(gateway, "no-store"), ask(gateway, ""), ask(gateway, "no-store")];
    expect(await uses(gateway, ...asks)).toEqual(["bypass", "miss", "bypass"]);
  });

  test("no-cache asks the provider, whose answer is kept", async () => {
    const { gateway } = await cached({
      scripts: [(r) => r.answer(200, answerBody("one")), (r) => r.answer(200, answerBody("two"))],
    });
    expect(await uses(gateway, ask(gateway, ""), ask(gateway, "no-cache"))).toEqual(["miss", "miss"]);
    const last = await gateway.ask(BODY);
    expect(useOf(last)).toBe("hit");
    expect(last.body).toContain("two");
  });

  test("max-age bounds the age", async () => {
    const { gateway } = await cached();
    await gateway.ask(BODY);
    gateway.advance(10_000);
    expect(await uses(gateway, ask(gateway, "max-age=11"), ask(gateway, "max-age=10"))).toEqual([
      "hit",
      "miss",
    ]);
  });

  test.each(["only-if-cached", "only-if-cached, no-cache", "only-if-cached, no-store"])(
    "%s is never passed on",
    async (directive) => {
      const { gateway, upstream } = await cached();
      const refused = await ask(gateway, directive)();
      expect(refused.status).toBe(504);
      expect(JSON.parse(refused.body).error.code).toBe("not_cached");
      expect(refused.headers["x-should-retry"]).toBe("false");
      expect(upstream.requests).toHaveLength(0);
      expect(gateway.records.at(-1)?.outcome).toBe("refused");
      await gateway.ask(BODY);
      const kept = await ask(gateway, directive)();
      expect(kept.status).toBe(directive === "only-if-cached" ? 200 : 504);
    },
  );
});

describe("the configuration", () => {
  test("keeps nothing by default, and says nothing", async () => {
    const { gateway, upstream } = await cached({ config: "" });
    const ask = () => gateway.ask(BODY);
    expect(await uses(gateway, ask, ask)).toEqual([undefined, undefined]);
    expect(upstream.requests).toHaveLength(2);
  });

  test.each([
    ["models: [any]", "miss", undefined],
    ["except: [any]", undefined, "miss"],
    ["models: [any, a/m], except: [a/m]", "miss", undefined],
  ])("%s chooses by the name that is asked for", async (choice, any, direct) => {
    const { gateway } = await cached({ config: `cache: { ttl: 60s, ${choice} }` });
    expect(
      await uses(
        gateway,
        () => gateway.ask(BODY),
        () => gateway.ask({ ...BODY, model: "a/m" }),
      ),
    ).toEqual([any, direct]);
  });

  test("can be changed while it runs: on, off, on, and what was kept is gone", async () => {
    const { gateway, upstream } = await cached({ config: "" });
    const ask = () => gateway.ask(BODY);
    const reload = (config: string) => gateway.reload({ providers: { a: upstream }, config });
    expect(await uses(gateway, ask)).toEqual([undefined]);
    await reload(CACHE);
    expect(await uses(gateway, ask, ask)).toEqual(["miss", "hit"]);
    await reload("cache: { ttl: 30s }");
    gateway.advance(20_000);
    expect(await uses(gateway, ask)).toEqual(["hit"]);
    await reload("");
    expect(await uses(gateway, ask)).toEqual([undefined]);
    await reload(CACHE);
    expect(await uses(gateway, ask)).toEqual(["miss"]);
  });

  test("that lets a name lead elsewhere makes its answers be asked for anew, and those of others not", async () => {
    const { gateway, upstream } = await cached();
    const other = await scriptedUpstream(good);
    const withAlias = (target: string) => ({
      providers: { a: upstream, b: other },
      config: `  mine: [${target}]\n${CACHE}`,
    });
    const mine = () => gateway.ask({ ...BODY, model: "mine" });
    await gateway.reload(withAlias("a/m"));
    expect(await uses(gateway, () => gateway.ask(BODY), mine, mine)).toEqual(["miss", "miss", "hit"]);
    await gateway.reload(withAlias("b/m"));
    expect(await uses(gateway, () => gateway.ask(BODY), mine)).toEqual(["hit", "miss"]);
    expect(other.requests).toHaveLength(1);
  });
});
