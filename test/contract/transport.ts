// What every transport promises, as one suite. A test file of a transport is a few lines that call it.
import { afterEach, describe, expect, test } from "vitest";
import {
  MESSAGE_BYTES_MAX,
  type Receive,
  type Traffic,
  type Transport,
  TransportError,
} from "../../src/fleet/transport.ts";

/** A transport under test and the address under which others reach it. */
export interface Station {
  readonly transport: Transport;
  readonly address: string;
}

export interface StationOptions {
  readonly secret: string;
  readonly session: string;
  readonly receive: Receive;
}

/** Opens a station; `meet` resolves when `left` can send to `right`. */
export interface TransportUnderTest {
  open(options: StationOptions): Promise<Station>;
  meet(left: Station, right: Station): Promise<void>;
}

const SECRET = "a secret of the fleet";
const NONE: Traffic = { sentBytes: 0, receivedBytes: 0 };
const echo: Receive = (message) => Promise.resolve(Uint8Array.from(message).toReversed());

async function faultOf(exchange: Promise<unknown>): Promise<string> {
  return exchange.then(
    () => "none",
    (error: unknown) => (error instanceof TransportError ? error.fault : String(error)),
  );
}

/** Runs the suite. */
export function describeTransport(name: string, subject: TransportUnderTest): void {
  const stations: Station[] = [];
  const open = async (options: Partial<StationOptions>): Promise<Station> => {
    const station = await subject.open({ secret: SECRET, session: "s1", receive: echo, ...options });
    stations.push(station);
    return station;
  };
  const pair = async (options: Partial<StationOptions>): Promise<readonly [Station, Station]> => {
    const left = await open({ session: "left" });
    const right = await open({ session: "right", ...options });
    await subject.meet(left, right);
    return [left, right];
  };

  afterEach(async () => {
    await Promise.all(stations.splice(0).map(({ transport }) => transport.close()));
  });

  describe(`${name} as a transport`, () => {
    test("brings a message to the peer and its answer back", async () => {
      const [left, right] = await pair({});
      expect([...(await left.transport.exchange(right.address, Uint8Array.of(1, 2, 3), 2000))]).toEqual([
        3, 2, 1,
      ]);
      expect([...(await left.transport.exchange(right.address, new Uint8Array(), 2000))]).toEqual([]);
      expect([...right.transport.refused().keys()]).toEqual([]);
    });

    test("carries any bytes, a large message included", async () => {
      const [left, right] = await pair({});
      const message = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 7919) & 0xff);
      const answer = await left.transport.exchange(right.address, message, 5000);
      expect(Buffer.compare(answer.toReversed(), message)).toBe(0);
    });

    test("keeps answers apart when many messages are under way", async () => {
      const [left, right] = await pair({});
      const numbers = Array.from({ length: 20 }, (_, index) => index);
      await left.transport.exchange(right.address, Uint8Array.of(0), 2000);
      const settled = await Promise.allSettled(
        numbers.map((number) => left.transport.exchange(right.address, Uint8Array.of(number, 255), 2000)),
      );
      for (const [index, result] of settled.entries()) {
        // A message that was overtaken may be refused as replayed; none may get another's answer.
        if (result.status === "fulfilled") expect([...result.value]).toEqual([255, index]);
      }
      expect(settled.some(({ status }) => status === "fulfilled")).toBe(true);
    });

    test("refuses a peer with another secret, and tells both sides", async () => {
      const [left, right] = await pair({ secret: "the secret of another fleet" });
      expect(["wrong_secret", "malformed", "unreachable"]).toContain(
        await faultOf(left.transport.exchange(right.address, Uint8Array.of(1), 500)),
      );
      expect(right.transport.refused().get("wrong_secret")).toBeGreaterThan(0);
    });

    test("finds a peer again after it was restarted with a new session", async () => {
      const [left, right] = await pair({});
      await left.transport.exchange(right.address, Uint8Array.of(1), 2000);
      await right.transport.close();
      expect(await faultOf(left.transport.exchange(right.address, Uint8Array.of(1), 300))).toBe(
        "unreachable",
      );
      const again = await open({ session: "again" });
      await subject.meet(left, again);
      expect([...(await left.transport.exchange(again.address, Uint8Array.of(4, 5), 2000))]).toEqual([5, 4]);
    });

    test("gives up on a peer that does not answer in time", async () => {
      const [left, right] = await pair({ receive: () => new Promise(() => {}) });
      expect(await faultOf(left.transport.exchange(right.address, Uint8Array.of(1), 100))).toBe(
        "unreachable",
      );
    });

    test("tells the sender why the receiver refused", async () => {
      const refuse: Receive = () => Promise.reject(new TransportError("version", "from the future"));
      const [left, right] = await pair({ receive: refuse });
      expect(await faultOf(left.transport.exchange(right.address, Uint8Array.of(1), 2000))).toBe("version");
      expect(right.transport.refused().get("version")).toBe(1);
    });

    test("does not send what no peer would take", async () => {
      const [left, right] = await pair({});
      const message = new Uint8Array(MESSAGE_BYTES_MAX + 1);
      expect(await faultOf(left.transport.exchange(right.address, message, 2000))).toBe("oversized");
    });

    test("counts the bytes of messages and answers as they travel, on both sides", async () => {
      const [left, right] = await pair({ receive: (message) => Promise.resolve(message.subarray(40_000)) });
      const counts = () => [left.transport.traffic(), right.transport.traffic()];
      await left.transport.exchange(right.address, new Uint8Array(40_000), 2000);
      const before = counts();
      await left.transport.exchange(right.address, new Uint8Array(100_000), 5000);
      const [of = NONE, at = NONE] = counts().map(({ sentBytes, receivedBytes }, index) => ({
        sentBytes: sentBytes - (before[index]?.sentBytes ?? 0),
        receivedBytes: receivedBytes - (before[index]?.receivedBytes ?? 0),
      }));
      // Seals are a line each, and somebody may have said meanwhile that he is there.
      for (const bytes of [of.sentBytes, at.receivedBytes]) expect(Math.floor(bytes / 2000)).toBe(50);
      for (const bytes of [at.sentBytes, of.receivedBytes]) expect(Math.floor(bytes / 2000)).toBe(30);
    });

    test("lists the peer it met, and not itself", async () => {
      const [left, right] = await pair({});
      expect(left.transport.peers()).toContain(right.address);
      expect(left.transport.peers()).not.toContain(left.address);
    });
  });
}
