// Whatever pieces bytes come in and whatever was announced, they are gathered as they came.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Gathering } from "../../src/http/gathering.ts";

function gathered(pieces: readonly Buffer[], announcedBytes: number): { gathering: Gathering; all: Buffer } {
  const [first = Buffer.alloc(0), ...rest] = pieces;
  const gathering = new Gathering(first, announcedBytes);
  for (const piece of rest) gathering.add(piece);
  return { gathering, all: Buffer.concat(pieces) };
}

/** Pieces of these lengths with bytes that tell where they belong. */
function piecesOf(lengths: readonly number[]): Buffer[] {
  let at = 0;
  return lengths.map((length) => Buffer.from(Array.from({ length }, () => (at++ * 31) % 251)));
}

describe("bytes that come in pieces", () => {
  test("are whole in the end, announced or not", () => {
    const lengths = fc.array(
      fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 70_000 })),
      {
        minLength: 1,
        maxLength: 30,
      },
    );
    fc.assert(
      fc.property(lengths, fc.boolean(), (all, isAnnounced) => {
        const pieces = piecesOf(all);
        const total = all.reduce((sum, length) => sum + length, 0);
        const { gathering, all: expected } = gathered(pieces, isAnnounced ? total : 0);
        expect(gathering.length).toBe(total);
        expect(gathering.take().equals(expected)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  test("of which half are here have room for the announced rest, and no more", () => {
    const { gathering, all } = gathered(piecesOf([30_000, 30_000, 40_000]), 100_000);
    const whole = gathering.take();
    expect(whole.equals(all)).toBe(true);
    expect(whole.buffer.byteLength).toBe(100_000);
  });

  test("get no room for the asking", () => {
    const { gathering } = gathered(piecesOf([1000, 1000]), 50_000_000);
    expect(gathering.take().buffer.byteLength).toBeLessThan(32 * 1024);
  });

  test("leave the first piece's memory alone: it belongs to who read it", () => {
    const pieces = piecesOf([10, 10, 50_000]);
    gathered(pieces, 50_020).gathering.drop();
    gathered(pieces, 0).gathering.take();
    expect(pieces[0]?.length).toBe(10);
  });
});
