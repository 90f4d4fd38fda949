// Asking an instance that runs: which one, with which key, and what may go wrong. For `status`, `limits`, `top`, `drain`.
import { GatewayError } from "../../errors.ts";
import { loadConfig } from "../../config/load.ts";
import type { LoadOptions } from "../../config/load.ts";
import type { Invocation } from "../args.ts";
import type { Output } from "./check.ts";

/** What a command needs of the process it runs in. */
export interface RemoteShell extends Output, Pick<LoadOptions, "cwd" | "env" | "hostName"> {}

export interface RemoteAnswer {
  readonly status: number;
  readonly text: string;
}

export interface Remote {
  readonly url: string;
  /** Rejects with `provider_unreachable` when nothing answers in time. */
  ask(method: "GET" | "POST" | "PUT" | "DELETE", path: string, body?: string): Promise<RemoteAnswer>;
}

/** Where the admin key is looked for; the configuration keeps only a hash of it. */
const ADMIN_KEY = "SLUICE_ADMIN_KEY";
const ANSWER_MS = 5000;

/** `--url` if it is given, else where the configuration says that it listens. Rejects with `invalid_config` when that is wrong. */
export async function findRemote(invocation: Invocation, shell: RemoteShell): Promise<Remote> {
  const url = originOf(invocation.option("url") ?? (await configuredUrl(invocation, shell)));
  const key = shell.env[ADMIN_KEY];
  const headers = key === undefined || key === "" ? {} : { authorization: `Bearer ${key}` };
  return { url, ask: (method, path, body) => ask(`${url}${path}`, { method, headers, body: body ?? null }) };
}

/** The command line has been checked for an address. */
function originOf(text: string): string {
  return new URL(text.includes("://") ? text : `http://${text}`).origin;
}

async function configuredUrl(invocation: Invocation, { cwd, env, hostName }: RemoteShell): Promise<string> {
  const { config } = await loadConfig({ file: invocation.option("config"), cwd, env, hostName });
  return localUrl(config.listen);
}

/** The address for callers on this machine: one that means "all addresses" can't be connected to everywhere. */
export function localUrl({ host, port }: { readonly host: string; readonly port: number }): string {
  const reachable = host === "0.0.0.0" || host === "" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `http://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}

async function ask(url: string, request: RequestInit): Promise<RemoteAnswer> {
  try {
    const response = await fetch(url, { ...request, signal: AbortSignal.timeout(ANSWER_MS) });
    return { status: response.status, text: await response.text() };
  } catch (cause) {
    throw new GatewayError(
      "provider_unreachable",
      `No Sluice answers at ${new URL(url).origin}. Does it run?`,
      { cause },
    );
  }
}

/** Runs a command's body; an expected failure becomes a line for people and exit code 1. */
export async function reporting(shell: Output, body: () => Promise<number>): Promise<number> {
  try {
    return await body();
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    shell.err(`${error.message}\n`);
    return 1;
  }
}

/** The message of an answer that is an error. */
export function messageIn(text: string, status: number): string {
  if (status === 401) return `The instance wants its admin key: set ${ADMIN_KEY} to it.`;
  const quoted = /"message":("(?:[^"\\]|\\.)*")/.exec(text)?.[1];
  const message: unknown = quoted === undefined ? null : JSON.parse(quoted);
  return typeof message === "string" ? message : `The instance answered with status ${status}.`;
}
