// Every way in which the pretend provider can be told to misbehave, in one table; docs/SIMULATOR.md lists the same
// names, and a test compares the two. A fault is asked for by model name (`sim-cut`) or by header
// (`x-simulator-fault: cut`), both with settings if wanted: `cut; after=5`, `500; rate=0.2`, `slow; ms=3000`.
//
// A fault either leaves something out of an answer that is otherwise right, or turns its plan into a worse one.
import { gzipSync } from "node:zlib";
import { DONE, NOTHING_OMITTED } from "./chat-wire.ts";
import type { Omissions } from "./chat-wire.ts";
import type { Chunk, Plan } from "./plan.ts";

export interface FaultSettings {
  /** How many chunks are right before the fault shows. */
  readonly after: number;
  /** How long to wait, in milliseconds; each fault has its own default. */
  readonly ms: number | null;
  /** The part of requests that are hit, from 0 to 1. */
  readonly rate: number;
}

interface FaultEntry {
  readonly summary: string;
  readonly omits?: Partial<Omissions>;
  /** The quota is not charged at all, as for a request turned away. */
  readonly isRefusal?: boolean;
  /** Makes the plan worse. Absent: what it omits is all. */
  readonly spoil?: (plan: Plan, settings: FaultSettings) => Plan;
}

const SLOW_MS = 5000;
/** Silence ends in the end, so that nothing stays for ever. */
const SILENT_MS = 15 * 60_000;
const RETRY_AFTER_MS = 1000;
const LINE_CHUNK = "x".repeat(64 * 1024);
/** 1,024 chunks of 64 KiB: 64 MiB without a line's end. */
const LINE_REPEATS = 1023;
const COMMENT = ": keep-alive\n\n";

export const FAULTS = {
  slow: {
    summary: "The first byte comes after 5 s (`ms`).",
    spoil: (plan, { ms }) => ({ ...plan, firstMs: ms ?? SLOW_MS }),
  },
  silent: {
    summary: "Takes the request and never answers.",
    spoil: (plan) => ({ ...plan, chunks: [], firstMs: SILENT_MS, ending: "destroy" }),
  },
  "headers-only": {
    summary: "Sends status and headers, and then nothing.",
    spoil: (plan) => ({ ...plan, chunks: [], isHeadFirst: true, ending: "hang" }),
  },
  stall: {
    summary: "Sends 3 chunks (`after`), then nothing; the connection stays open.",
    spoil: (plan, { after }) => ({ ...plan, chunks: first(plan, after), ending: "hang" }),
  },
  cut: {
    summary: "Sends 3 chunks (`after`), then tears the connection.",
    spoil: (plan, { after }) => ({ ...plan, chunks: first(plan, after), ending: "destroy" }),
  },
  reset: {
    summary: "Tears the connection before any answer.",
    spoil: (plan) => ({ ...plan, chunks: [], firstMs: 0, ending: "destroy" }),
  },
  "early-end": {
    summary: "Sends 3 chunks (`after`) and ends properly, without finish reason and without `[DONE]`.",
    spoil: (plan, { after }) => ({ ...plan, chunks: first(plan, after) }),
  },
  "no-finish": { summary: "No finish reason; `[DONE]` comes all the same.", omits: { finish: true } },
  "no-done": { summary: "The stream ends without `[DONE]`.", omits: { done: true } },
  linger: {
    summary: "Sends everything, `[DONE]` too, and leaves the connection open.",
    spoil: (plan) => ({ ...plan, ending: "hang" }),
  },
  "no-usage": { summary: "Never reports usage.", omits: { usage: true } },
  "no-tool-index": { summary: "Tool calls in a stream carry no `index`.", omits: { toolIndex: true } },
  malformed: {
    summary: "After 3 chunks (`after`) a frame that is not JSON; unstreamed: JSON that breaks off.",
    spoil: (plan, { after }) =>
      spoilChunks(plan, after, {
        stream: ['data: {"id":"chatcmpl-broken","choices":[{"index":0,"delta":{"content":\n\n'],
        json: (text) => [text.slice(0, text.length >> 1)],
      }),
  },
  "half-frame": {
    summary: "After 3 chunks (`after`) half a frame, and a proper end.",
    spoil: (plan, { after }) => {
      const next = String(plan.chunks[after] ?? plan.chunks.at(-1) ?? "");
      return { ...plan, chunks: [...first(plan, after), next.slice(0, next.length >> 1)] };
    },
  },
  "endless-line": {
    summary: "After 3 chunks (`after`) one line of 64 MiB.",
    spoil: (plan, { after }) => ({
      ...plan,
      chunks: [...first(plan, after), 'data: {"x":"', LINE_CHUNK],
      repeats: LINE_REPEATS,
      paceMs: 0,
    }),
  },
  "error-first": {
    summary: "Status 200, and the first event of the stream is an error.",
    spoil: (plan) => errorAt(plan, 0),
  },
  "error-in-stream": {
    summary: "After 3 chunks (`after`) an error event; unstreamed: 200 with an error for a body.",
    spoil: (plan, { after }) => errorAt(plan, after),
  },
  html: {
    summary: "Status 200 with a page of HTML.",
    spoil: (plan) => body(plan, 200, "text/html", "<!doctype html><title>Welcome</title><h1>It works</h1>"),
  },
  "html-502": {
    summary: "Status 502 with a page of HTML, as a proxy on the way would send.",
    spoil: (plan) => body(plan, 502, "text/html", "<html><h1>502 Bad Gateway</h1></html>"),
  },
  "wrong-type": {
    summary: "The right body under `content-type: text/plain`.",
    spoil: (plan) => ({ ...plan, headers: { ...plan.headers, "content-type": "text/plain" } }),
  },
  "not-an-object": {
    summary: "Status 200 and the JSON text `[]`, whatever was asked.",
    spoil: (plan) => body(plan, 200, "application/json", "[]"),
  },
  empty: {
    summary: "Status 200 without a body.",
    spoil: (plan) => ({ ...plan, chunks: [] }),
  },
  "empty-stream": {
    summary: "A stream that holds `[DONE]` alone.",
    spoil: (plan) => (isStream(plan) ? { ...plan, chunks: [frame(DONE)] } : { ...plan, chunks: [] }),
  },
  gzip: {
    summary: "The right answer, compressed with gzip.",
    spoil: (plan) => gzip(plan, (bytes) => bytes),
  },
  "gzip-cut": {
    summary: "Compressed with gzip and cut in half, with a proper end.",
    spoil: (plan) => gzip(plan, (bytes) => bytes.subarray(0, bytes.length >> 1)),
  },
  bytes: {
    summary: "The right answer, each byte sent by itself.",
    spoil: (plan) => ({ ...plan, chunks: singleBytes(plan), paceMs: 0, isSplit: true }),
  },
  crlf: {
    summary: "The stream's lines end in CR LF.",
    spoil: (plan) =>
      isStream(plan)
        ? { ...plan, chunks: plan.chunks.map((chunk) => String(chunk).replaceAll("\n", "\r\n")) }
        : plan,
  },
  comments: {
    summary: "Comment lines stand before the stream's frames.",
    spoil: (plan) => (isStream(plan) ? { ...plan, chunks: plan.chunks.flatMap((c) => [COMMENT, c]) } : plan),
  },
  floats: { summary: "Embeddings come as numbers even where base64 was asked for." },
  400: { summary: "Status 400, `invalid_value`.", spoil: (plan) => failure(plan, 400, "invalid_value") },
  401: { summary: "Status 401, `invalid_api_key`.", spoil: (plan) => failure(plan, 401, "invalid_api_key") },
  403: { summary: "Status 403.", spoil: (plan) => failure(plan, 403, "forbidden") },
  404: { summary: "Status 404, `model_not_found`.", spoil: (plan) => failure(plan, 404, "model_not_found") },
  408: { summary: "Status 408.", spoil: (plan) => failure(plan, 408, "request_timeout") },
  422: { summary: "Status 422.", spoil: (plan) => failure(plan, 422, "unprocessable") },
  context: {
    summary: "Status 400, `context_length_exceeded`.",
    spoil: (plan) => failure(plan, 400, "context_length_exceeded"),
  },
  filter: {
    summary: "Status 400, `content_filter`.",
    spoil: (plan) => failure(plan, 400, "content_filter"),
  },
  429: {
    summary: "Status 429 with `retry-after` of 1 s (`ms`), whatever the quota.",
    isRefusal: true,
    spoil: (plan, { ms }) => retryLater(failure(plan, 429, "rate_limit_exceeded"), ms ?? RETRY_AFTER_MS),
  },
  quota: {
    summary: "Status 429, `insufficient_quota`: the account's money is spent.",
    isRefusal: true,
    spoil: (plan) => failure(plan, 429, "insufficient_quota"),
  },
  500: { summary: "Status 500.", spoil: (plan) => failure(plan, 500, "server_error") },
  502: { summary: "Status 502.", spoil: (plan) => failure(plan, 502, "bad_gateway") },
  503: {
    summary: "Status 503 with `retry-after` of 1 s (`ms`).",
    spoil: (plan, { ms }) => retryLater(failure(plan, 503, "server_is_overloaded"), ms ?? RETRY_AFTER_MS),
  },
  529: {
    summary: "Status 529, `overloaded_error`.",
    spoil: (plan) => failure(plan, 529, "overloaded_error"),
  },
} as const satisfies Record<string, FaultEntry>;

export type FaultName = `${keyof typeof FAULTS}`;

export interface Fault {
  readonly name: FaultName;
  readonly settings: FaultSettings;
}

/** The fault's entry, with what it leaves open filled in. */
export function faultEntry(name: FaultName): FaultEntry {
  return FAULTS[name];
}

export function omissionsOf(fault: Fault | null): Omissions {
  return fault === null ? NOTHING_OMITTED : { ...NOTHING_OMITTED, ...faultEntry(fault.name).omits };
}

export function spoiled(plan: Plan, fault: Fault | null): Plan {
  return fault === null ? plan : (faultEntry(fault.name).spoil?.(plan, fault.settings) ?? plan);
}

function isFaultName(text: string): text is FaultName {
  return Object.hasOwn(FAULTS, text);
}

/** `cut; after=5; rate=0.5`; null: not a fault's name. */
export function parseFault(text: string): Fault | null {
  const [name = "", ...settings] = text.split(";").map((part) => part.trim());
  if (!isFaultName(name)) return null;
  const given = new Map(settings.map((setting) => [setting.split("=")[0], Number(setting.split("=")[1])]));
  const number = (key: string): number | null => {
    const value = given.get(key);
    return value === undefined || !Number.isFinite(value) || value < 0 ? null : value;
  };
  return {
    name,
    settings: { after: Math.floor(number("after") ?? 3), ms: number("ms"), rate: number("rate") ?? 1 },
  };
}

function first(plan: Plan, count: number): readonly Chunk[] {
  return isStream(plan) ? plan.chunks.slice(0, count) : halved(plan);
}

/** An unstreamed answer is one chunk: half of it is what "some of it" means there. */
function halved(plan: Plan): readonly Chunk[] {
  const [chunk = ""] = plan.chunks;
  return [
    typeof chunk === "string" ? chunk.slice(0, chunk.length >> 1) : chunk.subarray(0, chunk.length >> 1),
  ];
}

export function isStream(plan: Plan): boolean {
  return plan.headers["content-type"] === "text/event-stream";
}

export function frame(payload: string): string {
  return `data: ${payload}\n\n`;
}

interface Spoilt {
  readonly stream: readonly Chunk[];
  readonly json: (text: string) => readonly Chunk[];
}

function spoilChunks(plan: Plan, after: number, spoilt: Spoilt): Plan {
  if (!isStream(plan)) return { ...plan, chunks: spoilt.json(String(plan.chunks[0] ?? "")) };
  return { ...plan, chunks: [...plan.chunks.slice(0, after), ...spoilt.stream, ...plan.chunks.slice(after)] };
}

function errorAt(plan: Plan, after: number): Plan {
  const text = errorText(500, "server_error");
  if (!isStream(plan)) return { ...plan, chunks: [text] };
  return { ...plan, chunks: [...plan.chunks.slice(0, after), frame(text)] };
}

function body(plan: Plan, status: number, contentType: string, text: string): Plan {
  return { ...plan, status, headers: { ...plan.headers, "content-type": contentType }, chunks: [text] };
}

function failure(plan: Plan, status: number, code: string): Plan {
  return body(plan, status, "application/json", errorText(status, code));
}

function errorText(status: number, code: string): string {
  const type = TYPES[code] ?? (status >= 500 ? "server_error" : "invalid_request_error");
  const message = `The simulator was told to fail with ${code}.`;
  return JSON.stringify({ error: { message, type, param: null, code } });
}

const TYPES: Readonly<Record<string, string>> = {
  rate_limit_exceeded: "requests",
  insufficient_quota: "insufficient_quota",
  overloaded_error: "overloaded_error",
  invalid_api_key: "authentication_error",
};

/** Both headers, the coarse one rounded up. */
export function retryLater(plan: Plan, waitMs: number): Plan {
  const headers = {
    ...plan.headers,
    "retry-after-ms": String(Math.ceil(waitMs)),
    "retry-after": String(Math.max(1, Math.ceil(waitMs / 1000))),
  };
  return { ...plan, headers };
}

function joined(plan: Plan): Buffer {
  return Buffer.concat(plan.chunks.map((chunk) => Buffer.from(chunk)));
}

function gzip(plan: Plan, spoil: (bytes: Buffer) => Buffer): Plan {
  const headers = { ...plan.headers, "content-encoding": "gzip" };
  return { ...plan, headers, chunks: [spoil(gzipSync(joined(plan)))] };
}

function singleBytes(plan: Plan): readonly Chunk[] {
  const bytes = joined(plan);
  return Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
}
