// Log lines. To a file or pipe: one JSON object per line, for machines. To a terminal: one short line, for people.
// The request line, one per request at level info, is put together by hand from fields that are known to be harmless;
// everything else passes through the redactor.
import type { Log, LogFields, RequestRecord } from "./events.ts";
import type { LineWriter } from "./line-writer.ts";
import type { Redactor } from "./redact.ts";
import { gatewayOverheadMs } from "./request-metrics.ts";

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LineLogOptions {
  readonly writer: LineWriter;
  readonly redactor: Redactor;
  /** Milliseconds since the epoch. */
  readonly wallMs: () => number;
  readonly level: LogLevel;
  /** Lines for people instead of JSON. */
  readonly isPretty: boolean;
  readonly hasColors: boolean;
}

export class LineLog implements Log {
  private readonly options: LineLogOptions;
  private least: number;
  private timeMs = -1;
  private timeText = "";

  constructor(options: LineLogOptions) {
    this.options = options;
    this.least = LOG_LEVELS.indexOf(options.level);
  }

  setLevel(level: LogLevel): void {
    this.least = LOG_LEVELS.indexOf(level);
  }

  debug(message: string, fields?: LogFields): void {
    this.line("debug", message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.line("info", message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.line("warn", message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.line("error", message, fields);
  }

  private line(level: LogLevel, message: string, fields: LogFields = {}): void {
    if (LOG_LEVELS.indexOf(level) < this.least) return;
    const { writer, redactor, isPretty, hasColors } = this.options;
    const safe = Object.entries(fields).map(([name, value]) => [name, redactor.value(value, name)] as const);
    if (isPretty) {
      const rest = safe.map(([name, value]) => `${name}=${plain(value)}`).join(" ");
      writer.write(
        `${this.clockTime()} ${paint(level, hasColors)} ${message}${rest === "" ? "" : `  ${rest}`}`,
      );
      return;
    }
    const line = { time: this.time(), level, message: redactor.text(message), ...Object.fromEntries(safe) };
    writer.write(JSON.stringify(line));
  }

  /** The line of a request that is over. */
  request(record: RequestRecord): void {
    const level = record.outcome === "internal_error" ? "error" : "info";
    if (LOG_LEVELS.indexOf(level) < this.least) return;
    const { writer, isPretty, hasColors, redactor } = this.options;
    // The client names the model, so it may be anything; the rest is ours or from the configuration.
    const model = redactor.name(record.model);
    const asked = record.modelAsked === record.model ? "" : redactor.name(record.modelAsked);
    writer.write(
      isPretty
        ? `${this.clockTime()} ${paint(level, hasColors)} ${prettyRequest(record, model, asked)}`
        : `{"time":"${this.time()}","level":"${level}","message":"request"${requestMembers(record, model, asked)}}`,
    );
  }

  /** ISO 8601 in UTC; made once per millisecond. */
  private time(): string {
    const now = Math.floor(this.options.wallMs());
    if (now !== this.timeMs) {
      this.timeMs = now;
      this.timeText = new Date(now).toISOString();
    }
    return this.timeText;
  }

  private clockTime(): string {
    return this.time().slice(11, 19);
  }
}

function requestMembers(record: RequestRecord, model: string, asked: string): string {
  const { usage } = record;
  let members =
    `,"id":${quoted(record.id)},"route":${quoted(record.route)},"status":${record.status},"outcome":"${record.outcome}"` +
    `,"provider":${quoted(record.provider)},"model":${quoted(model)},"ms":${rounded(record.endedMs - record.startedMs)}`;
  if (asked !== "") members += `,"model_asked":${quoted(asked)}`;
  if (record.keyName !== "") members += `,"key_name":${quoted(record.keyName)}`;
  if (record.isStream) members += ',"stream":true';
  if (record.cache !== "") members += `,"cache":"${record.cache}"`;
  if (record.attempts !== 1) members += `,"attempts":${record.attempts}`;
  if (record.errorCode !== "") members += `,"error":"${record.errorCode}"`;
  if (record.waitedMs > 0) members += `,"waited_ms":${rounded(record.waitedMs)}`;
  if (record.firstByteMs > 0)
    members += `,"first_token_ms":${rounded(record.firstByteMs - record.startedMs)}`;
  const overheadMs = gatewayOverheadMs(record);
  if (overheadMs !== null) members += `,"overhead_ms":${rounded(overheadMs)}`;
  if (usage !== null) {
    members += `,"input_tokens":${usage.inputTokens},"output_tokens":${usage.outputTokens}`;
    if (usage.cachedInputTokens > 0) members += `,"cached_input_tokens":${usage.cachedInputTokens}`;
    if (record.isUsageEstimated) members += ',"usage_estimated":true';
  }
  return members;
}

/** Text that needs no escape in JSON: most of ours. */
const PLAIN = /^[\w\-./:@ ]*$/;

function quoted(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}

/** Microseconds are enough. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

function prettyRequest(record: RequestRecord, model: string, asked: string): string {
  const target = record.provider === "" ? asked || model : `${record.provider}/${model}`;
  const parts = [
    String(record.status),
    record.route,
    target,
    `${Math.round(record.endedMs - record.startedMs)} ms`,
  ];
  if (record.waitedMs >= 1) parts.push(`waited ${Math.round(record.waitedMs)} ms`);
  if (record.cache !== "") parts.push(`cache ${record.cache}`);
  if (record.attempts > 1) parts.push(`${record.attempts} attempts`);
  const { usage } = record;
  if (usage !== null) parts.push(`${usage.inputTokens}+${usage.outputTokens} tokens`);
  if (record.outcome !== "ok") parts.push(record.errorCode === "" ? record.outcome : record.errorCode);
  return clean(parts.filter((part) => part !== "").join("  "));
}

/** For a terminal: no control characters, which could move the cursor or ring the bell. */
function clean(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, "?");
}

function plain(value: unknown): string {
  return clean(
    typeof value === "string" && !value.includes(" ") ? value : (JSON.stringify(value) ?? "undefined"),
  );
}

const COLORS: Readonly<Record<LogLevel, string>> = { debug: "90", info: "36", warn: "33", error: "31" };

function paint(level: LogLevel, hasColors: boolean): string {
  return hasColors ? `\u001B[${COLORS[level]}m${level.padEnd(5)}\u001B[0m` : level.padEnd(5);
}
