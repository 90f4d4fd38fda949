// Secrets and prompts planted in every place that a request and an answer have, at the most talkative log level: what
// a real gateway writes and shows contains none of them.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Server } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startGateway } from "./harness.ts";
import type { GatewayProcess } from "./harness.ts";

const SECRETS = {
  provider: "plain-words-of-a-provider-key",
  header: "plain-words-of-a-header",
  query: "plain-words-of-a-query",
  client: "sk-client-key-of-team-a-0123456789",
  wrong: "sk-wrong-key-of-nobody-0123456789",
  admin: "plain-words-of-an-admin-key",
} as const;
const PROMPT = "my grandmother's maiden name was";
/** How the provider fails: whatever it does, it repeats all that it was sent, its key too. */
const FAILURES = [400, 401, 404, 422, 429, 500, 529] as const;

let provider: Server;
let gateway: GatewayProcess;
const answers: string[] = [];

beforeAll(async () => {
  provider = createServer((request, response) => {
    let body = "";
    request.on("data", (part: Buffer) => (body += part.toString()));
    request.on("end", () => {
      const status = Number(/"model":"fail-(\d+)"/.exec(body)?.[1] ?? 200);
      const message = `You sent ${request.headers.authorization} ${String(request.headers["x-extra"])} ${body}`;
      response.writeHead(status, {
        "content-type": "application/json",
        "x-repeated": request.headers.authorization,
      });
      // With status 200: an answer that breaks off.
      response.end(
        status === 200
          ? `{"choices":[{"message":{"content":${JSON.stringify(message)}`
          : JSON.stringify({ error: { message } }),
      );
    });
  });
  await new Promise<void>((resolve) => provider.listen(0, "127.0.0.1", resolve));
  const { port } = provider.address() as AddressInfo;
  const common = { dialect: "openai", api_key: SECRETS.provider, headers: { "x-extra": SECRETS.header } };
  gateway = await startGateway({
    log: { level: "debug" },
    providers: {
      ...Object.fromEntries(
        ["whole", ...FAILURES].map((name) => [
          `p-${name}`,
          { ...common, base_url: `http://127.0.0.1:${port}/v1` },
        ]),
      ),
      nowhere: { ...common, base_url: "http://127.0.0.1:1/v1", query: { token: SECRETS.query } },
    },
    keys: [{ name: "team-a", key: SECRETS.client }],
    admin: { key: SECRETS.admin },
    retry: { attempts: 1 },
  });
});

afterAll(async () => {
  await gateway.stop();
  provider.close();
  provider.closeAllConnections();
});

async function send(
  body: string,
  headers: Record<string, string> = {},
  path = "/v1/chat/completions",
): Promise<void> {
  const response = await fetch(`${gateway.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${SECRETS.client}`, ...headers },
    body,
  });
  answers.push(JSON.stringify([...response.headers]) + (await response.text()));
}

const chat = (model: string, changes: object = {}) =>
  JSON.stringify({ model, messages: [{ role: "user", content: PROMPT }], ...changes });

test("nothing that was planted comes out in logs or metrics, and no key of ours in an answer", async () => {
  for (const failure of FAILURES) {
    await send(chat(`p-${failure}/fail-${failure}`));
    await send(chat(`p-${failure}/fail-${failure}`, { stream: true }));
  }
  await send(chat("p-whole/breaks-off"));
  await send(chat("nowhere/model"));
  await send(`{"model":"p-whole/x","messages":"${PROMPT}`);
  await send(chat("p-whole/x", { [PROMPT]: 1, max_tokens: PROMPT }));
  await send(chat(`p-whole/${SECRETS.wrong}`));
  await send(chat(SECRETS.wrong));
  await send(chat("p-whole/x"), { authorization: `Bearer ${SECRETS.wrong}` });
  await send(chat("p-whole/x"), { "x-api-key": SECRETS.wrong, cookie: `key=${SECRETS.wrong}` });
  await send(chat("p-whole/x"), {}, `/v1/chat/completions?key=${SECRETS.client}`);
  await send(chat("p-whole/x"), {}, `/v1/nothing/${SECRETS.client}`);
  await send("{}", { authorization: `Bearer ${SECRETS.admin}` }, "/admin/nothing");
  const metrics = await gateway.metrics();
  expect(await gateway.stop()).toBe(0);
  const output = gateway.output();
  expect(output.match(/"message":"request"/g)?.length).toBeGreaterThan(14);
  for (const secret of [...Object.values(SECRETS), PROMPT, "maiden name"]) {
    expect(output).not.toContain(secret);
    expect(metrics).not.toContain(secret);
  }
  for (const answer of answers) {
    for (const secret of [SECRETS.provider, SECRETS.header, SECRETS.query])
      expect(answer).not.toContain(secret);
  }
});
