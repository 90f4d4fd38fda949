// Every recorded stream, as a provider that answers with nothing else, and what the stream holds. Files are found, not
// listed, so that recordings added to the folder are replayed too: the folder's name says the language, and among the
// compatible providers the file's name begins with the vendor's type.
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import { basename, dirname, join } from "node:path";
import { DIALECTS, type DialectStream } from "../../providers/dialects/index.ts";
import { isObject, readArray, readObject, readString } from "../../providers/dialects/json.ts";
import { event, joined } from "../dialects/bedrock/frames.ts";
import {
  chatSse,
  decodePieces,
  encode,
  namedSse,
  recordedFile,
  recordedFiles,
  recordedLines,
  recordedStreams,
  summary,
  target,
} from "../dialects/recordings.ts";

type Language = "openai" | "anthropic" | "gemini" | "bedrock";

export interface Replay {
  /** Also the provider's name. */
  readonly name: string;
  readonly provider: object;
  readonly streamType: string;
  readonly body: Uint8Array;
  /** What is in it; null for a stream that breaks off or reports a failure. */
  readonly holds: Holds | null;
}

export interface Holds {
  readonly text: string;
  readonly calls: readonly { readonly name: string; readonly args: unknown }[];
  readonly inputTokens: number | undefined;
}

const CATALOG = join(import.meta.dirname, "../../providers/catalog");
const SSE = "text/event-stream";
const EVENT_STREAM = "application/vnd.amazon.eventstream";
const AWS = { access_key_id: "AKIDEXAMPLE", secret_access_key: "not-a-secret" };
/** Types of the catalog by folder, where they have other names. */
const TYPES: Readonly<Record<string, string>> = { azure: "azure-deployments" };
/** What the configuration of a type must have besides a key. */
const MORE: Readonly<Record<string, object>> = {
  "azure-deployments": { options: { resource: "r" } },
  bedrock: { credentials: AWS, api_key: undefined },
};

/** Written by hand, for where there are no recordings. */
const WRITTEN = namedSse([
  {
    type: "message_start",
    message: {
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: "m",
      content: [],
      usage: { input_tokens: 9, output_tokens: 1 },
    },
  },
  { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
  { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Hello." } },
  { type: "content_block_stop", index: 0 },
  { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 3 } },
  { type: "message_stop" },
]);

/** All of them, for a provider at this address. */
export function replays(): readonly Replay[] {
  const found = recordedFiles()
    .filter((file) => languageOf(dirname(file)) !== undefined)
    .toSorted()
    .flatMap((file) =>
      streamsIn(file).map((body, index) => {
        const name = `${dirname(file)}-${basename(file)}-${index}`.replaceAll(/\W+/g, "-");
        return replay(name, typeOf(file), body);
      }),
    );
  return [replay("written", "anthropic", WRITTEN), ...found];
}

function languageOf(folder: string): Language | undefined {
  if (folder === "compat" || folder === "azure" || folder === "openai") return "openai";
  return folder === "anthropic" || folder === "gemini" || folder === "bedrock" ? folder : undefined;
}

function typeOf(file: string): string {
  const folder = dirname(file);
  if (folder !== "compat") return TYPES[folder] ?? folder;
  const words = basename(file).split(/[-.]/);
  const prefixes = words.map((_, index) => words.slice(0, words.length - index).join("-"));
  return prefixes.find((prefix) => existsSync(join(CATALOG, `${prefix}.yaml`))) ?? "vllm";
}

/** A file's chat streams as bytes; streams of other APIs are not among them. */
function streamsIn(file: string): readonly Uint8Array[] {
  if (file.endsWith(".chunks.txt")) return [framed(file)];
  const parsed: unknown = file.endsWith(".json") ? JSON.parse(recordedFile(file)) : undefined;
  if (readArray(parsed, "interactions").length > 0) {
    return recordedStreams(file).filter((bytes) => {
      const start = new TextDecoder().decode(bytes.subarray(0, 100));
      return /^\s*(data|event|:)/.test(start) && !start.includes("response.created");
    });
  }
  const files = readString(parsed, "encoding") === "base64" ? readObject(parsed, "files") : undefined;
  return Object.values(files ?? {}).flatMap((base64) =>
    typeof base64 === "string" ? [Buffer.from(base64, "base64")] : [],
  );
}

function framed(file: string): Uint8Array {
  const recorded = recordedLines(file);
  switch (languageOf(dirname(file))) {
    case "anthropic":
      return namedSse(recorded);
    case "gemini":
      return encode(recorded.map((line) => `data: ${line}\r\n\r\n`).join(""));
    case "bedrock":
      return joined(
        recorded.map((line) => {
          const parsed: unknown = JSON.parse(line);
          return event(isObject(parsed) ? parsed : {});
        }),
      );
    case "openai":
    case undefined:
      return chatSse(recorded);
  }
}

function replay(name: string, type: string, body: Uint8Array): Replay {
  const language = languageOf(type) ?? "openai";
  return {
    name,
    provider: { type, api_key: `sk-${name}`, endpoints: ["chat"], models: { m: {} }, ...MORE[type] },
    streamType: language === "bedrock" ? EVENT_STREAM : SSE,
    body,
    holds: holds(DIALECTS.get(language)?.chat.stream(target({ model: "m" }), true), body),
  };
}

/** What our own decoder makes of it, which the tests of the dialects hold to the recordings. */
function holds(stream: DialectStream | undefined, body: Uint8Array): Holds | null {
  if (stream === undefined) throw new Error("A recording is in a language that nobody speaks.");
  const decoded = decodePieces(stream, [body]);
  if (decoded.failure !== null) return null;
  const { content, tools } = summary(decoded.chunks);
  return {
    text: content,
    calls: tools.map(({ name, args }) => ({ name: String(name), args: JSON.parse(args) })),
    inputTokens: decoded.usage?.inputTokens,
  };
}

export interface Replaying {
  /** Providers for the gateway's configuration. */
  readonly providers: Readonly<Record<string, object>>;
  /** The request lines and credentials of the requests so far, by provider. */
  readonly seen: ReadonlyMap<string, { readonly path: string; readonly authorization: string }>;
  close(): void;
}

/** A server that is all these providers, and sends pieces that cut frames anywhere. */
export async function startReplaying(all: readonly Replay[]): Promise<Replaying> {
  const seen = new Map<string, { path: string; authorization: string }>();
  const byName = new Map(all.map((each) => [each.name, each]));
  const server = createServer((request, response) => {
    const [, name = ""] = (request.url ?? "").split("/");
    const known = byName.get(name);
    seen.set(name, { path: request.url ?? "", authorization: request.headers.authorization ?? "" });
    request.resume().on("end", () => {
      response.writeHead(200, { "content-type": known?.streamType ?? SSE });
      const body = known?.body ?? encode("");
      for (let at = 0; at < body.length; at += 97) response.write(body.subarray(at, at + 97));
      response.end();
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const providers = all.map(({ name, provider }) => [
    name,
    { ...provider, base_url: `http://127.0.0.1:${port}/${name}/v1` },
  ]);
  return {
    providers: Object.fromEntries(providers),
    seen,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
