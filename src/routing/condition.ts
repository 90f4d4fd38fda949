// For which requests a target is used: a conjunction of simple tests on what is known before anything is sent.

/** What routing reads of a request. Sizes are estimates. */
export interface RouteRequest {
  /** As the client wrote it. */
  readonly model: string;
  /** What is asked for: `chat`, `embeddings` … */
  readonly endpoint: string;
  /** The client key's name; empty where none is asked for. */
  readonly keyName: string;
  /** Names that this key may ask for; null: all. */
  readonly allowedModels: ReadonlySet<string> | null;
  /** The prompt's size in model tokens, estimated. */
  readonly promptTokens: number;
  readonly isStream: boolean;
  readonly hasTools: boolean;
  readonly hasImages: boolean;
  /** The session or prompt-cache key, for aliases that keep sessions together; null: none. */
  readonly session: string | null;
  /** A header of the request, its name in lower case. */
  header(name: string): string | undefined;
  /** A member of the body's `metadata`. */
  metadata(name: string): string | undefined;
}

/** All that is given has to hold. */
export interface Condition {
  /** The name that the client asked for is one of these. */
  readonly models?: readonly string[];
  /** The client key is one of these. */
  readonly keys?: readonly string[];
  /** Headers with exactly these values, names in lower case; `*`: any value. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Members of `metadata` with exactly these values; `*`: any value. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly promptTokensMin?: number;
  readonly promptTokensMax?: number;
  readonly tools?: boolean;
  readonly images?: boolean;
  readonly stream?: boolean;
}

/** Whether a request is one of those that the condition means. */
export function holds(condition: Condition, request: RouteRequest): boolean {
  const { models, keys, tools, images, stream, promptTokensMin = 0, promptTokensMax = Infinity } = condition;
  return (
    (models === undefined || models.includes(request.model)) &&
    (keys === undefined || keys.includes(request.keyName)) &&
    (tools === undefined || tools === request.hasTools) &&
    (images === undefined || images === request.hasImages) &&
    (stream === undefined || stream === request.isStream) &&
    request.promptTokens >= promptTokensMin &&
    request.promptTokens <= promptTokensMax &&
    haveValues(condition.headers, (name) => request.header(name)) &&
    haveValues(condition.metadata, (name) => request.metadata(name))
  );
}

function haveValues(
  wanted: Readonly<Record<string, string>> | undefined,
  read: (name: string) => string | undefined,
): boolean {
  if (wanted === undefined) return true;
  return Object.entries(wanted).every(([name, value]) => {
    const actual = read(name);
    return value === "*" ? actual !== undefined : actual === value;
  });
}
