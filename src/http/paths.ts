// Paths that lead nowhere. Clients are sent to the right address when the reason is plain (a base URL without its
// `/v1`, or with two), and tricks meant for file servers are refused before anything tries to resolve them.
import type { IncomingMessage } from "node:http";
import { GatewayError } from "../errors.ts";

const PATH_CHARS_MAX = 2048;
/** How much of a path is repeated in a message. */
const SHOWN_CHARS_MAX = 100;

// Control characters, backslashes, encoded or not, and segments of dots.
// oxlint-disable-next-line no-control-regex -- finding control characters is the point
const TRICKS = /[\u0000-\u0020\u007f\\]|%0|%1|%5c|%7f|(?:\/|%2f)(?:\.|%2e){1,2}(?:\/|%2f|$)/i;

/** The request's path as it was sent, without the query. */
export function pathOf(request: Pick<IncomingMessage, "url">): string {
  const url = request.url ?? "/";
  const query = url.indexOf("?");
  return query < 0 ? url : url.slice(0, query);
}

/** Throws `invalid_request` for a path that no honest client sends. */
export function checkPath(path: string): void {
  if (path.length > PATH_CHARS_MAX) {
    throw new GatewayError("invalid_request", "The path is too long.", { status: 414 });
  }
  if (!path.startsWith("/") || TRICKS.test(path) || !isDecodable(path)) {
    throw new GatewayError("invalid_request", "The path is malformed.");
  }
}

function isDecodable(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}

/** The answer to a request that no route matches, with the way to the right one where `isKnown` tells it. */
export function notFound(method: string, path: string, isKnown: (path: string) => boolean): GatewayError {
  const shown = path.length > SHOWN_CHARS_MAX ? `${path.slice(0, SHOWN_CHARS_MAX)}…` : path;
  const message = `There is no ${method} ${shown} here.`;
  const hint = correction(path, isKnown);
  return new GatewayError("not_found", hint === undefined ? message : `${message} ${hint}`);
}

function correction(path: string, isKnown: (path: string) => boolean): string | undefined {
  const single = path.replaceAll(/\/{2,}/g, "/").replace(/(.)\/$/, "$1");
  if (single !== path && isKnown(single)) return `Did you mean ${single}?`;
  if (isKnown(`/v1${single}`)) return `Did you mean /v1${single}? The client's base URL must end in /v1.`;
  const once = single.replace(/^(\/v1)+\//, "/v1/");
  if (once !== single && isKnown(once)) return `Did you mean ${once}? The client's base URL has /v1 twice.`;
  return undefined;
}

export function methodNotAllowed(method: string, path: string, allowed: string): GatewayError {
  return new GatewayError("method_not_allowed", `${path} does not answer ${method}, only ${allowed}.`);
}
