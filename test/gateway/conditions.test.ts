// Conditions, stickiness and canaries from the configuration file to the provider that gets the request.
import { describe, expect, test } from "vitest";
import { startGateway } from "./gateway-fixture.ts";
import { good, scriptedUpstream } from "./scripted-upstream.ts";

const IMAGE = {
  role: "user",
  content: [{ type: "image_url", image_url: { url: "data:image/png;base64,AA" } }],
};
const TOOL = { type: "function", function: { name: "f", parameters: {} } };
const LONG = [{ role: "user", content: "word ".repeat(1000) }];

interface Asked {
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

describe("a target with a condition", () => {
  test.each<readonly [when: string, met: Asked, unmet: Asked]>([
    ["models: [ pick ]", {}, { body: { model: "other-name" } }],
    ["keys: [ k ]", { headers: { authorization: "Bearer secret-of-k" } }, {}],
    ["headers: { X-Task: code }", { headers: { "x-task": "code" } }, { headers: { "x-task": "talk" } }],
    ["headers: { x-task: '*' }", { headers: { "x-task": "any" } }, {}],
    [
      "metadata: { tier: gold }",
      { body: { metadata: { tier: "gold" } } },
      { body: { metadata: { tier: "tin" } } },
    ],
    ["metadata: { tier: '*' }", { body: { metadata: { tier: "tin" } } }, { body: { metadata: { tier: 5 } } }],
    ["min_prompt_tokens: 1000", { body: { messages: LONG } }, {}],
    ["max_prompt_tokens: 1000", {}, { body: { messages: LONG } }],
    ["tools: true", { body: { tools: [TOOL] } }, {}],
    ["tools: false", {}, { body: { tools: [TOOL] } }],
    ["images: true", { body: { messages: [IMAGE] } }, {}],
    ["stream: true", { body: { stream: true } }, {}],
    ["stream: false", {}, { body: { stream: true } }],
    ["tools: true, stream: true", { body: { tools: [TOOL], stream: true } }, { body: { stream: true } }],
  ])("%s", async (when, met, unmet) => {
    const [a, b] = [await scriptedUpstream(good), await scriptedUpstream(good)];
    const gateway = await startGateway({
      providers: { a, b },
      config: `  pick: { targets: [ { to: b/m, when: { ${when} } }, a/m ] }
  other-name: [ pick ]
keys: [ { name: k, key: secret-of-k }, { name: l, key: secret-of-l } ]`,
    });
    const provider = async ({ body, headers }: Asked): Promise<string | undefined> => {
      const all = { authorization: "Bearer secret-of-l", ...headers };
      return (await gateway.ask({ model: "pick", ...body }, undefined, all)).headers["x-sluice-provider"];
    };
    expect([await provider(met), await provider(unmet)]).toEqual(["b", "a"]);
    await gateway.settled();
  });
});

async function three(config: string, random?: () => number) {
  const [a, b, c] = await Promise.all([good, good, good].map((script) => scriptedUpstream(script)));
  if (a === undefined || b === undefined || c === undefined) throw new Error("three were started");
  const gateway = await startGateway({ providers: { a, b, c }, config, ...(random && { random }) });
  const provider = async (body: object, headers = {}): Promise<string> =>
    (await gateway.ask({ model: "pick", ...body }, undefined, headers)).headers["x-sluice-provider"] ?? "";
  return { gateway, provider };
}

describe("a sticky model", () => {
  test.each(["prompt_cache_key", "user", "x-sluice-session"])(
    "keeps the requests of one %s together",
    async (member) => {
      const { gateway, provider } = await three(
        "  pick: { strategy: weighted, sticky: true, targets: [ a/m, b/m, c/m ] }",
        () => 0.5,
      );
      const ask = (name: string, session: string): Promise<string> =>
        name.startsWith("x-")
          ? provider({ user: "all" }, { [name]: session })
          : provider({ [name]: session });
      const homes = new Map<string, Set<string>>();
      for (let turn = 0; turn < 3; turn++) {
        for (const session of ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"]) {
          const home = homes.get(session) ?? new Set();
          homes.set(session, home.add(await ask(member, session)));
        }
      }
      expect([...homes.values()].map(({ size }) => size)).toEqual(Array.from({ length: 8 }, () => 1));
      const used = [...homes.values()].reduce((all, home) => all.union(home), new Set<string>());
      expect(used.size).toBeGreaterThan(1);
      await gateway.settled();
    },
  );
});

describe("a canary", () => {
  test("gets its percentage, through aliases of aliases too", async () => {
    let draw = 0;
    const { gateway, provider } = await three(
      "  inner: { targets: [ a/m ], canary: { to: c/m, percent: 20 } }\n  pick: [ inner, b/m ]",
      () => (draw++ % 10) / 10,
    );
    const got = [];
    for (let count = 0; count < 20; count++) got.push(await provider({}));
    expect(got.filter((name) => name === "c")).toHaveLength(4);
    expect(got.filter((name) => name === "a")).toHaveLength(16);
    await gateway.settled();
  });
});
