// A thread of `npm run accuracy`: plays one scenario from one seed.
import { z } from "zod";
import { play } from "./accuracy.ts";
import { answerWith } from "./pool.ts";

const piece = z.object({ name: z.string(), seed: z.number() });

answerWith((asked) => play(piece.parse(asked)));
