// A copy of the project in which a fault is planted, and the suites are run on it. The copy lies outside the project, so
// that nothing is ever planted in the source that people work on.
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Mutant, type Suite, SUITES } from "./suites.ts";

const ROOT = join(import.meta.dirname, "../..");
const BIN = join(ROOT, "node_modules/.bin");
const COPIED = ["src", "providers", "test", "package.json", "tsconfig.json", "vitest.config.ts"];
/** Of what a suite prints, the beginning is kept: what failed first stands there. */
const OUTPUT_CHARS_MAX = 1_000_000;

export type Outcome =
  | { readonly kind: "passed" }
  /** `test`: the first that failed, as far as the suite says so. */
  | { readonly kind: "failed"; readonly test: string }
  /** It was ended when its time was over. */
  | { readonly kind: "hung" };

/** Why a fault can't be planted in the source as it is now; empty: it can. */
export function misfitOf({ file, find, replace }: Mutant): string {
  const count = readFileSync(join(ROOT, file), "utf8").split(find).length - 1;
  if (find === replace) return "it changes nothing";
  return count === 1 ? "" : `${file} holds its text ${count === 0 ? "no more" : `${count} times`}`;
}

export class Planting {
  readonly #folder = mkdtempSync(join(tmpdir(), "sluice-mutants-"));
  readonly #stop: AbortSignal;

  /** `stop` ends the suite that runs. */
  constructor(stop: AbortSignal) {
    this.#stop = stop;
    for (const name of COPIED) cpSync(join(ROOT, name), join(this.#folder, name), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(this.#folder, "node_modules"));
  }

  /** Has `work` look at the copy while a fault is in it. */
  async with<Result>({ file, find, replace }: Mutant, work: () => Promise<Result>): Promise<Result> {
    const path = join(this.#folder, file);
    const source = readFileSync(path, "utf8");
    writeFileSync(
      path,
      source.replace(find, () => replace),
    );
    try {
      return await work();
    } finally {
      writeFileSync(path, source);
    }
  }

  /** Runs a suite; `patienceMs`: how long it may take. Rejects when it was stopped or could not be started. */
  run(suite: Suite, patienceMs: number): Promise<Outcome> {
    const [command, ...args] = SUITES[suite];
    this.#stop.throwIfAborted();
    return new Promise((resolve, reject) => {
      const child = spawn(join(BIN, command), args, {
        cwd: this.#folder,
        // With the project's own Node.js, whoever starts this.
        env: { ...process.env, PATH: `${BIN}:${process.env["PATH"] ?? ""}`, NO_COLOR: "1" },
        // Its own group: what it has started ends with it.
        detached: true,
        stdio: ["ignore", "pipe", "pipe"],
      });
      let output = "";
      const keep = (text: Buffer): void => {
        if (output.length < OUTPUT_CHARS_MAX) output += text.toString();
      };
      child.stdout.on("data", keep);
      child.stderr.on("data", keep);
      let isHung = false;
      const end = (): void => {
        if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGKILL");
      };
      const timer = setTimeout(() => {
        isHung = true;
        end();
      }, patienceMs);
      this.#stop.addEventListener("abort", end);
      child.once("error", reject);
      child.once("close", (code) => {
        clearTimeout(timer);
        this.#stop.removeEventListener("abort", end);
        if (this.#stop.aborted) reject(new Error("stopped", { cause: this.#stop.reason }));
        else if (isHung) resolve({ kind: "hung" });
        else resolve(code === 0 ? { kind: "passed" } : { kind: "failed", test: firstFailure(output) });
      });
    });
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** The first failure that vitest or the simulator names. */
export function firstFailure(output: string): string {
  const line = /^(?: FAIL {2}.*|seed \d+ failed: .*)$/mu.exec(output)?.[0] ?? "";
  return line.trim().replace(/^FAIL +(?:test\/)?/u, "");
}
