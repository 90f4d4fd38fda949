// What every transport has in common: sealing, replay protection, bounds and counts. A transport only carries bytes.
//
// Siblings' clocks may disagree about the time, so a time stamp can't tell a replayed message from a new one. Each
// process draws a random session at its start instead. A request names the session it is for and carries a number
// that grows; a receiver takes each number of a sender's session once (in a window, for one may overtake another, as in
// RFC 4303, 3.4.3). A replay fails on the number, or, after the receiver was restarted, on the session. A sender learns
// the receiver's session by being told off the first time:
//
//     sender → receiver   from=S to=none number=1       receiver → sender   refused: replayed, I am R   (sealed)
//     sender → receiver   from=S to=R    number=2       receiver → sender   answer                      (sealed)
//
// Notices go to all siblings at once and name no receiver; one that is replayed to a restarted receiver passes. That
// is harmless: rows are merged, and merging old rows changes nothing.
import { type Envelope, openFrame, sealFrame, type Unsealed, VERSION_NOTICE, versionsOf } from "./seal.ts";
import {
  MESSAGE_BYTES_MAX,
  type Receive,
  type Traffic,
  TRANSPORT_FAULTS,
  TransportError,
  type TransportFault,
} from "./transport.ts";

/** Sessions remembered at the same time; the one not heard for the longest is forgotten first. */
const SESSIONS_MAX = 4096;

/** How far a message may fall behind later ones of its session; bits of a mask. */
const BEHIND_MAX = 32;

/** How many messages of siblings are answered at the same time. */
export const RECEIVES_MAX = 64;

/** The most bytes in one frame: a message and the line of its seal. */
export const FRAME_BYTES_MAX = MESSAGE_BYTES_MAX + 512;

export interface GateOptions {
  readonly secret: string;
  /** Random and new at each start: up to 64 letters or digits. */
  readonly session: string;
  readonly receive: Receive;
}

/** Carries a frame to an address, counts it when it goes out, and brings the answer back; rejects with a `TransportError` when it can't. */
export type Carry = (frame: Uint8Array) => Promise<Uint8Array>;

/** The numbers of a session that were taken. */
interface Taken {
  latest: number;
  /** Bit `n`: the number `n` before the latest was taken. */
  mask: number;
}

/** Takes a number, if it was not taken before and is not too old to tell. */
function takes(taken: Taken, number: number): boolean {
  const behind = taken.latest - number;
  if (behind >= BEHIND_MAX) return false;
  if (behind >= 0) {
    const bit = 1 << behind;
    if ((taken.mask & bit) !== 0) return false;
    taken.mask |= bit;
    return true;
  }
  taken.mask = -behind < BEHIND_MAX ? (taken.mask << -behind) | 1 : 1;
  taken.latest = number;
  return true;
}

export class Gate {
  readonly session: string;
  readonly #secret: string;
  readonly #receive: Receive;
  readonly #refused = new Map<TransportFault, number>();
  /** What was taken of each session, the longest silent first. */
  readonly #heard = new Map<string, Taken>();
  /** Address → the session last met there. */
  readonly #met = new Map<string, string>();
  #number = 0;
  #receiving = 0;
  #sentBytes = 0;
  #receivedBytes = 0;

  constructor(options: GateOptions) {
    this.#secret = options.secret;
    this.session = options.session;
    this.#receive = options.receive;
  }

  refused(): ReadonlyMap<TransportFault, number> {
    return this.#refused;
  }

  count(fault: TransportFault): void {
    this.#refused.set(fault, (this.#refused.get(fault) ?? 0) + 1);
  }

  traffic(): Traffic {
    return { sentBytes: this.#sentBytes, receivedBytes: this.#receivedBytes };
  }

  /** A frame of this gate goes over the wire. */
  countSent(frame: Uint8Array): void {
    this.#sentBytes += frame.length;
  }

  /** Forgets whom it met at addresses that are no more: those of replicas may change with each start. */
  keep(addresses: readonly string[]): void {
    if (this.#met.size <= addresses.length) return;
    for (const address of this.#met.keys()) if (!addresses.includes(address)) this.#met.delete(address);
  }

  /** Sends a message through `carry` and opens the answer. */
  async exchange(address: string, message: Uint8Array, carry: Carry): Promise<Uint8Array> {
    if (message.length > MESSAGE_BYTES_MAX) throw new TransportError("oversized", "the message is too large");
    const known = this.#met.get(address) ?? "none";
    try {
      return await this.#send(address, known, message, carry);
    } catch (error) {
      // The first message to a process is told its session; a second wrong session is no restart but a fault.
      const met = this.#met.get(address) ?? "none";
      if (!(error instanceof TransportError) || error.fault !== "replayed" || met === known) throw error;
      return this.#send(address, met, message, carry);
    }
  }

  /** A frame for all siblings. */
  notice(message: Uint8Array): Uint8Array {
    return sealFrame(this.#secret, { envelope: this.#envelope("notice", "all"), body: message });
  }

  /** Answers a request's frame with a frame; a stranger gets an empty one and learns nothing (of another version: only this one's). */
  async answer(frame: Uint8Array): Promise<Uint8Array> {
    const opened = this.#open(frame, "request");
    if (opened === "version") return VERSION_NOTICE;
    if (typeof opened === "string") return new Uint8Array();
    const reply = await this.#take(opened);
    const outcome = typeof reply === "string" ? reply : "ok";
    return sealFrame(this.#secret, {
      envelope: { ...opened.envelope, direction: "answer", to: this.session, outcome },
      body: typeof reply === "string" ? new Uint8Array() : reply,
    });
  }

  /**
   * Takes a notice; what the receiver would answer is dropped. Tells the session that sent it, or undefined when it
   * was not taken. A notice without a message only says that its sender is there.
   */
  async hear(frame: Uint8Array): Promise<string | undefined> {
    const opened = this.#open(frame, "notice");
    if (typeof opened === "string" || opened.envelope.from === this.session) return undefined;
    const reply = opened.body.length === 0 ? this.#faultOf(opened.envelope) : await this.#take(opened);
    return typeof reply === "string" ? undefined : opened.envelope.from;
  }

  #envelope(direction: "request" | "notice", to: string): Envelope {
    this.#number += 1;
    return { direction, from: this.session, to, number: this.#number, outcome: "ok" };
  }

  async #send(address: string, to: string, body: Uint8Array, carry: Carry): Promise<Uint8Array> {
    const envelope = this.#envelope("request", to);
    const frame = await carry(sealFrame(this.#secret, { envelope, body }));
    const answer = this.#unseal(frame);
    if (answer === "wrong_secret") {
      throw new TransportError("wrong_secret", `${address} answers with another fleet.secret`);
    }
    if (answer === "version") {
      throw new TransportError("version", `${address} speaks ${versionsOf(frame)}`);
    }
    if (answer === "malformed" || !isAnswerTo(envelope, answer.envelope)) {
      throw new TransportError(
        "malformed",
        `${address} does not answer as a sibling: it may be no fleet.listen address, or hold another fleet.secret`,
      );
    }
    this.#met.set(address, answer.envelope.to);
    const { outcome } = answer.envelope;
    if (outcome === "ok") return answer.body;
    throw new TransportError(faultNamed(outcome), `${address} refused the message: ${outcome}`);
  }

  #unseal(frame: Uint8Array): ReturnType<typeof openFrame> {
    const opened = openFrame(this.#secret, frame);
    if (typeof opened !== "string") this.#receivedBytes += frame.length;
    return opened;
  }

  #open(frame: Uint8Array, direction: Envelope["direction"]): Unsealed | TransportFault {
    const opened = this.#unseal(frame);
    const fault =
      typeof opened === "string" || opened.envelope.direction === direction ? opened : "malformed";
    if (typeof fault === "string") this.count(fault);
    return fault;
  }

  async #take({ envelope, body }: Unsealed): Promise<Uint8Array | TransportFault> {
    const fault = this.#faultOf(envelope);
    if (fault !== undefined) {
      // Being told the session is how a first contact begins; it is no attack.
      if (envelope.to !== "none" || fault !== "replayed") this.count(fault);
      return fault;
    }
    this.#receiving += 1;
    try {
      return await this.#receive(body);
    } catch (error) {
      const reason = error instanceof TransportError ? error.fault : "unreachable";
      this.count(reason);
      return reason;
    } finally {
      this.#receiving -= 1;
    }
  }

  #faultOf({ direction, from, to, number }: Envelope): TransportFault | undefined {
    if (from === this.session) return "self";
    if (direction === "request" && to !== this.session) return "replayed";
    if (this.#receiving >= RECEIVES_MAX) return "busy";
    // Notices travel apart from requests and may be overtaken by them.
    return this.#admit(`${direction} ${from}`, number) ? undefined : "replayed";
  }

  /** Whether this number of the session is new; if so it is taken. */
  #admit(session: string, number: number): boolean {
    const taken = this.#heard.get(session) ?? { latest: 0, mask: 1 };
    if (!takes(taken, number)) return false;
    this.#heard.delete(session);
    this.#heard.set(session, taken);
    if (this.#heard.size > SESSIONS_MAX) {
      const oldest = this.#heard.keys().next();
      if (!oldest.done) this.#heard.delete(oldest.value);
    }
    return true;
  }
}

function isAnswerTo(request: Envelope, answer: Envelope): boolean {
  return answer.direction === "answer" && answer.from === request.from && answer.number === request.number;
}

function faultNamed(outcome: string): TransportFault {
  return TRANSPORT_FAULTS.find((fault) => fault === outcome) ?? "malformed";
}
