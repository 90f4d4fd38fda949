// npm run sim -- --seeds 1000 [--from 1] [--jobs 2]     random fleets under random faults
// npm run sim -- --seed 42                              one of them again, with its faults
//
// `--bail` stops at the first that fails. A run that is stopped (Ctrl-C) says where to go on.
import { parseArgs } from "node:util";
import { z } from "zod";
import { chaos } from "./chaos.ts";
import { jobsOf, spread } from "./pool.ts";

/** Seeds that a thread plays at a time. */
const STRETCH = 25;
const PROGRESS_MS = 10_000;

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1000" },
    from: { type: "string", default: "1" },
    jobs: { type: "string" },
    seed: { type: "string" },
    bail: { type: "boolean", default: false },
  },
});

const answer = z.object({
  events: z.number(),
  failed: z.array(z.object({ seed: z.number(), fault: z.string() })),
});

function one(seed: number): void {
  const outcome = chaos(seed);
  for (const fault of outcome.faults) console.log(fault);
  console.log(`${outcome.events} events, ${outcome.admitted} units admitted`);
  console.log(outcome.fault === "" ? "the promise held" : outcome.fault);
  process.exitCode = outcome.fault === "" ? 0 : 1;
}

async function many(from: number, count: number): Promise<void> {
  const end = from + count;
  const stretches = Array.from({ length: Math.ceil(count / STRETCH) }, (_, index) => {
    const first = from + index * STRETCH;
    return { from: first, count: Math.min(STRETCH, end - first) };
  });
  const startedMs = performance.now();
  const open = new Set(stretches.keys());
  const totals = { seeds: 0, events: 0, failed: 0 };
  const progress = (): string => {
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
    return `${totals.seeds} of ${count} seeds, ${totals.events} events, ${totals.failed} failed, ${seconds} s`;
  };
  const nextOpen = (): number => stretches[Math.min(...open)]?.from ?? end;
  const timer = setInterval(() => console.log(progress()), PROGRESS_MS);
  process.once("SIGINT", () => {
    console.log(
      `${progress()}\nstopped; go on with: npm run sim -- --from ${nextOpen()} --seeds ${end - nextOpen()}`,
    );
    process.exit(130);
  });
  await spread(
    new URL("./seeds-thread.ts", import.meta.url),
    stretches,
    jobsOf(values.jobs),
    (told, index) => {
      const { events, failed } = answer.parse(told);
      open.delete(index);
      totals.seeds += stretches[index]?.count ?? 0;
      totals.events += events;
      totals.failed += failed.length;
      for (const { seed, fault } of failed) {
        console.log(`seed ${seed} failed: ${fault}\n  replay: npm run sim -- --seed ${seed}`);
      }
    },
  );
  clearInterval(timer);
  console.log(progress());
  process.exitCode = totals.failed === 0 ? 0 : 1;
}

if (values.seed !== undefined) one(Number(values.seed));
else await many(Number(values.from), Number(values.seeds));
