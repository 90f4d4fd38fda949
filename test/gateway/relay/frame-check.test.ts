import { describe, expect, test } from "vitest";
import { FrameCheck } from "../../../src/gateway/relay/frame-check.ts";

const CHUNK = 'data: {"choices":[{"delta":{"content":"a}"},"finish_reason":null}]}';
const DONE = "data: [DONE]";

/** What is let through of some frames when others like `CHUNK` came before. */
function wholePart(text: string, before = `${CHUNK}\n\n`): string {
  const check = new FrameCheck();
  check.goodUntil(Buffer.from(before));
  const frames = Buffer.from(text);
  return frames.toString("utf8", 0, check.goodUntil(frames));
}

const BREAKS: readonly (readonly [string, string])[] = [
  ["LF", "\n"],
  ["CR LF", "\r\n"],
  ["CR", "\r"],
];

describe.each(BREAKS)("with %s between lines, frames are whole:", (_, lineBreak) => {
  test.each([
    ["one", `${CHUNK}\n\n`],
    ["several and the end mark", `${CHUNK}\n\n${CHUNK}\n\n${DONE}\n\n`],
    ["with spaces behind the data", `${CHUNK} \t\n\n`],
    ["without a space before the data", `${CHUNK.replace(" ", "")}\n\n`],
    ["with names of events", `event: delta\n${CHUNK}\n\n`],
    ["with a name behind the data", `${CHUNK}\nid: 7\n\n`],
    ["with data in several lines", 'data: {"choices":\ndata: []}\n\n'],
    ["comments", ": keep-alive\n\n:\n\n"],
    ["a comment before the data", `: keep-alive\n${CHUNK}\n\n`],
    ["empty data", "data:\n\ndata: \n\n"],
    ["blank lines", "\n\n\n\n"],
    ["nothing", ""],
    ["another shape", 'data: {"id":"1"}\n\n'],
    ["other letters", 'data: {"id":"é\u2028"}\n\n'],
    ["numbers alone", 'data: {"1":[1]}\n\ndata: {"1":[1]}\n\n'],
  ])("%s", (_, text) => {
    const frames = text.replaceAll("\n", lineBreak);
    expect(wholePart(frames)).toBe(frames);
    expect(wholePart(frames, "")).toBe(frames);
  });
});

describe.each(BREAKS)("with %s between lines, a frame that is not JSON is found:", (_, lineBreak) => {
  const cut = (behind: string): string => CHUNK.slice(0, CHUNK.indexOf(behind) + behind.length);

  test.each([
    ["cut in a string", cut('"content":"a')],
    ["cut behind a brace in a string", cut('"a}')],
    ["cut behind an inner brace", cut('"a}"}')],
    ["cut behind a bracket", cut("}]")],
    ["cut before its value", 'data: {"choices":[{"delta":{"content":'],
    ["with more behind it", `${CHUNK}}`],
    ["a word", "data: oops"],
    ["a word with a brace", "data: oops}"],
    ["a list", "data: []"],
    ["a string", 'data: "a"'],
    ["behind an event's name", 'event: delta\ndata: {"a":'],
    ["behind a comment", ': ping\ndata: {"a":'],
    ["in several lines", 'data: {"a":\ndata: 1'],
    ["not the end mark", "data: [DONE"],
  ])("%s", (_, frame) => {
    const bad = `${frame}\n\n`.replaceAll("\n", lineBreak);
    const good = `${CHUNK}\n\n`.replaceAll("\n", lineBreak);
    expect(wholePart(bad)).toBe("");
    expect(wholePart(bad, "")).toBe("");
    expect(wholePart(bad + good)).toBe("");
    expect(wholePart(good + bad)).toBe(good);
    expect(wholePart(good + bad + good, "")).toBe(good);
  });
});

test("of a frame that holds a whole image only both ends are looked at", () => {
  const image = (end: string): string => `data: {"b64":"${"A".repeat(300_000)}${end}\n\n`;
  expect(wholePart(image('"}'))).toBe(image('"}'));
  expect(wholePart(image(""))).toBe("");
});

describe("a stream goes no further than", () => {
  const ERROR = 'data: {"error":{"message":"é"}}';

  test.each([
    ["its end mark, which belongs to it", DONE, `${CHUNK}\n\n${DONE}\n\n`, { kind: "done" }],
    ["an error", ERROR, `${CHUNK}\n\n`, { kind: "error", data: { error: { message: "é" } } }],
    ["an error in a word", 'data: {"error":"é"}', `${CHUNK}\n\n`, { kind: "error", data: { error: "é" } }],
    [
      "an error beside a choice",
      'data: {"choices":[],"error":{}}',
      `${CHUNK}\n\n`,
      { kind: "error", data: { choices: [], error: {} } },
    ],
    [
      "an event of that name",
      'event: error\ndata: {"a":1}',
      `${CHUNK}\n\n`,
      { kind: "error", data: { a: 1 } },
    ],
    ["what is not JSON", "data: {", `${CHUNK}\n\n`, { kind: "not_json" }],
  ])("%s", (_, frame, good, stop) => {
    const check = new FrameCheck();
    const frames = Buffer.from(`${CHUNK}\n\n${frame}\n\n${CHUNK}\n\n`);
    expect(frames.toString("utf8", 0, check.goodUntil(frames))).toBe(good);
    expect(check.stop).toEqual(stop);
  });

  test.each(['data: {"error":null}\n\n', "event: errors\ndata: {}\n\n"])("but %j is no error", (frame) => {
    expect(wholePart(frame)).toBe(frame);
  });
});
