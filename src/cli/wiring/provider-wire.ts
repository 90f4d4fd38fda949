// What a provider's entry in the configuration means on the wire: paths, and the way that each kind
// of request takes into its language.
import type { Provider } from "../../config/config.ts";
import type { Endpoint } from "../../../providers/dialects/vocabulary.ts";
import { assert } from "../../errors.ts";
import type { Passage, TargetLanguage, Verbatim, Watcher } from "../../gateway/sending/passage.ts";
import { ANYTHING, ROUTES, type Route } from "../../gateway/routes.ts";
import type { UpstreamTarget } from "../../gateway/sending/upstream-target.ts";
import { NOTHING_USED } from "../../gateway/relay/usage.ts";
import {
  CLIENT_DIALECTS,
  DIALECTS,
  responseUsed,
  THOUGHT_MARK,
  rewriteMarks,
  watchResponse,
  type Dialect,
  type DialectTarget,
} from "../../../providers/dialects/index.ts";

const STREAM_TYPE = "text/event-stream";

function dialectOf(provider: Provider): Dialect {
  const dialect = DIALECTS.get(provider.dialect);
  assert(dialect !== undefined, "a provider's language is one of the register");
  return dialect;
}

/** Kinds of requests in other clients' languages, which any chat can serve. */
const TRANSLATED: readonly string[] = [...CLIENT_DIALECTS.keys(), "count_tokens"];

/** What requests may ask of the provider: what it has, and what can be translated into its chat. null: anything. */
export function endpointsOf(provider: Provider): ReadonlySet<string> | null {
  const { endpoints } = provider;
  if (endpoints === null && dialectOf(provider).native) return null;
  const all: readonly Endpoint[] = endpoints === null ? ["chat"] : [...endpoints];
  const passed = new Set<string>(
    Object.values(ROUTES)
      .filter((route) => passedPath(provider, "", route) !== null)
      .map(({ endpoint }) => endpoint),
  );
  if (dialectOf(provider).embeddings !== undefined) passed.add("embeddings");
  const served = all.filter((endpoint) => endpoint === "chat" || passed.has(endpoint));
  return new Set<string>(
    served.includes("chat") ? [...served, ...TRANSLATED, ANYTHING] : [...served, ANYTHING],
  );
}

/** The facts for what is the same for every request. */
function atNoTime(provider: Provider, model: string): DialectTarget {
  return { ...about(provider, model), createdSeconds: 0, id: "" };
}

/** The path below the base URL of a route that is passed on as it is; null when the provider's language has none. */
function passedPath(provider: Provider, model: string, route: Route): string | null {
  const { kind, endpoint, upstreamPath } = route;
  const own = (endpoint === ANYTHING ? undefined : provider.paths[endpoint])?.replaceAll("{model}", () =>
    encodeURIComponent(model),
  );
  if (own !== undefined) return kind === endpoint ? own : beside(own, upstreamPath);
  return dialectOf(provider).path(upstreamPath, atNoTime(provider, model));
}

/** The path in the same place as another, with the last segment of its own. */
function beside(path: string, ownPath: string): string {
  return `${path.slice(0, path.lastIndexOf("/"))}${ownPath.slice(ownPath.lastIndexOf("/"))}`;
}

/** Client headers that begin like this reach the provider in some of its languages. */
export function passedHeaderPrefixes(provider: Provider): readonly string[] {
  const prefixes = [dialectOf(provider).passed?.headerPrefix ?? "", ownHeaderPrefix(provider)];
  return prefixes.filter((prefix) => prefix !== "");
}

/** The simulator is told by headers how to misbehave. */
export function ownHeaderPrefix({ isSimulator }: Provider): string {
  return isSimulator ? "x-simulator-" : "";
}

function about(provider: Provider, model: string): TargetLanguage["about"] {
  const maxOutputTokens = provider.models.get(model)?.maxOutputTokens ?? null;
  return {
    model,
    baseUrl: provider.baseUrl,
    options: provider.options,
    provider: provider.name,
    errorHints: provider.errorHints,
    quirks: provider.quirks,
    ...(maxOutputTokens === null ? {} : { maxOutputTokens }),
  };
}

/** What begins a path that does not lie below the base URL. */
const FROM_ROOT = "{origin}";

/** A path below the base URL as one on the origin, with what the configuration adds to the query. */
export function belowBase(provider: Provider, base: URL): (path: string) => string {
  const prefix = base.pathname === "/" ? "" : base.pathname;
  const query = new URLSearchParams(provider.query).toString();
  return (path) => {
    const whole = path.startsWith(FROM_ROOT) ? path.slice(FROM_ROOT.length) : `${prefix}${path}`;
    return query === "" ? whole : `${whole}${path.includes("?") ? "&" : "?"}${query}`;
  };
}

/** Path and query per kind of route that passes as bytes. */
export function pathsOf(provider: Provider, model: string, base: URL): UpstreamTarget["paths"] {
  const below = belowBase(provider, base);
  const paths = Object.values(ROUTES).map(
    (route) => [route.kind, below(passedPath(provider, model, route) ?? route.upstreamPath)] as const,
  );
  return Object.fromEntries(paths);
}

/** What answers of other languages leave in a conversation for their own replay; providers of chat may refuse it. */
const FOREIGN = ['"thinking_blocks"', '"reasoning_details"', THOUGHT_MARK];

/** The provider's language as requests to one of its models need it. */
export function languageOf(provider: Provider, model: string, base: URL): TargetLanguage {
  const dialect = dialectOf(provider);
  const below = belowBase(provider, base);
  const marks = rewriteMarks(provider.quirks) ?? [];
  const isPathFixed = dialect.native || provider.paths.chat !== undefined;
  return {
    chat: dialect.chat,
    passages: passagesOf(provider, model),
    rewriteMarks: [...FOREIGN, ...marks],
    rewritesLong: marks.length > 0,
    about: about(provider, model),
    chatPath: isPathFixed
      ? below(passedPath(provider, model, ROUTES.chat) ?? ROUTES.chat.upstreamPath)
      : null,
    below,
    streamType: dialect.streamType ?? STREAM_TYPE,
  };
}

function passagesOf(provider: Provider, model: string): TargetLanguage["passages"] {
  const dialect = dialectOf(provider);
  const client = CLIENT_DIALECTS.get("messages") ?? null;
  const chat = chatPassage(provider, dialect);
  return {
    ...(chat === undefined ? {} : { chat }),
    ...(dialect.embeddings === undefined
      ? {}
      : { embeddings: { kind: "embedded", dialect: dialect.embeddings } }),
    messages: ownMessages(provider, model, ROUTES.messages) ?? {
      kind: "translated",
      dialect: dialect.chat,
      client,
    },
    count_tokens: ownMessages(provider, model, ROUTES.countTokens) ?? { kind: "counted" },
    responses: ownResponses(provider, dialect) ?? {
      kind: "translated",
      dialect: dialect.chat,
      client: CLIENT_DIALECTS.get("responses") ?? null,
    },
  };
}

/** How chat gets there; undefined: as bytes, both ways. */
function chatPassage({ quirks }: Provider, { native, chat: dialect }: Dialect): Passage | undefined {
  if (!native || rewriteMarks(quirks) === null) return { kind: "translated", dialect, client: null };
  return quirks.canonical === true ? undefined : { kind: "mended", dialect };
}

/** For a provider whose own language these requests are in; undefined for others. */
function ownMessages(provider: Provider, model: string, route: Route): Verbatim | undefined {
  const { chat, passed } = dialectOf(provider);
  if (passed === undefined || passedPath(provider, model, route) === null) return undefined;
  const { kind, endpoint } = route;
  const isOffered =
    provider.endpoints === null
      ? kind === "messages"
      : endpoint !== ANYTHING && provider.endpoints.has(endpoint);
  if (!isOffered) return undefined;
  const watcher: Watcher = {
    usage: (answer, to) => (kind === "messages" ? chat.decode(answer, to).usage : NOTHING_USED),
    stream: (to) => chat.stream(to, true),
  };
  const headers = passed.headers(atNoTime(provider, model));
  return { kind: "verbatim", watcher, headerPrefix: passed.headerPrefix, marksIds: false, headers };
}

/** For a provider that has the Responses API itself; undefined for others. */
function ownResponses({ endpoints }: Provider, { native }: Dialect): Verbatim | undefined {
  if (!native || endpoints?.has("responses") !== true) return undefined;
  const watcher: Watcher = { usage: responseUsed, stream: watchResponse };
  return { kind: "verbatim", watcher, headerPrefix: "", marksIds: true, headers: {} };
}
