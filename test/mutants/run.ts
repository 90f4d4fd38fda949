// npm run mutants [-- --only PATTERN] [--jobs 2]   plants each fault in a copy of the project; the suite has to fail
// npm run mutants -- --suite "small model"         only this suite: what it notices by itself
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { jobsOf } from "../sim/pool.ts";
import { MUTANTS } from "./mutants.ts";
import { type Mutant, type Suite, SUITES } from "./suites.ts";

const ROOT = join(import.meta.dirname, "../..");
const COPIED = ["src", "providers", "test", "package.json", "tsconfig.json", "vitest.config.ts"];
/** A mutant that makes a suite run for ever is noticed as well. */
const PATIENCE_MS = 240_000;

const { values } = parseArgs({
  options: { only: { type: "string", default: "" }, suite: { type: "string" }, jobs: { type: "string" } },
});

const NAMES = (["laws", "reserve ahead", "messages", "members", "small model", "seeds"] as const).filter(
  (name) => values.suite === undefined || name === values.suite,
);

function isGreen(copy: string, suite: Suite): Promise<boolean> {
  const [command, ...args] = SUITES[suite];
  const bin = join(ROOT, "node_modules/.bin", command);
  return new Promise((resolve, reject) => {
    const child = spawn(bin, args, {
      cwd: copy,
      timeout: PATIENCE_MS,
      killSignal: "SIGKILL",
      stdio: "ignore",
    });
    child.once("error", reject);
    child.once("exit", (code) => resolve(code === 0));
  });
}

/** The suite that failed, the one expected first; undefined when all passed. */
async function noticedBy(copy: string, mutant: Mutant): Promise<Suite | undefined> {
  const path = join(copy, mutant.file);
  const source = readFileSync(path, "utf8");
  writeFileSync(
    path,
    source.replace(mutant.find, () => mutant.replace),
  );
  try {
    for (const suite of NAMES.toSorted(
      (left, right) => Number(right === mutant.by) - Number(left === mutant.by),
    )) {
      if (!(await isGreen(copy, suite))) return suite;
    }
    return undefined;
  } finally {
    writeFileSync(path, source);
  }
}

function copyOf(folder: string): string {
  for (const name of COPIED) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  return folder;
}

/** Calls `work` for each item, from several workers that each have a copy of their own. */
async function eachIn<Item>(
  copies: readonly string[],
  items: readonly Item[],
  work: (copy: string, item: Item) => Promise<void>,
): Promise<void> {
  const left = [...items];
  await Promise.all(
    copies.map(async (copy) => {
      for (let item = left.shift(); item !== undefined; item = left.shift()) await work(copy, item);
    }),
  );
}

const copies = Array.from({ length: jobsOf(values.jobs) }, () =>
  mkdtempSync(join(tmpdir(), "sluice-mutants-")),
);
try {
  copies.forEach(copyOf);
  const startedMs = performance.now();
  const seconds = (sinceMs: number): string => ((performance.now() - sinceMs) / 1000).toFixed(0);
  await eachIn(copies, NAMES, async (copy, suite) => {
    if (!(await isGreen(copy, suite))) throw new Error(`without any fault this fails already: ${suite}`);
  });
  const chosen = MUTANTS.filter(({ fault }) => new RegExp(values.only, "u").test(fault));
  let survivors = 0;
  console.log("| planted fault | noticed by | seconds |\n| --- | --- | ---: |");
  await eachIn(copies, chosen, async (copy, mutant) => {
    const sinceMs = performance.now();
    const suite = await noticedBy(copy, mutant);
    if (suite === undefined) survivors += 1;
    console.log(`| ${mutant.fault} | ${suite ?? "**nothing: it survived**"} | ${seconds(sinceMs)} |`);
  });
  console.log(`\n${chosen.length - survivors} caught, ${survivors} survived, in ${seconds(startedMs)} s`);
  process.exitCode = survivors === 0 ? 0 : 1;
} finally {
  for (const copy of copies) rmSync(copy, { recursive: true, force: true });
}
