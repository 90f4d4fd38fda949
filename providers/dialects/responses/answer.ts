// A chat completion as a response: an object with a list of output items. Its envelope repeats what was asked, which
// clients' types require.
import type { GatewayError } from "../../../src/errors.ts";
import type { ClientContext } from "../dialect.ts";
import { readArray, readObject, readString, readText, type Json } from "../json.ts";
import { answeredCalls, type AnsweredCall } from "../shared/answered-calls.ts";
import { Extras } from "../shared/extras.ts";
import { thinkingFromChat, thinkingToChat } from "../shared/thinking.ts";
import { newCallId } from "../shared/tools.ts";
import { usageFromChat } from "../usage.ts";
import { carriedThinking } from "./items.ts";

/** How a response ended. */
export interface Ending {
  readonly status: "completed" | "incomplete" | "in_progress" | "failed";
  readonly incomplete?: "max_output_tokens" | "content_filter";
  readonly error?: Json;
}

/** What a chat's finish reason means for the response. */
export function endingOf(finish: string | undefined): Ending {
  if (finish === "length") return { status: "incomplete", incomplete: "max_output_tokens" };
  if (finish === "content_filter") return { status: "incomplete", incomplete: "content_filter" };
  return { status: "completed" };
}

/** Counts in this language. */
export function responseUsage(reported: unknown): Json | null {
  const usage = usageFromChat(reported);
  if (usage === null) return null;
  return {
    input_tokens: usage.inputTokens,
    input_tokens_details: {
      cached_tokens: usage.cachedInputTokens,
      cache_write_tokens: usage.cacheWriteTokens,
    },
    output_tokens: usage.outputTokens,
    output_tokens_details: { reasoning_tokens: usage.reasoningTokens },
    total_tokens: usage.inputTokens + usage.outputTokens,
  };
}

interface Contents {
  readonly output: readonly Json[];
  readonly ending: Ending;
  readonly usage: Json | null;
  readonly extras: Extras;
}

/** What answers of chat hold that has no place here. */
export function responseExtras(): Extras {
  return new Extras("annotations", "images");
}

/** The envelope around output items. */
export function responseObject(context: ClientContext, { output, ending, usage, extras }: Contents): Json {
  const { request } = context;
  const given = (name: string, fallback: unknown): unknown => request[name] ?? fallback;
  return {
    id: `resp_${context.id}`,
    object: "response",
    created_at: context.createdSeconds,
    status: ending.status,
    background: false,
    error: ending.error ?? null,
    incomplete_details: ending.incomplete === undefined ? null : { reason: ending.incomplete },
    instructions: given("instructions", null),
    max_output_tokens: given("max_output_tokens", null),
    max_tool_calls: null,
    model: given("model", ""),
    output,
    parallel_tool_calls: given("parallel_tool_calls", true),
    previous_response_id: null,
    prompt_cache_key: given("prompt_cache_key", null),
    reasoning: { effort: null, summary: null, ...readObject(request, "reasoning") },
    safety_identifier: given("safety_identifier", null),
    service_tier: given("service_tier", "auto"),
    store: false,
    temperature: given("temperature", 1),
    text: { format: { type: "text" }, ...readObject(request, "text") },
    tool_choice: given("tool_choice", "auto"),
    tools: given("tools", []),
    top_logprobs: given("top_logprobs", 0),
    top_p: given("top_p", 1),
    truncation: "disabled",
    usage,
    user: given("user", null),
    metadata: given("metadata", {}),
    ...extras.member,
  };
}

interface ItemFacts {
  readonly context: ClientContext;
  /** Items of an answer that was cut off say so: clients must not run half a call. */
  readonly status: "completed" | "incomplete";
}

/** The first choice of the answer as a response. */
export function responseFromChat(answer: Json, context: ClientContext): Json {
  const [choice] = readArray(answer, "choices");
  const message = readObject(choice, "message") ?? {};
  const calls = answeredCalls(message);
  const ending = endingOf(readString(choice, "finish_reason"));
  const about: ItemFacts = { context, status: ending.status === "completed" ? "completed" : "incomplete" };
  const extras = responseExtras();
  extras.note(message);
  extras.noteAnswer(answer);
  const output = [
    ...reasoningItems(message, context),
    ...messageItems(message, choice, about),
    ...readArray(message, "images").flatMap((image, index) =>
      pictureItem(`ig_${context.id}_${index}`, image, extras),
    ),
    ...calls.map((call, index) => callItem(call, index, about)),
  ];
  return responseObject(context, { output, ending, usage: responseUsage(answer["usage"]), extras });
}

function reasoningItems(message: Json, context: ClientContext): readonly Json[] {
  const text = readText(message, "reasoning_content") ?? "";
  const { blocks } = thinkingFromChat(message);
  if (text === "" && blocks.length === 0) return [];
  return [reasoningItem(`rs_${context.id}`, text, thinkingToChat(blocks))];
}

/** Reasoning, with the signed thinking behind it in a form that clients send back. */
export function reasoningItem(id: string, text: string, blocks: readonly Json[]): Json {
  return {
    id,
    type: "reasoning",
    summary: text === "" ? [] : [{ type: "summary_text", text }],
    ...(blocks.length === 0 ? {} : { encrypted_content: carriedThinking(blocks) }),
  };
}

function messageItems(message: Json, choice: unknown, { context, status }: ItemFacts): readonly Json[] {
  const text = readText(message, "content");
  const refusal = readText(message, "refusal");
  if (text === undefined && refusal === undefined) return [];
  const logprobs = readArray(readObject(choice, "logprobs"), "content");
  const annotations = readArray(message, "annotations").map(annotationOf);
  const content = [
    ...(text === undefined ? [] : [{ type: "output_text", text, annotations, logprobs }]),
    ...(refusal === undefined ? [] : [{ type: "refusal", refusal }]),
  ];
  return [{ id: `msg_${context.id}`, type: "message", status, role: "assistant", content }];
}

const PICTURE = /^data:image\/([\w.+-]{1,40})[^,]{0,100};base64,/;

/** A picture that the model made. One that is no data has no place here, and is left to the extras. */
export function pictureItem(id: string, image: unknown, extras: Extras): readonly Json[] {
  const url = readText(readObject(image, "image_url"), "url") ?? "";
  const [prefix = "", format] = PICTURE.exec(url) ?? [];
  if (format === undefined) {
    extras.note({ extra_content: { images: [image] } });
    return [];
  }
  const result = url.slice(prefix.length);
  return [{ id, type: "image_generation_call", status: "completed", output_format: format, result }];
}

/** Chat nests the citation; here it is flat. */
export function annotationOf(annotation: unknown): unknown {
  const citation = readObject(annotation, "url_citation");
  return citation === undefined ? annotation : { type: "url_citation", ...citation };
}

function callItem(call: AnsweredCall, index: number, { context, status }: ItemFacts): Json {
  const callId = call.id ?? newCallId(context.id, 0, index);
  return callItemOf({ ...call, id: `fc_${context.id}_${index}`, callId, status });
}

/** A call's item; the input of custom tools is no JSON, and has an item of its own. */
export function callItemOf(call: {
  readonly id: string;
  readonly callId: string;
  readonly name: string;
  readonly input: string;
  readonly isCustom: boolean;
  readonly status: string;
}): Json {
  const { id, callId, name, input, isCustom, status } = call;
  return isCustom
    ? { id, type: "custom_tool_call", status, call_id: callId, name, input }
    : { id, type: "function_call", status, call_id: callId, name, arguments: input };
}

/** The `error` member of a response that failed. */
export function responseError(error: GatewayError): Json {
  return { code: error.clientCode, message: error.message };
}
