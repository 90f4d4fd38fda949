// A sealed frame, and the two messages in it: read back as they were, and nothing else is ever read.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Malformed } from "../../src/bucket/codec.ts";
import { pack, type Parcel, unpack } from "../../src/fleet/parcel.ts";
import { openFrame, sealFrame, type Unsealed } from "../../src/fleet/seal.ts";

const SECRET = "a secret of the fleet";
const words = fc.stringMatching(/^\w{1,64}$/);
const frames: fc.Arbitrary<Unsealed> = fc.record({
  envelope: fc.record({
    direction: fc.constantFrom("request" as const, "answer" as const, "notice" as const),
    from: words,
    to: words,
    number: fc.nat({ max: 1e15 - 1 }),
    outcome: fc.stringMatching(/^\w{1,32}$/),
  }),
  body: fc.uint8Array({ maxLength: 60 }),
});

test("a frame is opened by who has the secret, and by nobody else", () => {
  fc.assert(
    fc.property(frames, (frame) => {
      const sealed = sealFrame(SECRET, frame);
      const opened = openFrame(SECRET, sealed);
      expect(typeof opened === "string" ? opened : { ...opened, body: Uint8Array.from(opened.body) }).toEqual(
        frame,
      );
      expect(openFrame(`${SECRET}.`, sealed)).toBe("wrong_secret");
    }),
  );
});

test("a frame that was cut, or changed in any bit, is not opened", () => {
  fc.assert(
    fc.property(frames, fc.nat({ max: 7 }), (frame, bit) => {
      const sealed = sealFrame(SECRET, frame);
      for (let at = 0; at < sealed.length; at++) {
        expect(openFrame(SECRET, sealed.subarray(0, at))).toBeTypeOf("string");
        const changed = Uint8Array.from(sealed);
        changed[at] = (changed[at] ?? 0) ^ (1 << bit);
        expect(openFrame(SECRET, changed)).toBeTypeOf("string");
      }
    }),
    { numRuns: 20 },
  );
});

const parcels: fc.Arbitrary<Parcel> = fc.record({
  ledger: fc.uint8Array({ maxLength: 40 }),
  board: fc.uint8Array({ maxLength: 40 }),
});

test("two messages in a parcel come out as they went in, and one cut within the first is malformed", () => {
  fc.assert(
    fc.property(parcels, ({ ledger, board }) => {
      const packed = pack({ ledger, board });
      expect(unpack(packed)).toEqual({ ledger, board });
      for (let end = 0; end < packed.length - board.length; end++)
        expect(() => unpack(packed.subarray(0, end))).toThrow(Malformed);
    }),
  );
});
