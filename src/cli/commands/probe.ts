// Asks a model server on this machine for its list of models, to find out whether there is one. Anything but a prompt and sane
// answer means that there is none.
import { get } from "node:http";
import type { ListedModel, Probe } from "../../config/detect.ts";
import { tryParse } from "../../json.ts";

/** A server on this machine answers within a few milliseconds, and a start waits for this. */
const DEADLINE_MS = 300;

const BYTES_MAX = 1024 * 1024;

/** Resolves with the models at `url`, an OpenAI-style list, or null. Never rejects. */
export const probeModels: Probe = (url) =>
  new Promise((resolve) => {
    const none = (): void => resolve(null);
    const request = get(url, { signal: AbortSignal.timeout(DEADLINE_MS), agent: false }, (response) => {
      const chunks: Buffer[] = [];
      let length = 0;
      response.on("error", none);
      response.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        length += chunk.length;
        if (length > BYTES_MAX) request.destroy();
      });
      response.on("close", none);
      response.on("end", () =>
        resolve(response.statusCode === 200 ? readModels(Buffer.concat(chunks).toString()) : null),
      );
    });
    request.on("error", none);
  });

function readModels(text: string): readonly ListedModel[] | null {
  const answer = tryParse(text);
  const data: unknown = isObject(answer) ? answer["data"] : undefined;
  if (!Array.isArray(data)) return null;
  return data
    .filter(isObject)
    .flatMap(({ id, owned_by: ownedBy }) =>
      typeof id === "string" ? [{ id, ownedBy: typeof ownedBy === "string" ? ownedBy : "" }] : [],
    );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
