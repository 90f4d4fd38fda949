// The planted faults must still fit the source they are planted in. Planting them is `npm run mutants`.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { MUTANTS } from "./mutants.ts";

test.each(MUTANTS)("can be planted: $fault", ({ file, find, replace }) => {
  const source = readFileSync(join(import.meta.dirname, "../..", file), "utf8");
  expect(source.split(find)).toHaveLength(2);
  expect(replace).not.toBe(find);
});
