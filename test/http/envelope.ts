// Reads an error answer and checks what every one of them owes its client.
import { expect } from "vitest";
import type { RawAnswer } from "./raw-client.ts";

/** The `error` member of an answer in the envelope. */
export function errorOf(answer: RawAnswer): Record<string, unknown> {
  expect(answer.headers["content-type"]).toBe("application/json");
  expect(answer.headers["x-request-id"]).toMatch(/^[\w-]{20,}$/);
  expect(answer.headers["x-sluice-attempts"]).toMatch(/^\d+$/);
  const { error } = JSON.parse(answer.body);
  expect(Object.keys(error)).toEqual(["message", "type", "param", "code"]);
  return error;
}
