import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { GatewayError } from "../../src/errors.ts";
import { type Loaded, loadConfig, type LoadOptions } from "../../src/config/load.ts";
import { type ConfigWatch, watchConfig } from "../../src/config/watch.ts";
import { ManualClock } from "../manual-clock.ts";

const LOOK_MS = 500;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-watch-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A watch whose looks happen when the test says so, and what it has told. */
class Watched {
  readonly clock = new ManualClock();
  readonly told: string[] = [];
  readonly watch: ConfigWatch;
  #heard: () => void = () => undefined;

  constructor(loaded: Loaded, load: LoadOptions) {
    this.watch = watchConfig({
      load,
      loaded,
      timers: this.clock,
      intervalMs: LOOK_MS,
      onChange: ({ config }) => this.#tell(`queue of ${config.queue.maxLength}`),
      onInvalid: (error: GatewayError) => this.#tell(`${error.code}: ${error.message}`),
    });
  }

  look(): void {
    this.clock.advance(LOOK_MS);
  }

  /** What is told after two looks. */
  async next(): Promise<string | undefined> {
    const heard = new Promise<void>((resolve) => {
      this.#heard = resolve;
    });
    // What was loaded before has to be over and done with.
    await setImmediate();
    this.look();
    this.look();
    await heard;
    return this.told.at(-1);
  }

  #tell(text: string): void {
    this.told.push(text);
    this.#heard();
  }
}

async function start(load: Partial<LoadOptions> = {}): Promise<Watched> {
  const options = { cwd: folder, env: {}, hostName: "host", ...load };
  return new Watched(await loadConfig(options), options);
}

function write(name: string, length: number): void {
  writeFileSync(join(folder, name), `queue: { max_length: ${length} }\n`);
}

describe("a watched file", () => {
  test("is loaded again when somebody writes into it", async () => {
    write("sluice.yaml", 1);
    const watched = await start();
    write("sluice.yaml", 22);
    expect(await watched.next()).toBe("queue of 22");
  });

  test("is loaded again when another is renamed over it", async () => {
    write("sluice.yaml", 1);
    const watched = await start();
    write("new.yaml", 2);
    renameSync(join(folder, "new.yaml"), join(folder, "sluice.yaml"));
    expect(await watched.next()).toBe("queue of 2");
    write("new.yaml", 3);
    renameSync(join(folder, "new.yaml"), join(folder, "sluice.yaml"));
    expect(await watched.next()).toBe("queue of 3");
  });

  test("is loaded again when a link further up is swapped, as Kubernetes does", async () => {
    for (const [version, length] of [["..v1", 1] as const, ["..v2", 2] as const]) {
      mkdirSync(join(folder, version));
      write(join(version, "sluice.yaml"), length);
    }
    symlinkSync("..v1", join(folder, "..data"));
    symlinkSync("..data/sluice.yaml", join(folder, "sluice.yaml"));
    const watched = await start();
    symlinkSync("..v2", join(folder, "..data_tmp"));
    renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
    expect(await watched.next()).toBe("queue of 2");
  });

  test("is left alone while it still changes", async () => {
    write("sluice.yaml", 1);
    const watched = await start();
    for (const length of [22, 333, 4444]) {
      write("sluice.yaml", length);
      watched.look();
    }
    expect(watched.told).toEqual([]);
    expect(await watched.next()).toBe("queue of 4444");
  });

  test("that is invalid is reported once, and loaded when it is mended", async () => {
    write("sluice.yaml", 1);
    const watched = await start();
    writeFileSync(join(folder, "sluice.yaml"), "queue: { max_length: many }\n");
    expect(await watched.next()).toMatch(
      /^invalid_config: sluice.yaml:1:22: queue.max_length: expected a whole number/,
    );
    watched.look();
    watched.look();
    watched.look();
    expect(watched.told).toHaveLength(1);
    write("sluice.yaml", 5);
    expect(await watched.next()).toBe("queue of 5");
  });

  test("that goes away is reported, and the defaults do not take its place", async () => {
    write("sluice.yaml", 1);
    const watched = await start();
    unlinkSync(join(folder, "sluice.yaml"));
    expect(await watched.next()).toContain("sluice.yaml: there is no such file");
    write("sluice.yaml", 6);
    expect(await watched.next()).toBe("queue of 6");
  });

  test("may come later than the start", async () => {
    const watched = await start();
    write("sluice.yaml", 7);
    expect(await watched.next()).toBe("queue of 7");
  });

  test("is loaded at once on demand, changed or not", async () => {
    write("sluice.yaml", 1);
    const watched = await start({ file: "sluice.yaml" });
    await watched.watch.reload();
    expect(watched.told).toEqual(["queue of 1"]);
  });

  test("is watched no more after close", async () => {
    write("sluice.yaml", 1);
    const watched = await start();
    watched.watch.close();
    write("sluice.yaml", 22);
    watched.look();
    watched.look();
    expect([watched.told, watched.clock.pending()]).toEqual([[], 0]);
  });
});
