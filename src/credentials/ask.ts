// One small question to an issuer of keys: a request with a short JSON answer, over a connection of its own. Redirects are not
// followed: they would carry secrets to where nobody has configured them.
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { tryParse } from "../json.ts";
import { KeyFault } from "./key.ts";

export interface Question {
  readonly method: "GET" | "POST" | "PUT";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Empty: none. */
  readonly body: string;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** No key is longer. */
const BYTES_MAX = 64 * 1024;

/** Asks once. Rejects with a `KeyFault` when no answer comes, or one that is too long. */
export function ask({ method, url, headers, body }: Question, signal: AbortSignal): Promise<Answer> {
  const target = new URL(url);
  const request = target.protocol === "https:" ? requestHttps : requestHttp;
  const length = body === "" && method === "GET" ? {} : { "content-length": String(Buffer.byteLength(body)) };
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => reject(unreachable(target, error));
    const sent = request(
      target,
      { method, headers: { accept: "application/json", ...headers, ...length }, agent: false, signal },
      (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on("error", fail);
        response.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > BYTES_MAX) response.destroy(new Error("the answer is too long"));
          else chunks.push(chunk);
        });
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
        );
      },
    );
    sent.on("error", fail);
    sent.end(body);
  });
}

function unreachable(target: URL, error: Error): KeyFault {
  const code = "code" in error && typeof error.code === "string" ? error.code : error.message;
  return new KeyFault(`${target.host} could not be asked (${code})`, { cause: error });
}

/** The members of a JSON object; a `KeyFault` for anything else. */
export function members(text: string, origin: string): Readonly<Record<string, unknown>> {
  const found = jsonObject(text);
  if (found === null) throw new KeyFault(`${origin} is not a JSON object`);
  return found;
}

/** The same with null for anything else. */
export function jsonObject(text: string): Readonly<Record<string, unknown>> | null {
  const value = tryParse(text);
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : null;
}

/** A member that is a text and not empty. Throws a `KeyFault` that names it. */
export function textOf(from: Readonly<Record<string, unknown>>, name: string, origin: string): string {
  const value = Object.hasOwn(from, name) ? from[name] : undefined;
  if (typeof value === "string" && value !== "") return value;
  throw new KeyFault(`${origin} has no \`${name}\``);
}
