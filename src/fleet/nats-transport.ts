// Messages between siblings over NATS, for large fleets: rows are published once for all, a waiting replica asks one
// sibling by request and reply, and everybody says every second that it is there, so that no addresses need to be
// configured. Messages are sealed as on every transport: the broker and its other users are not trusted.
//
//     PREFIX.all            notices: rows for everybody, or empty ("I am here")
//     PREFIX.to.SESSION     requests to one replica
//
// The client is loaded only when a `nats://` peer is configured. It is connected again and again, for ever, also to a broker
// that is not there yet or refuses the password; meanwhile siblings are unreachable, which the log says, and every
// replica goes on with what it holds.
import type { Msg, NatsConnection } from "@nats-io/transport-node";
import type { Clock } from "../clock.ts";
import type { Log } from "../observe/events.ts";
import { FRAME_BYTES_MAX, Gate, type GateOptions } from "./gate.ts";
import { type Traffic, type Transport, TransportError, type TransportFault } from "./transport.ts";

const HERE_INTERVAL_MS = 1000;

/** A sibling that said nothing for this long is no longer asked. */
const GONE_AFTER_MS = 5000;

/** How long a broker may take to answer, and how long it is left alone after it did not or has refused. */
const CONNECT_TIMEOUT_MS = 5000;
const RETRY_MS = 1000;

/** The most siblings that are known at the same time. */
const PEERS_MAX = 4096;

export interface NatsTransportOptions extends GateOptions {
  /** `nats://[user:password@]host:port`, one or more servers of one NATS cluster, which has one user for all of them. */
  readonly servers: readonly string[];
  /** What the subjects begin with; fleets that share a NATS each have their own. */
  readonly prefix: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Begins to connect and returns at once: a broker that is down at the start must not keep a gateway from serving. */
export async function openNatsTransport(options: NatsTransportOptions): Promise<NatsTransport> {
  const { connect } = await import("@nats-io/transport-node");
  const urls = options.servers.map((server) => new URL(server));
  const { username = "", password = "" } = urls.find((url) => url.username !== "") ?? {};
  const dial = (): Promise<NatsConnection> =>
    connect({
      servers: urls.map(({ host }) => host),
      ...(username === "" ? {} : { user: decodeURIComponent(username) }),
      ...(password === "" ? {} : { pass: decodeURIComponent(password) }),
      name: "sluice",
      noEcho: true,
      timeout: CONNECT_TIMEOUT_MS,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 500,
      pingInterval: 10_000,
    });
  return new NatsTransport(options, dial);
}

export class NatsTransport implements Transport {
  readonly #gate: Gate;
  readonly #prefix: string;
  readonly #clock: Clock;
  readonly #log: Log;
  /** Session → when it was last heard. */
  readonly #peers = new Map<string, number>();
  readonly #dial: () => Promise<NatsConnection>;
  #connection: NatsConnection | null = null;
  #connecting: Promise<void>;
  #here: NodeJS.Timeout | undefined;
  /** Why there is no connection, as it was logged; null while there is one. */
  #fault: string | null = null;
  #wakeUp: () => void = () => {};
  #closed = false;

  constructor(options: NatsTransportOptions, dial: () => Promise<NatsConnection>) {
    this.#gate = new Gate(options);
    this.#prefix = options.prefix;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#dial = dial;
    this.#connecting = this.#connect();
  }

  async #connect(): Promise<void> {
    while (!this.#closed) {
      try {
        await this.#begin(await this.#dial());
        return;
      } catch (error) {
        this.#say(error instanceof Error ? error.message : String(error));
        await this.#connection?.close();
        this.#connection = null;
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, RETRY_MS);
        this.#wakeUp = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Logs that the broker can't be reached and why, or (`null`) that it can be again; once each. */
  #say(fault: string | null): void {
    if (fault === this.#fault || this.#closed) return;
    this.#fault = fault;
    if (fault === null) this.#log.info("connected to NATS again");
    else this.#log.error("NATS can't be reached, and so no sibling; it is tried again", { reason: fault });
  }

  /** Resolves when the first connection stands. */
  connected(): Promise<void> {
    return this.#connecting;
  }

  peers(): readonly string[] {
    const since = this.#clock.elapsedMs() - GONE_AFTER_MS;
    for (const [session, heardMs] of this.#peers) if (heardMs < since) this.#peers.delete(session);
    const sessions = [...this.#peers.keys()];
    this.#gate.keep(sessions);
    return sessions;
  }

  /** Who is there says so, and is heard within a second. */
  areAllKnown(): boolean {
    return this.#connection !== null && !this.#connection.isClosed();
  }

  refused(): ReadonlyMap<TransportFault, number> {
    return this.#gate.refused();
  }

  traffic(): Traffic {
    return this.#gate.traffic();
  }

  exchange(address: string, message: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    return this.#gate.exchange(address, message, async (frame) => {
      const connection = this.#usable(frame);
      this.#gate.countSent(frame);
      try {
        const reply = await connection.request(`${this.#prefix}.to.${address}`, frame, {
          timeout: timeoutMs,
        });
        return reply.data;
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        throw new TransportError("unreachable", `no answer from ${address} over NATS: ${reason}`, error);
      }
    });
  }

  publish(message: Uint8Array): void {
    if (this.#connection === null || this.#connection.isClosed()) return;
    const frame = this.#gate.notice(message);
    if (frame.length > this.#bytesMax()) return;
    this.#gate.countSent(frame);
    this.#connection.publish(`${this.#prefix}.all`, frame);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#here);
    this.#wakeUp();
    await this.#connection?.close();
  }

  #bytesMax(): number {
    return Math.min(FRAME_BYTES_MAX, this.#connection?.info?.max_payload ?? FRAME_BYTES_MAX);
  }

  #usable(frame: Uint8Array): NatsConnection {
    if (this.#connection === null || this.#connection.isClosed()) {
      throw new TransportError("unreachable", "there is no connection to NATS");
    }
    if (frame.length > this.#bytesMax()) {
      throw new TransportError("oversized", "the message is larger than the NATS server's max_payload");
    }
    return this.#connection;
  }

  async #begin(connection: NatsConnection): Promise<void> {
    if (this.#closed) return connection.close();
    this.#connection = connection;
    void this.#watch(connection);
    connection.subscribe(`${this.#prefix}.all`, {
      callback: (error, message) => {
        if (error === null) void this.#hear(message.data);
      },
    });
    connection.subscribe(`${this.#prefix}.to.${this.#gate.session}`, {
      callback: (error, message) => {
        if (error === null) void this.#answer(message);
      },
    });
    // Subscriptions reach the server before anybody hears of us.
    await connection.flush();
    this.#say(null);
    this.publish(new Uint8Array());
    clearInterval(this.#here);
    this.#here = setInterval(() => this.publish(new Uint8Array()), HERE_INTERVAL_MS);
    this.#here.unref();
  }

  /** The client finds a broker again that was away; one that refuses it, it leaves for good. */
  async #watch(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type === "disconnect") this.#say("the connection was lost");
      if (status.type === "reconnect") this.#say(null);
    }
    const reason = await connection.closed();
    if (this.#closed || this.#connection !== connection) return;
    this.#say(reason instanceof Error ? reason.message : "the connection was closed");
    this.#connecting = this.#connect();
  }

  async #answer(message: Msg): Promise<void> {
    const answer = await this.#gate.answer(message.data);
    this.#gate.countSent(answer);
    message.respond(answer);
  }

  async #hear(frame: Uint8Array): Promise<void> {
    const session = await this.#gate.hear(frame);
    if (session === undefined) return;
    const isNew = !this.#peers.has(session);
    if (isNew && this.#peers.size >= PEERS_MAX) return;
    this.#peers.set(session, this.#clock.elapsedMs());
    // A newcomer learns of everybody at once instead of within a second.
    if (isNew) this.publish(new Uint8Array());
  }
}
