// Rerank of the pretend model: a document's score is the share of the query's words that it holds.
import { countAt, invalid, stringAt, type JsonObject } from "./json.ts";
import { promptTokens } from "./prose.ts";

export interface Ranking {
  readonly json: string;
  readonly tokens: number;
}

/** Throws `invalid_request`. */
export function answerRerank(body: JsonObject): Ranking {
  const query = stringAt(body, "query");
  const listed: readonly unknown[] = Array.isArray(body["documents"]) ? body["documents"] : [];
  if (listed.length === 0) throw invalid("documents", "`documents` must be a list with at least one item.");
  const documents = listed.map((document, at) => {
    if (typeof document === "string") return document;
    throw invalid(`documents[${at}]`, `\`documents[${at}]\` must be a string.`);
  });
  const words = [...new Set(wordsOf(query))];
  const results = documents
    .map((document, index) => ({ index, relevance_score: scoreOf(words, document) }))
    .toSorted((left, right) => right.relevance_score - left.relevance_score || left.index - right.index)
    .slice(0, countAt(body, "top_n", 1) ?? documents.length);
  const tokens = documents.reduce((total, document) => total + promptTokens(document), promptTokens(query));
  const answer = { model: stringAt(body, "model"), results, usage: { total_tokens: tokens } };
  return { json: JSON.stringify(answer), tokens };
}

function wordsOf(text: string): readonly string[] {
  return text.toLowerCase().match(/\p{L}+/gu) ?? [];
}

function scoreOf(words: readonly string[], document: string): number {
  const held = new Set(wordsOf(document));
  return words.length === 0 ? 0 : words.filter((word) => held.has(word)).length / words.length;
}
