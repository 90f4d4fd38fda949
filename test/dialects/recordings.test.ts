import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, test } from "vitest";
import { ARE_RECORDINGS_ABSENT, NOTICE, recordedFiles } from "./recordings.ts";

test.skipIf(ARE_RECORDINGS_ABSENT)(`every recording is read by a test${NOTICE}`, () => {
  const root = join(import.meta.dirname, "..");
  const tests = globSync("**/*.ts", { cwd: root }).map((file) => readFileSync(join(root, file), "utf8"));
  const isRead = (file: string): boolean => {
    const name = basename(file).split(".")[0] ?? "";
    return tests.some((text) => text.includes(name));
  };
  expect(recordedFiles().filter((file) => !isRead(file))).toEqual([]);
});
