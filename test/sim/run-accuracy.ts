// npm run accuracy                 plays every scenario and writes docs/ACCURACY.md
import { writeFileSync } from "node:fs";
import { type Accuracy, accuracyOf, pageOf } from "./accuracy.ts";
import { SCENARIOS } from "./scenarios.ts";

const SEEDS = [1, 2, 3];
const PAGE = new URL("../../docs/ACCURACY.md", import.meta.url);

const all: Accuracy[] = [];
for (const scenario of SCENARIOS) {
  const startedMs = performance.now();
  const accuracy = accuracyOf(scenario, SEEDS);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
  const uses = accuracy.uses.map((use) => `${(use * 100).toFixed(1)} %`).join(" ");
  console.log(
    `${scenario.name}: ${uses} (target ${scenario.target * 100} %), ${seconds} s ${accuracy.broken}`,
  );
  all.push(accuracy);
}
writeFileSync(PAGE, pageOf(all));
// A missed target is written down; a broken promise is a failure.
process.exitCode = all.some(({ broken }) => broken !== "") ? 1 : 0;
