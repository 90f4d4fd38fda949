// The register of wire languages: the names that catalog files use → what implements them. The gateway imports this
// file and nothing beside it, because vendors' names end here.
import { anthropic } from "./anthropic/dialect.ts";
import type { Dialect } from "./dialect.ts";
import { bedrock } from "./bedrock/dialect.ts";
import { gemini } from "./gemini/dialect.ts";
import { openai } from "./openai/dialect.ts";

export type * from "./dialect.ts";
export type { Quirks } from "./quirks.ts";
export { SigV4Signer, type SigV4Credentials, type SigV4Crypto } from "./bedrock/sigv4.ts";
export { FrameNormaliser } from "./openai/relay.ts";
export { usageFromChat, usageToChat } from "./usage.ts";
export { sseFrame } from "./sse.ts";

/** Providers' languages by the name in `dialect:`. */
export const DIALECTS: ReadonlyMap<string, Dialect> = new Map([
  ["openai", openai],
  ["anthropic", anthropic],
  ["gemini", gemini],
  ["bedrock", bedrock],
]);
