// A thread of `npm run sim`: plays a stretch of seeds and tells what failed.
import { z } from "zod";
import { chaos } from "./chaos.ts";
import { answerWith } from "./pool.ts";

const stretch = z.object({ from: z.number(), count: z.number() });

answerWith((piece) => {
  const { from, count } = stretch.parse(piece);
  let events = 0;
  const failed: { readonly seed: number; readonly fault: string }[] = [];
  for (let seed = from; seed < from + count; seed++) {
    const outcome = chaos(seed);
    events += outcome.events;
    if (outcome.fault !== "") failed.push({ seed, fault: outcome.fault.split("\n")[0] ?? "" });
  }
  return { events, failed };
});
