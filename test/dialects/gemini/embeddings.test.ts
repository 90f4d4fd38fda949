import { expect, test } from "vitest";
import { embeddings } from "../../../providers/dialects/gemini/embeddings.ts";
import { target } from "../recordings.ts";

test("Vertex is asked by `predict`", () => {
  const baseUrl = "https://x-aiplatform.googleapis.com/v1/projects/p/locations/x/publishers/google";
  const { path, body } = embeddings.encode(
    { input: "one", dimensions: 8 },
    target({ model: "gemini-embedding-001", baseUrl }),
  );
  expect(path).toBe("/models/gemini-embedding-001:predict");
  expect(JSON.parse(String(body))).toEqual({
    instances: [{ content: "one" }],
    parameters: { outputDimensionality: 8 },
  });
});
