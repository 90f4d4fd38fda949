// What lets requests in at a provider: which of the key's places wins, and what is said where there is none.
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { folder, load, problemsOf } from "./setup.ts";

async function provider(yaml: string, env: Record<string, string> = {}) {
  const { config } = await load(`providers: { p: { ${yaml} } }`, { env });
  const { apiKey, auth, keySource } = config.providers.get("p") ?? {};
  return { apiKey, auth, keySource };
}

const BEARER = { kind: "header", header: "authorization", prefix: "Bearer " };
const OWN = "dialect: openai, base_url: http://10.0.0.1/v1";
const AZURE = "type: azure, options: { resource: r, tenant: t-1 }";
const VERTEX = "type: vertex, options: { project: p }";

describe("a key in a file", () => {
  test("stands where the path says, from the configuration's folder on", async () => {
    expect(await provider("type: openai, api_key_file: keys/one")).toEqual({
      apiKey: null,
      auth: BEARER,
      keySource: { kind: "file", file: join(folder, "keys/one") },
    });
  });

  test("may be one of a pool", async () => {
    const { config } = await load(
      "providers: { p: { type: openai, api_keys: [ plain, { name: filed, key_file: /k } ] } }",
    );
    const pool = [...(config.providers.get("p")?.pool.values() ?? [])];
    expect(pool).toMatchObject([
      { account: "p~1", apiKey: "plain", keySource: null },
      { account: "p~filed", apiKey: null, keySource: { kind: "file", file: "/k" } },
    ]);
  });
});

describe("a client's credentials", () => {
  test("are asked of the catalog's issuer, with what the environment has", async () => {
    const env = { AZURE_CLIENT_ID: "id", AZURE_CLIENT_SECRET: "s", AZURE_OPENAI_API_KEY: "unused" };
    expect(await provider(`${AZURE}, auth: { kind: client_credentials }`, env)).toEqual({
      apiKey: null,
      auth: BEARER,
      keySource: {
        kind: "client_credentials",
        tokenUrl: "https://login.microsoftonline.com/t-1/oauth2/v2.0/token",
        clientId: "id",
        proof: { kind: "secret", secret: "s" },
        parameters: { scope: "https://cognitiveservices.azure.com/.default" },
      },
    });
  });

  test.each([
    ["", { kind: "assertion", file: "/federated" }],
    [", client_secret: given", { kind: "secret", secret: "given" }],
    [", client_assertion_file: /given", { kind: "assertion", file: "/given" }],
  ])("with `auth`%s are proven by %j", async (more, proof) => {
    const env = { AZURE_CLIENT_ID: "id", AZURE_FEDERATED_TOKEN_FILE: "/federated" };
    const { keySource } = await provider(`${AZURE}, auth: { kind: client_credentials${more} }`, env);
    expect(keySource).toMatchObject({ proof });
  });

  test("do for any provider, in any header", async () => {
    const auth =
      "{ kind: client_credentials, token_url: http://10.0.0.2/token, client_id: i, client_secret: s, header: X-Token, parameters: { audience: a } }";
    expect(await provider(`${OWN}, auth: ${auth}`)).toEqual({
      apiKey: null,
      auth: { kind: "header", header: "x-token", prefix: "" },
      keySource: {
        kind: "client_credentials",
        tokenUrl: "http://10.0.0.2/token",
        clientId: "i",
        proof: { kind: "secret", secret: "s" },
        parameters: { audience: "a" },
      },
    });
  });
});

describe("a service account", () => {
  test("is what a catalog entry may ask for by itself", async () => {
    const env = { GOOGLE_APPLICATION_CREDENTIALS: "/account.json" };
    expect(await provider(VERTEX, env)).toEqual({
      apiKey: null,
      auth: BEARER,
      keySource: {
        kind: "service_account",
        file: "/account.json",
        scope: "https://www.googleapis.com/auth/cloud-platform",
        tokenUrl: "https://oauth2.googleapis.com/token",
      },
    });
  });

  test.each([
    [`${VERTEX}, api_key: given`, "given"],
    [VERTEX, "from-the-environment"],
  ])("gives way to a token that is there: %s", async (yaml, apiKey) => {
    const env = {
      GOOGLE_APPLICATION_CREDENTIALS: "/account.json",
      GOOGLE_VERTEX_ACCESS_TOKEN: "from-the-environment",
    };
    expect(await provider(yaml, env)).toEqual({ apiKey, auth: BEARER, keySource: null });
  });

  test("that is asked for wins over the environment's token", async () => {
    const env = { GOOGLE_VERTEX_ACCESS_TOKEN: "from-the-environment" };
    const { keySource } = await provider(`${VERTEX}, auth: { kind: service_account, file: a.json }`, env);
    expect(keySource).toMatchObject({ kind: "service_account", file: join(folder, "a.json") });
  });
});

test("the machine's surroundings are asked where the catalog says", async () => {
  const { keySource } = await provider(`${AZURE}, auth: { kind: metadata }`);
  expect(keySource).toEqual({
    kind: "metadata",
    url: "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fcognitiveservices.azure.com",
    headers: { metadata: "true" },
  });
});

describe("keys to sign with", () => {
  const BEDROCK = "type: bedrock";
  const SIGNED = { kind: "sigv4", service: "bedrock", credentials: null };
  const ROLE = { AWS_ROLE_ARN: "arn:x", AWS_WEB_IDENTITY_TOKEN_FILE: "/who" };
  const INSTANCE = {
    kind: "instance",
    url: "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
    session: {
      url: "http://169.254.169.254/latest/api/token",
      headers: { "x-aws-ec2-metadata-token-ttl-seconds": "21600" },
      header: "x-aws-ec2-metadata-token",
    },
  };
  const OF_ROLE = {
    kind: "role",
    url: "https://sts.us-east-1.amazonaws.com",
    parameters: { Action: "AssumeRoleWithWebIdentity", Version: "2011-06-15" },
    role: "arn:x",
    session: "sluice",
    tokenFile: "/who",
  };

  test.each<[string, Record<string, string>, object]>([
    ["", ROLE, OF_ROLE],
    [
      ", credentials: { from: role, role: 'arn:y', token_file: mine }",
      ROLE,
      { role: "arn:y", tokenFile: join(folder, "mine") },
    ],
    [
      "",
      { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: "/v2/keys" },
      { kind: "container", url: "http://169.254.170.2/v2/keys", token: null },
    ],
    [
      "",
      {
        AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://169.254.170.23/v1",
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: "/token",
        AWS_CONTAINER_AUTHORIZATION_TOKEN: "old",
      },
      { kind: "container", url: "http://169.254.170.23/v1", token: { kind: "file", file: "/token" } },
    ],
    [
      ", credentials: { from: container, url: 'http://127.0.0.1:9/k', token: t }",
      {},
      { kind: "container", url: "http://127.0.0.1:9/k", token: { kind: "secret", secret: "t" } },
    ],
    [
      ", credentials: { from: instance }",
      { ...ROLE, AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "s" },
      INSTANCE,
    ],
  ])("are renewed: %s with %j", async (yaml, env, source) => {
    const found = await provider(`${BEDROCK}${yaml}`, env);
    expect(found).toMatchObject({ apiKey: null, auth: SIGNED, keySource: source });
  });

  test.each<[string, Record<string, string>, object]>([
    ["", { ...ROLE, AWS_BEARER_TOKEN_BEDROCK: "b" }, { apiKey: "b", keySource: null }],
    [", api_key: k", ROLE, { apiKey: "k", keySource: null }],
    [
      "",
      { ...ROLE, AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "s" },
      { auth: { credentials: { accessKeyId: "a" } }, keySource: null },
    ],
  ])("that don't change win: %s with %j", async (yaml, env, access) => {
    expect(await provider(`${BEDROCK}${yaml}`, env)).toMatchObject(access);
  });
});

describe("a problem", () => {
  test.each([
    ["type: bedrock", "providers.p.api_key: the API key is missing"],
    [
      "type: bedrock, credentials: { access_key_id: a }",
      "`access_key_id` and `secret_access_key` go together",
    ],
    [
      "type: bedrock, credentials: { access_key_id: a, secret_access_key: s, from: role }",
      "providers.p.credentials.from: set either keys or where they come from",
    ],
    [
      "type: bedrock, credentials: { from: container }",
      "providers.p.credentials: `url` is missing: set it here",
    ],
    [
      "type: bedrock, credentials: { from: role, token_file: f }",
      "providers.p.credentials: `role` is missing",
    ],
    [
      "type: bedrock, credentials: { from: role, role: r }",
      "providers.p.credentials: `token_file` is missing",
    ],
    [
      `${OWN}, auth: { kind: sigv4, service: s }, credentials: { from: instance }`,
      "providers.p.credentials.from: this type of provider knows no metadata of machines",
    ],
    [
      `${OWN}, auth: { kind: sigv4, service: s }, credentials: { from: role, role: r, token_file: f }`,
      "providers.p.credentials.from: this type of provider exchanges no tokens for keys",
    ],
    [
      "type: openai, api_key: a, api_key_file: b",
      "providers.p.api_key_file: set either `api_key` or `api_key_file`",
    ],
    [
      "type: openai, api_keys: [ a ], api_key_file: b",
      "providers.p.api_keys: set either `api_key_file` or `api_keys`",
    ],
    ["type: openai, api_keys: [ { name: x } ]", "providers.p.api_keys[0]: set either `key` or `key_file`"],
    [
      "type: openai, api_keys: [ { key: a, key_file: b } ]",
      "providers.p.api_keys[0]: set either `key` or `key_file`",
    ],
    [
      `${VERTEX}, api_key: a, auth: { kind: service_account, file: f }`,
      "providers.p.auth.kind: set either an API key or this kind of `auth`",
    ],
    [
      VERTEX,
      "providers.p.auth: `file` is missing: set it here, or the environment variable GOOGLE_APPLICATION_CREDENTIALS; or give an `api_key`, or another `auth: { kind: … }`",
    ],
    [
      `${AZURE}, auth: { kind: client_credentials, client_secret: s }`,
      "providers.p.auth: `client_id` is missing: set it here, or the environment variable AZURE_CLIENT_ID",
    ],
    [
      `${AZURE}, auth: { kind: client_credentials, client_id: i }`,
      "providers.p.auth: `client_secret` is missing: set it here, or the environment variable AZURE_CLIENT_SECRET",
    ],
    [
      `${OWN}, auth: { kind: client_credentials, client_id: i, client_secret: s }`,
      "providers.p.auth: `token_url` is missing: set it here",
    ],
    [`${OWN}, auth: { kind: metadata }`, "providers.p.auth: `metadata_url` is missing: set it here"],
    [
      "type: azure, options: { resource: r }, auth: { kind: client_credentials, client_id: i, client_secret: s }",
      "providers.p.auth: nothing in `options` fills {tenant}",
    ],
    [
      `${OWN}, auth: { kind: metadata, metadata_url: 'ftp://x' }`,
      "the URL must begin with http:// or https://",
    ],
    [
      `${OWN}, auth: { kind: metadata, metadata_url: 'http://user:pass@x/' }`,
      "put credentials into `api_key`, not into the URL",
    ],
  ])("%s", async (yaml, problem) => {
    expect(await problemsOf(`providers: { p: { ${yaml} } }`, { env: {} })).toContain(problem);
  });
});
