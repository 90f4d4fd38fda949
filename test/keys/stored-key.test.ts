// A key as the fleet keeps it, and its secrets.
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { newSecret } from "../../src/keys/secret.ts";
import {
  decodeKey,
  encodeKey,
  encodeRevoked,
  rotated,
  type StoredSecret,
} from "../../src/keys/stored-key.ts";

const HASH = "a".repeat(64);

describe("a secret", () => {
  test("has 256 random bits, a beginning that is known again, and its SHA-256", () => {
    const [secret, other] = [newSecret(), newSecret()];
    expect(secret.text).toMatch(/^sk-sluice-[A-Za-z0-9_-]{43}$/);
    expect(secret.text.startsWith(secret.prefix)).toBe(true);
    expect(secret.prefix).toHaveLength(16);
    expect(secret.sha256).toBe(createHash("sha256").update(secret.text).digest("hex"));
    expect(other.text).not.toBe(secret.text);
  });
});

describe("a stored key", () => {
  const secrets = [{ sha256: HASH, prefix: "sk-sluice-abc", created: 5 }];

  test("comes back as it was written", () => {
    const plain = { name: "a", limits: [{ usd: "5/day" }], metadata: { owner: "ann" } };
    const kept = decodeKey("a", encodeKey({ plain, createdMs: 5, secrets }));
    expect(kept).toMatchObject({
      kind: "key",
      key: { name: "a", createdMs: 5, secrets, raw: { limits: [{ usd: { amount: 5, per: "day" } }] } },
    });
    if (kept.kind !== "key") throw new Error("no key");
    expect(encodeKey(kept.key)).toEqual(encodeKey({ plain, createdMs: 5, secrets }));
  });

  test("that was revoked says so", () => {
    expect(decodeKey("a", encodeRevoked(7.5))).toEqual({ kind: "revoked", atMs: 7 });
  });

  test.each([
    [""],
    ["null"],
    ["[]"],
    ["{"],
    ['{"definition":{"name":"a"},"created":1,"secrets":[]}'],
    [`{"definition":{"name":"a"},"created":1,"secrets":[{"sha256":"A","prefix":"","created":1}]}`],
    [`{"definition":{"name":"b"},"created":1,"secrets":[{"sha256":"${HASH}","prefix":"","created":1}]}`],
    [
      `{"definition":{"name":"a","power":"9"},"created":1,"secrets":[{"sha256":"${HASH}","prefix":"","created":1}]}`,
    ],
    [
      `{"definition":{"name":"a","limits":[{"usd":5}]},"created":1,"secrets":[{"sha256":"${HASH}","prefix":"","created":1}]}`,
    ],
    [`{"created":1,"secrets":[{"sha256":"${HASH}","prefix":"","created":1}]}`],
  ])("that is damaged or of a version that knows more lets nobody in: %s", (text) => {
    expect(decodeKey("a", Buffer.from(text))).toEqual({ kind: "unreadable" });
  });
});

describe("rotating", () => {
  const secret = (name: string, until?: number): StoredSecret => ({
    sha256: HASH,
    prefix: name,
    created: 0,
    ...(until === undefined ? {} : { until }),
  });
  /** Prefixes and ends. */
  const after = (before: readonly StoredSecret[], overlapMs: number): string =>
    rotated(before, secret("new"), { nowMs: 100, untilMs: 100 + overlapMs })
      .map(({ prefix, until }) => `${prefix}:${until ?? "ever"}`)
      .join(" ");

  test.each([
    ["the former stays for the overlap", [secret("old")], 50, "new:ever old:150"],
    ["without overlap the former is gone", [secret("old")], 0, "new:ever"],
    ["an earlier end stays", [secret("old"), secret("older", 120)], 50, "new:ever old:150 older:120"],
    [
      "a later end is brought forward",
      [secret("old"), secret("older", 900)],
      50,
      "new:ever old:150 older:150",
    ],
    ["what has ended is forgotten", [secret("old"), secret("older", 99)], 50, "new:ever old:150"],
    [
      "at most three former ones are good",
      [secret("a"), secret("b", 110), secret("c", 110), secret("d", 110)],
      50,
      "new:ever a:150 b:110 c:110",
    ],
  ] as const)("%s", (_, before, overlapMs, expected) => {
    expect(after(before, overlapMs)).toBe(expected);
  });
});
