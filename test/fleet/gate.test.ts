// What is taken once and what is forgotten, whatever carries the frames.
import { describe, expect, test } from "vitest";
import { Gate } from "../../src/fleet/gate.ts";
import { openFrame, sealFrame } from "../../src/fleet/seal.ts";

const SECRET = "a secret of the fleet";

function gate(session: string, received: Uint8Array[] = []): Gate {
  const receive = (message: Uint8Array): Promise<Uint8Array> => {
    received.push(message);
    return Promise.resolve(new Uint8Array());
  };
  return new Gate({ secret: SECRET, session, receive });
}

describe("a gate", () => {
  test("takes each number of a session once, also one that others have overtaken, and none that is too old to tell", async () => {
    const received: Uint8Array[] = [];
    const receiver = gate("receiver", received);
    const taken: number[] = [];
    for (const number of [5, 3, 3, 5, 40, 9, 9, 8, 40, 41, 1000, 41, 969, 968, 969, 1001]) {
      const envelope = {
        direction: "request",
        from: "sender",
        to: "receiver",
        number,
        outcome: "ok",
      } as const;
      const before = received.length;
      await receiver.answer(sealFrame(SECRET, { envelope, body: Uint8Array.of(1) }));
      if (received.length > before) taken.push(number);
    }
    expect(taken).toEqual([5, 3, 40, 9, 41, 1000, 969, 1001]);
    expect(receiver.refused().get("replayed")).toBe(8);
  });

  test("forgets whom it met at addresses that are no more", async () => {
    const sender = gate("sender");
    const receiver = gate("receiver");
    const askedFor: string[] = [];
    const exchange = (address: string): Promise<Uint8Array> =>
      sender.exchange(address, Uint8Array.of(1), (frame) => {
        const opened = openFrame(SECRET, frame);
        if (typeof opened !== "string") askedFor.push(opened.envelope.to);
        return receiver.answer(frame);
      });
    await exchange("a");
    await exchange("b");
    sender.keep(["b", "c"]);
    await exchange("a");
    expect(askedFor).toEqual(["none", "receiver", "none", "receiver", "receiver"]);
    sender.keep(["b"]);
    askedFor.length = 0;
    await exchange("b");
    await exchange("a");
    expect(askedFor).toEqual(["receiver", "none", "receiver"]);
  });
});
