// What the driver is told and what it answers, and the request that it sends.

export interface Load {
  readonly port: number;
  readonly connections: number;
  readonly requests: number;
  readonly isStream: boolean;
  /** What the requests ask for; absent: `smart`. */
  readonly model?: string;
}

export interface LoadResult {
  readonly requests: number;
  readonly failed: number;
  /** The beginning of the first answer that was not a 200. */
  readonly firstFailure: string;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export function isLoadResult(value: unknown): value is LoadResult {
  return typeof value === "object" && value !== null && "p99Ms" in value;
}

/** The client key that the benchmarked gateway asks for. */
export const CLIENT_KEY = "sk-bench-client-key";

const BODY_BYTES = 600;

/** A chat request with a body of 600 bytes, as bytes on the wire. `extra`: more members of the body. */
export function chatRequest({ isStream, model }: Pick<Load, "isStream" | "model">, extra = ""): Buffer {
  const head = `{"model":"${model ?? "smart"}","messages":[{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":"`;
  const tail = `"}],"temperature":0.7,"max_tokens":256${isStream ? ',"stream":true' : ""}${extra}}`;
  const body = head + "word ".repeat(200).slice(0, BODY_BYTES - head.length - tail.length) + tail;
  return Buffer.from(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n` +
      `accept: application/json\r\nuser-agent: bench/1\r\nauthorization: Bearer ${CLIENT_KEY}\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
