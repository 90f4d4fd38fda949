// npm run sim:exhaustive [-- --deeper 2] [--only TEXT] [--states 3000000]      every sequence of steps, so much deeper
import { parseArgs } from "node:util";
import { search } from "./search.ts";
import { nameOf, SEARCHES, situationOf } from "./searches.ts";

const { values } = parseArgs({
  options: {
    deeper: { type: "string", default: "1" },
    only: { type: "string", default: "" },
    states: { type: "string", default: "3000000" },
    healed: { type: "string", default: "200" },
  },
});

console.log("| search | depth | states | replica states | seconds |\n| --- | ---: | ---: | ---: | ---: |");
for (const one of SEARCHES.filter((each) => nameOf(each).includes(values.only))) {
  const startedMs = performance.now();
  const situation = situationOf(one);
  const { states, depth, fault } = search(situation, {
    depth: one.depth + Number(values.deeper),
    statesMax: Number(values.states),
    healed: Number(values.healed),
  });
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
  console.log(`| ${nameOf(one)} | ${depth} | ${states} | ${situation.lives.count} | ${seconds} |`);
  if (fault === null) continue;
  console.log(`\nbroken: ${fault.what}, after\n  ${fault.steps.join("\n  ")}\n`);
  process.exitCode = 1;
}
