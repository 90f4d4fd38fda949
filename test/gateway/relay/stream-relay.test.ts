// A stream, cut anywhere, reaches the client as the same bytes: nothing lost, nothing added, usage only if asked for.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { GatewayError } from "../../../src/errors.ts";
import type { AnswerContext } from "../../../src/gateway/relay/answer-error.ts";
import { CHAT_MARKS, StreamRelay, type StreamMarks } from "../../../src/gateway/relay/stream-relay.ts";
import type { Usage } from "../../../src/observe/events.ts";
import { contentFrame, DONE_FRAME, FINISH_FRAME, USAGE_FRAME } from "../scripted-upstream.ts";

const CONTEXT: AnswerContext = {
  provider: "p",
  errorHints: [],
  limits: { refused: () => undefined, spent: () => undefined },
  status: 200,
  headers: {},
  wallMs: 0,
};

interface Played {
  readonly text: string;
  readonly isEnded: boolean;
  readonly isDone: boolean;
  readonly error: GatewayError | null;
  readonly usage: Usage | null;
  readonly outputTokens: number;
  readonly writes: number;
}

/** Plays pieces into a relay, then ends the body unless `isOpen`. */
function play(
  pieces: readonly (string | Buffer)[],
  options: {
    readonly includeUsage?: boolean;
    readonly isOpen?: boolean;
    readonly marks?: StreamMarks;
  } = {},
): Played {
  const written: string[] = [];
  let [isEnded, isDone, begun] = [false, false, 0];
  let error: GatewayError | null = null;
  const relay = new StreamRelay(
    {
      response: {
        write(bytes: Buffer | string) {
          if (begun !== 1) throw new Error(`Written after ${begun} beginnings.`);
          written.push(textOf(bytes));
          return true;
        },
        end(bytes?: Buffer | string) {
          if (bytes !== undefined) written.push(textOf(bytes));
          isEnded = true;
        },
      },
      begin: () => void begun++,
      done: () => {
        isDone = true;
      },
      fail: (failure) => {
        error = failure;
        // As the attempt does: what was taken goes out before the error.
        relay.close();
      },
      pause: () => undefined,
    },
    {
      context: CONTEXT,
      includeUsage: options.includeUsage ?? false,
      marks: options.marks ?? CHAT_MARKS,
    },
  );
  // Each piece is a copy: the relay may change what it is given.
  for (const piece of pieces) relay.data(Buffer.from(piece));
  if (options.isOpen === true) relay.close();
  else relay.end();
  return {
    text: written.join(""),
    isEnded,
    isDone,
    error,
    usage: relay.usage(),
    outputTokens: relay.outputTokens(),
    writes: written.length,
  };
}

/** Strings are bytes in disguise. */
function textOf(bytes: Buffer | string): string {
  return (typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes).toString();
}

function cutAt(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...cuts.toSorted((left, right) => left - right), bytes.length];
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end));
}

const TOOLS =
  'data: {"id":"1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\\"usage\\":null}"}}]}}]}\n\n';
const ASKED = [
  contentFrame("Hél", null),
  TOOLS,
  contentFrame('say "usage":null, please', null),
  FINISH_FRAME,
  USAGE_FRAME,
  DONE_FRAME,
].join("");
const SHOWN = [
  contentFrame("Hél"),
  TOOLS,
  contentFrame('say "usage":null, please'),
  FINISH_FRAME.replace(',"usage":null', ""),
  DONE_FRAME,
].join("");

const ROLE = `data: ${JSON.stringify({ id: "1", choices: [{ index: 0, delta: { role: "assistant", content: "" }, finish_reason: null }] })}\n\n`;
const VERDICT = 'data: {"id":"","choices":[],"prompt_filter_results":[]}\n\n';

describe("what announces an answer", () => {
  test("waits for the answer and goes out with it, in one write", () => {
    for (const held of [[ROLE], [VERDICT, ROLE], [VERDICT, ": wait\n\n", ROLE]]) {
      expect(play(held, { isOpen: true })).toMatchObject({ text: "", error: null, outputTokens: 0 });
      const played = play([...held, contentFrame("Hi")], { isOpen: true });
      expect(played).toMatchObject({ text: held.join("") + contentFrame("Hi"), writes: 1 });
    }
  });

  test.each([
    ["an end mark", DONE_FRAME, DONE_FRAME],
    ["a finish reason", FINISH_FRAME + DONE_FRAME, FINISH_FRAME.replace(',"usage":null', "") + DONE_FRAME],
    ["usage", USAGE_FRAME, DONE_FRAME],
  ])("goes out with %s, though there is no answer", (_, end, shown) => {
    expect(play([VERDICT, ROLE, end])).toMatchObject({ text: VERDICT + ROLE + shown, isDone: true });
    expect(play([VERDICT + ROLE + end])).toMatchObject({ text: VERDICT + ROLE + shown, isDone: true });
  });

  test.each([
    ["reasoning", { reasoning_content: "Hm" }],
    ["a call", { content: null, tool_calls: [{ index: 0 }] }],
    ["a refusal", { refusal: "No" }],
    ["what nobody knows", { role: "assistant", other: 1 }],
  ])("is not %s", (_, delta) => {
    const frame = `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason: null }] })}\n\n`;
    expect(play([frame], { isOpen: true }).text).toBe(frame);
  });

  test.each([
    ["a completion's text", 'data: {"choices":[{"index":0,"text":"Hi","finish_reason":null}]}\n\n'],
    ["an event of another shape", 'data: {"type":"other"}\n\n'],
  ])("is not %s either", (_, frame) => {
    expect(play([frame], { isOpen: true }).text).toBe(frame);
  });

  test("is held up to a bound", () => {
    const [large, piece] = ["x".repeat(60_000), 10];
    const frame = `data: {"choices":[],"prompt":"${large}"}\n\n`;
    const frames = Array.from({ length: piece }, () => frame);
    expect(play(frames.slice(0, 8), { isOpen: true }).text).toBe("");
    expect(play(frames, { isOpen: true }).text).toBe(frames.join(""));
  });

  test("is not seen when the answer fails before it begins", () => {
    expect(play([VERDICT, ROLE])).toMatchObject({ text: "", error: { code: "provider_bad_response" } });
    expect(play([ROLE, 'data: {"error":{"message":"Busy","code":503}}\n\n'])).toMatchObject({
      text: "",
      error: { code: "provider_overloaded" },
    });
  });
});

test("a byte order mark before the first event is taken away", () => {
  for (const text of [ASKED, `: hello\n\n${ASKED}`]) {
    const bytes = Buffer.from(`\uFEFF${text}`);
    for (const cut of [0, 1, 2, 3, 4, 40]) {
      const played = play(cutAt(bytes, [cut]), { includeUsage: true });
      expect(played.text.replace(": hello\n\n", "")).toBe(ASKED);
    }
  }
});

describe("a stream cut anywhere", () => {
  test.each([
    ["with LF", ASKED, SHOWN],
    ["with CRLF", ASKED.replaceAll("\n", "\r\n"), SHOWN.replaceAll("\n", "\r\n")],
    ["with CR", ASKED.replaceAll("\n", "\r"), SHOWN.replaceAll("\n", "\r")],
    ["with comments between", ASKED.replaceAll("\n\ndata", "\n\n: ping\n\ndata"), null],
    [
      "with spaces in its JSON",
      ASKED.replaceAll('"usage":null', '"usage": null').replaceAll('"choices":[]', '"choices": []'),
      null,
    ],
  ])("%s, at every byte: usage is found and hidden", (_, asked, shown) => {
    const bytes = Buffer.from(asked);
    const whole = play([bytes]);
    if (shown !== null) expect(whole.text).toBe(shown);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const played = play(cutAt(bytes, [cut]));
      expect(played.text).toBe(whole.text);
      expect(played).toMatchObject({
        isDone: true,
        isEnded: true,
        error: null,
        usage: { inputTokens: 12, outputTokens: 5 },
      });
    }
    expect(play([...bytes].map((byte) => Buffer.from([byte]))).text).toBe(whole.text);
    expect(whole.text).not.toMatch(/[^\\]"usage"/);
  });

  test("with usage asked for: every byte passes", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(Buffer.byteLength(ASKED)), { maxLength: 12 }), (cuts) => {
        const played = play(cutAt(Buffer.from(ASKED), cuts), { includeUsage: true });
        expect(played.text).toBe(ASKED);
        expect(played.usage).toMatchObject({ inputTokens: 12, outputTokens: 5 });
      }),
    );
  });

  test("one write for all the pieces of one turn, and none is lost at a failure", () => {
    const frames = ASKED.split(/(?<=\n\n)/);
    expect(play(frames, { includeUsage: true })).toMatchObject({ text: ASKED, writes: 1 });
    expect(play(frames.slice(0, 2), { includeUsage: true })).toMatchObject({
      text: frames.slice(0, 2).join(""),
      writes: 1,
    });
  });
});

describe("how streams end", () => {
  test("the end mark ends the answer although the body stays open", () => {
    expect(play([contentFrame("a"), DONE_FRAME], { isOpen: true })).toMatchObject({
      isDone: true,
      isEnded: true,
    });
  });

  test("a missing end mark is added when the answer is finished", () => {
    expect(play([contentFrame("a"), FINISH_FRAME]).text.endsWith(DONE_FRAME)).toBe(true);
    expect(play([contentFrame("a"), FINISH_FRAME, USAGE_FRAME]).text.endsWith(DONE_FRAME)).toBe(true);
  });

  test("an end mark without its blank line counts", () => {
    expect(play([contentFrame("a"), "data: [DONE]"])).toMatchObject({ isDone: true, error: null });
    expect(play([contentFrame("a"), FINISH_FRAME.trimEnd()])).toMatchObject({ isDone: true, error: null });
  });

  test("what follows the end mark is not sent", () => {
    const sent = contentFrame("a") + DONE_FRAME;
    expect(play([contentFrame("a"), DONE_FRAME, contentFrame("b")]).text).toBe(sent);
    expect(play([sent + contentFrame("b")])).toMatchObject({ text: sent, isDone: true });
    expect(play([`${sent}data: not JSON\n\n`])).toMatchObject({ text: sent, isDone: true });
  });

  test.each([
    ["nothing", [], "provider_bad_response"],
    ["comments", [": ping\n\n"], "provider_bad_response"],
    ["no finish", [contentFrame("a")], "stream_interrupted"],
    ["half a frame", [contentFrame("a"), 'data: {"x'], "stream_interrupted"],
    ["the end mark alone", [DONE_FRAME], "provider_bad_response"],
    ["the end mark behind comments", [": ping\n\n", DONE_FRAME], "provider_bad_response"],
    ["the end mark behind empty data", ["data:\n\n", DONE_FRAME], "provider_bad_response"],
    ["a first event that is not JSON", ['data: {"x\n\n', contentFrame("a")], "provider_bad_response"],
    ["an event that breaks off", [contentFrame("a"), 'data: {"x":{"y":1}\n\n'], "provider_bad_response"],
    ["an error at once", ['data: {"error":{"message":"m"}}\n\n'], "provider_error"],
    ["an error event at once", ['event: error\ndata: {"error":{"message":"m"}}\n\n'], "provider_error"],
    [
      "an error in the middle",
      [contentFrame("a"), 'data: {"error":{"message":"m"}}\n\n', DONE_FRAME],
      "provider_error",
    ],
    [
      "an error in the middle without another word",
      [contentFrame("a") + FINISH_FRAME, 'data: {"error":{"message":"m","type":"overloaded_error"}}\n\n'],
      "provider_overloaded",
    ],
  ])("%s is a failure", (_, pieces, code) => {
    const played = play(pieces);
    expect(played.error?.code).toBe(code);
    expect(played.isDone).toBe(false);
    expect(played.text).not.toContain("[DONE]");
    expect(played.text).not.toContain('{"x');
  });
});

describe("an event that is not JSON", () => {
  const BAD = 'data: {"id":"1","choices":[{"delta":{"x":1}\n\n';

  test("ends the stream behind what was right, whatever comes in one piece", () => {
    expect(play([contentFrame("a"), contentFrame("b") + BAD + DONE_FRAME])).toMatchObject({
      text: contentFrame("a") + contentFrame("b"),
      error: { code: "provider_bad_response" },
    });
  });

  test("in the first piece leaves another target to try: nothing is sent", () => {
    expect(play([contentFrame("a") + BAD])).toMatchObject({
      text: "",
      error: { code: "provider_bad_response" },
    });
  });
});

test("the end mark is the provider's word that its answer is whole, with or without a finish reason", () => {
  expect(play([contentFrame("a"), DONE_FRAME])).toMatchObject({
    text: contentFrame("a") + DONE_FRAME,
    isDone: true,
  });
});

test("empty data before the first event is not the beginning, and does not hide it", () => {
  expect(play(["data:\n\n", `data:\n\n${contentFrame("a")}`, DONE_FRAME]).text).toBe(
    `data:\n\n${contentFrame("a")}${DONE_FRAME}`,
  );
});

describe("usage", () => {
  test("on the finish chunk is found, and hidden if it was not asked for", () => {
    const finish =
      'data: {"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\n';
    const played = play([contentFrame("a"), finish, DONE_FRAME]);
    expect(played.usage).toMatchObject({ inputTokens: 3, outputTokens: 4 });
    expect(played.text).toBe(
      `${contentFrame("a")}data: {"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n${DONE_FRAME}`,
    );
  });

  test("as the first member, and twice in one frame, is cut cleanly", () => {
    const frame =
      'data: {"usage":null,"id":"1","choices":[{"index":0,"delta":{}}],"x":{"usage":{"prompt_tokens":1}}}\n\n';
    const played = play([frame, DONE_FRAME]);
    expect(played.text).toBe(`data: {"id":"1","choices":[{"index":0,"delta":{}}],"x":{}}\n\n${DONE_FRAME}`);
  });

  test("of the last chunk counts when every chunk has one", () => {
    const frame = (tokens: number): string =>
      `data: {"id":"1","choices":[{"index":0,"delta":{"content":"x"}}],"usage":{"prompt_tokens":3,"completion_tokens":${tokens}}}\n\n`;
    expect(play([frame(1), frame(2), frame(3), DONE_FRAME]).usage).toMatchObject({ outputTokens: 3 });
  });

  test("that is missing is estimated by frames, or by bytes when frames are large", () => {
    const small = Array.from({ length: 40 }, () => contentFrame("word "));
    expect(play([...small, DONE_FRAME]).outputTokens).toBeGreaterThanOrEqual(40);
    expect(play([small.join(""), DONE_FRAME]).outputTokens).toBeLessThan(120);
    const large = [contentFrame("x"), contentFrame("y".repeat(4000))];
    expect(play([...large, DONE_FRAME]).outputTokens).toBeGreaterThan(900);
  });
});

test("a frame that comes byte by byte costs linear time", () => {
  const frame = Buffer.from(contentFrame("x".repeat(300_000)));
  const pieces = Array.from({ length: Math.ceil(frame.length / 3) }, (_, i) =>
    frame.subarray(3 * i, 3 * i + 3),
  );
  expect(play([...pieces, DONE_FRAME]).text).toBe(frame.toString() + DONE_FRAME);
});
