// Carries the replica's messages over a transport: sends what is due, hands answers back, and answers siblings once
// what was given to them is durable. What the fleet shares beside the buckets goes along in the same messages.
import { Malformed, UnknownVersion } from "../bucket/codec.ts";
import type { Heard } from "../bucket/lww-map.ts";
import type { Clock, Timers } from "../clock.ts";
import type { Log } from "../observe/events.ts";
import type { Board } from "./board.ts";
import type { Received, RefusalReason } from "./exchange.ts";
import { pack, type Parcel, unpack } from "./parcel.ts";
import type { Replica } from "./replica.ts";
import {
  type Receive,
  type Traffic,
  type Transport,
  TransportError,
  type TransportFault,
} from "./transport.ts";

/** How long a sibling may take to answer. */
const ANSWER_TIMEOUT_MS = 2000;

/** What is refused, or fails on one way to a sibling, is logged once per kind in this time; every one of them is counted. */
const LOG_EVERY_MS = 60_000;

/** How the transports call what the replica refuses. */
const FAULT_OF: Readonly<Record<RefusalReason, TransportFault>> = {
  malformed: "malformed",
  version: "version",
  oversized: "oversized",
  repeated: "replayed",
  overtaken: "replayed",
  own: "self",
};

/** Of more ways to siblings that fail alike, or work again, in that time it is only told that there are more. */
const LINES_MAX = 5;

/** Messages that were overtaken when their senders began again: so many in that time are nothing to be told of. */
const OVERTAKEN_MAX = 20;

/** Nor is a sibling that refuses them told of before it has done so for this long. */
const REFUSED_MS = 1000;

/** A sibling with another secret is told of for so long after it was last heard. */
const STRANGER_MS = 60_000;

type Refused = Received & { readonly kind: "refused" };

export interface CourierOptions {
  readonly board: Board;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** Resolves when what was due at the call is durable. */
  readonly flush: () => Promise<void>;
  /** Told of each message that was merged, when merges are traced. */
  readonly onMerge?: ((received: Received & { kind: "taken" }) => void) | undefined;
}

const NOTHING = new Uint8Array();
const NO_TRAFFIC: Traffic = { sentBytes: 0, receivedBytes: 0 };

function opened(bytes: Uint8Array): Parcel {
  try {
    return unpack(bytes);
  } catch (error) {
    throw malformed(error);
  }
}

function malformed(error: unknown): unknown {
  if (!(error instanceof Malformed)) return error;
  return new TransportError(error instanceof UnknownVersion ? "version" : "malformed", error.message, error);
}

export class Courier {
  readonly #replica: Replica;
  readonly #options: CourierOptions;
  readonly #failures = new Map<TransportFault, number>();
  /** What each link's last exchange failed with, so that the log tells changes and not every try. */
  readonly #faults = new Map<string, TransportFault>();
  /** Why the last exchange with a sibling failed, of those with whom it did. */
  readonly #failing = new Map<string, string>();
  /** Since when a sibling has refused what it takes for repeated, and nothing else has come of exchanges with it. */
  readonly #refusedSinceMs = new Map<string, number>();
  /** When refusals and failures were logged that are not to be logged again yet. */
  readonly #logged = new Map<string, number>();
  /** Messages and answers under another secret, and when the last one came. */
  #strangers = 0;
  #strangerMs = -Infinity;
  /** Messages that were overtaken, since the first in a while. */
  #overtaken = 0;
  #transport: Transport | null = null;
  #isScheduled = false;
  #stopAsking: () => void = () => {};

  constructor(replica: Replica, options: CourierOptions) {
    this.#replica = replica;
    this.#options = options;
  }

  /** Begins to send; `receive` may have been called before. */
  use(transport: Transport): void {
    this.#transport = transport;
    this.schedule();
  }

  /** Sends what is due, after the current turn. */
  schedule(): void {
    if (this.#isScheduled || this.#transport === null) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#send();
    });
  }

  #send(): void {
    const transport = this.#transport;
    if (transport === null) return;
    const { clock, board } = this.#options;
    const peers = transport.peers();
    this.#replica.setLinks(peers, transport.areAllKnown?.());
    board.keepLinks(peers);
    this.#lookForStrangers(transport);
    this.#keepLinks(peers);
    for (const { link, bytes } of this.#replica.due(clock.elapsedMs())) {
      void this.#exchange(transport, link, pack({ ledger: bytes, board: board.request(link) }));
    }
    this.#askAgain();
  }

  /** Who waits for units can't wait for the next tick when siblings were asked just before. */
  #askAgain(): void {
    const { clock, timers } = this.#options;
    this.#stopAsking();
    const delayMs = this.#replica.askAgainMs(clock.elapsedMs());
    if (delayMs !== Infinity) this.#stopAsking = timers.after(delayMs, () => this.schedule());
  }

  async #exchange(transport: Transport, link: string, bytes: Uint8Array): Promise<void> {
    const { clock } = this.#options;
    try {
      const answer = opened(await transport.exchange(link, bytes, ANSWER_TIMEOUT_MS));
      const received = this.#replica.receive(answer.ledger, clock.elapsedMs(), link);
      if (received.kind === "refused") throw faultOf(received);
      this.#options.onMerge?.(received);
      this.#join(answer.board, link);
      this.#failing.delete(link);
      this.#refusedSinceMs.delete(link);
      if (this.#faults.delete(link) && this.#isToTell("again", link))
        this.#options.log.info("a sibling answers again", { address: link });
    } catch (error) {
      this.#replica.linkFailed(link, error instanceof TransportError && error.isAbsent);
      if (error instanceof TransportError) this.#noteFault(link, error);
      else this.#logFailure(error);
    }
    this.schedule();
  }

  #noteFault(link: string, { fault, message }: TransportError): void {
    this.#failures.set(fault, (this.#failures.get(fault) ?? 0) + 1);
    // Of one that is closed it says nothing about the sibling.
    if (fault === "self" || this.#transport === null) return;
    if (fault === "replayed" && !this.#isRefusedStill(link)) return;
    this.#failing.set(link, message);
    if (this.#faults.get(link) === fault) return;
    if (!this.#isToLog(`${link} ${fault}`)) return;
    this.#faults.set(link, fault);
    if (this.#isToTell(fault, link))
      this.#options.log.warn("no exchange with a sibling", { address: link, fault, reason: message });
  }

  /** What was sent before this replica began again, and comes in behind what it sent after, is refused for a moment. */
  #isRefusedStill(link: string): boolean {
    const nowMs = this.#options.clock.elapsedMs();
    const sinceMs = this.#refusedSinceMs.get(link) ?? nowMs;
    this.#refusedSinceMs.set(link, sinceMs);
    return nowMs - sinceMs >= REFUSED_MS;
  }

  /** Whether one line more is told about so many siblings alike; of the first that is not, that there are more. */
  #isToTell(what: string, link: string): boolean {
    this.#isToLog(`${what} at ${link}`);
    let told = 0;
    for (const key of this.#logged.keys()) if (key.startsWith(`${what} at `)) told += 1;
    if (told > LINES_MAX && this.#isToLog(`more ${what}`)) {
      const { log } = this.#options;
      if (what === "again") log.info("more siblings answer again");
      else log.warn("no exchange with more siblings", { fault: what });
    }
    return told <= LINES_MAX;
  }

  /** Those who hold another secret can't be told apart from strangers, and are refused like these; an operator should know. */
  #lookForStrangers(transport: Transport): void {
    const count = (transport.refused().get("wrong_secret") ?? 0) + (this.#failures.get("wrong_secret") ?? 0);
    if (count === this.#strangers) return;
    this.#strangers = count;
    if (!this.isMetByStrangers)
      this.#options.log.warn("somebody with another fleet.secret asks or answers here, and is refused", {
        what_to_do:
          "if that is a sibling, give both the same fleet.secret; if not, close this port to others",
      });
    this.#strangerMs = this.#options.clock.elapsedMs();
  }

  /** Whether somebody with another secret was heard lately. */
  get isMetByStrangers(): boolean {
    return this.#options.clock.elapsedMs() - this.#strangerMs < STRANGER_MS;
  }

  /** Forgets ways to siblings that are no more. */
  #keepLinks(peers: readonly string[]): void {
    for (const links of [this.#faults, this.#failing, this.#refusedSinceMs]) {
      if (links.size <= peers.length) continue;
      for (const link of links.keys()) if (!peers.includes(link)) links.delete(link);
    }
  }

  /** Whether this was not logged for a while. */
  #isToLog(what: string): boolean {
    const nowMs = this.#options.clock.elapsedMs();
    for (const [other, atMs] of this.#logged) if (nowMs - atMs >= LOG_EVERY_MS) this.#logged.delete(other);
    if (this.#logged.has(what)) return false;
    this.#logged.set(what, nowMs);
    return true;
  }

  /** Addresses with which the last exchange failed, each with the reason in words. */
  failing(): ReadonlyMap<string, string> {
    const peers = new Set(this.peers());
    return new Map([...this.#failing].filter(([link]) => peers.has(link)));
  }

  /** The addresses of the siblings as known now. */
  peers(): readonly string[] {
    return this.#transport?.peers() ?? [];
  }

  /** Messages that were refused, and exchanges that failed, by reason; and what went over the wire. Since the start. */
  counts(): {
    readonly refused: ReadonlyMap<TransportFault, number>;
    readonly failed: ReadonlyMap<TransportFault, number>;
    readonly traffic: Traffic;
  } {
    const transport = this.#transport;
    return {
      refused: transport?.refused() ?? new Map(),
      failed: this.#failures,
      traffic: transport?.traffic() ?? NO_TRAFFIC,
    };
  }

  /** Answers a sibling. */
  readonly receive: Receive = async (bytes) => {
    try {
      return await this.#answer(bytes);
    } catch (error) {
      if (!(error instanceof TransportError)) this.#logFailure(error);
      throw error;
    }
  };

  /** It is this program's fault. This replica goes on with what it holds; a sibling that asked is told that there is no answer. */
  #logFailure(error: unknown): void {
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    if (this.#isToLog("failure"))
      this.#options.log.error("a fleet message could not be worked on", { reason });
  }

  async #answer(bytes: Uint8Array): Promise<Uint8Array> {
    const { clock, flush, board } = this.#options;
    const parcel = opened(bytes);
    if (parcel.ledger.length === 0) {
      this.#join(parcel.board, null);
      return NOTHING;
    }
    const received = this.#replica.receive(parcel.ledger, clock.elapsedMs(), null);
    this.schedule();
    if (received.kind === "refused") {
      this.#logRefusal(received);
      throw faultOf(received);
    }
    this.#options.onMerge?.(received);
    const heard = this.#join(parcel.board, null);
    if (!received.wantsAnswer) return NOTHING;
    if (received.mustFlush) await flush();
    return pack({ ledger: this.#replica.answer(received.from), board: board.answer(heard) });
  }

  /** Joins what came beside the buckets; returns what its sender has heard. */
  #join(bytes: Uint8Array, link: string | null): Heard | null {
    if (bytes.length === 0) return null;
    try {
      return this.#options.board.receive(bytes, link);
    } catch (error) {
      throw malformed(error);
    }
  }

  /** A sibling of another version sends several messages per second for as long as an upgrade takes. */
  #logRefusal({ reason, detail }: Refused): void {
    if (reason === "overtaken" && !this.#areManyOvertaken()) {
      this.#options.log.debug("a fleet message was overtaken", { detail });
      return;
    }
    if (!this.#isToLog(reason)) return;
    this.#options.log.warn("a fleet message was refused", { reason, detail });
  }

  /** One is what happens when a sibling joins anew while it is asked and asks; many are old messages that somebody sends again. */
  #areManyOvertaken(): boolean {
    if (this.#isToLog("overtaken since")) this.#overtaken = 0;
    this.#overtaken += 1;
    return this.#overtaken > OVERTAKEN_MAX;
  }

  /** Tells everybody at once what is new here, where the transport can. */
  publish(): void {
    const transport = this.#transport;
    if (transport?.publish === undefined) return;
    const ledger = this.#replica.notice();
    const board = this.#options.board.notice();
    if (ledger === null && board === null) return;
    transport.publish(pack({ ledger: ledger ?? NOTHING, board: board ?? NOTHING }));
  }

  async close(): Promise<void> {
    const transport = this.#transport;
    this.#transport = null;
    this.#stopAsking();
    await transport?.close();
  }
}

function faultOf({ reason, detail }: Refused): TransportError {
  return new TransportError(FAULT_OF[reason], detail);
}
