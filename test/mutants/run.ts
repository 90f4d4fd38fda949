// npm run mutants [-- --only TEXT]      plants each fault in a copy of the project; the suite has to fail
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { MUTANTS, type Mutant } from "./mutants.ts";

const ROOT = join(import.meta.dirname, "../..");
const COPIED = ["src", "providers", "test", "package.json", "tsconfig.json", "vitest.config.ts"];
/** What has to notice: the laws, reserve ahead, the small model and random faults, the quickest first. */
const SUITES: readonly (readonly string[])[] = [
  [
    "vitest",
    "run",
    "--bail",
    "1",
    "test/clock.test.ts",
    "test/bucket",
    "test/fleet/reserve-ahead.test.ts",
    "test/fleet/downtime.test.ts",
  ],
  [
    "vitest",
    "run",
    "--bail",
    "1",
    "test/fleet/shell.test.ts",
    "test/fleet/calendar.test.ts",
    "test/sim/members.test.ts",
    "test/sim/exhaustive.test.ts",
  ],
  ["node", "test/sim/run.ts", "--seeds", "60"],
];
/** A mutant that makes a suite run for ever is noticed as well. */
const PATIENCE_MS = 240_000;

const { values } = parseArgs({ options: { only: { type: "string", default: "" } } });
const copy = mkdtempSync(join(tmpdir(), "sluice-mutants-"));

function isGreen(suite: readonly string[]): boolean {
  const [command = "", ...args] = suite;
  const bin = join(ROOT, "node_modules/.bin", command);
  return spawnSync(bin, args, { cwd: copy, timeout: PATIENCE_MS, stdio: "ignore" }).status === 0;
}

/** The suite that failed, or undefined when all passed. */
function noticedBy(mutant: Mutant): readonly string[] | undefined {
  const path = join(copy, mutant.file);
  const source = readFileSync(path, "utf8");
  writeFileSync(
    path,
    source.replace(mutant.find, () => mutant.replace),
  );
  try {
    return SUITES.find((suite) => !isGreen(suite));
  } finally {
    writeFileSync(path, source);
  }
}

try {
  for (const name of COPIED) cpSync(join(ROOT, name), join(copy, name), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
  const sick = SUITES.find((suite) => !isGreen(suite));
  if (sick !== undefined) throw new Error(`without any fault this fails already: ${sick.join(" ")}`);
  const chosen = MUTANTS.filter(({ fault }) => fault.includes(values.only));
  let survivors = 0;
  for (const mutant of chosen) {
    const startedMs = performance.now();
    const suite = noticedBy(mutant);
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
    if (suite === undefined) survivors += 1;
    console.log(`${suite === undefined ? "SURVIVED" : "caught  "}  ${mutant.fault} (${seconds} s)`);
  }
  console.log(`${chosen.length - survivors} caught, ${survivors} survived`);
  process.exitCode = survivors === 0 ? 0 : 1;
} finally {
  rmSync(copy, { recursive: true, force: true });
}
