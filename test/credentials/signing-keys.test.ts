import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KeySource } from "../../src/credentials/key.ts";
import { containerKeys, instanceKeys, roleKeys } from "../../src/credentials/signing-keys.ts";
import { ManualClock } from "../manual-clock.ts";
import { type Issuer, startIssuer } from "./issuer.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-signing-"));
afterAll(() => rmSync(folder, { recursive: true }));

const clock = new ManualClock();
const HOUR_LATER = new Date(clock.wallMs() + 3_600_000).toISOString();
const KEYS = { AccessKeyId: "AKID", SecretAccessKey: "s3cret", Token: "t0ken", Expiration: HOUR_LATER };
const ISSUED = {
  key: { kind: "signing", accessKeyId: "AKID", secretAccessKey: "s3cret", sessionToken: "t0ken" },
  lifeMs: 3_600_000,
};

let issuer: Issuer;
beforeAll(async () => {
  issuer = await startIssuer(() => ({ body: KEYS }));
});

function file(text: string): string {
  const path = join(folder, "token");
  writeFileSync(path, text);
  return path;
}

function issue(source: KeySource) {
  return source.issue(AbortSignal.timeout(2000));
}

describe("an endpoint beside the container", () => {
  test.each([
    ["no token", null, undefined],
    ["a token", { kind: "secret", secret: "let-me-in" }, "let-me-in"],
    ["a token in a file", { kind: "file", file: "" }, "Bearer from-a-file"],
  ] as const)("is asked with %s", async (_, given, shown) => {
    issuer.reply = () => ({ body: KEYS });
    const token = given?.kind === "file" ? { ...given, file: file("Bearer from-a-file\n") } : given;
    expect(await issue(containerKeys({ url: `${issuer.url}/keys?id=1`, token }, clock))).toEqual(ISSUED);
    const { method, path, headers } = issuer.asked.at(-1) ?? {};
    expect({ method, path, shown: headers?.authorization }).toEqual({
      method: "GET",
      path: "/keys?id=1",
      shown,
    });
  });
});

test("a role's keys are given for a token that says who asks", async () => {
  const { Token, ...rest } = KEYS;
  const keys = { ...rest, SessionToken: Token, Expiration: clock.wallMs() / 1000 + 900 };
  issuer.reply = () => ({ body: { RoleResponse: { RoleResult: { Credentials: keys, Provider: "p" } } } });
  const source = roleKeys(
    {
      url: `${issuer.url}/`,
      parameters: { Action: "Assume", Version: "1" },
      role: "arn:x:role/gateway",
      session: "sluice",
      tokenFile: file("who.i.am\n"),
    },
    clock,
  );
  expect(await issue(source)).toEqual({ ...ISSUED, lifeMs: 900_000 });
  expect(Object.fromEntries(new URLSearchParams(issuer.asked.at(-1)?.body))).toEqual({
    Action: "Assume",
    Version: "1",
    RoleArn: "arn:x:role/gateway",
    RoleSessionName: "sluice",
    WebIdentityToken: "who.i.am",
  });
});

describe("a machine's metadata", () => {
  const source = () =>
    instanceKeys(
      {
        url: `${issuer.url}/roles/`,
        session: { url: `${issuer.url}/session`, headers: { "x-ttl": "60" }, header: "x-session" },
      },
      clock,
    );

  test("begins a session, names the role, and has its keys", async () => {
    issuer.asked.splice(0);
    issuer.reply = ({ path, headers }) => {
      if (path === "/session") return { body: "the-session" };
      if (headers["x-session"] !== "the-session") return { status: 401, body: "" };
      return { body: path === "/roles/" ? "gate+way\n" : KEYS };
    };
    expect(await issue(source())).toEqual(ISSUED);
    const asked = issuer.asked.slice(-3).map(({ method, path }) => `${method} ${path}`);
    expect(asked).toEqual(["PUT /session", "GET /roles/", "GET /roles/gate%2Bway"]);
    expect(issuer.asked.at(-3)?.headers["x-ttl"]).toBe("60");
  });

  test.each(["gate way\n", "\n", "<a b>"])("names no role that can be asked for: %j", async (role) => {
    issuer.reply = ({ path }) => ({ body: path === "/session" ? "s" : role });
    await expect(issue(source())).rejects.toThrow("gives this machine no keys (200)");
  });

  test("without a role is a fault that says so", async () => {
    issuer.reply = ({ path }) => (path === "/session" ? { body: "s" } : { status: 404, body: "<html>" });
    await expect(issue(source())).rejects.toThrow("gives this machine no keys (404); has it a role?");
  });
});

describe("an answer", () => {
  test.each([
    ["without keys", 200, { message: "hello" }, "has no `AccessKeyId`"],
    ["without the secret", 200, { ...KEYS, SecretAccessKey: "" }, "has no `SecretAccessKey`"],
    ["without an end", 200, { ...KEYS, Expiration: undefined }, "does not say when its keys end"],
    ["with an end that is none", 200, { ...KEYS, Expiration: "soon" }, "does not say when its keys end"],
    [
      "of refusal",
      403,
      { Error: { Code: "ExpiredToken", Message: "the token let-me-in is too old" } },
      "refused: 403 ExpiredToken",
    ],
    ["that is a page", 503, "<html>", "refused: 503"],
    ["that is no object", 200, [KEYS], "is not a JSON object"],
  ])("%s is a fault without secrets", async (_, status, body, fault) => {
    issuer.reply = () => ({ status, body });
    const token = { kind: "secret", secret: "let-me-in" } as const;
    const failed = issue(containerKeys({ url: issuer.url, token }, clock)).catch((error: unknown) => error);
    const message = String(await failed);
    expect(message).toContain(fault);
    expect(message).not.toContain("let-me-in");
    expect(message).not.toContain("s3cret");
  });

  test("may leave the session token out", async () => {
    issuer.reply = () => ({ body: { ...KEYS, Token: undefined } });
    const { key } = await issue(containerKeys({ url: issuer.url, token: null }, clock));
    expect(key).toMatchObject({ sessionToken: null });
  });
});
