// Embeddings at AI Studio (`batchEmbedContents`) and at Vertex (`predict`), asked for as the embeddings route's clients do.
// https://ai.google.dev/api/embeddings
// https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api
import type { EmbeddingsDialect } from "../dialect.ts";
import { isObject, readArray, readNumber, readObject } from "../json.ts";
import { unexpectedAnswer } from "../failure.ts";
import { invalid, unsupported } from "../shared/params.ts";
import { modelPath } from "./request.ts";
import { isVertex } from "./models.ts";

export const embeddings: EmbeddingsDialect = {
  encode(request, target) {
    const texts = textsOf(request["input"]);
    const dimensions = readNumber(request, "dimensions");
    const body = isVertex(target.baseUrl)
      ? {
          instances: texts.map((content) => ({ content })),
          ...(dimensions === undefined ? {} : { parameters: { outputDimensionality: dimensions } }),
        }
      : {
          requests: texts.map((text) => ({
            model: `models/${target.model.replace(/^models\//, "")}`,
            content: { parts: [{ text }] },
            outputDimensionality: dimensions,
          })),
        };
    return {
      path: modelPath(target, isVertex(target.baseUrl) ? "predict" : "batchEmbedContents"),
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      warnings: [],
    };
  },

  decode(answer, target) {
    const list = readArray(answer, "embeddings");
    const vectors =
      list.length > 0 ? list : readArray(answer, "predictions").map((item) => readObject(item, "embeddings"));
    if (vectors.length === 0) throw unexpectedAnswer(answer, target);
    const data = vectors.map((vector, index) => {
      const embedding = readArray(vector, "values");
      if (embedding.length === 0) throw unexpectedAnswer(answer, target);
      return { object: "embedding", index, embedding };
    });
    const inputTokens = tokensOf(answer, vectors);
    const usage =
      inputTokens === null
        ? null
        : { inputTokens, outputTokens: 0, cachedInputTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 };
    return { body: { object: "list", data, model: target.model }, usage };
  },
};

function textsOf(input: unknown): readonly string[] {
  if (typeof input === "string") return [input];
  if (!Array.isArray(input) || input.length === 0)
    throw invalid("input", "must be a string or a list of strings");
  return input.map((item, index) => {
    if (typeof item === "string") return item;
    throw unsupported(`input[${index}]`, "the provider takes texts, not lists of token ids");
  });
}

/** One counts per text, the other for all of them, if at all. */
function tokensOf(answer: unknown, vectors: readonly unknown[]): number | null {
  const total = readNumber(
    isObject(answer) ? readObject(answer, "usageMetadata") : undefined,
    "promptTokenCount",
  );
  if (total !== undefined) return total;
  const counts = vectors.map((vector) => readNumber(readObject(vector, "statistics"), "token_count"));
  return counts.every((count) => count !== undefined) ? counts.reduce((sum, count) => sum + count, 0) : null;
}
