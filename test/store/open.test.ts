// Opening a data directory: whatever is found there, Sluice starts with a whole store or says what to do.
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import { type Log, silentLog } from "../../src/observe/events.ts";
import { LmdbStore, openDatabase } from "../../src/store/lmdb.ts";
import { openStore } from "../../src/store/open.ts";
import type { Store } from "../../src/store/store.ts";

const WALL_MS = Date.UTC(2026, 10, 21, 8, 55, 7);

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sluice-open-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function open(path = directory, log: Log = silentLog, verify?: (store: Store) => void) {
  return openStore({ directory: path, log, wallMs: WALL_MS, ...(verify && { verify }) });
}

async function fill(entries: number): Promise<void> {
  const { store } = await open();
  await store.write(
    Array.from({ length: entries }, (_, index) => [`key/${index}`, Buffer.alloc(100, index)] as const),
  );
  await store.close();
}

const dataFile = (): string => join(directory, "data.mdb");

function refusal(opening: Promise<unknown>): Promise<unknown> {
  return opening.then(
    () => "opened",
    (error: unknown) => error,
  );
}

describe("a store", () => {
  test("is made where there is none, parent directories included, and found again", async () => {
    const path = join(directory, "a/b");
    const first = await open(path);
    await first.store.write([["x", Buffer.from("1")]]);
    await first.store.close();
    const second = await open(path);
    expect(second.setAside).toBeNull();
    expect(second.store.get("x")?.toString()).toBe("1");
    await second.store.close();
    expect(readdirSync(path).toSorted()).toEqual(["data.mdb", "lock.mdb"]);
  });

  test.each(["", "/data"])("at a file%s is refused with what to do", async (below) => {
    const path = join(directory, "file");
    writeFileSync(path, "");
    expect(await refusal(open(path + below))).toMatchObject({
      code: "storage_unavailable",
      message: `The store can't be opened in ${path}${below}: ${path} is a file and not a folder. Move that file away, or name another folder as data_dir.`,
    });
  });

  test("in a directory with a very long path opens", async () => {
    const path = join(directory, ...Array.from({ length: 10 }, () => "d".repeat(40)));
    const { store } = await open(path);
    await expect(refusal(open(path))).resolves.toMatchObject({ code: "storage_unavailable" });
    await store.close();
  });

  test.each([
    ["a later schema", "2", "schema 2; this one reads 1"],
    ["an unreadable schema", "x", "schema NaN"],
  ])("with %s is refused, and stays", async (_, schema, message) => {
    await fill(1);
    const raw = new LmdbStore(openDatabase(directory), directory);
    await raw.write([["store/schema", Buffer.from(schema)]]);
    await raw.close();
    const refused = await refusal(open());
    expect(refused).toMatchObject({ code: "storage_unavailable", message: expect.stringContaining(message) });
    expect(readdirSync(directory).filter((name) => name.includes("unreadable"))).toEqual([]);
  });

  test("of another program is refused, and stays", async () => {
    const raw = new LmdbStore(openDatabase(directory), directory);
    await raw.write([["theirs", Buffer.from("1")]]);
    await raw.close();
    await expect(refusal(open())).resolves.toMatchObject({
      message: expect.stringContaining("not made by Sluice"),
    });
  });
});

describe("a damaged store", () => {
  const damages: readonly (readonly [string, () => void])[] = [
    ["a text file", () => writeFileSync(dataFile(), "hello ".repeat(5000))],
    ["nothing left", () => truncateSync(dataFile(), 0)],
    ["100 bytes left", () => truncateSync(dataFile(), 100)],
    ["two pages left", () => truncateSync(dataFile(), 8192)],
    ["half of it left", () => truncateSync(dataFile(), readFileSync(dataFile()).length / 2)],
    ["an overwritten head", () => overwrite(0, 8192)],
    ["overwritten pages", () => overwrite(8192, readFileSync(dataFile()).length - 8192)],
  ];

  function overwrite(from: number, length: number): void {
    const bytes = readFileSync(dataFile());
    bytes.fill(0xab, from, from + length);
    writeFileSync(dataFile(), bytes);
  }

  test.each(damages)("(%s) is set aside under a dated name, and a new one begun", async (_, damage) => {
    await fill(2000);
    damage();
    const damaged = readFileSync(dataFile());
    const errors: unknown[] = [];
    const { store, setAside } = await open(directory, {
      ...silentLog,
      error: (message, fields) => void errors.push([message, fields]),
    });
    expect(setAside).toBe(join(directory, "data.mdb.unreadable-20261121-085507"));
    expect(readFileSync(setAside ?? "").equals(damaged)).toBe(true);
    expect(errors).toHaveLength(1);
    expect([...store.entries("key/")]).toEqual([]);
    await store.write([["x", Buffer.from("1")]]);
    await store.close();
  });

  test("whose contents the caller can't read is set aside too; a second one gets a name of its own", async () => {
    for (const suffix of ["", "-2"]) {
      await fill(3);
      const { store, setAside } = await open(directory, silentLog, (found) => {
        if (found.get("key/1") !== undefined) throw new Error("checksum of key/1 is wrong");
      });
      expect(setAside?.endsWith(`unreadable-20261121-085507${suffix}`)).toBe(true);
      await store.close();
    }
  });

  test("that ended the last process while it was opened is read in a process of its own first", async () => {
    await fill(2000);
    writeFileSync(join(directory, "opening"), "");
    const healthy = await open();
    expect(healthy.setAside).toBeNull();
    await healthy.store.close();
    expect(readdirSync(directory)).not.toContain("opening");
  });
});

describe("a directory that can't be used", () => {
  test("is named, with what to do", async () => {
    writeFileSync(join(directory, "file"), "");
    const refused = await refusal(open(join(directory, "file")));
    expect(refused).toBeInstanceOf(GatewayError);
    expect(refused).toMatchObject({ code: "storage_unavailable" });
    expect(String(refused)).toContain(directory);
  });

  test("because it is read-only is refused with advice", async (context) => {
    if (process.getuid?.() === 0) context.skip("root may write everywhere");
    mkdirSync(join(directory, "locked"));
    chmodSync(join(directory, "locked"), 0o500);
    const refused = await refusal(open(join(directory, "locked")));
    expect(String(refused)).toContain("Make data_dir writable");
  });
});

/** A process that opens the store, says so, and holds it until its standard input ends. */
const HOLDER = `
  import { openStore } from ${JSON.stringify(join(import.meta.dirname, "../../src/store/open.ts"))};
  const log = { debug() {}, info() {}, warn(m) { console.log(m); }, error() {} };
  try {
    const { store } = await openStore({ directory: process.argv[1], log, wallMs: 0 });
    console.log("holding");
    for await (const chunk of process.stdin) void chunk;
    await store.close();
  } catch (error) {
    console.log(error.code);
  }
`;

function holder() {
  const child = spawn(process.execPath, ["--input-type=module", "-e", HOLDER, directory], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const word = once(child.stdout, "data").then(([chunk]) => String(chunk).trim());
  return { child, word, exit: once(child, "exit") };
}

describe("a data directory belongs to one process:", () => {
  test("a second one is refused while the first runs or is stopped, and let in after a kill -9", async () => {
    const first = holder();
    expect(await first.word).toBe("holding");
    const refused = await refusal(open());
    expect(refused).toMatchObject({ code: "storage_unavailable" });
    expect(String(refused)).toContain("in use by another running process");
    first.child.kill("SIGSTOP");
    await expect(refusal(open())).resolves.toMatchObject({ code: "storage_unavailable" });
    first.child.kill("SIGKILL");
    await first.exit;
    const { store } = await open();
    await store.close();
    expect(readdirSync(directory).filter((name) => name.startsWith("owner-"))).toEqual([]);
  });

  test("in the same process a second opening is refused until the first is closed", async () => {
    const { store } = await open();
    await expect(refusal(open())).resolves.toMatchObject({ code: "storage_unavailable" });
    await store.close();
    const again = await open();
    await again.store.close();
  });

  test("of four that start together exactly one holds", async () => {
    const holders = Array.from({ length: 4 }, holder);
    const words = await Promise.all(holders.map(({ word }) => word));
    expect(words.toSorted()).toEqual(["holding", ...Array.from({ length: 3 }, () => "storage_unavailable")]);
    for (const { child } of holders) child.stdin.end();
    await Promise.all(holders.map(({ exit }) => exit));
  });
});

test("a full disk is an error that says so; what was durable stays, and the process goes on", () => {
  const script = `
    import { openStore } from ${JSON.stringify(join(import.meta.dirname, "../../src/store/open.ts"))};
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    const { store } = await openStore({ directory: process.argv[1], log, wallMs: 0 });
    await store.write([["small", Buffer.from("1")]]);
    const failed = await store.write([["large", Buffer.alloc(900_000)], ["small", Buffer.from("2")]]).catch((error) => error);
    console.log(JSON.stringify({ code: failed?.code, message: failed?.message, small: store.get("small").toString() }));
    await store.write([["small", Buffer.from("3")]]);
    console.log(store.get("small").toString());
    await store.close();
  `;
  const child = spawnSync(
    "sh",
    [
      "-c",
      'ulimit -f 200 && exec "$@"',
      "sh",
      process.execPath,
      "--input-type=module",
      "-e",
      script,
      directory,
    ],
    { encoding: "utf8", timeout: 20_000 },
  );
  const [failed, after] = child.stdout.split("\n").filter((line) => /^[{\d]/.test(line));
  expect(JSON.parse(failed ?? "")).toMatchObject({
    code: "storage_unavailable",
    message: expect.stringMatching(
      /free (disk )?space.* \((about [\d,]+ MiB are|nothing is) free there\)\.$/i,
    ),
    small: "1",
  });
  expect(after).toBe("3");
});
