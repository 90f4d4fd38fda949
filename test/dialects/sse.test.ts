import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sseFrame } from "../../providers/dialects/index.ts";
import { SseParser } from "../../providers/dialects/sse.ts";
import { encode, everyCut } from "./recordings.ts";

type Event = readonly [string, string];

function parse(pieces: readonly Uint8Array[], frameBytesMax?: number): Event[] {
  const events: Event[] = [];
  const parser = new SseParser((event, data) => void events.push([event, data]), frameBytesMax);
  for (const piece of pieces) parser.push(piece);
  parser.end();
  return events;
}

describe("events", () => {
  test.each<[string, string, readonly Event[]]>([
    [
      "LF",
      "data: a\n\ndata: b\n\n",
      [
        ["", "a"],
        ["", "b"],
      ],
    ],
    [
      "CRLF",
      "data: a\r\n\r\ndata: b\r\n\r\n",
      [
        ["", "a"],
        ["", "b"],
      ],
    ],
    [
      "CR",
      "data: a\r\rdata: b\r\r",
      [
        ["", "a"],
        ["", "b"],
      ],
    ],
    ["CRLF between the lines of an event", "event: x\r\ndata: a\r\ndata: b\r\n\r\n", [["x", "a\nb"]]],
    [
      "mixed line ends",
      "event: x\rdata: a\r\n\ndata: b\n\r",
      [
        ["x", "a"],
        ["", "b"],
      ],
    ],
    ["a byte order mark", "\u{feff}data: a\n\n", [["", "a"]]],
    ["a byte order mark later is data", "data: \u{feff}a\n\n", [["", "\u{feff}a"]]],
    ["comments", ": ping\n\n:\n\ndata: a\n: x\n\n", [["", "a"]]],
    ["several data lines", "data: a\ndata:b\ndata\n\n", [["", "a\nb\n"]]],
    [
      "one space is dropped, two are not",
      "data:  a\n\ndata:b\n\n",
      [
        ["", " a"],
        ["", "b"],
      ],
    ],
    [
      "names",
      "event: error\ndata: {}\n\ndata: {}\n\n",
      [
        ["error", "{}"],
        ["", "{}"],
      ],
    ],
    ["id, retry and unknown fields", "id: 1\nretry: 5\ndatax: 1\nfoo\ndata: a\n\n", [["", "a"]]],
    ["an event without data", "event: ping\n\ndata: a\n\n", [["", "a"]]],
    [
      "empty data",
      "data:\n\ndata: \n\n",
      [
        ["", ""],
        ["", ""],
      ],
    ],
    [
      "no blank line at the end",
      "data: a\n\ndata: b",
      [
        ["", "a"],
        ["", "b"],
      ],
    ],
    ["many blank lines", "\n\n\n\ndata: a\n\n\n\n\n", [["", "a"]]],
    ["characters of two to four bytes", "data: ä€😄\n\n", [["", "ä€😄"]]],
    ["nothing", "", []],
  ])("are read with %s, wherever the bytes are cut", (_, text, expected) => {
    const bytes = encode(text);
    expect(parse([bytes])).toEqual(expected);
    for (const pieces of everyCut(bytes)) expect(parse(pieces)).toEqual(expected);
  });

  test("invalid UTF-8 becomes replacement characters", () => {
    expect(parse([Uint8Array.of(...encode("data: "), 0xff, 0x41, 10, 10)])).toEqual([["", "\u{fffd}A"]]);
  });

  test("what is written is read back", () => {
    const name = fc.constantFrom(undefined, "error", "message_start");
    const json = fc.json();
    fc.assert(
      fc.property(fc.array(fc.tuple(name, json)), fc.array(fc.nat(50), { maxLength: 20 }), (events, cuts) => {
        const bytes = encode(events.map(([event, data]) => sseFrame(data, event)).join(""));
        expect(parse(pieces(bytes, cuts))).toEqual(events.map(([event, data]) => [event ?? "", data]));
      }),
    );
  });

  test("any bytes, cut anyhow, give the same events", () => {
    const alphabet = fc.constantFrom(
      10,
      13,
      58,
      32,
      100,
      97,
      116,
      101,
      118,
      110,
      0xef,
      0xbb,
      0xbf,
      0xc3,
      0xa4,
      0,
    );
    fc.assert(
      fc.property(fc.array(alphabet, { maxLength: 60 }), fc.array(fc.nat(8)), (bytes, cuts) => {
        const whole = Uint8Array.from(bytes);
        expect(parse(pieces(whole, cuts))).toEqual(parse([whole]));
      }),
    );
  });
});

describe("a frame's size", () => {
  test.each([
    ["an endless line", "data: ".padEnd(2000, "x")],
    ["an endless frame", "data: 12345678\n".repeat(200)],
    ["an endless line without a field", "x".repeat(2000)],
  ])("is bounded: %s", (_, text) => {
    expect(() => parse([encode(text)], 1000)).toThrow("more than 1000 bytes");
    expect(() => parse(pieces(encode(text), [7]), 1000)).toThrow("more than 1000 bytes");
  });

  test("is counted per frame", () => {
    expect(parse([encode("data: 12345678\n\n".repeat(200))], 1000)).toHaveLength(200);
  });

  test("a large frame in small pieces takes linear time", () => {
    const bytes = encode(`data: ${"x".repeat(4_000_000)}\n\n`);
    const started = cpuMs();
    expect(parse(pieces(bytes, [1000]))[0]?.[1]).toHaveLength(4_000_000);
    expect(cpuMs() - started).toBeLessThan(2000);
  });

  test("a million CR lines in one piece take linear time", () => {
    const started = cpuMs();
    expect(parse([encode("data: a\r\r".repeat(300_000))])).toHaveLength(300_000);
    expect(cpuMs() - started).toBeLessThan(2000);
  });
});

/** The time that this process has worked, in milliseconds: on a busy machine the clock on the wall tells nothing. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** The bytes cut into pieces of these lengths, over and over; a length of 0 is an empty piece. */
function pieces(bytes: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  const result: Uint8Array[] = [];
  let at = 0;
  for (let turn = 0; at < bytes.length; turn++) {
    const length = lengths.length === 0 ? bytes.length : (lengths[turn % lengths.length] ?? 1);
    const step = length === 0 && turn % (lengths.length + 1) === 0 ? 1 : length;
    result.push(bytes.subarray(at, at + step));
    at += step;
    if (turn > 10 * bytes.length) return [...result, bytes.subarray(at)];
  }
  return result;
}
