// A store that can be done without opens whatever became of its file.
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { silentLog } from "../../src/observe/events.ts";
import { openDisposableStore, removeDisposableStore } from "../../src/store/disposable.ts";

function folder(): string {
  const parent = mkdtempSync(join(tmpdir(), "sluice-disposable-"));
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }));
  return join(parent, "cache");
}

/** Opens it, says what is found under `k`, writes it again and closes it. */
async function visit(directory: string): Promise<{ readonly found: string | null; readonly log: string[] }> {
  const log: string[] = [];
  const store = openDisposableStore(directory, {
    ...silentLog,
    warn: (_, fields) => void log.push(String(fields?.["reason"])),
  });
  const value = store.get("k");
  await store.write(Array.from({ length: 200 }, (_, number) => [`k${number}`, Buffer.alloc(500)] as const));
  await store.write([["k", Buffer.from("kept")]]);
  await store.close();
  return { found: value === undefined ? null : Buffer.from(value).toString(), log };
}

test("what was written is there after a clean end", async () => {
  const directory = folder();
  expect(await visit(directory)).toEqual({ found: null, log: [] });
  expect(readdirSync(directory)).not.toContain("in-use");
  expect(await visit(directory)).toEqual({ found: "kept", log: [] });
});

test("it is there after a kill too", async () => {
  const directory = folder();
  await visit(directory);
  writeFileSync(join(directory, "in-use"), "open");
  expect(await visit(directory)).toEqual({ found: "kept", log: [] });
});

test.each([
  [
    "another file is in its place",
    (file: string) => writeFileSync(file, "x".repeat(10_000)),
    "not an LMDB file",
  ],
  ["the file is cut short", (file: string) => truncateSync(file, 16_384), "a part of it is missing"],
  [
    "its pages are overwritten",
    (file: string) => {
      const bytes = readFileSync(file);
      bytes.fill(0xa5, 8192);
      writeFileSync(file, bytes);
      writeFileSync(join(file, "../in-use"), "reading");
    },
    "ended the last process",
  ],
])("a new one is begun when %s", async (_, damage: (file: string) => void, reason) => {
  const directory = folder();
  await visit(directory);
  damage(join(directory, "data.mdb"));
  const { found, log } = await visit(directory);
  expect(found).toBeNull();
  expect(log.join()).toContain(reason);
  expect(await visit(directory)).toEqual({ found: "kept", log: [] });
});

test("it can be removed, also when there is none", async () => {
  const directory = folder();
  removeDisposableStore(directory);
  await visit(directory);
  removeDisposableStore(directory);
  expect(readdirSync(directory)).toEqual([]);
});

test("a folder that can't be had is a storage error", () => {
  expect(() => openDisposableStore("/proc/sluice/cache", silentLog)).toThrow(
    expect.objectContaining({ code: "storage_unavailable" }),
  );
});
