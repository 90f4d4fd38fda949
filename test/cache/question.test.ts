// Which bodies are the same question.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { membersOf, questionKey, valueText } from "../../src/cache/question.ts";

const IGNORED = new Set(["stream", "user"]);

function keyOf(text: string, about = "chat"): string {
  const body = Buffer.from(text);
  return questionKey(about, body, membersOf(body), IGNORED);
}

const BODY = '{"model":"smart","messages":[{"role":"user","content":"Say \\"hi\\\\\\""}],"n":1}';

describe("a question is the same", () => {
  test.each([
    [
      "with white space",
      '{ "model" : "smart",\n\t"messages": [ { "role" : "user", "content": "Say \\"hi\\\\\\"" } ] , "n" : 1 }\n',
    ],
    ["in another order", '{"n":1,"messages":[{"role":"user","content":"Say \\"hi\\\\\\""}],"model":"smart"}'],
    ["with members that change nothing", `{"user":"ann","stream" : true,${BODY.slice(1)}`],
  ])("%s", (_, text) => {
    expect(keyOf(text)).toBe(keyOf(BODY));
  });

  test("for any object, written with or without white space and in any order", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.nat(4), (object, indent) => {
        const reversed = Object.fromEntries(Object.entries(object).toReversed());
        expect(keyOf(JSON.stringify(reversed, null, indent))).toBe(keyOf(JSON.stringify(object)));
      }),
    );
  });
});

describe("a question is another", () => {
  test.each([
    ["white space in a text", BODY.replace("Say ", "Say  ")],
    ["another number", BODY.replace('"n":1', '"n":2')],
    ["another member", BODY.replace('"n":1', '"n":1,"seed":1')],
    ["a text for a number", BODY.replace('"n":1', '"n":"1"')],
    ["a member inside another", BODY.replace('"n":1', '"o":{"n":1}')],
  ])("%s", (_, text) => {
    expect(keyOf(text)).not.toBe(keyOf(BODY));
  });

  test("when somebody else asks", () => {
    expect(keyOf(BODY, "a")).not.toBe(keyOf(BODY, "b"));
  });

  test("whenever two objects differ", () => {
    const some = fc.dictionary(fc.constantFrom("a", "b", "c"), fc.jsonValue({ maxDepth: 2 }));
    fc.assert(
      fc.property(some, some, (left, right) => {
        const isSame = JSON.stringify(sorted(left)) === JSON.stringify(sorted(right));
        expect(keyOf(JSON.stringify(left)) === keyOf(JSON.stringify(right))).toBe(isSame);
      }),
    );
  });
});

function sorted(object: Record<string, unknown>): [string, unknown][] {
  return Object.entries(object).toSorted(([left], [right]) => (left < right ? -1 : 1));
}

test("members are found with their values, whatever these hold", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.nat(3), (object, indent) => {
      const body = Buffer.from(JSON.stringify(object, null, indent));
      const found = membersOf(body).map(({ name, start, end }) => [
        JSON.parse(`"${Buffer.from(name, "latin1").toString("utf8")}"`),
        JSON.parse(body.toString("utf8", start, end)),
      ]);
      expect(Object.fromEntries(found)).toEqual(JSON.parse(body.toString()));
    }),
  );
});

test("a value is read as it is written; an absent one is null", () => {
  const body = Buffer.from('{"store" : false ,"x":{"store":true}}');
  const members = membersOf(body);
  expect(valueText(body, members, "store")).toBe("false");
  expect(valueText(body, members, "background")).toBeNull();
});

test("looking for members ends, whatever the bytes are", () => {
  for (const text of ["", "{", '{"a', '{"a"', '{"a":', '{"a":[', '{"a":"', '{"a":"\\', "[1]", "1"]) {
    expect(() => membersOf(Buffer.from(text))).not.toThrow();
  }
});
