import { describe, expect, test } from "vitest";
import { areWhole } from "../../src/gateway/whole-frames.ts";

const CHUNK = 'data: {"choices":[{"delta":{"content":"a}"}}]}';

describe("frames are whole", () => {
  test.each([
    ["nothing", ""],
    ["one", `${CHUNK}\n\n`],
    ["several and the end mark", `${CHUNK}\n\n${CHUNK}\n\ndata: [DONE]\n\n`],
    ["with spaces behind the data", `${CHUNK} \t\n\n`],
    ["with CR LF between lines", `${CHUNK}\r\n\r\n${CHUNK}\r\n\r\n`],
    ["with names of events", `event: delta\n${CHUNK}\n\n`],
    ["with a name behind the data", `${CHUNK}\nid: 7\n\n`],
    ["comments", ": keep-alive\n\n:\n\n"],
    ["empty data", "data:\n\ndata: \n\n"],
    ["blank lines", "\n\n\n\n"],
  ])("%s", (_, text) => {
    expect(areWhole(Buffer.from(text))).toBe(true);
  });
});

describe("a frame that breaks off is found", () => {
  test.each([
    ["alone", CHUNK.slice(0, -7)],
    ["first", `${CHUNK.slice(0, -9)}\n\n${CHUNK}\n\n`],
    ["between others", `${CHUNK}\n\n${CHUNK.slice(0, -10)}\n\n${CHUNK}\n\n`],
    ["last", `${CHUNK}\n\ndata: {"choices":[{"delta":{"content":\n\n`],
    ["last, with CR LF", `${CHUNK}\r\n\r\ndata: {"choices":\r\n\r\n`],
    ["behind an event's name", 'event: delta\ndata: {"a":\n\n'],
  ])("%s", (_, text) => {
    const bytes = Buffer.from(text.replace(/([^\n])$/, "$1\n\n"));
    expect(areWhole(bytes)).toBe(false);
  });
});
