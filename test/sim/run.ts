// npm run sim -- --seeds 1000 [--from 1]     random fleets under random faults
// npm run sim -- --seed 42                   one of them again, with its faults
import { parseArgs } from "node:util";
import { chaos } from "./chaos.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1000" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
  },
});

function one(seed: number): void {
  const outcome = chaos(seed);
  for (const fault of outcome.faults) console.log(fault);
  console.log(`${outcome.events} events, ${outcome.admitted} units admitted`);
  console.log(outcome.fault === "" ? "the promise held" : outcome.fault);
  process.exitCode = outcome.fault === "" ? 0 : 1;
}

function many(from: number, count: number): void {
  const startedMs = performance.now();
  let events = 0;
  let failed = 0;
  for (let seed = from; seed < from + count; seed++) {
    const outcome = chaos(seed);
    events += outcome.events;
    if (outcome.fault !== "") {
      failed += 1;
      console.log(`seed ${seed} failed: ${outcome.fault.split("\n")[0]}`);
      console.log(`  replay: npm run sim -- --seed ${seed}`);
    }
    if ((seed - from + 1) % 1000 === 0) console.log(`${seed - from + 1} seeds, ${failed} failed`);
  }
  const seconds = (performance.now() - startedMs) / 1000;
  console.log(`${count} seeds, ${events} events, ${failed} failed, ${seconds.toFixed(0)} s`);
  process.exitCode = failed === 0 ? 0 : 1;
}

if (values.seed !== undefined) one(Number(values.seed));
else many(Number(values.from), Number(values.seeds));
