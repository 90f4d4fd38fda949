// npm run sim:exhaustive -- --depth 4      every sequence of so many steps, from every beginning
import { parseArgs } from "node:util";
import { BEGINNINGS, searchAll } from "./exhaustive.ts";

const { values } = parseArgs({ options: { depth: { type: "string", default: "3" } } });

for (const [name, begin] of Object.entries(BEGINNINGS)) {
  const startedMs = performance.now();
  const { states, admittedMost, fault } = searchAll(begin, Number(values.depth));
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
  console.log(`${name}: ${states} states, at most ${admittedMost} units admitted of 3, ${seconds} s`);
  if (fault === null) continue;
  console.log(`  broken: ${fault.what}\n  after: ${fault.steps.join("; ")}`);
  process.exitCode = 1;
}
