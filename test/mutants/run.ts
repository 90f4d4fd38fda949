// npm run mutants [-- --only "WORDS"]… [--jobs 2]   plants each fault in a copy of the project; a suite has to fail
// npm run mutants -- --suite "small model"           only this suite: what it notices by itself
// npm run mutants -- --list                          what would be planted
//
// Progress goes to stderr, the table at the end to stdout. `--only` chooses the faults in whose name or file all the words stand; given twice, those of either. Ends with 0 when
// all are noticed, 1 when some survive, 2 when something else is wrong: a fault that does not fit the source any more, a
// suite that fails without any. A run that is stopped (Ctrl-C) prints what it has found so far.
import { parseArgs } from "node:util";
import { z } from "zod";
import { jobsOf } from "../sim/pool.ts";
import { chosen, type Finding, progressOf, survivorsOf, tableOf, wordsOf } from "./findings.ts";
import { MUTANTS } from "./mutants.ts";
import { misfitOf, Planting } from "./planting.ts";
import { type Mutant, type Suite, SUITE_NAMES } from "./suites.ts";

/**
 * A fault may make a suite run for ever; it is given this many times what the suite takes without, and some minutes more,
 * for the machine may be busier than it was then.
 */
const PATIENCE_TIMES = 6;
const PATIENCE_MS = 300_000;
/** Without any fault. */
const SOUND_MS_MAX = 600_000;

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true, default: [] },
    suite: { type: "string" },
    jobs: { type: "string" },
    list: { type: "boolean", default: false },
  },
});

const suites = values.suite === undefined ? SUITE_NAMES : [z.enum(SUITE_NAMES).parse(values.suite)];
const mutants = chosen(MUTANTS, values.only);
const patienceMs = new Map<Suite, number>();
const findings = new Map<Mutant, Finding>();
const stop = new AbortController();

/** Calls `work` for each item, from several workers that each have a copy of their own; one that fails stops all. */
async function eachIn<Item>(
  plantings: readonly Planting[],
  items: readonly Item[],
  work: (planting: Planting, item: Item) => Promise<void>,
): Promise<void> {
  const left = [...items];
  const ends = await Promise.allSettled(
    plantings.map(async (planting) => {
      for (let item = left.shift(); item !== undefined; item = left.shift()) {
        await work(planting, item).catch((error: unknown) => {
          stop.abort(error);
          throw error;
        });
      }
    }),
  );
  // The others were stopped for it.
  stop.signal.throwIfAborted();
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}

async function measure(planting: Planting, suite: Suite): Promise<void> {
  const startedMs = performance.now();
  const outcome = await planting.run(suite, SOUND_MS_MAX);
  const tookMs = performance.now() - startedMs;
  if (outcome.kind !== "passed") {
    throw new Error(`without any fault this fails already: ${suite}: ${wordsOf(outcome)}`);
  }
  patienceMs.set(suite, PATIENCE_MS + PATIENCE_TIMES * tookMs);
  console.error(`without any fault: ${suite} passes in ${(tookMs / 1000).toFixed(0)} s`);
}

/** The suite that notices a fault, the one expected first; one that never ends counts only when no other one fails. */
async function findOut(planting: Planting, mutant: Mutant): Promise<void> {
  const startedMs = performance.now();
  const order = suites.toSorted((left, right) => Number(right === mutant.by) - Number(left === mutant.by));
  const by = await planting.with(mutant, async () => {
    let hung: Finding["by"] = null;
    for (const suite of order) {
      const outcome = await planting.run(suite, patienceMs.get(suite) ?? PATIENCE_MS);
      if (outcome.kind === "failed") return { suite, outcome };
      if (outcome.kind === "hung") hung ??= { suite, outcome };
    }
    return hung;
  });
  const finding = { by, tookMs: performance.now() - startedMs };
  findings.set(mutant, finding);
  console.error(progressOf(mutant, findings, mutants.length));
}

async function plantAll(): Promise<void> {
  const plantings = Array.from({ length: jobsOf(values.jobs) }, () => new Planting(stop.signal));
  try {
    await eachIn(plantings, suites, measure);
    await eachIn(plantings, mutants, findOut);
  } finally {
    for (const planting of plantings) planting.remove();
  }
}

/** The exit code. */
async function main(): Promise<number> {
  const misfits = MUTANTS.map((mutant) => ({ mutant, why: misfitOf(mutant) })).filter(
    ({ why }) => why !== "",
  );
  for (const { mutant, why } of misfits) console.error(`can't be planted: ${mutant.fault}: ${why}`);
  if (mutants.length === 0) console.error("no fault has all of these words in its name");
  if (misfits.length > 0 || mutants.length === 0) return 2;
  if (values.list) {
    for (const { by, fault } of mutants) console.log(`${by}: ${fault}`);
    return 0;
  }
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => stop.abort(new Error(`stopped by ${signal}`)));
  }
  const startedMs = performance.now();
  let code = 0;
  await plantAll().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    code = 2;
  });
  if (findings.size > 0) console.log(tableOf(mutants, findings));
  console.log(`in ${((performance.now() - startedMs) / 1000).toFixed(0)} s`);
  return code === 0 && survivorsOf(findings).length > 0 ? 1 : code;
}

process.exitCode = await main();
