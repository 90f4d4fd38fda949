// kill -9 under load, 200 times: after each restart what was admitted is never admitted again, no place of a running
// request is lost, and the store opens. The books are kept outside the process, over a pipe that survives it: one exact
// bucket per limit over the whole time, which must never have had to go below zero.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, watch } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { Limit } from "../../src/bucket/limit.ts";
import { killNineLimits, SLOTS } from "./kill-nine-limits.ts";

const KILLS = Number(process.env["KILLS"] ?? 200);

const directory = mkdtempSync(join(tmpdir(), "sluice-kill-"));
/** Makes a start twice as fast. */
const compileCache = mkdtempSync(join(tmpdir(), "sluice-compiled-"));
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
  rmSync(compileCache, { recursive: true, force: true });
});

/** One central bucket over all lives of the process. */
class Books {
  readonly #limit: Limit;
  readonly #ratePerMs: number;
  #level: number;
  #atMs = 0;
  /** The lowest level seen: below zero means that units were admitted twice. */
  lowest = 0;
  taken = 0;

  constructor(limit: Limit) {
    this.#limit = limit;
    this.#ratePerMs = limit.refill.kind === "continuous" ? limit.refill.unitsPerMs : 0;
    this.#level = limit.capacity;
  }

  /** Timers and clocks are read at slightly different instants; this much refill may lie between. */
  get slack(): number {
    return 2 * this.#ratePerMs + 0.001;
  }

  book(atMs: number, units: number): void {
    const advance = this.#atMs === 0 ? 0 : Math.max(0, atMs - this.#atMs);
    this.#atMs = Math.max(this.#atMs, atMs);
    const refilled = Math.min(this.#limit.capacity, this.#level + advance * this.#ratePerMs);
    this.#level = Math.min(this.#limit.capacity, refilled + units);
    this.lowest = Math.min(this.lowest, this.#level);
    if (units < 0) this.taken -= units;
  }
}

interface Life {
  /** null: it was killed before it could tell. */
  readonly slots: number | null;
  readonly takes: number;
  readonly stderr: string;
}

/** When a life ends. */
type Death =
  /** While it opens its store: at the n-th change in the directory. */
  | { readonly kind: "opening"; readonly change: number }
  /** When it has admitted so many requests; 0: as soon as it says anything. */
  | { readonly kind: "takes"; readonly count: number };

function deathOf(life: number): Death {
  if (life % 8 === 3) return { kind: "opening", change: 1 + ((life >> 3) % 8) };
  return { kind: "takes", count: life % 8 === 6 ? 0 : (life * 7919) % 120 };
}

/** Starts the process, kills it, and books what it said. */
async function live(seed: number, death: Death, books: ReadonlyMap<number, Books>): Promise<Life> {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, "kill-nine-child.ts"), directory, String(seed)],
    { env: { ...process.env, NODE_COMPILE_CACHE: compileCache } },
  );
  let changes = 0;
  const watcher = watch(directory, () => {
    changes++;
    if (death.kind === "opening" && changes >= death.change) child.kill("SIGKILL");
  });
  let text = "";
  let stderr = "";
  let takes = 0;
  child.stderr.on("data", (chunk) => (stderr += String(chunk)));
  child.stdout.on("data", (chunk) => {
    text += String(chunk);
    takes += String(chunk).split("take").length - 1;
    if (takes >= (death.kind === "takes" ? death.count : 200)) child.kill("SIGKILL");
  });
  // `close` comes when the pipes are read to their ends, after the exit.
  await once(child, "close");
  watcher.close();
  return { ...read(text, books), stderr };
}

function read(text: string, books: ReadonlyMap<number, Books>): { slots: number | null; takes: number } {
  let slots: number | null = null;
  let takes = 0;
  // What follows the last line break was cut by the kill and never counted.
  for (const line of text.split("\n").slice(0, -1)) {
    const [verb, first, number, units] = line.split(" ");
    if (verb === "slots") slots = Number(first);
    else books.get(Number(number))?.book(Number(first), verb === "take" ? -Number(units) : Number(units));
    if (verb === "take") takes++;
  }
  return { slots, takes };
}

test(
  `after each of ${KILLS} kills the process goes on with what is left, and nothing was admitted twice`,
  { timeout: 600_000 },
  async () => {
    const books = new Map(
      killNineLimits().flatMap((limit, number) =>
        number === 0 ? [] : [[number, new Books(limit)] as const],
      ),
    );
    const lives: Life[] = [];
    for (let life = 0; life < KILLS; life++) {
      const { slots, takes, stderr } = await live(life, deathOf(life), books);
      lives.push({ slots, takes, stderr });
      expect(stderr, `life ${life}`).toBe("");
      expect(slots ?? SLOTS, `life ${life}: places of requests that ran when it was killed`).toBe(SLOTS);
      for (const [number, { lowest, slack }] of books) {
        expect(lowest, `life ${life}, bucket ${number}: admitted beyond its capacity`).toBeGreaterThanOrEqual(
          -slack,
        );
      }
    }
    const admitted = lives.reduce((sum, { takes }) => sum + takes, 0);
    const units = [...books].map(([number, { taken }]) => `p${number} ${taken}`).join(", ");
    const early = lives.filter(({ slots }) => slots === null).length;
    console.log(`${KILLS} kills, ${early} while opening: ${admitted} requests, units ${units}`);
    expect(readdirSync(directory).filter((name) => name.includes("unreadable"))).toEqual([]);
    expect(admitted).toBeGreaterThan(10 * KILLS);
  },
);
