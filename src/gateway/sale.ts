// What a request asks for that may be sold by other units than tokens, read from the request: the most that it can be, where the
// request does not tell. Only asked where the model has such prices.
import type { Sale, Usage } from "../observe/events.ts";
import type { Exchange } from "./exchange.ts";
import type { Upload } from "./request/upload.ts";

/** No codec of speech in use needs fewer bytes for a second (6 kbit/s). */
const AUDIO_BYTES_PER_SECOND_MIN = 750;
/** Forms are no longer than this; only for those that don't announce their length. */
const FORM_BYTES_MAX = 512 * 1024 * 1024;
/** As many pictures as a form may ask for that does not say, or not yet. */
const FORM_IMAGES_MAX = 10;
/** How many documents make a search, and how much of one counts as one. */
const SEARCH_DOCUMENTS = 100;
const SEARCH_DOCUMENT_TOKENS = 500;
/** Fewer than vocabularies have on average, so that the count is rather too high. */
const CHARS_PER_TOKEN = 2;

/** What the request asks for; null: nothing that is sold by units. */
export function saleOf(exchange: Exchange): Sale | null {
  const { route, upload } = exchange.request;
  switch (route.sells) {
    case null:
      return null;
    case "images":
      return upload === null ? imagesOf(exchange) : formImages(upload);
    case "audio":
      return { kind: "audio", seconds: (upload?.bytesMax ?? FORM_BYTES_MAX) / AUDIO_BYTES_PER_SECOND_MIN };
    case "speech":
      return { kind: "speech", characters: charsOf(exchange.parsedBody()["input"]) };
    case "searches":
      return { kind: "searches", count: searchesOf(exchange) };
  }
}

/** What was used, with what was sold: as the provider reports it, else what was asked for. */
export function withSale(used: Usage, reported: Usage | null, exchange: Exchange): Usage {
  const asked = saleOf(exchange);
  const told = reported?.sold?.sale;
  const sale = told !== undefined && told.kind === asked?.kind ? told : asked;
  const hasTokens = reported !== null && reported.inputTokens + reported.outputTokens > 0;
  return sale === null ? used : { ...used, sold: { sale, hasTokens } };
}

function imagesOf(exchange: Exchange): Sale {
  const { size, quality } = exchange.parsedBody();
  const count = exchange.request.members.choices;
  return { kind: "images", count, size: wordOf(size), quality: wordOf(quality) };
}

/** A form's fields are known as far as they have come; those behind the files come when the request is under way. */
function formImages({ fields, isEnded }: Upload): Sale {
  const unsaid = isEnded ? null : "auto";
  const count = Number(fields.get("n") ?? (isEnded ? 1 : FORM_IMAGES_MAX));
  return {
    kind: "images",
    count: Number.isSafeInteger(count) && count > 0 ? count : FORM_IMAGES_MAX,
    size: fields.get("size") ?? unsaid,
    quality: fields.get("quality") ?? unsaid,
  };
}

/** What is no text is the provider's to refuse; here it means the dearest. */
function wordOf(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  return typeof value === "string" ? value : "auto";
}

/** Characters of all texts in a value. */
function charsOf(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null) return 0;
  let chars = 0;
  for (const inner of Object.values(value)) chars += charsOf(inner);
  return chars;
}

function searchesOf(exchange: Exchange): number {
  const { query, documents } = exchange.parsedBody();
  const queryTokens = charsOf(query) / CHARS_PER_TOKEN;
  let parts = 0;
  for (const document of Array.isArray(documents) ? documents : []) {
    const tokens = queryTokens + charsOf(document) / CHARS_PER_TOKEN;
    parts += Math.max(1, Math.ceil(tokens / SEARCH_DOCUMENT_TOKENS));
  }
  return Math.max(1, Math.ceil(parts / SEARCH_DOCUMENTS));
}
