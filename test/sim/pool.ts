// Work spread over threads: each takes the next piece as soon as it is done with the last, and all of them together end
// when no piece is left. A thread that ends by itself ends the run.
import { availableParallelism } from "node:os";
import { parentPort, Worker } from "node:worker_threads";

/** As many threads as the command line asks for, by default one per core. */
export function jobsOf(value: string | undefined): number {
  const jobs = value === undefined ? availableParallelism() : Number(value);
  if (!Number.isInteger(jobs) || jobs < 1) throw new Error("--jobs must be a whole number, one or more");
  return jobs;
}

/** Has `module` answer every piece; `done` is told of each answer, with the place of its piece. */
export async function spread(
  module: URL,
  pieces: readonly unknown[],
  jobs: number,
  done: (answer: unknown, index: number) => void,
): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    if (next >= pieces.length) return;
    const worker = new Worker(module);
    try {
      while (next < pieces.length) {
        const index = next++;
        done(await answerOf(worker, pieces[index]), index);
      }
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, pieces.length) }, work));
}

function answerOf(worker: Worker, piece: unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.once("error", reject);
    worker.once("message", (answer: unknown) => {
      worker.off("error", reject);
      resolve(answer);
    });
    worker.postMessage(piece, []);
  });
}

/** In a thread: answers each piece. */
export function answerWith(answer: (piece: unknown) => unknown): void {
  parentPort?.on("message", (piece: unknown) => parentPort?.postMessage(answer(piece), []));
}
