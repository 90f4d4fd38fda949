import { crc32 as zlibCrc32 } from "node:zlib";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { crc32 } from "../../../providers/dialects/bedrock/crc32.ts";
import { EventStreamReader, type StreamFrame } from "../../../providers/dialects/bedrock/event-stream.ts";
import { encode, everyCut } from "../recordings.ts";
import { frame, joined } from "./frames.ts";

test("crc32 is zlib's", () => {
  expect(crc32(encode("123456789"))).toBe(0xcbf43926);
  fc.assert(fc.property(fc.uint8Array(), (bytes) => crc32(bytes) === zlibCrc32(bytes)));
});

function read(pieces: readonly Uint8Array[]): StreamFrame[] {
  const frames: StreamFrame[] = [];
  const reader = new EventStreamReader((each) => void frames.push(each));
  for (const piece of pieces) reader.push(piece);
  reader.end();
  return frames;
}

describe("frames", () => {
  const bytes = joined([
    frame({ headers: { ":event-type": "a", ":message-type": "event" }, payload: '{"ä":1}' }),
    frame({}),
    frame({ headers: { x: "" }, payload: "b" }),
  ]);
  const expected = [
    {
      headers: new Map([
        [":event-type", "a"],
        [":message-type", "event"],
      ]),
      payload: '{"ä":1}',
    },
    { headers: new Map(), payload: "" },
    { headers: new Map([["x", ""]]), payload: "b" },
  ];

  test("are read wherever they are cut", () => {
    expect(read([bytes])).toEqual(expected);
    for (const pieces of everyCut(bytes)) expect(read(pieces)).toEqual(expected);
  });

  test("of any content, in any pieces, are what was written", () => {
    const written = fc.record({
      headers: fc.dictionary(fc.stringMatching(/^[a-z:-]{1,20}$/), fc.string({ maxLength: 300 })),
      payload: fc.string({ unit: "grapheme" }),
    });
    fc.assert(
      fc.property(
        fc.array(written),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        (frames, lengths) => {
          const whole = joined(frames.map(frame));
          const pieces: Uint8Array[] = [];
          for (let at = 0, turn = 0; at < whole.length; at += lengths[turn++ % lengths.length] ?? 1) {
            pieces.push(whole.subarray(at, at + (lengths[turn % lengths.length] ?? 1)));
          }
          expect(read(pieces)).toEqual(
            frames.map(({ headers, payload }) => ({ headers: new Map(Object.entries(headers)), payload })),
          );
        },
      ),
    );
  });

  test("may have headers of any type", () => {
    const others = [
      [0],
      [1],
      [2, 9],
      [3, 0, 9],
      [4, 0, 0, 0, 9],
      [5, ...Array<number>(8).fill(0)],
      [6, 0, 2, 9, 9],
      [8, ...Array<number>(8).fill(0)],
      [9, ...Array<number>(16).fill(0)],
    ];
    const otherHeaders = Uint8Array.from(others.flatMap((value) => [1, 97].concat(value)));
    expect(read([frame({ otherHeaders, headers: { b: "c" } })])).toEqual([
      { headers: new Map([["b", "c"]]), payload: "" },
    ]);
  });
});

describe("a broken frame", () => {
  const whole = frame({ headers: { ":event-type": "a" }, payload: "{}" });
  const changed = (at: number, byte: number): Uint8Array => {
    const copy = Uint8Array.from(whole);
    copy[at] = byte;
    return copy;
  };

  test("is refused whichever byte of it is wrong", () => {
    for (let at = 0; at < whole.length; at++) {
      expect(() => read([changed(at, (whole[at] ?? 0) ^ 0x40)])).toThrow(
        expect.objectContaining({ code: "provider_bad_response" }),
      );
    }
  });

  test("is cut short: the stream was interrupted", () => {
    for (let end = 1; end < whole.length; end++) {
      expect(() => read([whole.subarray(0, end)])).toThrow(
        expect.objectContaining({ code: "stream_interrupted" }),
      );
    }
  });

  /** A prelude with a right checksum and these lengths. */
  function prelude(total: number, headers: number): Uint8Array {
    const bytes = new Uint8Array(64);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, total);
    view.setUint32(4, headers);
    view.setUint32(8, crc32(bytes.subarray(0, 8)));
    return bytes;
  }

  test.each([
    ["a length of 4 GB", 0xffffffff, 0, "larger than"],
    ["a length shorter than a frame", 12, 0, "contradict"],
    ["headers longer than the frame", 64, 60, "contradict"],
    ["headers of 4 GB", 64, 0xffffffff, "contradict"],
  ])("with %s costs no memory", (_, total, headers, why) => {
    expect(() => read([prelude(total, headers)])).toThrow(why);
  });

  test.each([
    ["an unknown type", [1, 97, 10]],
    ["no type", [1, 97]],
    ["a value longer than the headers", [1, 97, 7, 0, 9, 98]],
    ["a length cut short", [1, 97, 7, 0]],
    ["a name longer than the headers", [200, 97]],
  ])("has headers that can't be read: %s", (_, otherHeaders) => {
    expect(() => read([frame({ otherHeaders: Uint8Array.from(otherHeaders) })])).toThrow(
      "its headers can't be read",
    );
  });

  test("is all that random bytes are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), (bytes) => {
        expect(() => read([bytes])).toThrow(expect.objectContaining({ name: "GatewayError" }));
      }),
    );
  });
});
