// Typed readers for JSON of unknown shape. Providers send what they like; each reader gives the value when it has the
// type asked for and undefined otherwise, so that callers state their own default and nothing is cast.
import { GatewayError } from "../../src/errors.ts";

export type Json = Readonly<Record<string, unknown>>;

const NO_ITEMS: readonly unknown[] = [];

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The member when it is an object. */
export function readObject(from: unknown, key: string): Json | undefined {
  if (!isObject(from)) return undefined;
  const value = from[key];
  return isObject(value) ? value : undefined;
}

export function readString(from: unknown, key: string): string | undefined {
  if (!isObject(from)) return undefined;
  const value = from[key];
  return typeof value === "string" ? value : undefined;
}

/** The member when it is a string with something in it. */
export function readText(from: unknown, key: string): string | undefined {
  const value = readString(from, key);
  return value === "" ? undefined : value;
}

/** The member when it is a finite number. */
export function readNumber(from: unknown, key: string): number | undefined {
  if (!isObject(from)) return undefined;
  const value = from[key];
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

export function readBoolean(from: unknown, key: string): boolean | undefined {
  if (!isObject(from)) return undefined;
  const value = from[key];
  return typeof value === "boolean" ? value : undefined;
}

/** The member's items; none when it is not an array. */
export function readArray(from: unknown, key: string): readonly unknown[] {
  if (!isObject(from)) return NO_ITEMS;
  const value = from[key];
  return Array.isArray(value) ? value : NO_ITEMS;
}

/** Parses what a provider sent; throws `provider_bad_response`. */
export function parseProviderJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new GatewayError("provider_bad_response", "The provider sent something that is not JSON.", {
      cause,
    });
  }
}

/** A copy without the named members. */
export function without(object: Json, keys: ReadonlySet<string>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([key]) => !keys.has(key)));
}
