import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { load, problemsOf } from "./setup.ts";

describe("a provider", () => {
  test("takes its key from the variable that its catalog file names", async () => {
    const { config } = await load("providers: { openai: }");
    expect(config.providers.get("openai")).toMatchObject({
      type: "openai",
      apiKey: "sk-secret-from-the-environment",
      baseUrl: "https://api.openai.com/v1",
      auth: { kind: "header", header: "authorization", prefix: "Bearer " },
    });
  });

  test("of the catalog can be changed key by key", async () => {
    const { config } = await load(`
providers:
  eu:
    type: anthropic
    api_key: k
    base_url: https://eu.example.com/v1/
    auth: { header: Authorization }
    headers: { X-Team: a }
    counting: { output_weight: 5 }
    errors: [ { status: 418, kind: transient } ]
    quirks: { drop: [ seed ], set: { a: true, b: 1_000, c: [ x, null ], d: { e: "2" } } }
    options: { anthropic_version: "2026-10-21" }
    models: { claude-haiku-4-5: { prices: { input: 9, output: 10 } }, mine: }
`);
    const provider = config.providers.get("eu");
    expect(provider).toMatchObject({
      type: "anthropic",
      baseUrl: "https://eu.example.com/v1",
      auth: { kind: "header", header: "authorization", prefix: "Bearer " },
      headers: { "x-team": "a" },
      counting: { outputWeight: 5, cachedInputCounts: false },
      quirks: { drop: ["seed"], set: { a: true, b: 1000, c: ["x", null], d: { e: 2 } } },
      options: { anthropic_version: "2026-10-21" },
    });
    expect(provider?.errorHints[0]).toEqual({ status: 418, code: null, message: null, kind: "transient" });
    expect(provider?.errorHints.length).toBeGreaterThan(3);
    expect(provider?.models.get("claude-haiku-4-5")).toMatchObject({
      family: "claude-haiku-4",
      contextTokens: 200_000,
      prices: { input: 9, cachedInput: 9, asOf: null },
    });
    expect(provider?.models.get("mine")?.prices).toBeNull();
  });

  test("can be defined without the catalog", async () => {
    const { config } = await load("providers: { own: { dialect: openai, base_url: http://10.0.0.1/v1 } }");
    expect(config.providers.get("own")).toMatchObject({
      type: "custom",
      apiKey: null,
      endpoints: null,
      models: new Map(),
    });
  });

  test("fills placeholders with options", async () => {
    const { config } = await load("providers: { azure: { api_key: k, options: { resource: my-res } } }");
    expect(config.providers.get("azure")?.baseUrl).toBe("https://my-res.openai.azure.com/openai/v1");
  });

  test("can sign its requests, with the credentials of the file or of the environment", async () => {
    const env = { AWS_ACCESS_KEY_ID: "AK", AWS_SECRET_ACCESS_KEY: "sk", AWS_REGION: "eu-west-1" };
    const { config } = await load(
      "providers: { bedrock: , other: { type: bedrock, credentials: { access_key_id: B, secret_access_key: s } } }",
      { env },
    );
    const auth = (name: string): unknown => config.providers.get(name)?.auth;
    expect(config.providers.get("bedrock")?.baseUrl).toBe("https://bedrock-runtime.eu-west-1.amazonaws.com");
    const service = { kind: "sigv4", service: "bedrock" };
    expect(auth("bedrock")).toEqual({
      ...service,
      credentials: { accessKeyId: "AK", secretAccessKey: "sk", sessionToken: null },
    });
    expect(auth("other")).toEqual({
      ...service,
      credentials: { accessKeyId: "B", secretAccessKey: "s", sessionToken: null },
    });
  });

  test("that is the simulator has no URL yet", async () => {
    const { config } = await load("providers: { sim: { type: simulator } }");
    expect(config.providers.get("sim")).toMatchObject({ isSimulator: true, baseUrl: "", apiKey: null });
  });

  test.each([
    ["{ opnai: }", "1:14: providers.opnai: there is no opnai.yaml in providers/catalog: set `type`"],
    [
      "{ a: { type: ../../etc } }",
      "1:25: providers.a.type: there is no file of this name in providers/catalog",
    ],
    ["{ own: { dialect: openai } }", "set `type`, or `dialect` and `base_url`"],
    ["{ own: { dialect: opnai, base_url: http://x } }", 'did you mean "openai"?'],
    ["{ simulator: { base_url: http://x } }", "the built-in simulator has no address"],
    ["{ key: { type: openai } }", "is not `key`"],
    ["{ a/b: { type: openai } }", "a provider's name is made of letters"],
    ["{ '': { type: openai } }", "a provider's name is made of letters"],
    [
      "{ groq: }",
      "providers.groq.api_key: the API key is missing: set it here, or the environment variable GROQ_API_KEY",
    ],
    ["{ bedrock: }", "providers.bedrock.api_key: the API key is missing"],
    ["{ groq: { api_key: '' } }", "providers.groq.api_key: expected a secret, not an empty text"],
    ['{ groq: { api_key: "a\\nb" } }', "no header can carry"],
    ["{ groq: { api_key: [ a ] } }", "providers.groq.api_key: expected a secret"],
    [
      "{ azure: { api_key: k } }",
      "`resource` is missing: set it here, or the environment variable AZURE_OPENAI_RESOURCE",
    ],
    ["{ azure: { api_key: k, options: { resorce: x } } }", 'no such option; did you mean "resource"?'],
    ["{ simulator: { options: { first_ms: soon } } }", "options.first_ms: expected a number of at least 0"],
    ["{ simulator: { options: { pace_ms: -1 } } }", "options.pace_ms: expected a number of at least 0"],
    ["{ azure: { api_key: k, options: { resource: a/b } } }", "it becomes part of a URL"],
    ["{ vllm: { base_url: 'http://x/{port}' } }", "nothing in `options` fills {port}"],
    ["{ vllm: { base_url: ftp://x } }", "must begin with http:// or https://"],
    ["{ vllm: { base_url: http://me:secret@x } }", "put credentials into `api_key`"],
    ["{ vllm: { base_url: http://x/v1?a=b } }", "put what follows `?` into `query`"],
    ["{ vllm: { base_url: nonsense } }", "expected a URL"],
    ['{ vllm: { headers: { "x y": a } } }', "a character that is not allowed"],
    ['{ vllm: { headers: { x: "a\\r\\nb: c" } } }', "a character that is not allowed"],
    ["{ vllm: { paths: { chat: chat } } }", "a path begins with /"],
    ["{ vllm: { paths: { chatt: /chat } } }", "providers.vllm.paths"],
    ["{ vllm: { models: { 'a b': } } }", "at most 200 visible ASCII characters"],
    ["{ vllm: { limits: some } }", "expected `auto` or a list of limits"],
    ["{ vllm: { limits: 5/min } }", "expected `auto` or a list of limits"],
    ["{ vllm: { errors: [ { status: 1000, kind: auth } ] } }", "expected a whole number from 100 to 599"],
    ["{ vllm: { errors: [ { kind: overload } ] } }", 'did you mean "overloaded"?'],
    ["[ openai ]", "providers: expected providers by name"],
  ])("%s is told: %s", async (yaml, problem) => {
    expect(await problemsOf(`providers: ${yaml}`, { env: {} })).toContain(problem);
  });
});

const PROVIDERS = "providers: { main: { type: openai, api_key: k }, own: { type: vllm } }\n";

describe("a name that clients may ask for", () => {
  test("leads to models and to other names, in every form", async () => {
    const { config, warnings } = await load(`${PROVIDERS}
models:
  a: [ main/gpt-5, own/meta-llama/Llama-3, b ]
  b: { strategy: most_room, patience: 2s, sticky: true, canary: { to: main/gpt-5.1, percent: 5 }, targets: [ { to: main/gpt-5, weight: 0 }, { to: own/x, when: { tools: true, headers: { X-Task: "*" } } } ] }
`);
    const weight = 1;
    expect(config.models.get("a")?.targets).toEqual([
      { kind: "model", provider: "main", model: "gpt-5", weight },
      { kind: "model", provider: "own", model: "meta-llama/Llama-3", weight },
      { kind: "alias", alias: "b", weight },
    ]);
    expect(config.models.get("b")).toEqual({
      name: "b",
      strategy: "most_room",
      patienceMs: 2000,
      isSticky: true,
      canary: { to: { kind: "model", provider: "main", model: "gpt-5.1", weight }, percent: 5 },
      targets: [
        { kind: "model", provider: "main", model: "gpt-5", weight: 0 },
        {
          kind: "model",
          provider: "own",
          model: "x",
          weight,
          when: { tools: true, headers: { "x-task": "*" } },
        },
      ],
    });
    expect(warnings).toEqual([]);
  });

  test("may lead to a model that the catalog does not know, with a warning", async () => {
    const { warnings } = await load(`${PROVIDERS}models: { a: [ main/gtp-5 ] }`);
    expect(warnings.map(({ line, column, message }) => `${line}:${column}: ${message}`)).toEqual([
      '2:16: main is not known to have a model of this name; it is asked for all the same; did you mean "gpt-5"?',
    ]);
  });

  test.each([
    ["{ a: [ mian/gpt-5 ] }", '2:16: models.a[0]: there is no provider of this name; did you mean "main"?'],
    ["{ a: [ gpt-5 ] }", 'a target names its provider too; did you mean "main/gpt-5"?'],
    ["{ a: [ main/ ] }", "after the provider's name comes a model's name"],
    ["{ smart: [ main/gpt-5 ], a: [ smrt ] }", 'did you mean "smart"?'],
    ["{ a: [ a ] }", "2:11: models.a: its targets lead back to itself: a → a"],
    ["{ a: [ b ], b: [ c, main/gpt-5 ], c: [ b ] }", "models.b: its targets lead back to itself: b → c → b"],
    ["{ a: { targets: [ main/gpt-5 ], canary: { to: a, percent: 1 } } }", "a → a"],
    ["{ a: { targets: [ { to: main/gpt-5, weight: 0 } ] } }", "all weights are zero"],
    ["{ a: { targets: [ { to: main/gpt-5, weight: -1 } ] } }", "expected a number of at least 0"],
    ["{ a: { strategy: weigted, targets: [ main/gpt-5 ] } }", 'did you mean "weighted"?'],
    ["{ a: { strategy: weighted } }", "models.a.targets: this key is missing"],
    ["{ a: { targets: [ main/gpt-5 ], canary: { to: main/gpt-5, percent: 101 } } }", "percent"],
    ["{ main/gpt-5: [ main/gpt-5.1 ] }", "what begins with main/ goes straight to that provider"],
    ["{ 'a b': [ main/gpt-5 ] }", "at most 200 visible ASCII characters"],
  ])("%s is told: %s", async (yaml, problem) => {
    expect(await problemsOf(`${PROVIDERS}models: ${yaml}`)).toContain(problem);
  });

  test("may not follow others for ever", async () => {
    const chain = Array.from({ length: 5000 }, (_, index) => `  m${index}: [ m${index + 1} ]`).join("\n");
    expect(await problemsOf(`${PROVIDERS}models:\n${chain}\n  m5000: [ main/gpt-5 ]`)).toContain(
      "more than 32 entries",
    );
  });
});

describe("a client key", () => {
  test("is kept as its hash", async () => {
    const { config } = await load(
      `${PROVIDERS}keys: [ { name: a, key: secret-a, models: [ main/gpt-5, gpt-5.1 ] } ]`,
    );
    const sha256 = createHash("sha256").update("secret-a").digest("hex");
    expect(config.keys.get("a")).toEqual({
      name: "a",
      secrets: [{ sha256, expiresMs: null }],
      models: new Set(["main/gpt-5", "gpt-5.1"]),
      priority: "normal",
      weight: 1,
      limits: [],
      expiresMs: null,
      tags: [],
      metadata: {},
    });
    expect(JSON.stringify([...config.keys])).not.toContain("secret-a");
  });

  test.each([
    [
      "[ { name: a, key: x }, { name: a, key: y } ]",
      "2:38: keys[1].name: there already is a key of this name",
    ],
    [
      "[ { name: a, key: x }, { name: b, key: x } ]",
      "2:46: keys[1].key: the key called a has the same secret",
    ],
    ["[ { name: a b, key: x } ]", "a key's name is made of"],
    ['[ { name: a, key: "x y" } ]', "no header can carry"],
    ["[ { name: a, key: x, priority: urgent } ]", "expected one of low, normal, high"],
    ["[ { name: a, key: x, weight: 0 } ]", "2:36: keys[0].weight: expected a number from 0.01 to 1000"],
    ["[ { name: a, key: x, weight: -1 } ]", "keys[0].weight: expected a number from 0.01 to 1000"],
    ["[ { name: a, key: x, expires: tomorrow } ]", "keys[0].expires: expected a day such as 2027-01-31"],
    ["[ { name: a, key: x, expires: 2027-02-30 } ]", "keys[0].expires: there is no such day or time"],
    ["[ { name: a, key: x, expires: 2027-13-01 } ]", "keys[0].expires: there is no such day or time"],
    ["[ { name: a, key: x, expires: '2027-01-31T25:00:00Z' } ]", "there is no such day or time"],
    ["[ { name: a, key: x, tags: research } ]", "keys[0].tags: expected a list of words"],
    ["[ { name: a, key: x, limits: [ { requests: 0/min } ] } ]", "the amount must be a number above zero"],
    ["[ { name: a, key: x, limits: [ { usd: -5/day } ] } ]", "the amount must be a number above zero"],
    [
      "[ { name: a, key: x, models: [ gtp-5 ] } ]",
      '2:38: keys[0].models[0]: there is no such entry in `models`, and no provider has it; did you mean "gpt-5"?',
    ],
    ["[ { name: a, key: x, models: [ mian/gpt-5 ] } ]", "there is no such entry"],
  ])("%s is told: %s", async (yaml, problem) => {
    expect(await problemsOf(`${PROVIDERS}keys: ${yaml}`)).toContain(problem);
  });
});

test("a condition on a key that is not configured is for one made at run time; it may be a mistake", async () => {
  const { warnings } = await load(
    `${PROVIDERS}keys: [ { name: team-a, key: x } ]
models: { a: [ { to: main/gpt-5, when: { keys: [ taem-a ] } } ] }`,
  );
  expect(warnings.map(({ message }) => message)).toEqual([
    'no key of this name is configured: it takes one made at run time; did you mean "team-a"?',
  ]);
});

test.each([
  ["2027-01-31", "2027-01-31T00:00:00.000Z"],
  ["2027-01-31T18:00Z", "2027-01-31T18:00:00.000Z"],
  ["2027-01-31T18:00:30+02:00", "2027-01-31T16:00:30.000Z"],
  ["2028-02-29", "2028-02-29T00:00:00.000Z"],
])("a key that expires at %s is refused from %s on", async (written, instant) => {
  const { config } = await load(`${PROVIDERS}keys: [ { name: a, key: x, expires: "${written}" } ]`);
  expect(new Date(config.keys.get("a")?.expiresMs ?? 0).toISOString()).toBe(instant);
});

describe("a budget in dollars", () => {
  const MODELS = "models: { cheap: [ main/gpt-5 ], dear: [ own/llama, cheap ] }\n";

  test.each([
    ["keys: [ { name: a, key: x, models: [ cheap ], limits: [ { usd: 5/day } ] } ]"],
    ["keys: [ { name: a, key: x, models: [ main/gpt-5 ], limits: [ { usd: 5/day } ] } ]"],
    ["keys: [ { name: a, key: x, limits: [ { requests: 5/day } ] } ]"],
  ])("%s has all prices", async (keys) => {
    expect(await problemsOf(PROVIDERS + MODELS + keys)).toBe("");
  });

  test.each([
    ["models: [ dear ]", "no price is known of own/llama"],
    ["priority: high", "no price is known of own/llama"],
    ["models: [ main/brand-new, own/x ]", "no price is known of main/brand-new, own/x"],
  ])("of a key with %s is told: %s", async (allowed, problem) => {
    const keys = `keys: [ { name: a, key: x, ${allowed}, limits: [ { requests: 1/s }, { usd: 5/day } ] } ]`;
    const found = await problemsOf(PROVIDERS + MODELS + keys);
    expect(found).toContain("keys[0].limits[1]: ");
    expect(found).toContain(problem);
  });

  test("keeps a key that may ask for everything to what has a price", async () => {
    const yaml = `${PROVIDERS}models: { cheap: [ main/gpt-5 ] }
keys: [ { name: a, key: x, limits: [ { usd: 5/day } ] }, { name: b, key: y } ]`;
    const { config } = await load(yaml.replace("type: vllm", "type: vllm, models: { llama: , gpt-5: }"));
    const allowed = config.keys.get("a")?.models ?? new Set();
    // A bare name may go to any provider that has it, and one of them has no price for it.
    const names = ["cheap", "main/gpt-5", "gpt-5.1", "gpt-5", "llama", "own/llama", "main/unheard-of"];
    expect(names.filter((name) => allowed.has(name))).toEqual(["cheap", "main/gpt-5", "gpt-5.1"]);
    expect(config.keys.get("b")?.models).toBeNull();
  });

  test("of a provider or a model needs prices too", async () => {
    const yaml = `
providers:
  own: { type: vllm, limits: [ { usd: 5/day } ], models: { b: { limits: [ { usd: 1/day } ] } } }
models: { a: [ own/x ] }
`;
    expect(await problemsOf(yaml)).toMatch(
      /^3:32: providers.own.limits\[0\]: no price is known of own\/x.*\n3:75: providers.own.models.b.limits\[0\]: no price is known of own\/b/,
    );
  });
});

describe("what strangers can reach", () => {
  test.each([
    ["listen: 0.0.0.0:80", "needs an admin key"],
    ['admin: { key: "my admin key" }', "admin.key: the key holds a blank"],
    ["listen: 'example.com:80'", "needs an admin key"],
    ["listen: '[::]:80'", "needs an admin key"],
    ["listen: 0.0.0.0:80\nkeys: [ { name: a, key: b } ]", "needs an admin key"],
    ["fleet: { peers: [ http://b:1 ] }", "fleet: `secret` is missing"],
    ["fleet: { listen: 127.0.0.1:1 }", "fleet: `secret` is missing"],
    ["fleet: { listen: 127.0.0.1:8787, secret: sixteen-letters- }", "fleet.listen: clients connect there"],
    ["fleet: { listen: 0.0.0.0:8787, secret: sixteen-letters- }", "fleet.listen: clients connect there"],
    ["fleet: { secret: fifteen-letters }", "fleet.secret: a secret has at least 16 bytes"],
    ["fleet: { peers: [ http://b:1 ], secret: sixteen-letters- }", "fleet: `listen` is missing"],
    [
      "fleet: { peers: [ gw-1:8788 ], secret: sixteen-letters- }",
      "fleet.peers[0]: expected http://HOST:PORT",
    ],
    [
      "fleet: { peers: [ http://b:1/x ], secret: sixteen-letters-, listen: 127.0.0.1:1 }",
      "a peer is an address without a path",
    ],
    [
      "fleet: { peers: [ http://u:p@b:1 ], secret: sixteen-letters-, listen: 127.0.0.1:1 }",
      "siblings share `secret`",
    ],
    [
      "fleet: { peers: [ http://b:1, nats://n:1 ], secret: sixteen-letters-, listen: 127.0.0.1:1 }",
      "not both: keep one kind",
    ],
    [
      "fleet: { peers: [ nats://a:b@n:1, nats://m:1, nats://a:c@o:1 ], secret: sixteen-letters- }",
      "NATS is asked with one user and password",
    ],
    ["fleet: { reclaim: sometimes }", "expected never, operator, or { after: 60s }"],
    ["fleet: { reclaim: { after: -5s } }", "a duration can't be negative"],
    ["fleet: { found_after: soon }", "expected a duration"],
  ])("%j is told: %s", async (yaml, problem) => {
    expect(await problemsOf(`${PROVIDERS}${yaml}`)).toContain(problem);
  });

  test.each([
    "listen: 127.0.0.1:80",
    "listen: localhost:80",
    "listen: '[::1]:80'",
    "listen: 0.0.0.0:80\nkeys: [ { name: a, key: b } ]\nadmin: { key: c }",
    "listen: 0.0.0.0:80\nadmin: { key: c }",
    "fleet: { peers: [ nats://n:4222, tls://n:4222 ], secret: sixteen-letters- }",
    "fleet: { peers: [ nats://n:1, nats://a:b@m:1, nats://a:b@o:1 ], secret: sixteen-letters- }",
    "fleet: { peers: [ dns://siblings ], secret: sixteen-letters-, listen: 127.0.0.1:1 }",
    "fleet: { reclaim: never, found_after: never }",
  ])("%j is sound", async (yaml) => {
    expect(await problemsOf(`${PROVIDERS}${yaml}`)).toBe("");
  });
});
