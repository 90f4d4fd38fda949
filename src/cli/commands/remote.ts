// Asking an instance that runs: which one, with which key, and what may go wrong. For `status`, `limits`, `top`, `drain`.
import { GatewayError } from "../../errors.ts";
import { readWhereabouts } from "../../config/load.ts";
import type { LoadOptions } from "../../config/load.ts";
import type { Invocation } from "../args.ts";
import { localUrl } from "../local-url.ts";
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

/** Where the admin key is looked for first. */
const ADMIN_KEY = "SLUICE_ADMIN_KEY";
const ANSWER_MS = 5000;

/**
 * `--url` if it is given, else where the configuration says that it listens, with the admin key that stands there unless the
 * environment has one. Throws `invalid_config` when that can't be read.
 */
export function findRemote(invocation: Invocation, shell: RemoteShell): Remote {
  const named = invocation.option("url");
  const { url, adminKey } =
    named === undefined ? configured(invocation, shell) : { url: originOf(named), adminKey: null };
  const key = shell.env[ADMIN_KEY] || adminKey;
  const headers = key === null ? {} : { authorization: `Bearer ${key}` };
  return { url, ask: (method, path, body) => ask(`${url}${path}`, { method, headers, body: body ?? null }) };
}

/** The command line has been checked for an address. */
function originOf(text: string): string {
  return new URL(text.includes("://") ? text : `http://${text}`).origin;
}

/** A key goes only to the address that stands beside it. */
function configured(invocation: Invocation, { cwd, env, hostName }: RemoteShell) {
  try {
    const { listen, adminKey } = readWhereabouts({
      file: invocation.option("config"),
      cwd,
      env,
      hostName,
    });
    return { url: localUrl(listen), adminKey };
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    const message = `${error.message}\nWhere the instance listens can't be told from that; name it with --url HOST:PORT.`;
    throw new GatewayError(error.code, message, { cause: error });
  }
}

async function ask(url: string, request: RequestInit): Promise<RemoteAnswer> {
  try {
    const response = await fetch(url, { ...request, signal: AbortSignal.timeout(ANSWER_MS) });
    return { status: response.status, text: await response.text() };
  } catch (cause) {
    throw new GatewayError(
      "provider_unreachable",
      `No Sluice answers at ${new URL(url).origin}. Does it run? Another address is given with --url HOST:PORT.`,
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
