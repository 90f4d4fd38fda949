// Keys that expire, with the real program: an issuer and a provider on loopback, the provider lets in only who shows a token that
// was issued and is not revoked.
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { runCheck } from "../../src/cli/commands/check.ts";
import { type Issuer, startIssuer } from "../credentials/issuer.ts";
import { startGateway, type GatewayProcess } from "./harness.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-e2e-keys-"));
afterAll(() => rmSync(folder, { recursive: true }));

const SECRET = "the-clients-own-secret";
const ANSWER = {
  id: "c1",
  object: "chat.completion",
  created: 1,
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", content: "hello" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 5, completion_tokens: 1, total_tokens: 6 },
};
/** The shortest life that is of any use: keys are not used in their last 10 seconds. */
const SHORT_S = 12;

let issuer: Issuer;
let provider: Issuer;
const good = new Set<string>();
let issued = 0;
let lifeS = 3600;
let isDown = false;

beforeAll(async () => {
  issuer = await startIssuer(() => {
    if (isDown) return { status: 503, body: { error: "temporarily_unavailable" } };
    const token = `access-token-number-${++issued}`;
    good.add(`Bearer ${token}`);
    return { body: { access_token: token, expires_in: lifeS, token_type: "Bearer" } };
  });
  provider = await startIssuer(({ headers }) =>
    good.has(headers.authorization ?? "")
      ? { body: ANSWER }
      : {
          status: 401,
          body: { error: { message: `bad key ${headers.authorization}`, code: "invalid_api_key" } },
        },
  );
});

beforeEach(() => {
  lifeS = 3600;
  isDown = false;
  good.clear();
});

const entra = () => ({
  type: "azure",
  base_url: `${provider.url}/v1`,
  options: { resource: "r", tenant: "t" },
  auth: {
    kind: "client_credentials",
    token_url: `${issuer.url}/{tenant}/token`,
    client_id: "id",
    client_secret: SECRET,
  },
});

const models = { smart: ["cloud/m"] };

async function ask(gateway: GatewayProcess, model = "smart") {
  const response = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model, messages: [{ role: "user", content: "hi" }] }),
  });
  const text = await response.text();
  return { status: response.status, text, code: response.headers.get("x-sluice-error") };
}

/** Asks until the answer is right; a test's own deadline ends it otherwise. */
async function until(isRight: () => Promise<boolean>): Promise<void> {
  while (!(await isRight())) {
    /* Each look is a request, which takes its time. */
  }
}

describe("access tokens", () => {
  test("are got at the start, shown as the provider wants them, and renewed under load without a refusal", async () => {
    lifeS = SHORT_S;
    const gateway = await startGateway({ providers: { cloud: entra() }, models });
    const statuses = new Set<number>();
    const before = issued;
    await until(async () => {
      statuses.add((await ask(gateway)).status);
      return issued >= before + 3;
    });
    expect([...statuses]).toEqual([200]);
    expect(issuer.asked.at(-1)?.path).toBe("/t/token");
    expect(provider.asked.at(-1)?.headers).not.toHaveProperty("api-key");
    expect(await gateway.metric('sluice_provider_key_valid{provider="cloud"}')).toBe(1);
    expect(
      await gateway.metric('sluice_provider_key_renewals_total{provider="cloud",result="ok"}'),
    ).toBeGreaterThan(1);
    expect(gateway.output()).not.toContain(SECRET);
    expect(gateway.output()).not.toContain("access-token-number");
    expect(await gateway.stop()).toBe(0);
  });

  test("that can't be had make requests fail over, and work again when the issuer does", async () => {
    isDown = true;
    good.add("Bearer plain-key-of-the-other");
    const other = { dialect: "openai", base_url: `${provider.url}/v1`, api_key: "plain-key-of-the-other" };
    const gateway = await startGateway({
      providers: { cloud: entra(), other },
      models: { ...models, safe: ["cloud/m", "other/m"] },
    });
    expect((await ask(gateway, "safe")).status).toBe(200);
    const refused = await ask(gateway);
    expect(refused).toMatchObject({ status: 502, code: "provider_auth" });
    expect(refused.text).toContain("no valid key for provider `cloud`");
    expect(await gateway.metric('sluice_provider_key_valid{provider="cloud"}')).toBe(0);
    const shown: unknown = await (await fetch(`${gateway.url}/admin/providers`)).json();
    expect(shown).toMatchObject({ providers: [{ renewals: [{ valid: false }] }, { renewals: [] }] });
    isDown = false;
    await until(async () => (await ask(gateway)).status === 200);
    expect(await gateway.stop()).toBe(0);
    expect(gateway.output()).toContain("refused: 503 temporarily_unavailable");
    expect(gateway.output()).not.toContain(SECRET);
  });

  test("that the provider revokes are asked for again, and what it quotes of them is covered", async () => {
    const gateway = await startGateway({ providers: { cloud: entra() }, models });
    expect((await ask(gateway)).status).toBe(200);
    good.clear();
    const refused = await ask(gateway);
    expect(refused.status).toBe(502);
    expect(refused.text).not.toContain("access-token-number");
    await until(async () => (await ask(gateway)).status === 200);
    await gateway.stop();
  });

  test("of a service account are got with the environment's file", async () => {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const file = join(folder, "account.json");
    const account = {
      type: "service_account",
      client_email: "robot@project.test",
      private_key: privateKey.export({ type: "pkcs8", format: "pem" }),
      token_uri: `${issuer.url}/robots`,
    };
    writeFileSync(file, JSON.stringify(account));
    const gateway = await startGateway(
      { providers: { vertex: { base_url: provider.url, options: { project: "p" } } } },
      { env: { GOOGLE_APPLICATION_CREDENTIALS: file } },
    );
    await ask(gateway, "vertex/gemini-2.5-pro");
    expect(issuer.asked.at(-1)?.path).toBe("/robots");
    expect([...good]).toContain(provider.asked.at(-1)?.headers.authorization);
    expect(gateway.output()).not.toContain("PRIVATE KEY");
    await gateway.stop();
  });
});

test("keys of a container sign requests, and are renewed", async () => {
  let keys = 0;
  const container = await startIssuer(() => ({
    body: {
      AccessKeyId: `AKID${++keys}`,
      SecretAccessKey: "a-secret-to-sign-with",
      Token: `session-token-${keys}`,
      Expiration: new Date(Date.now() + SHORT_S * 1000).toISOString(),
    },
  }));
  const gateway = await startGateway(
    { providers: { bedrock: { base_url: provider.url } } },
    {
      env: {
        AWS_CONTAINER_CREDENTIALS_FULL_URI: `${container.url}/keys`,
        AWS_CONTAINER_AUTHORIZATION_TOKEN: "let-me-in-please",
      },
    },
  );
  const signatures = new Set<string>();
  await until(async () => {
    await ask(gateway, "bedrock/m");
    const { authorization = "", "x-amz-security-token": token } = provider.asked.at(-1)?.headers ?? {};
    expect(authorization).toMatch(/^AWS4-HMAC-SHA256 Credential=AKID\d+\//);
    const key = /AKID(\d+)/.exec(authorization)?.[1];
    expect(token).toBe(`session-token-${key}`);
    signatures.add(key ?? "");
    return signatures.size > 1;
  });
  expect(container.asked[0]?.headers.authorization).toBe("let-me-in-please");
  for (const secret of ["a-secret-to-sign-with", "session-token-", "let-me-in-please"]) {
    expect(gateway.output()).not.toContain(secret);
  }
  await gateway.stop();
});

test("a key's file that is replaced counts from then on", async () => {
  const file = join(folder, "key");
  writeFileSync(file, "first-key-in-a-file\n");
  good.add("Bearer first-key-in-a-file");
  const cloud = { dialect: "openai", base_url: `${provider.url}/v1`, api_key_file: file };
  const gateway = await startGateway({ providers: { cloud }, models });
  expect((await ask(gateway)).status).toBe(200);
  good.clear();
  good.add("Bearer second-key-in-a-file");
  writeFileSync(`${file}.new`, "second-key-in-a-file\n");
  renameSync(`${file}.new`, file);
  await until(async () => (await ask(gateway)).status === 200);
  expect(provider.asked.at(-1)?.headers.authorization).toBe("Bearer second-key-in-a-file");
  expect(gateway.output()).not.toContain("-key-in-a-file");
  await gateway.stop();
});

/** Asks until the circuit is open: the provider is not asked any more. */
async function untilOpen(gateway: GatewayProcess): Promise<void> {
  await until(async () => {
    const before = provider.asked.length;
    const { status } = await ask(gateway);
    return status !== 200 && provider.asked.length === before;
  });
}

describe("a circuit that a refused key has opened", () => {
  const circuit: object = { circuit: { open: "10m", max_open: "1h" } };

  test("is closed by a reload with another key, whose first request gets through", async () => {
    const cloud = { dialect: "openai", base_url: `${provider.url}/v1`, api_key: "a-key-that-is-refused" };
    const gateway = await startGateway({ providers: { cloud }, models, ...circuit });
    await untilOpen(gateway);
    good.add("Bearer a-key-that-is-good");
    const changed = { cloud: { ...cloud, api_key: "a-key-that-is-good" } };
    const whole: object = JSON.parse(readFileSync(gateway.configFile, "utf8"));
    writeFileSync(gateway.configFile, JSON.stringify({ ...whole, providers: changed }));
    await until(async () => (await ask(gateway)).status === 200);
    await gateway.stop();
  });

  test("is closed by a new key in its file", async () => {
    const file = join(folder, "renewed");
    writeFileSync(file, "a-key-that-is-refused\n");
    const cloud = { dialect: "openai", base_url: `${provider.url}/v1`, api_key_file: file };
    const gateway = await startGateway({ providers: { cloud }, models, ...circuit });
    await untilOpen(gateway);
    good.add("Bearer a-key-that-is-good");
    writeFileSync(`${file}.new`, "a-key-that-is-good\n");
    renameSync(`${file}.new`, file);
    await until(async () => (await ask(gateway)).status === 200);
    await gateway.stop();
  });
});

test("`sluice check --online` gets each key once and tells which can't be had", async () => {
  const file = join(folder, "sluice.yaml");
  const providers = { cloud: entra(), filed: { type: "openai", api_key_file: "nowhere" } };
  writeFileSync(file, JSON.stringify({ providers }));
  let text = "";
  const write = (piece: string): void => void (text += piece);
  const code = await runCheck(
    { file, cwd: folder, env: {}, hostName: "h" },
    { out: write, err: write },
    true,
  );
  expect(code).toBe(1);
  expect(text).toContain("cloud: a key was got");
  expect(text).toContain(`filed: no key can be got: ${join(folder, "nowhere")} can't be read (ENOENT)`);
  expect(text).not.toContain(SECRET);
});
