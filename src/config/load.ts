// Reads `sluice.yaml` (or the file that was named, or nothing) and makes the configuration of it. Whatever is in the file, the outcome
// is a configuration or a `ConfigError` that names every problem with its line and column.
import { type BigIntStats, closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { dirname, resolve as resolvePath } from "node:path";
import { isUtf8 } from "node:buffer";
import { type Catalog, openCatalog } from "./catalog.ts";
import type { Config } from "./config.ts";
import { detectProviders, type Probe } from "./detect.ts";
import { type Document, type Plain, readDocument } from "./document.ts";
import type { Env } from "./interpolate.ts";
import { ConfigError, inOrder, NOWHERE, type Position, type Problem } from "./problems.ts";
import { Report } from "./report.ts";
import { resolveConfig } from "./resolve.ts";
import { schema } from "./schema.ts";
import { validate } from "./validate.ts";

export interface LoadOptions {
  /** The file named with `--config`; without it `sluice.yaml` in `cwd` if there is one, else the built-in defaults. */
  readonly file?: string | undefined;
  readonly cwd: string;
  readonly env: Env;
  readonly hostName: string;
  /** Looks for servers on this machine; none are looked for without it. */
  readonly probe?: Probe | undefined;
  readonly catalog?: Catalog;
  /** From the command line, over what the file says. */
  readonly listen?: string | undefined;
  readonly dataDir?: string | undefined;
}

export interface Loaded {
  readonly config: Config;
  /** What works, but may not be what was meant. */
  readonly warnings: readonly Problem[];
  /** Tells the file that was read from any other, also of the same name. */
  readonly fingerprint: string;
}

/** Read when no file is named. */
export const DEFAULT_FILE = "sluice.yaml";

/** Stands in messages where a file's name would. */
const NO_FILE = "(no configuration file)";

const BYTES_MAX = 512 * 1024;

/** Loads the configuration. Rejects with a `ConfigError`, which is a `GatewayError("invalid_config")`. */
export async function loadConfig(options: LoadOptions): Promise<Loaded> {
  const { catalog = openCatalog(), env } = options;
  const { document, file, folder, fingerprint } = openDocument(options);
  const { value, problems, left } = validate(document, schema);
  if (value === undefined) throw new ConfigError(inOrder(problems));
  const report = new Report(document, left);
  const isDetecting = Object.keys(value.providers ?? {}).length === 0;
  const config = resolveConfig(value, {
    file,
    folder,
    catalog,
    env,
    hostName: options.hostName,
    detected: isDetecting ? await detectProviders(catalog, env, options.probe) : new Map(),
    report,
  });
  const errors = [...problems, ...report.errors];
  if (errors.length > 0) throw new ConfigError(inOrder(errors));
  return { config, warnings: inOrder(report.warnings), fingerprint };
}

/** The file as it is, with the command line's words over it, before anything in it is understood. */
interface OpenedDocument {
  readonly document: Document;
  /** Absolute; null where there is none. */
  readonly file: string | null;
  /** What the relative paths in it start from. */
  readonly folder: string;
  readonly fingerprint: string;
}

function openDocument(options: LoadOptions): OpenedDocument {
  const { env, cwd } = options;
  const path = configPath(options);
  const shown = options.file ?? DEFAULT_FILE;
  const { text, fingerprint } = readText(path, shown, options.file !== undefined);
  const document = override(readDocument(text ?? "", text === null ? NO_FILE : shown, env), options);
  const isThere = text !== null;
  return { document, file: isThere ? path : null, folder: isThere ? dirname(path) : cwd, fingerprint };
}

/** Where a command finds the gateway of a configuration, and what it has to send there. */
export interface Whereabouts extends Pick<Config, "listen"> {
  /** A secret; null: there is none, or it stands in a variable that is not set here. */
  readonly adminKey: string | null;
}

/** Of each command's question only these keys are read; nothing else in the file can make it fail. */
const WHEREABOUTS = schema.pick({ listen: true, data_dir: true, admin: true });

/**
 * Where the gateway of this configuration listens, whatever else the file says: an operator's terminal has not the providers'
 * keys in its environment. Throws a `ConfigError` when the file can't be read, or says that wrongly.
 */
export function readWhereabouts(options: LoadOptions): Whereabouts {
  const { document, value } = readOnly(["listen", "admin"], options);
  const isKeyMissing = document.problems.some(({ key }) => key === "admin.key");
  return { listen: value.listen, adminKey: isKeyMissing ? null : (value.admin.key ?? null) };
}

/** Where its store is, absolute. Throws as above. */
export function readDataDir(options: LoadOptions): string {
  const { folder, value } = readOnly(["data_dir"], options);
  return resolvePath(folder, value.data_dir);
}

function readOnly(keys: readonly (keyof typeof WHEREABOUTS.shape)[], options: LoadOptions) {
  const { document, folder } = openDocument(options);
  const isAsked = ({ key }: Problem): boolean => key === "" || keys.some((asked) => asked === key);
  const part = {
    ...document,
    value: withOnly(keys, document),
    problems: document.problems.filter(isAsked),
  };
  const { value, problems } = validate(part, WHEREABOUTS);
  const errors = value === undefined ? problems : problems.filter(isAsked);
  if (errors.length > 0 || value === undefined) throw new ConfigError(inOrder(errors));
  return { document, folder, value };
}

/** Where the configuration is, or would be if there were one; absolute. */
export function configPath({ cwd, file }: LoadOptions): string {
  return resolvePath(cwd, file ?? DEFAULT_FILE);
}

/** What changes when a file does, or is another one. */
function fingerprintOf(stats: BigIntStats | undefined): string {
  return stats === undefined ? "absent" : `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeNs}`;
}

/** The fingerprint of the file at a path as it is now. */
export function fingerprintAt(path: string): string {
  try {
    return fingerprintOf(statSync(path, { bigint: true, throwIfNoEntry: false }));
  } catch (error) {
    return codeOf(error);
  }
}

/** The document with the command line's words over the file's; a folder named there starts from the working directory. */
function override(document: Document, { cwd, listen, dataDir }: LoadOptions): Document {
  const { value = {} } = document;
  if (typeof value !== "object" || Array.isArray(value)) return document;
  const over = {
    ...(listen !== undefined && { listen }),
    ...(dataDir !== undefined && { data_dir: resolvePath(cwd, dataDir) }),
  };
  return { ...document, value: { ...value, ...over } };
}

/** The document with these keys alone; one that has no keys stays as it is. */
function withOnly(keys: readonly string[], { value = {} }: Document): Plain {
  if (typeof value !== "object" || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([key]) => keys.includes(key)));
}

interface Read<T> {
  readonly text: T;
  readonly fingerprint: string;
}

/** The file's text; null when there is none and none was asked for. */
function readText(path: string, shown: string, isNamed: boolean): Read<string | null> {
  const read = readBytes(path, shown, isNamed);
  if (read === null) return { text: null, fingerprint: fingerprintOf(undefined) };
  const { text: bytes, fingerprint } = read;
  if (bytes.length > BYTES_MAX) {
    throw fileError(shown, `the file is larger than ${BYTES_MAX / 1024} KiB, which no configuration is`);
  }
  const text = bytes.toString("utf8");
  if (!isUtf8(bytes)) throw fileError(shown, "the file is not UTF-8 text from here on", firstFault(text));
  return { text: text.startsWith("\uFEFF") ? text.slice(1) : text, fingerprint };
}

function readBytes(path: string, shown: string, isNamed: boolean): Read<Buffer> | null {
  let descriptor: number;
  try {
    descriptor = openSync(path, "r");
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT" && !isNamed) return null;
    throw fileError(shown, OPEN_FAULTS[code] ?? `the file can't be opened (${code})`);
  }
  try {
    const stats = fstatSync(descriptor, { bigint: true });
    if (stats.isDirectory()) throw fileError(shown, "this is a folder, not a file");
    return { text: readAll(descriptor), fingerprint: fingerprintOf(stats) };
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw fileError(shown, `the file can't be read (${codeOf(error)})`);
  } finally {
    closeSync(descriptor);
  }
}

/** Up to one byte more than is allowed; not by the file's size, for a pipe has none. */
function readAll(descriptor: number): Buffer {
  const bytes = Buffer.alloc(BYTES_MAX + 1);
  let length = 0;
  while (length < bytes.length) {
    const count = readSync(descriptor, bytes, length, bytes.length - length, null);
    if (count === 0) break;
    length += count;
  }
  return bytes.subarray(0, length);
}

const OPEN_FAULTS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "the file may not be read by this user",
};

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown error";
}

function fileError(file: string, message: string, at: Position = NOWHERE): ConfigError {
  return new ConfigError([{ file, ...at, key: "", message }]);
}

/** Where the first bytes that are not UTF-8 stand. */
function firstFault(text: string): Position {
  const before = text.slice(0, Math.max(0, text.indexOf("\uFFFD")));
  const line = before.split("\n").length;
  return { line, column: before.length - before.lastIndexOf("\n") };
}
