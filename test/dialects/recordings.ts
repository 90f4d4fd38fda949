// Recorded provider traffic, which lives outside the project: tests that need it are skipped, saying so, where it is
// absent. And the ways to feed a stream to a decoder: whole, or cut at a byte.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { DialectStream, DialectTarget, DialectUsage } from "../../providers/dialects/dialect.ts";
import { isObject, readArray, readObject, readString, type Json } from "../../providers/dialects/json.ts";

const FOLDER = process.env["SLUICE_FIXTURES"] ?? join(import.meta.dirname, "../../../shared/fixtures");
const ARE_PRESENT = existsSync(join(FOLDER, "INDEX.md"));

/** For `describe.skipIf`. */
export const ARE_RECORDINGS_ABSENT = !ARE_PRESENT;
/** Ends the name of a group that is skipped for that reason. */
export const NOTICE = ARE_PRESENT ? "" : ` (skipped: no recordings at ${FOLDER}; set SLUICE_FIXTURES)`;

export function recordedFile(path: string): string {
  return ARE_PRESENT ? readFileSync(join(FOLDER, path), "utf8") : "";
}

/** All of them, but for their index. */
export function recordedFiles(): readonly string[] {
  if (!ARE_PRESENT) return [];
  return readdirSync(FOLDER, { recursive: true, encoding: "utf8" }).filter((file) => /\/.*\.\w+$/.test(file));
}

/** The streams of a cassette, as the provider sent them. */
export function recordedStreams(path: string): readonly Uint8Array[] {
  if (!ARE_PRESENT) return [];
  const cassette: unknown = JSON.parse(recordedFile(path));
  return readArray(cassette, "interactions").flatMap((interaction) => {
    const text = readString(readObject(interaction, "response"), "text");
    return text === undefined ? [] : [encode(text)];
  });
}

/** The lines of a file with one JSON payload per line. */
export function recordedLines(path: string): readonly string[] {
  return recordedFile(path)
    .split("\n")
    .filter((line) => line.trim() !== "");
}

export function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Payloads framed as a chat stream. */
export function chatSse(payloads: readonly (string | Json)[], done = true): Uint8Array {
  const lines = payloads.map((payload) => (typeof payload === "string" ? payload : JSON.stringify(payload)));
  return encode([...lines, ...(done ? ["[DONE]"] : [])].map((line) => `data: ${line}\n\n`).join(""));
}

/** Payloads framed as named events. */
export function namedSse(payloads: readonly (string | Json)[]): Uint8Array {
  const frames = payloads.map((payload) => {
    const parsed: unknown = typeof payload === "string" ? JSON.parse(payload) : payload;
    return `event: ${readString(parsed, "type")}\ndata: ${JSON.stringify(parsed)}\n\n`;
  });
  return encode(frames.join(""));
}

export function target(overrides: Partial<DialectTarget> = {}): DialectTarget {
  return {
    model: "test-model",
    baseUrl: "https://provider.test/v1",
    options: {},
    createdSeconds: 1_700_000_000,
    id: "0123456789abcdef",
    ...overrides,
  };
}

/** Everything a stream gave. */
export interface Decoded {
  readonly chunks: readonly Json[];
  readonly usage: DialectUsage | null;
  readonly failure: string | null;
  readonly message: string | null;
  readonly finished: boolean;
}

/** Feeds the pieces and ends the stream. */
export function decodePieces(stream: DialectStream, pieces: readonly Uint8Array[]): Decoded {
  const chunks = pieces.flatMap((piece) => stream.push(piece));
  const all = [...chunks, ...stream.end()];
  const failure = stream.failure();
  return {
    chunks: all,
    usage: stream.usage(),
    failure: failure?.code ?? null,
    message: failure?.message ?? null,
    finished: stream.finished(),
  };
}

/** The bytes in two pieces, for every cut; and byte by byte. */
export function* everyCut(bytes: Uint8Array): Generator<readonly Uint8Array[]> {
  for (let cut = 1; cut < bytes.length; cut++) yield [bytes.subarray(0, cut), bytes.subarray(cut)];
  yield Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
}

/** The text of all chunks' deltas, and their tool calls with arguments joined, by choice 0. */
export function summary(chunks: readonly Json[]): {
  readonly content: string;
  readonly reasoning: string;
  readonly tools: readonly { readonly id: unknown; readonly name: unknown; readonly args: string }[];
  readonly finish: unknown;
} {
  let content = "";
  let reasoning = "";
  let finish: unknown = null;
  const tools: { id: unknown; name: unknown; args: string }[] = [];
  for (const chunk of chunks) {
    const [choice] = readArray(chunk, "choices");
    if (!isObject(choice)) continue;
    const delta = readObject(choice, "delta");
    content += readString(delta, "content") ?? "";
    reasoning += readString(delta, "reasoning_content") ?? "";
    finish = choice["finish_reason"] ?? finish;
    for (const call of readArray(delta, "tool_calls")) {
      const tool = readObject(call, "function");
      const index = isObject(call) ? Number(call["index"]) : 0;
      tools[index] ??= { id: isObject(call) ? call["id"] : undefined, name: tool?.["name"], args: "" };
      tools[index].args += readString(tool, "arguments") ?? "";
    }
  }
  return { content, reasoning, tools, finish };
}
