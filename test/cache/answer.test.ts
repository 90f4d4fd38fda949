// What is read back is what was written, and nothing else is taken for an answer.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { decodeAnswer, encodeAnswer } from "../../src/cache/answer.ts";
import { answer } from "./answers.ts";

const anyAnswer = fc.record({
  storedMs: fc.nat(),
  isStream: fc.boolean(),
  provider: fc.string(),
  model: fc.string(),
  inputTokens: fc.nat(),
  outputTokens: fc.nat(),
  warnings: fc.array(fc.string()),
  body: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
});

test("an answer is read back as it was written", () => {
  fc.assert(
    fc.property(anyAnswer, (written) => {
      expect(decodeAnswer(encodeAnswer(written))).toEqual(written);
    }),
  );
});

test("one changed byte anywhere makes it unreadable", () => {
  const bytes = encodeAnswer(answer());
  for (let at = 0; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes);
    damaged[at] = (damaged[at] ?? 0) ^ 0x10;
    expect(decodeAnswer(damaged), `byte ${at}`).toBeNull();
  }
});

test("it is unreadable when it is cut short anywhere, and so is anything else", () => {
  const bytes = encodeAnswer(answer());
  for (let end = 0; end < bytes.length; end++) expect(decodeAnswer(bytes.subarray(0, end))).toBeNull();
  fc.assert(fc.property(fc.uint8Array(), (noise) => decodeAnswer(noise) === null));
});
