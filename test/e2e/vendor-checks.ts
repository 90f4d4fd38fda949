// What end-to-end tests say of vendors' requests and clients' failures, whichever client asked.
import { expect } from "vitest";
import { isObject } from "../../providers/dialects/json.ts";
import type { Sent } from "./vendor.ts";
import { VENDORS, type Fault, type Question, type VendorName } from "./vendor-requests.ts";

/**
 * What the vendor was sent last: the right line and credentials, and this question. Members nobody knows pass to a
 * provider of chat's own language, and what a client repeats of an answer stays as it is.
 */
export function expectAsked(
  sent: Sent | undefined,
  name: VendorName,
  question: Question,
  isStream: boolean,
): void {
  expectSent(sent, name, isStream);
  const streams = isStream && name !== "gemini" && name !== "bedrock" ? { stream: true } : {};
  const expected = { ...VENDORS[name].bodies[question], ...streams };
  if (name !== "mistral") return expect(sent?.body).toEqual(expected);
  expect(sent?.body).toMatchObject(expected);
  const members = Object.entries(sent?.body ?? {}).filter(([, value]) => value !== false);
  expect(members.map(([key]) => key).toSorted()).toEqual(Object.keys(expected).toSorted());
}

/** The right line for this kind of answer, and the credentials of the provider, which has the vendor's name by default. */
export function expectSent(
  sent: Sent | undefined,
  name: VendorName,
  isStream: boolean,
  provider: string = name,
): void {
  const { lines, auth } = VENDORS[name];
  expect(sent?.line).toBe(lines[isStream ? 1 : 0]);
  expect(sent?.headers[auth.header]).toMatch(auth.value(provider));
}

/** All but one say how long to wait: 7 seconds. */
export function expectWait(name: VendorName, fault: Fault, { headers }: Record<string, unknown>): void {
  if (fault !== "rate limited" || name === "bedrock") return;
  expect(headers instanceof Headers ? headers.get("retry-after") : undefined).toMatch(/^[67]$/);
}

/** What a call is rejected with, by the members of the error, the name of its class, and its message as `said`. */
export async function failureOf(call: Promise<unknown>): Promise<Record<string, unknown>> {
  const [outcome] = await Promise.allSettled([call]);
  if (outcome.status === "fulfilled") throw new Error("The call succeeded.");
  const error: unknown = outcome.reason;
  return isObject(error)
    ? { ...error, name: error.constructor.name, said: String(error["message"]) }
    : { said: String(error) };
}
