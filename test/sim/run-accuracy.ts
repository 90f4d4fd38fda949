// npm run accuracy [-- --jobs 2]                 plays every scenario and writes docs/ACCURACY.md
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { z } from "zod";
import { accuracyOf, pageOf, piecesOf, type Played } from "./accuracy.ts";
import { jobsOf, spread } from "./pool.ts";
import { SCENARIOS } from "./scenarios.ts";

const SEEDS = [1, 2, 3];
const PAGE = new URL("../../docs/ACCURACY.md", import.meta.url);
const THREAD = new URL("./accuracy-thread.ts", import.meta.url);

const { values } = parseArgs({ options: { jobs: { type: "string" } } });
const answer = z.object({ use: z.number(), over: z.number(), broken: z.string() });

const pieces = piecesOf(SCENARIOS, SEEDS);
const played = new Map<string, Played[]>(SCENARIOS.map(({ name }) => [name, []]));
await spread(THREAD, pieces, jobsOf(values.jobs), (told, index) => {
  const { name = "", seed = 0 } = pieces[index] ?? {};
  const result = answer.parse(told);
  // Threads answer in any order; the seeds stand in theirs.
  const results = played.get(name) ?? [];
  results[SEEDS.indexOf(seed)] = result;
  console.log(`${name}, seed ${seed}: ${(result.use * 100).toFixed(1)} % ${result.broken}`);
});
const all = SCENARIOS.map((scenario) => accuracyOf(scenario, played.get(scenario.name) ?? []));
writeFileSync(PAGE, pageOf(all));
// A missed target is written down; a broken promise is a failure.
process.exitCode = all.some(({ broken }) => broken !== "") ? 1 : 0;
