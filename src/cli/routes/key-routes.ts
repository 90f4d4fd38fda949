// The operators' routes for client keys:
//
//   GET | POST | DELETE /admin/keys   GET | DELETE /admin/keys/NAME   POST /admin/keys/NAME/rotate
//
// A secret is shown once, in the answer that made it.
import { z } from "zod";
import type { Clock } from "../../clock.ts";
import type { ClientKey, Config } from "../../config/config.ts";
import { readKeyDefinition, resolveRuntimeKey } from "../../config/key-definition.ts";
import { limitKey } from "../../config/limits.ts";
import { duration } from "../../config/scalars.ts";
import { didYouMean } from "../../config/suggest.ts";
import { GatewayError } from "../../errors.ts";
import { jsonAnswer, type PlainAnswer, type PlainRequest, type PlainRoute } from "../../http/plain-route.ts";
import type { KeyBook } from "../../keys/key-book.ts";
import type { Secret } from "../../keys/secret.ts";
import type { StoredKey } from "../../keys/stored-key.ts";
import type { LimitLevel } from "../../limiter/forecast.ts";
import { readBody } from "./command-body.ts";
import { levelView } from "./usage-routes.ts";

export interface KeyParts {
  readonly book: KeyBook;
  readonly clock: Clock;
  /** The configuration as it was written. */
  readonly config: () => Config;
  /** All keys as they are in force: the configuration's and those of run time, with limits as they are set. */
  readonly inForce: () => ReadonlyMap<string, ClientKey>;
  /** What is left of a key's limits, in their order. */
  readonly levels: (key: ClientKey) => readonly LimitLevel[];
}

/** How long a replaced secret stays good when nobody says. */
const OVERLAP = "24h";

const rotation = z.strictObject({
  // `0` is a duration, and a number in JSON.
  overlap: z.preprocess((value) => (value === 0 ? "0" : value), duration()).prefault(OVERLAP),
});

export function keyRoutes(parts: KeyParts): readonly PlainRoute[] {
  const path = "/admin/keys";
  return [
    { method: "GET", path, handle: () => jsonAnswer({ keys: listKeys(parts) }) },
    { method: "POST", path, handle: (request) => create(request, parts) },
    { method: "DELETE", path, handle: () => reopen(parts) },
    { method: "GET", path: `${path}/:name`, handle: (request) => jsonAnswer(oneKey(nameIn(request), parts)) },
    { method: "DELETE", path: `${path}/:name`, handle: (request) => revoke(nameIn(request), parts) },
    { method: "POST", path: `${path}/:name/rotate`, handle: (request) => rotate(request, parts) },
  ];
}

function nameIn({ params }: PlainRequest): string {
  return params["name"] ?? "";
}

function listKeys(parts: KeyParts): readonly object[] {
  const keys = [...parts.inForce().values()].map((key) => viewOf(key, parts));
  return keys.sort((left, right) => (left.name < right.name ? -1 : 1));
}

function oneKey(name: string, parts: KeyParts): object {
  const key = parts.inForce().get(name);
  if (key === undefined) throw unknownKey(name, parts);
  return { ...viewOf(key, parts), levels: parts.levels(key).map(levelView) };
}

async function create({ body }: PlainRequest, parts: KeyParts): Promise<PlainAnswer> {
  const { book, clock, config } = parts;
  const written = readKeyDefinition(body);
  if (written.kind === "fault") throw new GatewayError("invalid_request", written.message);
  const { name } = written.raw;
  const where = config().keys.has(name) ? "in the configuration" : book.get(name) && "made at run time";
  if (where !== undefined) {
    throw new GatewayError("already_exists", `There already is a key \`${name}\`, ${where}.`, {
      param: "name",
    });
  }
  const { definition, fault } = resolveRuntimeKey(written.raw, config());
  if (fault !== null) throw new GatewayError("invalid_request", fault.message);
  if (definition.expiresMs !== null && definition.expiresMs <= clock.wallMs()) {
    throw new GatewayError("invalid_request", "`expires`: this lies in the past.", { param: "expires" });
  }
  const isFirst = config().keys.size === 0 && !book.hasBegun;
  const secret = await book.create(written);
  return shown(secret, { ...oneKey(name, parts), ends_open_access: isFirst }, 201);
}

/** Back to the time before the first key. */
async function reopen({ book, config }: KeyParts): Promise<PlainAnswer> {
  await book.forgetAll();
  const { keys, listen } = config();
  return jsonAnswer({ is_open: keys.size === 0 && listen.isLoopback });
}

async function rotate(request: PlainRequest, parts: KeyParts): Promise<PlainAnswer> {
  const name = nameIn(request);
  const key = runtimeKey(name, parts);
  const overlapMs = overlapIn(request.body);
  const secret = await parts.book.rotate(key, overlapMs);
  return shown(secret, oneKey(name, parts), 200);
}

function overlapIn(body: string): number {
  const read = readBody(body === "" ? "{}" : body, rotation, '{"overlap": "24h"}');
  if (typeof read === "string") throw new GatewayError("invalid_request", read);
  return read.overlap;
}

async function revoke(name: string, parts: KeyParts): Promise<PlainAnswer> {
  runtimeKey(name, parts);
  await parts.book.revoke(name);
  return jsonAnswer({ name, status: "revoked" });
}

/** The answer that shows a secret; nothing on the way may keep it. */
function shown(secret: Secret, key: object, status: number): PlainAnswer {
  const answer = jsonAnswer({ ...key, key: secret.text }, status);
  return { ...answer, headers: { ...answer.headers, "cache-control": "no-store" } };
}

/** A key that can be changed here. */
function runtimeKey(name: string, parts: KeyParts): StoredKey {
  if (parts.config().keys.has(name)) {
    throw new GatewayError(
      "invalid_request",
      `The key \`${name}\` comes from the configuration; change it there.`,
    );
  }
  const key = parts.book.get(name);
  if (key === undefined) throw unknownKey(name, parts);
  return key;
}

function unknownKey(name: string, { inForce }: KeyParts): GatewayError {
  const hint = didYouMean(name, inForce().keys());
  return new GatewayError("not_found", `There is no key \`${name.slice(0, 100)}\`${hint || "."}`);
}

function viewOf(key: ClientKey, { book, clock, config }: KeyParts) {
  const stored = config().keys.has(key.name) ? undefined : book.get(key.name);
  const isExpired = key.expiresMs !== null && key.expiresMs <= clock.wallMs();
  return {
    name: key.name,
    source: stored === undefined ? "config" : "runtime",
    status: isExpired ? "expired" : "active",
    prefix: stored?.secrets[0]?.prefix ?? null,
    secrets: (stored?.secrets ?? []).map(({ prefix, created, until }) => ({
      prefix,
      created_at: instant(created),
      expires_at: until === undefined || until === null ? null : instant(until),
    })),
    models: key.models === null ? null : [...key.models],
    priority: key.priority,
    weight: key.weight,
    limits: key.limits.map((limit) => ({
      bucket: limitKey({ kind: "key", name: key.name }, limit),
      ...limit,
    })),
    expires_at: key.expiresMs === null ? null : instant(key.expiresMs),
    created_at: stored === undefined ? null : instant(stored.createdMs),
    tags: key.tags,
    metadata: key.metadata,
  };
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}
