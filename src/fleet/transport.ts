// Moves messages between siblings and knows nothing of what is in them: bytes go to one peer, its answer comes back.
// Every implementation passes one contract suite (test/contract). What arrives has been authenticated: only a holder
// of the fleet's secret can have sent it, to this process, and not twice.

/** Why a message was refused or an exchange failed; the `reason` label of the metrics. */
export const TRANSPORT_FAULTS = [
  /** No connection, no answer in time, or the peer is shutting down. */
  "unreachable",
  /** The other side does not hold the same secret. */
  "wrong_secret",
  /** What came is not what a sibling sends: another kind of server, or a message cut short. */
  "malformed",
  /** A sibling of another version, whose messages this one can't read. */
  "version",
  "oversized",
  /** A message that was received before, or was meant for another process. */
  "replayed",
  /** More messages at once than are served. */
  "busy",
  /** The address leads back to this very process. */
  "self",
] as const;

export type TransportFault = (typeof TRANSPORT_FAULTS)[number];

/** A failed exchange, or a receiver's refusal. The message says what to do about it, for the log. */
export class TransportError extends Error {
  override readonly name = "TransportError";
  readonly fault: TransportFault;
  /** Nobody listens at the address: its machine answered, and refused the connection. A name that does not exist may be misspelt. */
  readonly isAbsent: boolean;

  constructor(fault: TransportFault, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.fault = fault;
    this.isAbsent = cause instanceof Error && "code" in cause && cause.code === "ECONNREFUSED";
  }
}

/** Answers a sibling's message; rejects with a `TransportError` when it is not one that can be answered. */
export type Receive = (message: Uint8Array) => Promise<Uint8Array>;

/** The most bytes in one message or answer; what does not fit follows in the next. */
export const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;

/** What has gone over the wire since the start: sealed messages and answers, without what HTTP, TLS or NATS put round them. */
export interface Traffic {
  /** Handed to a connection; what was for siblings that can't be reached is not among them. */
  readonly sentBytes: number;
  /** Sealed with the fleet's secret; also those that were refused for something else. */
  readonly receivedBytes: number;
}

export interface Transport {
  /** The addresses of the siblings as they are known now, without this process's own. */
  peers(): readonly string[];
  /** Whether these are all that there are, as far as can be known: names were resolved, a broker is connected. By default so. */
  readonly areAllKnown?: () => boolean;
  /** Sends a message to the peer at this address and resolves with its answer. Rejects with a `TransportError` after `timeoutMs` at the latest. */
  exchange(address: string, message: Uint8Array, timeoutMs: number): Promise<Uint8Array>;
  /** Sends one message to all siblings at once, without an answer, where the transport can do that better than one by one. */
  readonly publish?: (message: Uint8Array) => void;
  /** How many messages were refused since the start, by reason. */
  refused(): ReadonlyMap<TransportFault, number>;
  traffic(): Traffic;
  /** Stops receiving, and ends what is under way. */
  close(): Promise<void>;
}
