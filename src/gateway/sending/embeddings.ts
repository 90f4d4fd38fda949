// Embeddings come as lists of numbers or as base64 of 32-bit floats, little-endian. Official clients ask for base64 by
// default and take a list for zeros without a word, so what the client asked for is what it gets, whatever the
// provider sends. Answers in the right form are not touched.
export type EmbeddingFormat = "base64" | "float";

/** The form that a request's `encoding_format` asks for: a list unless it says base64. */
export function formatOf(encodingFormat: string | null): EmbeddingFormat {
  return encodingFormat === "base64" ? "base64" : "float";
}

/** The first embedding's name and the beginning of its value; the word alone is also the value of `object`. */
const FIRST_EMBEDDING = /"embedding"\s*:\s*(\[|")/;

/** How far into an answer its first embedding begins, at most. */
const LOOK_BYTES = 4096;

/** Whether an answer that begins with these bytes is in the other form. */
export function needsConversion(bytes: Buffer, wanted: EmbeddingFormat): boolean {
  const found = FIRST_EMBEDDING.exec(bytes.toString("latin1", 0, LOOK_BYTES))?.[1];
  return found === (wanted === "base64" ? "[" : '"');
}

/** The whole answer with its embeddings in the form that was asked for; `null` when it can't be read. */
export function convertEmbeddings(body: Buffer, wanted: EmbeddingFormat): Buffer | null {
  let answer: unknown;
  try {
    answer = JSON.parse(body.toString("utf8"));
  } catch {
    // Not JSON, so not an answer either.
    return null;
  }
  const converted = convertedEmbeddings(answer, wanted);
  return converted === null ? null : Buffer.from(JSON.stringify(converted));
}

/** The same of an answer that was read already. */
export function convertedEmbeddings(answer: unknown, wanted: EmbeddingFormat): object | null {
  if (typeof answer !== "object" || answer === null || !("data" in answer) || !Array.isArray(answer.data))
    return null;
  const data: unknown[] = [];
  for (const item of answer.data) {
    const converted = convertItem(item, wanted);
    if (converted === null) return null;
    data.push(converted);
  }
  return { ...answer, data };
}

function convertItem(item: unknown, wanted: EmbeddingFormat): object | null {
  if (typeof item !== "object" || item === null || !("embedding" in item)) return null;
  const { embedding } = item;
  const value = Array.isArray(embedding) ? toForm(embedding, wanted) : toList(embedding, wanted);
  return value === null ? null : { ...item, embedding: value };
}

function toForm(list: readonly unknown[], wanted: EmbeddingFormat): string | readonly unknown[] | null {
  if (wanted === "float") return list;
  const bytes = Buffer.allocUnsafe(4 * list.length);
  for (const [index, value] of list.entries()) {
    if (typeof value !== "number") return null;
    bytes.writeFloatLE(value, 4 * index);
  }
  return bytes.toString("base64");
}

function toList(text: unknown, wanted: EmbeddingFormat): string | number[] | null {
  if (typeof text !== "string") return null;
  if (wanted === "base64") return text;
  const bytes = Buffer.from(text, "base64");
  if (bytes.length === 0 || bytes.length % 4 !== 0) return null;
  return Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(4 * index));
}
