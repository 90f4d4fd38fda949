// Reading what a client sent: outside data is `unknown` until one of these has looked at it. A wrong type is the
// client's error, named by its path as OpenAI names it: `messages[0].role`.
import { GatewayError } from "../errors.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function invalid(param: string, message: string): GatewayError {
  return new GatewayError("invalid_request", message, { param });
}

/** The body as a JSON object. Throws `invalid_json` or `invalid_request`. */
export function parseBody(bytes: Uint8Array): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new GatewayError("invalid_json", "The request's body is not JSON.", { cause });
  }
  if (!isObject(value)) throw new GatewayError("invalid_request", "The request's body is not a JSON object.");
  return value;
}

export function stringAt(body: JsonObject, name: string): string {
  const value = body[name];
  if (typeof value !== "string" || value === "") throw invalid(name, `\`${name}\` must be a string.`);
  return value;
}

/** An integer of at least `min`, or null where the member is absent or null. */
export function countAt(body: JsonObject, name: string, min: number): number | null {
  const value = body[name];
  if (value === undefined || value === null) return null;
  if (typeof value !== "number" || !Number.isInteger(value) || value < min) {
    throw invalid(name, `\`${name}\` must be an integer of at least ${min}.`);
  }
  return value;
}

/** A string, or a list of strings, as a list. */
export function stringsAt(body: JsonObject, name: string): readonly string[] {
  const value = body[name];
  if (value === undefined || value === null) return [];
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.map((item) => {
    if (typeof item !== "string") throw invalid(name, `\`${name}\` must be a string or a list of strings.`);
    return item;
  });
}
