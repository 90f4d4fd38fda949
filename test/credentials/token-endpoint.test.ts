import { generateKeyPairSync, verify } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { keyFile } from "../../src/credentials/key-file.ts";
import type { KeySource } from "../../src/credentials/key.ts";
import { clientCredentials, metadataToken, serviceAccount } from "../../src/credentials/token-endpoint.ts";
import { ManualClock } from "../manual-clock.ts";
import { type Issuer, type Reply, startIssuer } from "./issuer.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-credentials-"));
afterAll(() => rmSync(folder, { recursive: true }));

const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const PEM = privateKey.export({ type: "pkcs8", format: "pem" });
const SECRET = "s3cr3t-of-the-client";

let issuer: Issuer;
beforeAll(async () => {
  issuer = await startIssuer(() => ({ body: { access_token: "t0ken", expires_in: 3599 } }));
});

function file(content: unknown, name = "account.json"): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

function issue(source: KeySource) {
  return source.issue(AbortSignal.timeout(2000));
}

/** Why the source has no key. */
async function faultOf(source: KeySource): Promise<string> {
  try {
    await issue(source);
    return "";
  } catch (error) {
    return error instanceof Error && error.name === "KeyFault"
      ? error.message
      : `not a fault: ${String(error)}`;
  }
}

function client(changes: object = {}): KeySource {
  return clientCredentials({
    tokenUrl: `${issuer.url}/tenant/token`,
    clientId: "client-1",
    proof: { kind: "secret", secret: SECRET },
    parameters: { scope: "https://llm.test/.default", audience: "a&b" },
    ...changes,
  });
}

function account(content: unknown): KeySource {
  return serviceAccount(
    { file: file(content), scope: "https://llm.test/auth", tokenUrl: `${issuer.url}/default` },
    new ManualClock(),
  );
}

const ACCOUNT = {
  type: "service_account",
  client_email: "robot@project.test",
  private_key_id: "key-7",
  private_key: PEM,
};

/** The fields of the form that came last. */
function lastForm(): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(issuer.asked.at(-1)?.body ?? ""));
}

describe("client credentials", () => {
  test("are shown in a form, and the token's life is told", async () => {
    issuer.reply = () => ({ body: { access_token: "t0ken", expires_in: 3599 } });
    expect(await issue(client())).toEqual({ key: { kind: "shown", value: "t0ken" }, lifeMs: 3_599_000 });
    expect(issuer.asked.at(-1)).toMatchObject({
      method: "POST",
      path: "/tenant/token",
      headers: { "content-type": "application/x-www-form-urlencoded" },
    });
    expect(lastForm()).toEqual({
      grant_type: "client_credentials",
      client_id: "client-1",
      client_secret: SECRET,
      scope: "https://llm.test/.default",
      audience: "a&b",
    });
  });

  test("may be an assertion in a file, which is read anew each time", async () => {
    issuer.reply = () => ({ body: { access_token: "t0ken" } });
    const source = client({ proof: { kind: "assertion", file: file("signed.one\n", "assertion") } });
    await issue(source);
    expect(lastForm()).toMatchObject({
      client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      client_assertion: "signed.one",
    });
    file("signed.two", "assertion");
    await issue(source);
    expect(lastForm()).toMatchObject({ client_assertion: "signed.two" });
    expect(lastForm()).not.toHaveProperty("client_secret");
  });
});

describe("a service account", () => {
  test("signs who it is with its private key", async () => {
    issuer.reply = () => ({ body: { access_token: "t0ken", expires_in: 3600 } });
    const url = `${issuer.url}/its-own`;
    await issue(account({ ...ACCOUNT, token_uri: url }));
    expect(issuer.asked.at(-1)?.path).toBe("/its-own");
    const { grant_type: grant, assertion = "" } = lastForm();
    expect(grant).toBe("urn:ietf:params:oauth:grant-type:jwt-bearer");
    const [head = "", claims = "", signature = ""] = assertion.split(".");
    const isSigned = verify(
      "sha256",
      Buffer.from(`${head}.${claims}`),
      publicKey,
      Buffer.from(signature, "base64url"),
    );
    expect(isSigned).toBe(true);
    expect(JSON.parse(Buffer.from(head, "base64url").toString())).toEqual({
      alg: "RS256",
      typ: "JWT",
      kid: "key-7",
    });
    expect(JSON.parse(Buffer.from(claims, "base64url").toString())).toEqual({
      iss: "robot@project.test",
      scope: "https://llm.test/auth",
      aud: url,
      iat: 1_764_547_200,
      exp: 1_764_550_800,
    });
  });

  test("file may hold a user's refresh token instead", async () => {
    issuer.reply = () => ({ body: { access_token: "t0ken", expires_in: "60" } });
    const user = { type: "authorized_user", client_id: "id", client_secret: SECRET, refresh_token: "r" };
    expect(await issue(account(user))).toMatchObject({ lifeMs: 60_000 });
    expect(issuer.asked.at(-1)?.path).toBe("/default");
    expect(lastForm()).toEqual({
      grant_type: "refresh_token",
      client_id: "id",
      client_secret: SECRET,
      refresh_token: "r",
    });
  });

  test.each([
    ["not JSON", "{", "is not a JSON object"],
    ["a list", [], "is not a JSON object"],
    ["another type", { type: "external_account" }, "is of type external_account; what can be used is"],
    ["no key", { type: "service_account", client_email: "a@b" }, "has no `private_key`"],
    ["a broken key", { ...ACCOUNT, private_key: "-----BEGIN" }, "is not a private key in PEM form"],
    ["no address", { ...ACCOUNT, client_email: "" }, "has no `client_email`"],
  ])("file with %s is a fault that names the file and tells nothing of it", async (_, content, fault) => {
    const message = await faultOf(account(content));
    expect(message).toContain(fault);
    expect(message).toContain(join(folder, "account.json"));
    expect(message).not.toContain("BEGIN");
  });
});

test("the machine's surroundings are asked with the headers that they want", async () => {
  issuer.reply = () => ({ body: { access_token: "t0ken", expires_in: "86399", resource: "r" } });
  const source = metadataToken({ url: `${issuer.url}/token?resource=a%2Fb`, headers: { metadata: "true" } });
  expect(await issue(source)).toMatchObject({ lifeMs: 86_399_000 });
  expect(issuer.asked.at(-1)).toMatchObject({
    method: "GET",
    path: "/token?resource=a%2Fb",
    headers: { metadata: "true" },
    body: "",
  });
});

const REFUSALS: readonly (readonly [string, Reply, string])[] = [
  [
    "refuses",
    { status: 401, body: { error: "invalid_client", error_description: "Wrong secret.\nTrace: 1" } },
    "refused: 401 invalid_client: Wrong secret.",
  ],
  ["refuses in another shape", { status: 400, body: { error: { message: "no" } } }, "refused: 400"],
  ["shows a page", { status: 502, body: "<html>" }, "refused: 502"],
  [
    "sends elsewhere",
    { status: 302, headers: { location: "http://127.0.0.1:1/" }, body: "" },
    "refused: 302",
  ],
  ["gives no token", { body: { expires_in: 5 } }, "has no `access_token`"],
  ["gives a token of another type", { body: { access_token: 5 } }, "has no `access_token`"],
  ["gives a token that splits headers", { body: { access_token: "a\r\nx: y" } }, "holds a blank"],
  ["answers no JSON", { body: "token=5" }, "is not a JSON object"],
  ["answers without end", { body: "x".repeat(100_000) }, "could not be asked (the answer is too long)"],
];

describe("an issuer", () => {
  test("that quotes the secret, as it is or as it came in the form, is not quoted itself", async () => {
    const secret = "Zq8 long+client/secret=42";
    issuer.reply = ({ body }) => ({
      status: 401,
      body: { error: "invalid_client", error_description: `${secret} is wrong: ${body}` },
    });
    const proof = { kind: "secret", secret } as const;
    const fault = await faultOf(
      clientCredentials({ tokenUrl: `${issuer.url}/t`, clientId: "c", proof, parameters: {} }),
    );
    expect(fault).toContain("401 invalid_client: [secret] is wrong: ");
    expect(fault).toContain("client_secret=[secret]");
  });

  test.each(REFUSALS)("that %s is a fault without secrets", async (_, reply, fault) => {
    issuer.reply = () => reply;
    const message = await faultOf(client());
    expect(message).toContain(fault);
    expect(message).toContain(new URL(issuer.url).host);
    expect(message).not.toContain(SECRET);
    expect(message).not.toContain("Trace");
  });

  test.each([
    [{}, 300_000],
    [{ expires_in: null }, 300_000],
    [{ expires_in: "soon" }, 300_000],
    [{ expires_in: "" }, 300_000],
    [{ expires_in: 0 }, 0],
    [{ expires_in: -1 }, -1000],
  ])("that says %j of its token's life", async (life, lifeMs) => {
    issuer.reply = () => ({ body: { access_token: "t0ken", ...life } });
    expect(await issue(client())).toMatchObject({ lifeMs });
  });

  test("that never answers is given up at the deadline", async () => {
    issuer.reply = () => null;
    await expect(client().issue(AbortSignal.timeout(30))).rejects.toMatchObject({ name: "KeyFault" });
  });

  test("that is not there is a fault", async () => {
    expect(await faultOf(client({ tokenUrl: "http://127.0.0.1:1/" }))).toMatch(/:1 could not be asked/);
  });
});

describe("a key's file", () => {
  test("is read without the blanks around it", async () => {
    const path = file("  the-key\n", "key");
    expect(await issue(keyFile(path))).toEqual({ key: { kind: "shown", value: "the-key" }, lifeMs: null });
  });

  test.each([
    ["empty", "\n", "is empty"],
    ["of two lines", "one\ntwo\n", "holds a blank, a line break"],
    ["too long", "k".repeat(70_000), "is too long to hold a key"],
  ])("that is %s is a fault", async (_, content, fault) => {
    expect(await faultOf(keyFile(file(content, "key")))).toContain(fault);
  });

  test("that is not there is a fault that names it", async () => {
    expect(await faultOf(keyFile("/nowhere/key"))).toBe("/nowhere/key can't be read (ENOENT)");
  });

  test("that is a folder is a fault", async () => {
    expect(await faultOf(keyFile(folder))).toContain("can't be read (EISDIR)");
  });
});
