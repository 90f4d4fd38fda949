// The check agrees with JSON.parse about what is one object, in one piece or in many.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { JsonCheck } from "../../../src/gateway/relay/json-check.ts";

function isObject(pieces: readonly Uint8Array[]): boolean {
  const check = new JsonCheck();
  return pieces.every((piece) => check.push(piece)) && check.isWhole;
}

function isObjectText(text: string): boolean {
  const bytes = Buffer.from(text);
  const whole = isObject([bytes]);
  expect(isObject([...bytes].map((byte) => Uint8Array.of(byte)))).toBe(whole);
  return whole;
}

function isParsed(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    // Not JSON: that is what is being asked.
    return false;
  }
}

describe("an object", () => {
  test.each([
    "{}",
    ' {"a":[] , "b" : {"c":[1,-2.5e+3,true,false,null,"x\\"\\u00e9\\\\"]}}\r\n',
    '{"":""}',
    '{"a":[[],{}]}',
  ])("%s", (text) => expect(isObjectText(text)).toBe(true));

  test("of any value is one, and cut anywhere is none", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.integer({ min: 0, max: 2 }),
        (value, indent) => {
          const text = JSON.stringify(value, null, indent);
          expect(isObjectText(text)).toBe(true);
          for (let end = 0; end < text.length; end++) expect(isObjectText(text.slice(0, end))).toBe(false);
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe("no object", () => {
  test.each([
    "",
    " ",
    "[]",
    '"a"',
    "1",
    "null",
    "<html>",
    "{",
    "}",
    "{]",
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '{,"a":1}',
    "{1:2}",
    '{"a":[1,]}',
    '{"a":[}',
    '{"a":[1}',
    '{"a" 1}',
    '{"a":1 2}',
    '{"a":1}x',
    '{"a":1}{}',
    '{"a":"\n"}',
    '{"a":"\\x"}',
    '{"a":oops}',
    '{"a":[,1]}',
    '{"a":1 "b":2}',
    "{a:1}",
    "{'a':1}",
    '{"a":1}]',
  ])("%s", (text) => expect(isObjectText(text)).toBe(false));

  test("nested without end", () => {
    expect(isObjectText(`{"a":${"[".repeat(600)}${"]".repeat(600)}}`)).toBe(false);
  });

  test("if one bracket, quote, comma or colon is missing or doubled", () => {
    const text =
      '{"id":"1","choices":[{"index":7,"message":{"content":"a \\"b\\", [c]"}}],"usage":{"n":[1,2]}}';
    for (let at = 0; at < text.length; at++) {
      for (const changed of [
        text.slice(0, at) + text.slice(at + 1),
        text.slice(0, at) + text.slice(at - 1),
      ]) {
        expect([changed, isObjectText(changed)]).toEqual([changed, isParsed(changed)]);
      }
    }
  });
});
