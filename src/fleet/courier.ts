// Carries the replica's messages over a transport: sends what is due, hands answers back, and answers siblings once
// what was given to them is durable.
import type { Clock } from "../clock.ts";
import type { Log } from "../observe/events.ts";
import type { Received, RefusalReason } from "./exchange.ts";
import type { Replica } from "./replica.ts";
import { type Receive, type Transport, TransportError, type TransportFault } from "./transport.ts";

/** How long a sibling may take to answer. */
const ANSWER_TIMEOUT_MS = 2000;

/** Refused messages of one kind are logged once in this time; every one of them is counted. */
const LOG_EVERY_MS = 60_000;

/** How the transports call what the replica refuses. */
const FAULT_OF: Readonly<Record<RefusalReason, TransportFault>> = {
  malformed: "malformed",
  version: "version",
  oversized: "oversized",
  repeated: "replayed",
  own: "self",
};

type Refused = Received & { readonly kind: "refused" };

export interface CourierOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Resolves when what was due at the call is durable. */
  readonly flush: () => Promise<void>;
  /** Told of each message that was merged, when merges are traced. */
  readonly onMerge?: ((received: Received & { kind: "taken" }) => void) | undefined;
}

export class Courier {
  readonly #replica: Replica;
  readonly #options: CourierOptions;
  readonly #failures = new Map<TransportFault, number>();
  /** What each link's last exchange failed with, so that the log tells changes and not every try. */
  readonly #faults = new Map<string, TransportFault>();
  /** When a refusal was last logged. */
  readonly #logged = new Map<RefusalReason, number>();
  #transport: Transport | null = null;
  #isScheduled = false;

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
    const { clock } = this.#options;
    this.#replica.setLinks(transport.peers());
    for (const { link, bytes } of this.#replica.due(clock.elapsedMs())) {
      void this.#exchange(transport, link, bytes);
    }
  }

  async #exchange(transport: Transport, link: string, bytes: Uint8Array): Promise<void> {
    const { clock } = this.#options;
    try {
      const answer = await transport.exchange(link, bytes, ANSWER_TIMEOUT_MS);
      const received = this.#replica.receive(answer, clock.elapsedMs(), link);
      if (received.kind === "refused") throw faultOf(received);
      this.#options.onMerge?.(received);
      if (this.#faults.delete(link)) this.#options.log.info("a sibling answers again", { address: link });
    } catch (error) {
      this.#replica.linkFailed(link);
      if (!(error instanceof TransportError)) throw error;
      this.#noteFault(link, error);
    }
    this.schedule();
  }

  #noteFault(link: string, { fault, message }: TransportError): void {
    this.#failures.set(fault, (this.#failures.get(fault) ?? 0) + 1);
    if (this.#faults.get(link) === fault || fault === "self") return;
    this.#faults.set(link, fault);
    this.#options.log.warn("no exchange with a sibling", { address: link, fault, reason: message });
  }

  /** The addresses of the siblings as known now. */
  peers(): readonly string[] {
    return this.#transport?.peers() ?? [];
  }

  /** Messages that were refused, and exchanges that failed, by reason, since the start. */
  counts(): {
    readonly refused: ReadonlyMap<TransportFault, number>;
    readonly failed: ReadonlyMap<TransportFault, number>;
  } {
    return { refused: this.#transport?.refused() ?? new Map(), failed: this.#failures };
  }

  /** Answers a sibling. */
  readonly receive: Receive = async (bytes) => {
    const { clock, flush } = this.#options;
    const received = this.#replica.receive(bytes, clock.elapsedMs(), null);
    this.schedule();
    if (received.kind === "refused") {
      this.#logRefusal(received);
      throw faultOf(received);
    }
    this.#options.onMerge?.(received);
    if (!received.wantsAnswer) return new Uint8Array();
    if (received.mustFlush) await flush();
    return this.#replica.answer(received.from);
  };

  /** A sibling of another version sends several messages per second for as long as an upgrade takes. */
  #logRefusal({ reason, detail }: Refused): void {
    const nowMs = this.#options.clock.elapsedMs();
    if (nowMs - (this.#logged.get(reason) ?? -Infinity) < LOG_EVERY_MS) return;
    this.#logged.set(reason, nowMs);
    this.#options.log.warn("a fleet message was refused", { reason, detail });
  }

  /** Tells everybody at once what is new here, where the transport can. */
  publish(): void {
    const transport = this.#transport;
    if (transport?.publish === undefined) return;
    const notice = this.#replica.notice();
    if (notice !== null) transport.publish(notice);
  }

  async close(): Promise<void> {
    const transport = this.#transport;
    this.#transport = null;
    await transport?.close();
  }
}

function faultOf({ reason, detail }: Refused): TransportError {
  return new TransportError(FAULT_OF[reason], detail);
}
