// Embeddings at providers whose language is not the clients': both of the ways in which they are asked there, and both forms.
import { describe, expect, test } from "vitest";
import { startGateway } from "./gateway-fixture.ts";
import { scriptedUpstream } from "./scripted-upstream.ts";

const STUDIO = { embeddings: [{ values: [0.5, -0.25] }, { values: [1, 2] }] };
const VERTEX = {
  predictions: [
    { embeddings: { values: [0.5, -0.25], statistics: { token_count: 3 } } },
    { embeddings: { values: [1, 2], statistics: { token_count: 4 } } },
  ],
};

async function embed(answer: unknown, body: object) {
  const upstream = await scriptedUpstream((r) => r.answer(200, JSON.stringify(answer)));
  const gateway = await startGateway({
    providers: { a: upstream },
    dialects: { a: "gemini" },
    provider: "endpoints: [ chat, embeddings ]",
  });
  const reply = await gateway.ask({ model: "any", messages: undefined, ...body }, "/v1/embeddings");
  return { reply, upstream, gateway };
}

describe("embeddings in another language", () => {
  test("are asked for in one batch, and come as numbers", async () => {
    const { reply, upstream, gateway } = await embed(STUDIO, { input: ["one", "two"], dimensions: 2 });
    expect(reply.status).toBe(200);
    expect(JSON.parse(reply.body)).toEqual({
      object: "list",
      data: [
        { object: "embedding", index: 0, embedding: [0.5, -0.25] },
        { object: "embedding", index: 1, embedding: [1, 2] },
      ],
      model: "m",
      usage: { prompt_tokens: expect.any(Number), total_tokens: expect.any(Number) },
    });
    const request = await upstream.request(0);
    expect(request.head.split(" ")[1]).toMatch(/\/models\/m:batchEmbedContents$/);
    expect(request.json()).toEqual({
      requests: ["one", "two"].map((text) => ({
        model: "models/m",
        content: { parts: [{ text }] },
        outputDimensionality: 2,
      })),
    });
    expect((await gateway.settled()).tokens).toBeGreaterThan(0);
    expect(gateway.records).toMatchObject([{ isUsageEstimated: true, outcome: "ok" }]);
  });

  test("come as base64 to those who ask for it", async () => {
    const { reply } = await embed(STUDIO, { input: ["one", "two"], encoding_format: "base64" });
    const [first] = JSON.parse(reply.body).data;
    const bytes = Buffer.from(first.embedding, "base64");
    expect([bytes.readFloatLE(0), bytes.readFloatLE(4)]).toEqual([0.5, -0.25]);
  });

  test("are settled with the counts of the provider that has some", async () => {
    const { reply, gateway } = await embed(VERTEX, { input: ["one", "two"] });
    expect(JSON.parse(reply.body).usage).toEqual({ prompt_tokens: 7, total_tokens: 7 });
    expect((await gateway.settled()).tokens).toBe(7);
  });

  test.each([
    ["token ids", { input: [[1, 2]] }, STUDIO, 400],
    ["nothing", { input: [] }, STUDIO, 400],
    ["an answer without any", { input: "x" }, {}, 502],
    ["an answer with an empty one", { input: "x" }, { embeddings: [{ values: [] }] }, 502],
  ])("of %s are an error", async (_, body, answer, status) => {
    const { reply, gateway } = await embed(answer, body);
    expect(reply.status).toBe(status);
    await gateway.settled();
  });
});
