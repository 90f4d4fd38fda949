import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { makeDirectory } from "../../src/store/open.ts";

const root = mkdtempSync(join(tmpdir(), "sluice-directory-"));
afterAll(() => rmSync(root, { recursive: true }));

test("a folder is made with all above it, and is left alone when it is there", () => {
  const deep = join(root, "a/b/c");
  makeDirectory(deep);
  makeDirectory(deep);
  expect(statSync(deep).isDirectory()).toBe(true);
});

test.skipIf(process.platform !== "linux")("where none can be made, that is an error at once", () => {
  // Node's own recursive mkdir never returns here.
  expect(() => makeDirectory("/proc/sluice")).toThrow(/ENOENT/);
});

test("a file on the way is an error", () => {
  writeFileSync(join(root, "file"), "");
  expect(() => makeDirectory(join(root, "file/data"))).toThrow(
    `${join(root, "file")} is a file and not a folder`,
  );
});
