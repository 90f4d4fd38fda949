// The official clients' Responses API through a real gateway to a provider that has it itself and keeps what it answers.
import { createServer, type Server } from "node:http";
import type * as Sdk from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { namedSse, NOTICE, recordedStreams } from "../dialects/recordings.ts";
import { startGateway, type GatewayProcess } from "./harness.ts";

const RESPONSE = {
  id: "resp_1",
  object: "response",
  created_at: 1,
  status: "completed",
  model: "m",
  output: [
    {
      id: "msg_1",
      type: "message",
      role: "assistant",
      status: "completed",
      content: [{ type: "output_text", text: "Hello.", annotations: [] }],
    },
  ],
  usage: { input_tokens: 7, output_tokens: 4, total_tokens: 11 },
};
const recorded = recordedStreams("openai/responses-stream.json").at(-1);
const [item] = RESPONSE.output;
const written = namedSse([
  {
    type: "response.created",
    sequence_number: 0,
    response: { ...RESPONSE, status: "in_progress", output: [] },
  },
  { type: "response.output_item.added", sequence_number: 1, output_index: 0, item: { ...item, content: [] } },
  { type: "response.output_item.done", sequence_number: 2, output_index: 0, item },
  { type: "response.completed", sequence_number: 3, response: RESPONSE },
]);

let gateway: GatewayProcess;
let provider: Server;
const asked: string[] = [];

beforeAll(async () => {
  provider = createServer((request, response) => {
    const parts: Buffer[] = [];
    request
      .on("data", (part: Buffer) => parts.push(part))
      .on("end", () => {
        const body = Buffer.concat(parts).toString();
        asked.push(`${request.method} ${request.url} ${body}`);
        if (body.includes('"stream":true')) {
          response.writeHead(200, { "content-type": "text/event-stream" }).end(recorded ?? written);
          return;
        }
        const isMissing = request.url?.includes("resp_gone") === true;
        const answer = isMissing
          ? { error: { message: "Not found.", type: "invalid_request_error" } }
          : RESPONSE;
        response
          .writeHead(isMissing ? 404 : 200, { "content-type": "application/json" })
          .end(JSON.stringify(answer));
      });
  });
  await new Promise<void>((resolve) => {
    provider.listen(0, "127.0.0.1", resolve);
  });
  const address = provider.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const own = {
    type: "openai",
    base_url: `http://127.0.0.1:${port}/v1`,
    api_key: "sk-own",
    models: { m: {} },
  };
  gateway = await startGateway({ providers: { "own-eu": own, other: { ...own, api_key: "sk-other" } } });
}, 180_000);

afterAll(async () => {
  provider.closeAllConnections();
  provider.close();
  await gateway.stop("SIGKILL");
});

describe.each(["openai", "openai-v6"])("%s", (name) => {
  async function client() {
    const { default: OpenAI }: typeof Sdk = await import(name);
    return new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: "none", maxRetries: 0 });
  }

  test(`streams a response${NOTICE}`, async () => {
    const openai = await client();
    const stream = openai.responses.stream({ model: "own-eu/m", input: "Hi" });
    const response = await stream.finalResponse();
    expect(response.status).toBe("completed");
    expect(response.output_text).not.toBe("");
    expect(response.id).toMatch(/^resp_.*__at__own-eu$/);
  });

  test("builds on, shows, cancels and deletes a response at the provider that keeps it", async () => {
    const openai = await client();
    const first = await openai.responses.create({ model: "own-eu/m", input: "Hi" });
    expect(first.id).toBe("resp_1__at__own-eu");
    asked.length = 0;
    await openai.responses.create({ model: "own-eu/m", input: "Hi", previous_response_id: first.id });
    expect((await openai.responses.retrieve(first.id)).id).toBe(first.id);
    await openai.responses.inputItems.list(first.id, { limit: 5 });
    await openai.responses.cancel(first.id);
    await openai.responses.delete(first.id);
    expect(asked[0]).toContain('"previous_response_id":"resp_1"');
    expect(asked.slice(1).map((line) => line.trim())).toEqual([
      "GET /v1/responses/resp_1",
      "GET /v1/responses/resp_1/input_items?limit=5",
      "POST /v1/responses/resp_1/cancel",
      "DELETE /v1/responses/resp_1",
    ]);
  });

  test.each([
    ["resp_gone__at__own-eu", 404],
    ["resp_1__at__nobody", 404],
    ["resp_1", 404],
    ["..__at__own-eu", 404],
  ])("is told that %s is not there", async (id, status) => {
    const openai = await client();
    await expect(openai.responses.retrieve(id)).rejects.toMatchObject({ status });
  });
});
