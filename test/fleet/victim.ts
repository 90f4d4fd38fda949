// A real replica behind its real HTTP port, on clocks that a test sets and with timers that a test fires, and somebody
// who can say anything to it: a stranger who posts bytes, or a liar who knows the fleet's secret.
import { request as httpRequest } from "node:http";
import { randomId, type Timers } from "../../src/clock.ts";
import type { Section } from "../../src/bucket/sections.ts";
import { NEW_PROFILE } from "../../src/bucket/member.ts";
import type { Limit } from "../../src/bucket/limit.ts";
import { encodeMessage, type Message } from "../../src/bucket/message.ts";
import { type Gauge, NEVER, NO_GAUGE, type Row } from "../../src/bucket/row.ts";
import { Gate } from "../../src/fleet/gate.ts";
import { openHttpTransport } from "../../src/fleet/http-transport.ts";
import { pack } from "../../src/fleet/parcel.ts";
import { openReplica, type RunningReplica } from "../../src/fleet/shell.ts";
import { TransportError } from "../../src/fleet/transport.ts";
import { type Log, silentLog } from "../../src/observe/events.ts";
import { MemoryStore } from "../../src/store/memory.ts";

export const SECRET = "a secret of the fleet in a test";

export const REQUESTS: Limit = {
  key: "p/requests/min",
  dimension: "requests",
  capacity: 100,
  refill: { kind: "continuous", unitsPerMs: 0.1 },
};

const WALL_MS = 1_700_000_000_000;

/** Time as a test has it: both clocks, and what waits for them. */
export class Time implements Timers {
  nowMs = 0;
  wallMs = WALL_MS;
  #actions: (() => void)[] = [];

  after(_delayMs: number, action: () => void): () => void {
    this.#actions.push(action);
    return () => {
      this.#actions = this.#actions.filter((other) => other !== action);
    };
  }

  /** Moves both clocks and runs everything that waits. */
  pass(ms: number): void {
    this.nowMs += ms;
    this.wallMs += ms;
    for (const action of this.#actions.splice(0)) action();
  }
}

export interface VictimOptions {
  readonly log?: Log;
  readonly peers?: readonly string[];
  /** Whether it founds a fleet also beside peers that say nothing; it does, unless told otherwise. */
  readonly foundsUnheard?: boolean;
  readonly limit?: Limit;
  readonly store?: MemoryStore;
  readonly time?: Time;
}

export interface Victim {
  readonly running: RunningReplica;
  readonly time: Time;
  readonly store: MemoryStore;
  readonly port: number;
  /** Everything of it that a message could change, in one value. */
  state(): object;
  /** Takes one unit after the other until nothing is left here; how many that were. */
  drain(): Promise<number>;
}

/** Starts a replica; without peers it founds a fleet of its own at once. */
export async function startVictim(options: VictimOptions = {}): Promise<Victim> {
  const {
    log = silentLog,
    peers = [],
    foundsUnheard = true,
    limit = REQUESTS,
    time = new Time(),
    store = new MemoryStore(),
  } = options;
  let port = 0;
  const running = await openReplica({
    store,
    log,
    timers: time,
    clock: { elapsedMs: () => time.nowMs, wallMs: () => time.wallMs },
    instant: () => ({ bootId: "m", monotonicMs: time.nowMs, wallMs: time.wallMs }),
    random: () => 0,
    membership: {
      name: "victim",
      hasPeers: peers.length > 0,
      foundAfterMs: 100,
      foundsUnheard,
      bootGraceMs: 100,
      unreachableAfterMs: 3000,
      reclaimAfterMs: Infinity,
    },
    connect: async (receive) => {
      const listen = { host: "127.0.0.1", port: 0 };
      const transport = await openHttpTransport({
        secret: SECRET,
        session: randomId(),
        receive,
        listen,
        peers: () => peers,
      });
      ({ port } = transport);
      return transport;
    },
  });
  const bucket = running.quota.open(limit);
  await running.flush();
  return {
    running,
    time,
    store,
    port,
    state: () => stateOf(running),
    async drain() {
      let admitted = 0;
      for (;;) {
        const shortage = running.quota.take([bucket], [1], time.nowMs);
        if (shortage === null) admitted += 1;
        else if (shortage.reason === "durability") await running.flush();
        else return admitted;
      }
    },
  };
}

function stateOf({ replica }: RunningReplica): object {
  const { ledger, holdings } = replica.state;
  return {
    lineage: ledger.lineage,
    vector: [...ledger.vector()],
    holdings: [...holdings.values()].map(({ rows, local }) => ({
      key: rows.key,
      rows: [...rows.entries].map(([author, { row }]) => ({ author, row })),
      level: local?.level,
      share: local?.share,
    })),
  };
}

/** Posts raw bytes as a stranger would; the answer's status and body. */
export function post(
  port: number,
  body: Uint8Array,
): Promise<{ readonly status: number; readonly body: Uint8Array }> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path: "/fleet/sync", method: "POST", agent: false };
    const sent = httpRequest(options, (response) => {
      const chunks: Uint8Array[] = [];
      response.on("data", (chunk: Uint8Array) => chunks.push(chunk));
      response.once("end", () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }));
    });
    sent.once("error", reject);
    sent.end(body);
  });
}

/** Somebody who knows the secret and seals what it likes. */
export class Liar {
  readonly id = "1".repeat(32);
  /** Bytes that it has posted, and that came back. */
  readonly posted = { out: 0, back: 0 };
  readonly #victim: Victim;
  readonly #gate = new Gate({
    secret: SECRET,
    session: randomId(),
    receive: () => Promise.reject(new TransportError("unreachable", "nobody is here")),
  });
  #serial = 0;

  constructor(victim: Victim) {
    this.#victim = victim;
  }

  /** Sends these bytes, sealed; how they were taken: `ok` or the fault. */
  async send(ledger: Uint8Array, board: Uint8Array = new Uint8Array()): Promise<string> {
    try {
      await this.#gate.exchange("victim", pack({ ledger, board }), async (frame) => {
        const { body } = await post(this.#victim.port, frame);
        this.posted.out += frame.length;
        this.posted.back += body.length;
        return body;
      });
      return "ok";
    } catch (error) {
      if (error instanceof TransportError) return error.fault;
      throw error;
    }
  }

  /** A message of the liar as a member of the victim's fleet, with these sections. */
  message(sections: readonly Section[], changes: Partial<Message> = {}): Uint8Array {
    this.#serial += 1;
    const { ledger } = this.#victim.running.replica.state;
    const { sender = this.id } = changes;
    return encodeMessage({
      sender,
      boot: 1,
      serial: this.#serial,
      lineage: ledger.lineage,
      wantsAnswer: true,
      isLeaving: false,
      isAware: false,
      vector: new Map([[sender, NEVER], ...sections.map(({ author, to }) => [author, to] as const)]),
      era: 0,
      forgotten: 0,
      receiver: null,
      farewells: [],
      carriedOut: 0,
      sections,
      ...changes,
    });
  }

  /** What the liar says of its own part of a bucket. */
  section(row: Partial<Row>, bucket = REQUESTS.key): Section {
    const stamp = { boot: 1, version: 2 };
    const said: Row = { spent: 0, returned: 0, given: new Map(), gauge: NO_GAUGE, ...row };
    return {
      author: this.id,
      from: NEVER,
      to: stamp,
      entries: [{ stamp, bucket, row: said }],
      profile: { stamp, profile: { ...NEW_PROFILE, name: "liar" } },
    };
  }
}

export function gauge(changes: Partial<Gauge>): Gauge {
  return { ...NO_GAUGE, ...changes };
}
