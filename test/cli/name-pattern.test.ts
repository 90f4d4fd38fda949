import { assert, constantFrom, property, string } from "fast-check";
import { expect, test } from "vitest";
import { isMatch } from "../../src/cli/name-pattern.ts";

test.each([
  ["main/*", "main/gpt/tokens/min", true],
  ["main/*", "main/", true],
  ["main/*", "main", false],
  ["*", "", true],
  ["*/min", "a/b/min", true],
  ["*/min", "a/min/b", false],
  ["a*b*c", "abbc", true],
  ["a*b*c", "acb", false],
  ["a*a", "a", false],
  ["a.c", "abc", false],
  ["", "", true],
])("%s fits %s: %s", (pattern, name, expected) => {
  expect(isMatch(pattern, name)).toBe(expected);
});

test("it is what a regular expression says", () => {
  const word = string({ unit: constantFrom("a", "b", "*"), maxLength: 8 });
  const name = string({ unit: constantFrom("a", "b"), maxLength: 10 });
  assert(
    property(word, name, (pattern, text) => {
      const expression = new RegExp(`^${pattern.replaceAll("*", ".*")}$`);
      expect(isMatch(pattern, text)).toBe(expression.test(text));
    }),
  );
});
