// What each route answers: from a parsed body, JSON or a form, to an `Answer`, whose size in tokens is known before it is sent.
import { GatewayError } from "../errors.ts";
import { MODELS, answerChat } from "./chat-answer.ts";
import { answerCompletion, completionJson, completionPayloads } from "./completions.ts";
import { answerEmbeddings } from "./embeddings.ts";
import { chatJson, chatPayloads } from "./chat-wire.ts";
import { frame } from "./faults.ts";
import { editImages, generateImages, speak, transcribe, varyImage } from "./media.ts";
import { answerModeration } from "./moderations.ts";
import type { Chunk } from "./plan.ts";
import { answerRerank } from "./rerank.ts";
import { answerResponse, responseEvents } from "./responses.ts";
import { parseChat } from "./chat-request.ts";
import type { JsonObject } from "./json.ts";
import type { ResponseMemory } from "./responses.ts";
import type { WireContext } from "./chat-wire.ts";

export interface Answer {
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly isStream: boolean;
  /** What it is said to be; by default JSON, or an event stream. */
  readonly contentType?: string;
  /** The whole body for a plain answer, else one chunk per frame. */
  readonly chunks: readonly Chunk[];
}

export interface AnswerContext extends WireContext {
  /** How many tokens of prose to answer with; null: the request decides. */
  readonly tokens: number | null;
  readonly alwaysFloats: boolean;
  readonly memory: ResponseMemory;
}

export type Route = (body: JsonObject, context: AnswerContext) => Answer;

/** The POST routes, below `/v1`. They throw `GatewayError`s of status 400 for requests that make no sense. */
export const ROUTES: ReadonlyMap<string, Route> = new Map<string, Route>([
  ["/v1/chat/completions", chat],
  ["/v1/completions", completion],
  ["/v1/embeddings", embeddings],
  ["/v1/responses", responses],
  ["/v1/moderations", moderations],
  ["/v1/rerank", rerank],
  ["/v1/images/generations", (body, { created }) => generateImages(body, created)],
  ["/v1/images/edits", (body, { created }) => editImages(body, created)],
  ["/v1/images/variations", (body, { created }) => varyImage(body, created)],
  ["/v1/audio/speech", speak],
  ["/v1/audio/transcriptions", transcribe],
  ["/v1/audio/translations", transcribe],
]);

function chat(body: JsonObject, context: AnswerContext): Answer {
  const request = parseChat(body);
  const answer = answerChat(request, context.tokens);
  return {
    promptTokens: answer.usage.promptTokens,
    completionTokens: answer.usage.completionTokens,
    isStream: request.isStream,
    chunks: request.isStream
      ? chatPayloads(request, answer, context).map(frame)
      : [chatJson(request, answer, context)],
  };
}

function completion(body: JsonObject, context: AnswerContext): Answer {
  const answer = answerCompletion(body, context.tokens);
  return {
    promptTokens: answer.usage.promptTokens,
    completionTokens: answer.usage.completionTokens,
    isStream: answer.isStream,
    chunks: answer.isStream
      ? completionPayloads(answer, context).map(frame)
      : [completionJson(answer, context)],
  };
}

function embeddings(body: JsonObject, context: AnswerContext): Answer {
  const { json, tokens } = answerEmbeddings(body, context.alwaysFloats);
  return { promptTokens: tokens, completionTokens: 0, isStream: false, chunks: [json] };
}

function responses(body: JsonObject, context: AnswerContext): Answer {
  const made = answerResponse(body, context.memory, context);
  return {
    promptTokens: made.answer.usage.promptTokens,
    completionTokens: made.answer.usage.completionTokens,
    isStream: made.isStream,
    chunks: made.isStream ? responseEvents(made) : [JSON.stringify(made.response)],
  };
}

function moderations(body: JsonObject): Answer {
  const { json, tokens } = answerModeration(body);
  return { promptTokens: tokens, completionTokens: 0, isStream: false, chunks: [json] };
}

function rerank(body: JsonObject): Answer {
  const { json, tokens } = answerRerank(body);
  return { promptTokens: tokens, completionTokens: 0, isStream: false, chunks: [json] };
}

const CREATED = 1_764_547_200;

/** The models that behave in their own way; any other name can be asked for too. */
export function modelsJson(): string {
  return JSON.stringify({ object: "list", data: Object.keys(MODELS).map(modelObject) });
}

/** One model. Throws `model_not_found` for a name that `/v1/models` does not list. */
export function modelJson(id: string): string {
  if (!Object.hasOwn(MODELS, id)) throw new GatewayError("model_not_found", `There is no model \`${id}\`.`);
  return JSON.stringify(modelObject(id));
}

function modelObject(id: string): object {
  return { id, object: "model", created: CREATED, owned_by: "simulator" };
}
