// When a replica that knows of no fleet founds one. A second fleet beside one that is only out of reach would double every
// limit, so a sibling that goes on refusing the connection is not there, and one that says nothing may be there and cut off.
import { createServer, type Server } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { randomId, systemInstant } from "../../src/clock.ts";
import { openHttpTransport } from "../../src/fleet/http-transport.ts";
import type { Limit } from "../../src/bucket/limit.ts";
import { ALONE } from "../../src/fleet/membership.ts";
import { Replica } from "../../src/fleet/replica.ts";
import { TransportError } from "../../src/fleet/transport.ts";
import { freePort } from "../free-port.ts";

const FOUND_AFTER_MS = 5000;

/** What a try at a sibling comes to; `lowest`: an answer of one whose id is lower. */
type Try = "refused" | "silent" | "lowest";

/** A replica that looks for its siblings: what each try at one comes to, and whether these are all. */
function seeking(options: {
  readonly tries: Readonly<Record<string, Try>>;
  readonly areAll?: boolean;
  readonly foundsUnheard?: boolean;
}): {
  readonly replica: Replica;
  readonly pass: (ms: number) => void;
  readonly tries: Record<string, Try>;
} {
  let nowMs = 0;
  const tries = { ...options.tries };
  const replica = new Replica({
    loaded: null,
    newId: "1".repeat(32),
    nowMs,
    instant: systemInstant(),
    membership: {
      ...ALONE,
      hasPeers: true,
      foundAfterMs: FOUND_AFTER_MS,
      foundsUnheard: options.foundsUnheard ?? false,
    },
  });
  replica.state.durableId = replica.id;
  const pass = (ms: number): void => {
    for (const untilMs = nowMs + ms; nowMs < untilMs; nowMs += 100) {
      replica.setLinks(Object.keys(tries), options.areAll ?? true);
      replica.tick(nowMs, nowMs);
      for (const { link } of replica.due(nowMs)) {
        if (tries[link] !== "lowest") replica.linkFailed(link, tries[link] === "refused");
        else {
          const answered = {
            isBusy: false,
            hasAnswered: true,
            absentSinceMs: Infinity,
            peer: "0".repeat(32),
          };
          Object.assign(replica.exchange.links.all.get(link) ?? {}, answered);
        }
      }
    }
  };
  return { replica, pass, tries };
}

function hasFounded({ state, id }: Replica): boolean {
  return state.ledger.lineage?.founder === id;
}

describe("a replica that knows of no fleet", () => {
  test("founds one after a while when nobody listens at any sibling's address", () => {
    const { replica, pass } = seeking({ tries: { a: "refused", b: "refused" } });
    pass(FOUND_AFTER_MS - 100);
    expect(hasFounded(replica)).toBe(false);
    pass(200);
    expect(hasFounded(replica)).toBe(true);
  });

  test("founds none while one sibling can't be reached, for as long as that lasts", () => {
    const { replica, pass, tries } = seeking({ tries: { a: "refused", b: "silent" } });
    pass(FOUND_AFTER_MS * 20);
    expect(hasFounded(replica)).toBe(false);
    expect(replica.membership.isHeldBack).toBe(true);
    // A refusal now may be the network's: it was silent before.
    tries["b"] = "refused";
    pass(FOUND_AFTER_MS * 4);
    expect(hasFounded(replica)).toBe(false);
  });

  test("founds none while names can't be resolved, though no address is known", () => {
    const { replica, pass } = seeking({ tries: {}, areAll: false });
    pass(FOUND_AFTER_MS * 20);
    expect(hasFounded(replica)).toBe(false);
  });

  test("founds none when all that it knows of have answered, and there may be others", () => {
    const { replica, pass } = seeking({ tries: { a: "refused" }, areAll: false });
    pass(100);
    for (const link of replica.exchange.links.all.values()) link.hasAnswered = true;
    pass(FOUND_AFTER_MS * 20);
    expect(hasFounded(replica)).toBe(false);
  });

  test("leaves it to the lowest of those who have answered, until that one is no more", () => {
    const { replica, pass, tries } = seeking({ tries: { a: "lowest" } });
    pass(FOUND_AFTER_MS * 20);
    expect(hasFounded(replica)).toBe(false);
    expect(replica.membership.isHeldBack).toBe(true);
    tries["a"] = "refused";
    pass(FOUND_AFTER_MS - 200);
    expect(hasFounded(replica)).toBe(false);
    pass(2000);
    expect(hasFounded(replica)).toBe(true);
  });

  test("takes an absence for one only when it has lasted, whenever that was", () => {
    const { replica, pass, tries } = seeking({ tries: { a: "lowest" } });
    pass(FOUND_AFTER_MS * 2);
    for (let times = 0; times < 5; times++) {
      tries["a"] = "refused";
      pass(500);
      tries["a"] = "lowest";
      pass(500);
    }
    expect(hasFounded(replica)).toBe(false);
  });

  test("takes one that was silent for cut off, however long its address refuses afterwards", () => {
    const { replica, pass, tries } = seeking({ tries: { a: "silent" } });
    pass(1000);
    tries["a"] = "refused";
    pass(FOUND_AFTER_MS * 3);
    expect(hasFounded(replica)).toBe(false);
  });

  test.each([
    ["empty, for one that is not there may have spent it", "refused", 0],
    ["full, when all have answered that there is no fleet", "answered", 60],
  ] as const)("finds a rate's bucket %s", (_, how, level) => {
    const { replica, pass } = seeking({ tries: { a: how === "refused" ? "refused" : "lowest" } });
    const limit: Limit = {
      key: "p/requests",
      dimension: "requests",
      capacity: 60,
      refill: { kind: "continuous", unitsPerMs: 1e-9 },
    };
    const bucket = replica.open(limit);
    pass(100);
    if (how === "answered")
      for (const link of replica.exchange.links.all.values()) link.peer = "f".repeat(32);
    replica.tick(100, 100);
    if (how === "refused") pass(FOUND_AFTER_MS + 500);
    expect(hasFounded(replica)).toBe(true);
    expect(replica.room(bucket, 100).level).toBeCloseTo(level, 3);
  });

  test("founds one without siblings that can't be reached when it is told to", () => {
    const { replica, pass } = seeking({ tries: { a: "silent" }, foundsUnheard: true });
    pass(FOUND_AFTER_MS + 100);
    expect(hasFounded(replica)).toBe(true);
  });
});

describe("an address", () => {
  let server: Server | undefined;

  afterEach(async () => {
    server?.closeAllConnections();
    server?.close();
    server = undefined;
  });

  /** What becomes of an exchange with it. */
  async function faultAt(port: number, withinMs = 20_000, host = "127.0.0.1"): Promise<TransportError> {
    const listen = { host: "127.0.0.1", port: 0 };
    const gate = { secret: "s".repeat(16), session: randomId(), receive: () => Promise.reject(new Error()) };
    const transport = await openHttpTransport({ ...gate, listen, peers: () => [] });
    try {
      await transport.exchange(`http://${host}:${port}`, new Uint8Array(), withinMs);
      throw new Error("it has answered");
    } catch (error) {
      if (error instanceof TransportError) return error;
      throw error;
    } finally {
      await transport.close();
    }
  }

  test("at which nobody listens is absent", async () => {
    expect(await faultAt(await freePort())).toMatchObject({ fault: "unreachable", isAbsent: true });
  });

  test("whose name does not exist is not absent: it may be misspelt", async () => {
    expect(await faultAt(1, 20_000, "nobody.invalid")).toMatchObject({ isAbsent: false });
  });

  test("that takes connections and says nothing is not absent", async () => {
    const silent = createServer(() => {});
    server = silent;
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const address = silent.address();
    const port = address !== null && typeof address === "object" ? address.port : 0;
    expect(await faultAt(port, 50)).toMatchObject({ fault: "unreachable", isAbsent: false });
  });
});
