// From keys as they are configured or made to those that requests carry.
import { describe, expect, test } from "vitest";
import { ClientKeys } from "../../../src/cli/wiring/client-keys.ts";
import type { ClientKey, Config } from "../../../src/config/config.ts";
import { SoloLimiter } from "../../limiter/solo-limiter.ts";

const LISTEN = { host: "127.0.0.1", port: 0, isLoopback: true };

const KEY: ClientKey = {
  name: "alice",
  secrets: [{ sha256: "a1", expiresMs: null }],
  models: null,
  priority: "high",
  weight: 2,
  limits: [{ dimension: "requests", amount: 5, per: "min", burst: 5, refill: "continuous", timezone: "UTC" }],
  expiresMs: null,
  tags: [],
  metadata: {},
};

function configOf(keys: readonly ClientKey[], listen = LISTEN): Pick<Config, "keys" | "listen"> {
  return { keys: new Map(keys.map((key) => [key.name, key])), listen };
}

function clientKeys(): ClientKeys {
  return new ClientKeys(new SoloLimiter().limiter);
}

describe("a key", () => {
  test.each([
    ["neither", null, null, Infinity],
    ["the key", 500, null, 500],
    ["the secret", null, 400, 400],
    ["both, the key first", 300, 400, 300],
    ["both, the secret first", 500, 400, 400],
  ])("ends when the first of key and secret does: %s", (_, key, secret, expected) => {
    const secrets = [{ sha256: "a1", expiresMs: secret }];
    const { keys } = clientKeys().compile(configOf([{ ...KEY, expiresMs: key, secrets }]));
    expect(keys.get("a1")).toMatchObject({ name: "alice", priority: 0, weight: 2, expiresMs: expected });
  });

  test("is one caller for each secret, with the same limits", () => {
    const compiler = clientKeys();
    const secrets = [
      { sha256: "a1", expiresMs: null },
      { sha256: "a2", expiresMs: 900 },
    ];
    const { keys } = compiler.compile(configOf([{ ...KEY, secrets }]));
    const [first, second] = [keys.get("a1"), keys.get("a2")];
    if (first === undefined || second === undefined) throw new Error("A secret is missing.");
    expect([first.expiresMs, second.expiresMs]).toEqual([Infinity, 900]);
    expect(compiler.metersOf.get(first)).toBe(compiler.metersOf.get(second));
    expect(compiler.metersOf.get(first)?.meters.map(({ limit }) => limit.key)).toEqual([
      "key/alice/requests/min",
    ]);
  });

  test("that has not changed stays the same when another one does", () => {
    const compiler = clientKeys();
    const before = compiler.compile(configOf([KEY])).keys.get("a1");
    const bob = { ...KEY, name: "bob", secrets: [{ sha256: "b1", expiresMs: null }] };
    const { keys } = compiler.compile(configOf([KEY, bob]));
    expect(keys.get("a1")).toBe(before);
    expect(keys.get("b1")?.name).toBe("bob");
  });
});

test("limits of keys that are no more are not shown, those of keys that have not changed are", () => {
  const { limiter } = new SoloLimiter();
  const compiler = new ClientKeys(limiter);
  const shown = (): readonly (string | undefined)[] => [
    ...new Set([...limiter.samples()].flatMap(({ labels }) => labels?.["bucket"] ?? [])),
  ];
  const bob = { ...KEY, name: "bob", secrets: [{ sha256: "b1", expiresMs: null }] };
  const { keys } = limiter.compileAll("keys", () => compiler.compile(configOf([KEY, bob])));
  expect(shown()).toEqual(["key/alice/requests/min", "key/bob/requests/min"]);
  limiter.compileAll("keys", () => compiler.compile(configOf([KEY])));
  expect(shown()).toEqual(["key/alice/requests/min"]);
  // A request that runs may hold them for long.
  expect(keys.get("b1")?.name).toBe("bob");
});

describe("without any key", () => {
  test.each([
    ["callers of this machine are let in", LISTEN, false, true],
    ["nobody is let in where others can connect", { ...LISTEN, isLoopback: false }, false, false],
    ["nobody is let in where there were keys", LISTEN, true, false],
  ])("%s", (_, listen, areAsked, isOpen) => {
    const compiler = clientKeys();
    compiler.areAsked = () => areAsked;
    expect(compiler.compile(configOf([], listen)).anonymous !== null).toBe(isOpen);
  });
});
