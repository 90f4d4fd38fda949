// Embeddings of the pretend model: unit vectors drawn from a hash of the input, so equal inputs have equal vectors.
// Numbers are 32-bit floats in both forms, so base64 and the list hold the same values.
import { countAt, invalid, stringAt } from "./json.ts";
import { drawFrom, hash32, promptTokens } from "./prose.ts";
import type { JsonObject } from "./json.ts";

const DIMENSIONS = 256;
const DIMENSIONS_MAX = 4096;
const INPUTS_MAX = 2048;

export interface Embeddings {
  readonly json: string;
  readonly tokens: number;
}

/** `alwaysFloats`: the fault of a server that does not know base64. Throws `invalid_request`. */
export function answerEmbeddings(body: JsonObject, alwaysFloats: boolean): Embeddings {
  const model = stringAt(body, "model");
  const inputs = parseInputs(body["input"]);
  const format = body["encoding_format"] ?? "float";
  if (format !== "float" && format !== "base64") {
    throw invalid("encoding_format", "`encoding_format` must be float or base64.");
  }
  const dimensions = countAt(body, "dimensions", 1) ?? DIMENSIONS;
  if (dimensions > DIMENSIONS_MAX)
    throw invalid("dimensions", `\`dimensions\` is at most ${DIMENSIONS_MAX}.`);
  const isBase64 = format === "base64" && !alwaysFloats;
  const tokens = inputs.reduce((total, input) => total + input.tokens, 0);
  const list = inputs.map((input, index) => {
    const vector = unitVector(`${model}\n${input.text}`, dimensions);
    return { object: "embedding", index, embedding: isBase64 ? toBase64(vector) : [...vector] };
  });
  const usage = { prompt_tokens: tokens, total_tokens: tokens };
  return { json: JSON.stringify({ object: "list", data: list, model, usage }), tokens };
}

interface Input {
  readonly text: string;
  readonly tokens: number;
}

/** A string, token ids, or a list of either. */
function parseInputs(value: unknown): readonly Input[] {
  if (typeof value === "string") return [fromText(value)];
  const list: readonly unknown[] = Array.isArray(value) ? value : [];
  if (list.length === 0) throw invalid("input", "`input` must be a string or a list with at least one item.");
  if (list.every((item) => typeof item === "number")) return [fromIds(list)];
  if (list.length > INPUTS_MAX) throw invalid("input", `\`input\` holds at most ${INPUTS_MAX} items.`);
  return list.map((item, at) => {
    if (typeof item === "string") return fromText(item);
    if (Array.isArray(item) && item.every((id) => typeof id === "number")) return fromIds(item);
    throw invalid(`input[${at}]`, `\`input[${at}]\` must be a string or a list of token ids.`);
  });
}

function fromText(text: string): Input {
  return { text, tokens: promptTokens(text) };
}

function fromIds(ids: readonly number[]): Input {
  return { text: ids.join(","), tokens: ids.length };
}

function unitVector(text: string, dimensions: number): Float32Array {
  const draw = drawFrom(hash32(text));
  const vector = Float32Array.from({ length: dimensions }, () => draw(65_536) / 32_768 - 1);
  const length = Math.sqrt(vector.reduce((total, number) => total + number * number, 0)) || 1;
  return vector.map((number) => number / length);
}

/** Little-endian 32-bit floats, as clients read them. */
function toBase64(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.length * 4);
  for (const [at, number] of vector.entries()) bytes.writeFloatLE(number, at * 4);
  return bytes.toString("base64");
}
