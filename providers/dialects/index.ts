// The register of wire languages: the names that catalog files use → what implements them. The gateway imports this
// file and nothing beside it, because vendors' names end here.
import { anthropic } from "./anthropic/dialect.ts";
import type { ClientDialect, Dialect } from "./dialect.ts";
import { bedrock } from "./bedrock/dialect.ts";
import { gemini } from "./gemini/dialect.ts";
import { messages } from "./messages/dialect.ts";
import { openai } from "./openai/dialect.ts";

import { responses } from "./responses/dialect.ts";

export type * from "./dialect.ts";
export { rewriteMarks } from "./quirks.ts";
export { SigV4Signer, type SigV4Credentials, type SigV4Crypto } from "./bedrock/sigv4.ts";
export { countTokens } from "./messages/count.ts";
export { UNSIGNED, withoutUnsignedThinking } from "./messages/turns.ts";
export { FrameNormaliser } from "./openai/relay.ts";
export { responseUsed, watchResponse } from "./responses/watch.ts";
export { THOUGHT_MARK } from "./shared/tools.ts";
export { sseFrame } from "./sse.ts";
export { chunksOfAnswer } from "./whole-chunks.ts";

/** Providers' languages by the name in `dialect:`. */
export const DIALECTS: ReadonlyMap<string, Dialect> = new Map([
  ["openai", openai],
  ["anthropic", anthropic],
  ["gemini", gemini],
  ["bedrock", bedrock],
]);

/** Clients' languages beside chat completions, by the name of their route. */
export const CLIENT_DIALECTS: ReadonlyMap<string, ClientDialect> = new Map([
  ["messages", messages],
  ["responses", responses],
]);
