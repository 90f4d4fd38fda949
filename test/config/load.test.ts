import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import { ConfigError } from "../../src/config/problems.ts";
import { folder, load, problemsOf } from "./setup.ts";

describe("the example of the architecture", () => {
  const EXAMPLE = `
listen: 127.0.0.1:8787
data_dir: ./data
log: { level: info, merges: false }
providers:
  openai:
    api_key: \${OPENAI_API_KEY}
    limits:
      - requests: 500/min
      - tokens: 200_000/min
      - concurrent: 64
    models:
      gpt-5: { limits: [ { tokens: 30_000/min } ] }
  openai-eu: { type: openai, base_url: https://eu.api.openai.com/v1, api_key: \${OPENAI_EU_KEY:-eu} }
  claude:
    type: anthropic
    api_key: \${ANTHROPIC_API_KEY:-a}
    limits: [ { requests: 50/min }, { input_tokens: 30_000/min }, { output_tokens: 8_000/min } ]
  local: { type: vllm, base_url: http://127.0.0.1:8000/v1, limits: [ { concurrent: 8 } ] }
models:
  smart: [ openai/gpt-5, claude/claude-sonnet-4-5 ]
  fast:
    strategy: weighted
    targets: [ { to: openai/gpt-5-mini, weight: 3 }, { to: openai-eu/gpt-5-mini, weight: 1 } ]
queue: { max_wait: 10s, max_length: 1000 }
retry: { attempts: 2 }
timeouts: { connect: 5s, first_token: 60s, idle: 120s, total: 10m }
keys:
  - { name: team-a, key: \${TEAM_A_KEY}, models: [ smart, fast ], priority: high, limits: [ { tokens: 5_000_000/day }, { usd: 200/month } ] }
admin: { key: \${SLUICE_ADMIN_KEY:-admin} }
fleet:
  name: gw-0
  listen: 127.0.0.1:8788
  peers: [ http://gw-1:8788, http://gw-2:8788, dns://sluice-headless:8788 ]
  secret: \${SLUICE_FLEET_SECRET:-sixteen-letters-}
  reclaim: { after: 60s }
  found_after: 5s
`;

  test("loads", async () => {
    const { config, warnings } = await load(EXAMPLE);
    expect(warnings).toEqual([]);
    expect(config).toMatchObject({
      file: join(folder, "sluice.yaml"),
      dataDir: join(folder, "data"),
      listen: { host: "127.0.0.1", port: 8787, isLoopback: true },
      timeouts: { connectMs: 5000, firstTokenMs: 60_000, idleMs: 120_000, totalMs: 600_000 },
      queue: { maxWaitMs: 10_000, maxLength: 1000 },
    });
    expect(config.fleet.peers).toEqual([
      { kind: "http", url: "http://gw-1:8788" },
      { kind: "http", url: "http://gw-2:8788" },
      { kind: "dns", host: "sluice-headless", port: 8788 },
    ]);
    expect(config.models.get("fast")).toMatchObject({
      strategy: "weighted",
      targets: [
        { kind: "model", provider: "openai", model: "gpt-5-mini", weight: 3 },
        { kind: "model", provider: "openai-eu", model: "gpt-5-mini", weight: 1 },
      ],
    });
  });

  test("lays what it says of a model over what the catalog says", async () => {
    const { config } = await load(EXAMPLE);
    const model = config.providers.get("openai")?.models.get("gpt-5");
    expect(model).toMatchObject({ contextTokens: 400_000, prices: { input: 1.25, cacheWrite: 1.25 } });
    expect(model?.limits).toHaveLength(1);
    expect(config.providers.get("openai-eu")?.models.get("gpt-5")?.limits).toEqual([]);
  });
});

describe("a problem", () => {
  test.each([
    ["queue:\n  max_wiat: 5s\n", '2:3: queue.max_wiat: unknown key; did you mean "max_wait"?'],
    ["lisen: 127.0.0.1:1", '1:1: lisen: unknown key; did you mean "listen"?'],
    ["zzzzzz: 1", "1:1: zzzzzz: unknown key"],
    ["listen: nonsense", "1:9: listen: expected HOST:PORT such as 127.0.0.1:8787"],
    ["listen: 127.0.0.1:99999", "1:9: listen: a port is at most 65535"],
    ["listen: [1]", "1:9: listen: expected HOST:PORT such as 127.0.0.1:8787"],
    ["queue: { max_wait: -1s }", "1:20: queue.max_wait: a duration can't be negative"],
    ["queue: { max_wait: 5 }", "1:20: queue.max_wait: expected a duration such as 250ms, 10s, 5m or 1h"],
    ["queue: { max_wait: 90d }", "1:20: queue.max_wait: a duration can be at most 24d"],
    ["queue: 5", "1:8: queue: expected keys and values"],
    ["retry: { attempts: 0 }", "1:20: retry.attempts: expected a whole number from 1 to 20"],
    [
      "providers: { openai: { api_key: k, api_keys: [ a ] } }",
      "1:46: providers.openai.api_keys: set either `api_key` or `api_keys`",
    ],
    [
      "providers: { openai: { api_keys: [ a, { name: b, key: a } ] } }",
      "providers.openai.api_keys[1]: the key called 1 is the same",
    ],
    [
      "providers: { openai: { api_keys: [ a, { name: '1', key: b } ] } }",
      "providers.openai.api_keys[1]: there already is a key called 1",
    ],
    ["providers: { openai: { api_keys: [] } }", "providers.openai.api_keys: expected at least one API key"],
    [
      "providers: { openai: { api_keys: [ 'a b' ] } }",
      "providers.openai.api_keys[0]: the key holds a blank, a line break",
    ],
    [
      "providers: { openai: { api_keys: [ { name: 'a~b', key: k } ] } }",
      "providers.openai.api_keys[0].name: a name is made of at most 32 letters",
    ],
    [
      "providers: { openai: { api_keys: [ { key: k, limits: [ { usd: 1/day } ] } ], models: { odd: {} } } }\nmodels: { a: [ openai/odd ] }",
      "providers.openai.api_keys[0].limits[0]: no price is known of openai/odd",
    ],
    [
      "hedge: { after: p100 }",
      "1:17: hedge.after: expected a percentile such as p95, a duration such as 800ms, or never",
    ],
    ["hedge: { after: 0s }", "1:17: hedge.after: expected a percentile"],
    ["hedge: { endpoints: [ chats ] }", "hedge.endpoints[0]: expected one of chat,"],
    [
      "providers: { openai: { api_key: k } }\nmodels: { a: { targets: [ openai/gpt-5 ], shadow: { to: b, percent: 1 } }, b: [ a ] }",
      "2:11: models.a: its targets lead back to itself: a → b → a",
    ],
    [
      "providers: { openai: { api_key: k } }\nmodels: { a: { targets: [ openai/gpt-5 ], shadow: { to: opnai/x, percent: 1 } } }",
      'models.a.shadow.to: there is no provider of this name; did you mean "openai"?',
    ],
    ["timeouts: { total: 0 }", "1:20: timeouts.total: this duration must be above zero"],
    ["timeouts: { attempt: -5s }", "1:22: timeouts.attempt: a duration can't be negative"],
    ["timeouts: { attempt: 0s }", "1:22: timeouts.attempt: this duration must be above zero"],
    ["timeouts: { first_token: 0ms }", "1:26: timeouts.first_token: this duration must be above zero"],
    ["timeouts: { connect: 0 }", "1:22: timeouts.connect: this duration must be above zero"],
    ["timeouts: { idle: -1ms }", "1:19: timeouts.idle: a duration can't be negative"],
    ["retry: { backoff: { first: -1s } }", "1:28: retry.backoff.first: a duration can't be negative"],
    ["retry: { budget: { percent: 101 } }", "1:29: retry.budget.percent: expected a number from 0 to 100"],
    ["circuit: { failures: 0 }", "1:22: circuit.failures: expected a whole number from 1 to 1000"],
    ["circuit: { open: 0s }", "1:18: circuit.open: this duration must be above zero"],
    ["circuit: { open: 1m, max_open: 10s }", "1:32: circuit.max_open: it can't be shorter than `open`"],
    ["retry: { attempts: 1.5 }", "1:20: retry.attempts: expected a whole number from 1 to 20"],
    [
      "log: { level: inof }",
      '1:15: log.level: expected one of debug, info, warn, error; did you mean "info"?',
    ],
    ["log: { merges: yes }", "1:16: log.merges: expected true or false"],
    ["keys:\n  - name: a", "2:5: keys[0].key: this key is missing: expected a secret"],
    ["keys: { a: b }", "1:7: keys: expected a list of keys such as [ { name: team-a, key: … } ]"],
    ["models: { a: [] }", "1:14: models.a: expected at least one target"],
    [
      "models: { a: openai }",
      "1:14: models.a: expected a list of targets, or { strategy: …, targets: [ … ] }",
    ],
    ["models: { a: { targets: [ { weight: 1 } ] } }", "models.a.targets[0].to: this key is missing"],
  ])("%j is told: %s", async (yaml, problem) => {
    expect(await problemsOf(yaml)).toContain(problem);
  });

  test("never comes alone when there are several", async () => {
    const found = await problemsOf(`
listen: 0.0.0.0:80
quue: {}
providers:
  openai: { limts: [] }
  claude: { type: antropic }
  good: { type: openai, limits: [ { requests: 5/minute }, { usd: 1/day } ] }
  other: { type: openai }
models:
  a: [ b ]
  b: [ a ]
  c: [ othr/gpt-5 ]
keys: [ { name: x, key: "\${NOT_SET}" } ]
retry: { attempts: many }
`);
    expect(found.split("\n").map((line) => line.replace(/(\d+:\d+: \S+) .*/, "$1"))).toEqual([
      "2:9: listen:",
      "3:1: quue:",
      "5:13: providers.openai.limts:",
      "6:19: providers.claude.type:",
      "7:47: providers.good.limits[0].requests:",
      "10:3: models.a:",
      "12:8: models.c[0]:",
      "13:25: keys[0].key:",
      "14:20: retry.attempts:",
    ]);
  });

  test("of something broken causes no others about what refers to it", async () => {
    const yaml =
      "providers: { main: { typ: openai } }\nmodels: { a: [ main/gpt-5 ], b: [ a ] }\nkeys: [ { name: k, key: s, models: [ a, main/x ] } ]";
    expect(await problemsOf(yaml)).toBe('1:22: providers.main.typ: unknown key; did you mean "type"?');
  });

  test("is a GatewayError that lists its parts", async () => {
    const error: unknown = await load("a: 1\nb: 2").catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(GatewayError);
    if (!(error instanceof ConfigError)) throw new Error("expected a ConfigError");
    expect(error.code).toBe("invalid_config");
    expect(error.problems.map(({ line, column, key }) => [line, column, key])).toEqual([
      [1, 1, "a"],
      [2, 1, "b"],
    ]);
  });

  test("by the hundred is told fifty times", async () => {
    const yaml = Array.from({ length: 120 }, (_, index) => `key${index}: 1`).join("\n");
    expect((await problemsOf(yaml)).split("\n").slice(49)).toEqual([
      "50:1: key49: unknown key",
      "… and 70 more",
    ]);
  });
});

describe("a file", () => {
  test.each([
    ["that is empty", ""],
    ["of comments", "# nothing\n"],
    ["of an empty document", "---\n"],
    ["with a byte order mark", "\uFEFFqueue: { max_length: 5 }\n"],
    ["with Windows line ends", "queue:\r\n  max_length: 5\r\n"],
    ["with empty sections", "queue:\nproviders:\nmodels: ~\nkeys: null\n"],
  ])("%s is sound", async (_, content) => {
    expect(await problemsOf(content)).toBe("");
  });

  test.each([
    ["with tabs", "queue:\n\tmax_length: 5", "2:1: a tab can't be used to indent; use spaces"],
    ["with a key twice", "queue: {}\nretry: {}\nqueue: {}", "3:1: queue: this key is here twice"],
    [
      "with a nested key twice",
      "queue: { max_length: 1, max_length: 2 }",
      "1:25: queue.max_length: this key is here twice",
    ],
    ["that is a list", "- a\n- b", "1:1: expected keys and values"],
    ["that is one word", "hello", "1:1: expected keys and values"],
    ["of two documents", "queue: {}\n---\nretry: {}", "2:1: a second document begins here"],
    ["with an open bracket", "keys: [ {", "a bracket is not closed"],
    ["with two keys on a line", "listen: a: b", "1:9: there are two `key:` on one line"],
    ["with a tag", "listen: !secret x", "1:17: listen: tags (`!…`) have no meaning here"],
    ["with a complex key", "? [a]\n: b", "1:3: a key must be a word"],
    ["with a key that changes objects", "__proto__: { listen: x }", "1:1: this key can't be used"],
    ["with an alias of nothing", "listen: *there", "1:1: listen: nothing before this is marked &there"],
    ["with an alias of itself", "queue: &q { max_wait: *q }", "there is too much nested or repeated here"],
    ["that is deep", "a: {".repeat(200), ""],
    ["that is very deep", "[".repeat(20_000), ""],
  ])("%s is told", async (_, content, problem) => {
    const found = await problemsOf(content);
    expect(found).not.toBe("");
    expect(found).toContain(problem);
  });

  test("whose aliases would fill the memory is refused", async () => {
    const lines = ["a0: &a0 [ x, x, x, x, x, x, x, x, x, x ]"];
    for (let level = 1; level < 9; level++) {
      lines.push(
        `a${level}: &a${level} [ ${Array.from({ length: 10 }, () => `*a${level - 1}`).join(", ")} ]`,
      );
    }
    expect(await problemsOf(lines.join("\n"))).toContain("too much nested or repeated");
  });

  test("may use anchors, aliases and merges", async () => {
    const { config } = await load(`
providers:
  one: &base { type: openai, limits: [ { requests: 5/min } ] }
  two: { <<: *base, base_url: https://two.example.com/v1 }
  three: *base
`);
    const limits = [...config.providers.values()].map((provider) => provider.limits.length);
    expect(limits).toEqual([1, 1, 1]);
    expect(config.providers.get("two")?.baseUrl).toBe("https://two.example.com/v1");
  });

  test("that is not UTF-8 is told, with the place", async () => {
    const bytes = Buffer.concat([Buffer.from("listen: 127.0.0.1:1\nlog: "), Buffer.from([0xff, 0xfe])]);
    expect(await problemsOf(bytes)).toBe("2:6: the file is not UTF-8 text from here on");
  });

  test("of UTF-16 is told", async () => {
    expect(await problemsOf(Buffer.from("\uFEFFlisten: x", "utf16le"))).toContain("not UTF-8");
  });

  test("that is huge is told without being read whole", async () => {
    expect(await problemsOf("#".repeat(600 * 1024))).toContain("larger than 512 KiB");
  });

  test("that is named but not there, or a folder, is told", async () => {
    mkdirSync(join(folder, "sub"));
    expect(await problemsOf("", { file: "none.yaml" })).toBe("none.yaml: there is no such file");
    expect(await problemsOf("", { file: "sub" })).toBe("sub: this is a folder, not a file");
    expect(await problemsOf("", { file: "sluice.yaml/x" })).toContain("can't be opened (ENOTDIR)");
  });

  test("says where the data is, wherever the process runs", async () => {
    mkdirSync(join(folder, "etc"));
    writeFileSync(join(folder, "etc/other.yaml"), "data_dir: store\n");
    const { config } = await load("", { file: "etc/other.yaml" });
    expect(config.dataDir).toBe(join(folder, "etc/store"));
  });

  test("yields to the command line", async () => {
    const { config } = await load("listen: 127.0.0.1:1\ndata_dir: x", {
      listen: "127.0.0.1:0",
      dataDir: "y",
    });
    expect([config.listen.port, config.dataDir]).toEqual([0, join(folder, "y")]);
  });
});

describe("a variable", () => {
  test.each([
    ["stands for its value", "${PORT}", 9000],
    ["stands inside a text", "${PORT:-1}", 9000],
    ["has a default", "${NONE:-80}", 80],
    ["that is empty has a default too", "${EMPTY:-81}", 81],
  ])("%s", async (_, text, port) => {
    const { config } = await load(`listen: 127.0.0.1:${text}`);
    expect(config.listen.port).toBe(port);
  });

  test.each([
    ["queue: { max_length: ${LENGTH:-7} }", 7],
    ['queue: { max_length: "${PORT}" }', 9000],
    ["queue: { max_length: ${EMPTY} }", 1000],
    ["queue: { max_length: ${EMPTY:-8}, max_wait: ${WAIT:-5s} }", 8],
    ["queue: { max_length: ${NONE:-} }", 1000],
  ])("in %s makes %i", async (yaml, length) => {
    const { config } = await load(yaml);
    expect(config.queue.maxLength).toBe(length);
  });

  test.each([
    [
      "listen: ${TEAM_B_KEY}",
      '1:9: listen: the environment variable TEAM_B_KEY is not set; did you mean "TEAM_A_KEY"?',
    ],
    [
      "listen: 127.0.0.1:${PROT}",
      '1:19: listen: the environment variable PROT is not set; did you mean "PORT"?',
    ],
    ["listen: ${__proto__}", "1:9: listen: the environment variable __proto__ is not set"],
    ["listen: ${toString}", "1:9: listen: the environment variable toString is not set"],
    ["listen: ${PORT", "1:9: listen: a variable is written ${NAME} or ${NAME:-default}"],
    ["listen: ${}", "1:9: listen: a variable is written ${NAME} or ${NAME:-default}"],
    ["listen: ${A B}", "1:9: listen: a variable is written ${NAME} or ${NAME:-default}"],
  ])("in %s is told", async (yaml, problem) => {
    expect(await problemsOf(yaml)).toBe(problem);
  });

  test.each([
    ["headers: { x-a: ${NONE:-a, b: [c] #d} }", "a, b: [c] #d"],
    ["headers:\n      x-a: ${NONE:-a, b: [c] #d}", "a, b: [c] #d"],
    ["headers: { x-a: '${NONE:-a, b}' }", "a, b"],
    ["headers: { x-a: 5${NONE:-a}6${PORT} }", "5a69000"],
  ])("in %j may hold what means something to YAML elsewhere", async (yaml, value) => {
    const { config } = await load(`providers:\n  openai:\n    ${yaml}`);
    expect(config.providers.get("openai")?.headers).toEqual({ "x-a": value });
  });

  test("can be spelled out", async () => {
    const { config } = await load('providers: { openai: { headers: { x-a: "$${PORT} ${PORT}" } } }');
    expect(config.providers.get("openai")?.headers).toEqual({ "x-a": "${PORT} 9000" });
  });
});
