// A request's place in the line: its key's, or a lower one that it asks for by a header. Asking for a higher one is an error,
// for a client that believes to come first must learn that it does not.
import type { IncomingHttpHeaders } from "node:http";
import { GatewayError } from "../errors.ts";
import type { Priority } from "../limiter/reservation.ts";
import type { ClientKey } from "./runtime.ts";

const HEADER = "x-sluice-priority";
const PRIORITIES = ["high", "normal", "low"] as const;
/** The words for priorities, and their places in the line. */
export const PLACES = { high: 0, normal: 1, low: 2 } as const satisfies Record<string, Priority>;

/** Throws `invalid_request` for a word that is none, `permission_denied` for a priority above the key's. */
export function priorityOf(headers: IncomingHttpHeaders, key: ClientKey): Priority {
  const asked = headers[HEADER];
  if (asked === undefined) return key.priority;
  const word = PRIORITIES.find((known) => known === asked);
  if (word === undefined) {
    throw new GatewayError("invalid_request", `\`${HEADER}\` must be one of ${PRIORITIES.join(", ")}.`);
  }
  const priority = PLACES[word];
  if (priority < key.priority) {
    const whose = key.name === "" ? "Requests without a key" : `The key \`${key.name}\``;
    throw new GatewayError(
      "permission_denied",
      `${whose} may not claim a priority above ${PRIORITIES[key.priority]}: \`${HEADER}\` says ${word}.`,
    );
  }
  return priority;
}
