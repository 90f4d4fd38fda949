// Which requests the response cache may answer, and which of them ask the same. Compiled with the rest of a configuration.
import { membersOf, questionKey, valueText, type Member } from "../cache/question.ts";
import type { ResponseCache } from "../cache/response-cache.ts";
import type { Exchange } from "./exchange.ts";
import type { RequestFacts } from "./request/request.ts";
import type { Route } from "./routes.ts";

export interface CachePolicy {
  readonly cache: ResponseCache;
  /** The names, as clients ask for them, whose answers are kept; null: all. */
  readonly models: ReadonlySet<string> | null;
  /** Those whose answers are not. */
  readonly except: ReadonlySet<string>;
  /** Whether all client keys share the answers. */
  readonly isShared: boolean;
  /** Headers that decide where a request goes, in lower case. */
  readonly headers: readonly string[];
  /** Headers that begin like this reach providers. */
  readonly headerPrefixes: readonly string[];
  /** Members of the body that do not change the answer. */
  readonly ignored: ReadonlySet<string>;
  /** A text that is another one when the configuration lets this name lead elsewhere. */
  routePrint(model: string): string;
}

/** Kinds of requests whose answers depend on nothing but the request. */
const KINDS: ReadonlySet<Route["kind"]> = new Set([
  "chat",
  "completions",
  "embeddings",
  "messages",
  "responses",
]);

/** Changes when what is kept under a key does. */
const LAYOUT = 1;

/** Whether the cache has to do with requests of this kind for this name, by this key. */
export function isCovered({ request, runtime }: Exchange, { models, except }: CachePolicy): boolean {
  const { route, members, key } = request;
  const { model } = members;
  if (!KINDS.has(route.kind) || except.has(model) || models?.has(model) === false) return false;
  // Refusing it is the plan's business.
  return (key.models === null || key.models.has(model)) && runtime.routes.resolve(model) !== undefined;
}

/** The key of what a request asks; null: it is more than a question. */
export function questionOf({ request }: Exchange, policy: CachePolicy): string | null {
  const { body, route } = request;
  const members = membersOf(body);
  if (!isQuestion(route, body, members)) return null;
  return questionKey(aboutOf(request, policy), body, members, policy.ignored);
}

/** What leaves something behind at the provider, or builds on that, can't be answered by anybody else. */
function isQuestion({ kind }: Route, body: Buffer, members: readonly Member[]): boolean {
  const value = (name: string): string => valueText(body, members, name) ?? "null";
  if (kind === "chat") return value("store") !== "true";
  if (kind !== "responses") return true;
  const isAlone = ["previous_response_id", "conversation"].every((name) => value(name) === "null");
  return isAlone && value("store") === "false" && value("background") !== "true";
}

/** Who asks where: all that decides about the answer besides the body. */
function aboutOf({ body, route, key, members, headers }: RequestFacts, policy: CachePolicy): string {
  const { isStream, streamOptionsSpan: span, model } = members;
  const options = isStream && span !== null ? body.toString("utf8", span.start, span.end) : "";
  const passed = policy.headers.map((name) => [name, headers[name]]);
  for (const prefix of policy.headerPrefixes) {
    for (const name of Object.keys(headers)) if (name.startsWith(prefix)) passed.push([name, headers[name]]);
  }
  const owner = policy.isShared ? null : key.name;
  return JSON.stringify([LAYOUT, route.kind, owner, isStream, options, policy.routePrint(model), passed]);
}
