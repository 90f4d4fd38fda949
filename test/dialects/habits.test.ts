// What vendors are known to send, read by clients of three languages, whole and streamed: nothing of it may be lost, and
// no failure may look like an answer.
import { describe, expect, test } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import {
  chunksOfAnswer,
  DIALECTS,
  CLIENT_DIALECTS,
  type ClientContext,
} from "../../providers/dialects/index.ts";
import { isObject, readArray, readObject, readString, type Json } from "../../providers/dialects/json.ts";
import { HABITS, type Habit, type HabitHolds } from "./habits.ts";
import { CLIENTS } from "./clients.ts";
import { decodePieces, summary, target } from "./recordings.ts";

const CONTEXT: ClientContext = { request: { model: "m" }, id: "1", createdSeconds: 5, inputTokens: 3 };

/** One answer as a client of any language sees it. */
interface Seen {
  readonly text: string;
  readonly reasoning: string;
  readonly calls: readonly { readonly name: unknown; readonly args: unknown }[];
  readonly finish: unknown;
  readonly extra: Json;
  readonly pictures: number;
  readonly annotations: number;
}

function about({ dialect, model = "m" }: Habit) {
  const provider = DIALECTS.get(dialect);
  if (provider === undefined) throw new Error("There is no such dialect.");
  return { chat: provider.chat, to: target({ model }) };
}

/** The chunks of the stream; throws the failure. */
function chunksOf(habit: Habit): readonly Json[] {
  const { chat, to } = about(habit);
  const { chunks, failure } = decodePieces(chat.stream(to, true), [habit.stream ?? new Uint8Array()]);
  if (failure !== null) throw new Error(failure);
  return chunks;
}

/** The answer; throws the failure. */
function answerOf(habit: Habit): Json {
  const { chat, to } = about(habit);
  try {
    return chat.decode(habit.whole, to).body;
  } catch (error) {
    throw error instanceof GatewayError ? new Error(error.code) : error;
  }
}

const clientOf = (name: "messages" | "responses") => {
  const client = CLIENT_DIALECTS.get(name);
  if (client === undefined) throw new Error("There is no such client.");
  return client;
};

function events(name: "messages" | "responses", habit: Habit): readonly Json[] {
  const stream = clientOf(name).stream(CONTEXT);
  const text = [...chunksOf(habit).map((chunk) => stream.push(chunk)), stream.end()].join("");
  return text
    .split("\n\n")
    .filter((frame) => frame !== "")
    .map((frame): Json => {
      const parsed: unknown = JSON.parse(frame.slice(frame.indexOf("data: ") + 6));
      return isObject(parsed) ? parsed : {};
    });
}

function joinedExtras(chunks: readonly Json[], extrasOf: (chunk: Json) => Json): Json {
  return chunks.map(extrasOf).reduce(mergedExtras, {});
}

/** As a client would keep them: lists grow. */
function mergedExtras(left: Json, right: Json): Json {
  const all: Record<string, unknown> = { ...left };
  for (const [key, value] of Object.entries(right)) {
    const known = all[key];
    if (Array.isArray(known) && Array.isArray(value)) all[key] = [...known, ...value];
    else all[key] = isObject(known) && isObject(value) ? mergedExtras(known, value) : value;
  }
  return all;
}

const parsed = (args: unknown): unknown => (typeof args === "string" ? JSON.parse(args) : args);

function seenInChat(message: Json, finish: unknown, answer: Json): Seen {
  const { citations, content_parts: parts } = { ...answer, ...message };
  return {
    text: readString(message, "content") || (readString(message, "refusal") ?? ""),
    reasoning: readString(message, "reasoning_content") ?? "",
    calls: readArray(message, "tool_calls").map((call) => {
      const called = isObject(call) ? readObject(call, "function") : undefined;
      return { name: called?.["name"], args: parsed(called?.["arguments"]) };
    }),
    finish,
    extra: {
      ...readObject(message, "extra_content"),
      ...(citations === undefined ? {} : { citations }),
      ...(parts === undefined ? {} : { content_parts: parts }),
    },
    pictures: readArray(message, "images").length,
    annotations: readArray(message, "annotations").length,
  };
}

const chatStream = (habit: Habit): Seen => seenInChunks(chunksOf(habit));

function seenInChunks(chunks: readonly Json[]): Seen {
  const { content, reasoning, tools, finish } = summary(chunks);
  const deltas = chunks.map((chunk) => readObject(readArray(chunk, "choices")[0], "delta") ?? {});
  const message = {
    ...joinedExtras(deltas, ({ extra_content, images, annotations, content_parts }) =>
      Object.fromEntries(
        Object.entries({ extra_content, images, annotations, content_parts }).filter(
          ([, each]) => each !== undefined,
        ),
      ),
    ),
    content,
    refusal: deltas.map((delta) => readString(delta, "refusal") ?? "").join(""),
    reasoning_content: reasoning,
    tool_calls: tools.map(({ name, args }) => ({ function: { name, arguments: args } })),
  };
  return seenInChat(message, finish, Object.assign({}, ...chunks));
}

function chatWhole(habit: Habit): Seen {
  const answer = answerOf(habit);
  const [choice] = readArray(answer, "choices");
  return seenInChat(readObject(choice, "message") ?? {}, readString(choice, "finish_reason"), answer);
}

function seenInResponse(response: Json): Seen {
  const items = readArray(response, "output").filter(isObject);
  const parts = items.flatMap((item) => (item["type"] === "message" ? readArray(item, "content") : []));
  const incomplete = readString(readObject(response, "incomplete_details"), "reason");
  const calls = items.filter((item) => item["type"] === "function_call");
  return {
    text: parts.map((part) => readString(part, "text") ?? readString(part, "refusal") ?? "").join(""),
    reasoning: items
      .flatMap((item) => readArray(item, "summary").map((part) => readString(part, "text") ?? ""))
      .join(""),
    calls: calls.map((call) => ({ name: call["name"], args: parsed(call["arguments"]) })),
    finish:
      incomplete === "max_output_tokens"
        ? "length"
        : (incomplete ?? (calls.length > 0 ? "tool_calls" : "stop")),
    extra: readObject(response, "extra_content") ?? {},
    pictures: items.filter((item) => item["type"] === "image_generation_call" && item["result"] === "QUJD")
      .length,
    annotations: parts.flatMap((part) => readArray(part, "annotations")).length,
  };
}

const FINISHES: Readonly<Record<string, string>> = {
  end_turn: "stop",
  max_tokens: "length",
  tool_use: "tool_calls",
  refusal: "content_filter",
};

function seenInMessage(blocks: readonly Json[], stopReason: unknown, extra: Json): Seen {
  const { images, annotations, ...rest } = extra;
  const of = (type: string) => blocks.filter((block) => block["type"] === type);
  return {
    text: of("text")
      .map((block) => readString(block, "text") ?? "")
      .join(""),
    reasoning: of("thinking")
      .map((block) => readString(block, "thinking") ?? "")
      .join(""),
    calls: of("tool_use").map((block) => ({ name: block["name"], args: block["input"] })),
    finish: typeof stopReason === "string" ? FINISHES[stopReason] : undefined,
    extra: rest,
    pictures: Array.isArray(images) ? images.length : 0,
    annotations: Array.isArray(annotations) ? annotations.length : 0,
  };
}

interface StreamedBlock {
  readonly start: Json;
  readonly grown: Record<"text" | "thinking" | "partial_json", string>;
}

function messageStream(habit: Habit): Seen {
  const blocks: StreamedBlock[] = [];
  let end: Json = {};
  for (const each of events("messages", habit)) {
    if (each["type"] === "message_delta") end = each;
    const start = readObject(each, "content_block");
    if (start !== undefined) blocks.push({ start, grown: { text: "", thinking: "", partial_json: "" } });
    const grown = blocks.at(-1)?.grown;
    for (const name of ["text", "thinking", "partial_json"] as const)
      if (grown !== undefined) grown[name] += readString(readObject(each, "delta"), name) ?? "";
  }
  const whole = blocks.map(({ start, grown: { partial_json: json, ...texts } }) =>
    Object.assign({}, start, texts, json === "" ? {} : { input: parsed(json) }),
  );
  const stopReason = readObject(end, "delta")?.["stop_reason"];
  return seenInMessage(whole, stopReason, readObject(end, "extra_content") ?? {});
}

function messageWhole(habit: Habit): Seen {
  const answer = clientOf("messages").encode(answerOf(habit), CONTEXT);
  const blocks = readArray(answer, "content").filter(isObject);
  return seenInMessage(blocks, answer["stop_reason"], readObject(answer, "extra_content") ?? {});
}

const READERS: readonly {
  readonly client: string;
  readonly form: "stream" | "whole";
  readonly read: (habit: Habit) => Seen;
}[] = [
  { client: "chat", form: "stream", read: chatStream },
  { client: "chat", form: "whole", read: chatWhole },
  {
    client: "responses",
    form: "stream",
    read: (habit) => seenInResponse(readObject(events("responses", habit).at(-1), "response") ?? {}),
  },
  {
    client: "responses",
    form: "whole",
    read: (habit) => seenInResponse(clientOf("responses").encode(answerOf(habit), CONTEXT)),
  },
  { client: "messages", form: "stream", read: messageStream },
  { client: "messages", form: "whole", read: messageWhole },
];

function expectSeen(seen: Seen, { text = "", reasoning = "", calls = [], ...holds }: HabitHolds): void {
  expect(seen).toEqual({
    text,
    reasoning,
    calls,
    finish: holds.finish ?? "stop",
    extra: holds.extra ?? {},
    pictures: holds.pictures ?? 0,
    annotations: holds.annotations ?? 0,
  });
}

describe.each(READERS)("a client of $client, given a $form", ({ form, read }) => {
  const given = HABITS.filter((habit) => habit[form] !== undefined);
  test.each(given)("of $dialect: $name", (habit) => {
    if (habit.holds.fails === undefined) expectSeen(read(habit), habit.holds);
    else expect(() => read(habit)).toThrow(habit.holds.fails);
  });
});

test.each(HABITS.filter(({ stream, holds }) => stream !== undefined && holds.fails === undefined))(
  "official clients accept what chat clients get of $dialect: $name",
  async (habit) => {
    for (const client of CLIENTS) await expect(client.accumulate(chunksOf(habit))).resolves.toBeDefined();
  },
);

test.each(HABITS.filter(({ whole, holds }) => whole !== undefined && holds.fails === undefined))(
  "a whole answer told as a stream holds the same: $dialect, $name",
  async (habit) => {
    const chunks = chunksOfAnswer(answerOf(habit), true);
    expectSeen(seenInChunks(chunks), habit.holds);
    for (const client of CLIENTS) await expect(client.accumulate(chunks)).resolves.toBeDefined();
  },
);
