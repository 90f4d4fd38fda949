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

/** How often a path may be decoded until it stays the same; nothing honest is encoded more than twice. */
const DECODINGS_MAX = 3;
// A segment of dots, also with a parameter behind it, and what could stand for a slash or end a line.
// oxlint-disable-next-line no-control-regex -- finding control characters is the point
const LEAVES = /(?:^|[/\\])\.{1,2}(?:[/\\;]|$)|[\\\u0000-\u001f\u007f]/;

/**
 * Throws `invalid_request` for a path below a provider's base URL that would lead out of it once somebody behind us decodes
 * it, however often.
 */
export function checkPassedPath(path: string): void {
  let text = path;
  for (let round = 0; round <= DECODINGS_MAX; round++) {
    if (LEAVES.test(text) || text.includes("#")) break;
    const decoded = text.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
    if (decoded === text) return;
    text = decoded;
  }
  throw new GatewayError("invalid_request", "The path leads out of the provider's base URL.");
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
