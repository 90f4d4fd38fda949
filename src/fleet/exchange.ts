// Messages out and in: what to tell a peer, and which messages are taken at all.
import { Malformed, UnknownVersion } from "../bucket/codec.ts";
import { decodeMessage, encodeMessage, type Message, type WholeMessage } from "../bucket/message.ts";
import type { Vector } from "../bucket/ledger.ts";
import { digestOf, type Entry } from "../bucket/member.ts";
import { compareStamps, NEVER, type Stamp } from "../bucket/row.ts";
import { crowdedBy } from "./crowding.ts";
import { hasHidden } from "./holding.ts";
import type { Link, Links, Occasion } from "./links.ts";
import { isAcquainted, toldFarewells } from "./farewell.ts";
import { mergeMessage, type MergeReport, nothingMerged } from "./merging.ts";
import { goOnAsNewcomer, heed, oweWhatWasMinted } from "./recovery.ts";
import type { ReplicaState } from "./state.ts";
import { MESSAGE_BYTES_MAX } from "./transport.ts";
import { supersede } from "./renewal.ts";

/** Entries in one message (see the ledger's `delta`), so that to make or to take it holds nobody up for more than milliseconds; more follow in the next. */
const ENTRIES_MAX = 500;
/** How far behind the latest a message of one sender may come in. */
const SERIALS_BEHIND_MAX = 256;

export interface Outgoing {
  readonly link: string;
  readonly bytes: Uint8Array;
}

export type Received =
  | {
      readonly kind: "taken";
      readonly from: string;
      readonly wantsAnswer: boolean;
      /** Units were given that the answer can show only after a flush. */
      readonly mustFlush: boolean;
      readonly report: MergeReport;
    }
  /** Nothing was changed by it. */
  | { readonly kind: "refused"; readonly reason: RefusalReason; readonly detail: string };

/** `overtaken`: its sender has begun again under the same id since, and was heard as that before. */
export type RefusalReason = "malformed" | "version" | "oversized" | "repeated" | "overtaken" | "own";

const NOTHING: Vector = new Map();

interface Serials {
  boot: number;
  highest: number;
  readonly seen: Set<number>;
  /** The digest of the farewells that it knows, as it said last in this boot; NaN: it has not said. */
  carriedOut: number;
}

export class Exchange {
  readonly #state: ReplicaState;
  readonly links: Links;
  /** The numbers of messages that were heard of each sender, in its latest boot. */
  readonly serials = new Map<string, Serials>();
  #serial = 0;
  #noticed: Stamp = NEVER;

  constructor(state: ReplicaState, links: Links) {
    this.#state = state;
    this.links = links;
  }

  /** The messages to send now. */
  due(occasion: Occasion): Outgoing[] {
    const { toTell } = this.#state;
    for (const receiver of toTell) {
      const link = this.links.to(receiver);
      if (link !== undefined) link.isUrgent = true;
    }
    toTell.clear();
    return this.links.due(occasion).map((link) => ({ link: link.name, bytes: this.request(link) }));
  }

  request(link: Link): Uint8Array {
    return this.#encode(link.peer, this.#knownBy(link.peer), link, true);
  }

  /** The answer to a message that was taken: what its sender lacks. */
  answer(to: string): Uint8Array {
    this.#state.toTell.delete(to);
    return this.#encode(to, this.#knownBy(to), this.links.to(to), false);
  }

  /** What a peer is known to have heard; `null` when it is not known, or when it is to be told nothing. */
  #knownBy(peer: string): Vector | null {
    const { me, durableId, supersededByBoot, ledger } = this.#state;
    if (durableId !== me.id || ledger.lineage === null || !isAcquainted(this.#state)) return null;
    // One that is superseded speaks only to the process that goes on in its place.
    if (supersededByBoot > 0 && peer !== me.id) return null;
    return this.links.vectors.get(peer) ?? null;
  }

  /** What this replica said since the last notice, for everybody at once; `null` when that is nothing. */
  notice(): Uint8Array | null {
    const { ledger, me, isRecovering, durableId, supersededByBoot } = this.#state;
    if (ledger.lineage === null || isRecovering || compareStamps(this.#noticed, me) >= 0) return null;
    if (durableId !== me.id || supersededByBoot > 0 || !isAcquainted(this.#state)) return null;
    if (this.#isHalfTold()) return null;
    const known = ledger.vector();
    known.set(me.id, this.#noticed);
    const bytes = this.#encode("", known, undefined, false);
    this.#noticed = { boot: me.boot, version: me.version };
    return bytes;
  }

  /** `known: null`: the peer is told nothing, and only asked. */
  #encode(peer: string, known: Vector | null, link: Link | undefined, wantsAnswer: boolean): Uint8Array {
    const state = this.#state;
    const { ledger, me } = state;
    const base = known === null ? NOTHING : this.#base(known, wantsAnswer ? link : undefined);
    const sections = known === null ? [] : ledger.delta(base, ENTRIES_MAX, (entry) => this.#isHidden(entry));
    const isWhole = known !== null && isWholeOf(sections);
    if (link !== undefined && known !== null && !isWhole) link.hasMore = true;
    const vector = ledger.vector();
    if (state.isRecovering) vector.set(me.id, state.passedBack.get(peer) ?? NEVER);
    if (state.durableId !== me.id) vector.delete(me.id);
    this.#serial += 1;
    const told = toldFarewells(state);
    const carriedOut = digestOf(told);
    const bytes = encodeMessage({
      sender: me.id,
      boot: me.boot,
      serial: this.#serial,
      lineage: ledger.lineage,
      wantsAnswer,
      isLeaving: state.isLeaving,
      isAware: isWhole && this.#isAwareOf(peer),
      receiver: this.#heardAs(peer),
      vector,
      era: me.profile.era,
      forgotten: ledger.forgotten,
      farewells: told.length > 0 && this.serials.get(peer)?.carriedOut === carriedOut ? null : told,
      carriedOut,
      sections,
    });
    state.counts.sent += 1;
    return bytes;
  }

  /** Whether it is told, to one that is about to leave, that nothing more will be given to it: all that was can be seen. */
  #isAwareOf(peer: string): boolean {
    const { ledger, isRecovering, holdings } = this.#state;
    const isLeaving = ledger.members.get(peer)?.isLeaving === true;
    return isLeaving && !isRecovering && !hasHidden(holdings.values());
  }

  /** An address may have passed to another replica: whom this was heard of is said with it. */
  #heardAs(peer: string): Message["receiver"] {
    const boot = this.serials.get(peer)?.boot;
    return boot === undefined ? null : { id: peer, boot };
  }

  /**
   * What a message builds on. An answer holds all that its receiver lacks. A request knows only what the peer lacked
   * when it was last heard, and the peer asks others too: so it holds what this replica says itself, and of others
   * only what the peer does not get to know by itself. A sibling that forgot what it gave is told everything of it.
   * One that still asks what it said itself speaks of others only: they may be started anew, and ask it the same.
   */
  #base(known: Vector, link: Link | undefined): Vector {
    const { setBack, ledger, me, isRecovering } = this.#state;
    const isSilent = isRecovering || this.#isHalfTold();
    if (setBack.size === 0 && link === undefined && !isSilent) return known;
    const base = new Map<string, Stamp>(known);
    if (isSilent) base.set(me.id, me);
    if (link !== undefined) {
      for (const member of ledger.members.values()) {
        if (member !== me && !link.stuck.has(member.id)) base.set(member.id, member);
      }
    }
    for (const id of setBack) base.set(id, NEVER);
    return base;
  }

  /**
   * It has left, and a row of it can't be told before it is durable: what it gave would be missing from what it is known to
   * have handed over. So it says nothing of itself until then.
   */
  #isHalfTold(): boolean {
    const { me, holdings } = this.#state;
    return me.hasLeft && hasHidden(holdings.values());
  }

  #isHidden(entry: Entry): boolean {
    if (entry.author !== this.#state.me) return false;
    return this.#state.holdings.get(entry.bucket.key)?.isHidden ?? false;
  }

  /** Takes a message that came in on a link (an answer) or from anywhere (`null`). */
  receive(bytes: Uint8Array, link: Link | null): Received {
    const { counts } = this.#state;
    counts.received += 1;
    const parsed = this.#parse(bytes);
    if (parsed.kind === "refused") {
      counts.refused += 1;
      if (link !== null) this.links.failed(link);
      return parsed;
    }
    return this.#take(this.#asAddressed(parsed.message), link);
  }

  /**
   * A message may go by what this replica said that it knows, but not by what it said before it was started anew, when its
   * disk may have gone back in time, nor by what it has forgotten since. Nothing is taken of such a one.
   */
  #asAddressed(message: Message): WholeMessage {
    const { farewells, receiver } = message;
    if (farewells !== null) return { ...message, farewells };
    const { me } = this.#state;
    const told = toldFarewells(this.#state);
    const isKnown = digestOf(told) === message.carriedOut;
    if (receiver?.id === me.id && receiver.boot === me.boot && isKnown)
      return { ...message, farewells: told };
    return { ...message, farewells: [], sections: [] };
  }

  #parse(
    bytes: Uint8Array,
  ): { readonly kind: "message"; readonly message: Message } | (Received & { kind: "refused" }) {
    if (bytes.length > MESSAGE_BYTES_MAX) {
      return { kind: "refused", reason: "oversized", detail: `${bytes.length} bytes` };
    }
    try {
      return { kind: "message", message: decodeMessage(bytes) };
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      const reason = error instanceof UnknownVersion ? "version" : "malformed";
      return { kind: "refused", reason, detail: error.message };
    }
  }

  #take(message: WholeMessage, link: Link | null): Received {
    const state = this.#state;
    const isWhole = isWholeOf(message.sections);
    const refusal = this.#refusalOf(message, link);
    if (refusal !== null) {
      state.counts.refused += 1;
      // Also one whose answers are refused, for a boot before one that was heard, is to be told why.
      if (link !== null && link.peer === "") link.peer = message.sender;
      return refusal;
    }
    if (link !== null) this.links.answered(link, { ...message, isWhole }, state.ledger.members, state.nowMs);
    if (message.sender === state.me.id) return this.#meetTwin(message);
    // Whose name is not on its disk yet may be gone with the next kill: it would be waited for for good.
    const isUnwritten = !message.vector.has(message.sender);
    if (isUnwritten || this.#isOutdated(message)) {
      this.links.vectors.delete(message.sender);
      const { sender: from, wantsAnswer } = message;
      return { kind: "taken", from, wantsAnswer, mustFlush: false, report: nothingMerged(state, message) };
    }
    this.links.vectors.set(message.sender, message.lineage === null ? new Map() : message.vector);
    const report = mergeMessage(state, message);
    this.#heedSigns(message);
    state.contact.meet(state.nowMs);
    state.counts.merges += 1;
    if (report.rule === "other fleet") this.links.vectors.set(message.sender, new Map());
    if (link !== null && !isWhole) link.hasMore = true;
    const { sender: from, wantsAnswer } = message;
    return { kind: "taken", from, wantsAnswer, mustFlush: report.hasGiven, report };
  }

  /**
   * Another process runs from a copy of this disk. The one that was started later goes on, and learns what the other
   * said and spent; the other admits nothing from this moment on, and so its word is the last.
   */
  #meetTwin(message: WholeMessage): Received {
    const state = this.#state;
    const { sender: from, boot, wantsAnswer, sections, vector } = message;
    if (boot > state.me.boot) supersede(state, boot);
    this.links.vectors.set(from, vector);
    for (const section of sections) {
      if (section.author === from && boot < state.me.boot) heed(state, section, message);
    }
    return { kind: "taken", from, wantsAnswer, mustFlush: false, report: nothingMerged(state, message) };
  }

  /** What it says of itself for the time being; of two messages the one that was sent later counts. */
  #heedSigns({ sender, serial, carriedOut, isLeaving, isAware }: WholeMessage): void {
    const serials = this.serials.get(sender);
    if (serials?.highest !== serial) return;
    serials.carriedOut = carriedOut;
    const member = this.#state.ledger.members.get(sender);
    if (member === undefined) return;
    member.isLeaving = isLeaving;
    member.isAware = isAware;
  }

  #refusalOf(message: WholeMessage, link: Link | null): (Received & { kind: "refused" }) | null {
    const { me } = this.#state;
    if (message.sender === me.id && message.boot === me.boot) {
      if (link !== null) link.isSelf = true;
      return { kind: "refused", reason: "own", detail: "the message is from this replica itself" };
    }
    if (message.boot < (this.serials.get(message.sender)?.boot ?? 0))
      return { kind: "refused", reason: "overtaken", detail: "its sender has begun again since" };
    if (this.#isRepeated(message)) {
      return { kind: "refused", reason: "repeated", detail: "the message was seen before" };
    }
    const detail = crowdedBy(message, this.#state.ledger);
    return detail === null ? null : { kind: "refused", reason: "oversized", detail };
  }

  /**
   * Rows from before what everybody has carried out are not taken: they were on their way for long, or come from a
   * replica that was away for long. That one notices by itself, for the others have forgotten more than it has seen.
   */
  #isOutdated(message: WholeMessage): boolean {
    const { era, lineage, sections, farewells } = message;
    const state = this.#state;
    const { ledger } = state;
    if (lineage === null || lineage.stamp !== ledger.lineage?.stamp) return false;
    // One that has left and comes back is to hear that it was forgotten; one that leaves comes back later, if it does.
    if (state.isLeaving && state.me.hasLeft) {
      const isTakenOver = farewells.some(({ gone }) => gone === state.me.id);
      state.isLeftBehind ||= isTakenOver || message.forgotten > state.profile.era;
    } else if (this.#isGone(message)) {
      oweWhatWasMinted(state);
      goOnAsNewcomer(state, farewells);
      return true;
    }
    if (state.isLeftBehind) return true;
    return (sections.length > 0 || farewells.length > 0) && era < ledger.forgotten;
  }

  /**
   * Whether this replica has been forgotten, or its rows were taken over. Of two sides that do so to each other only one
   * can be of the later era.
   */
  #isGone({ era, forgotten, farewells }: WholeMessage): boolean {
    const { profile, me } = this.#state;
    const { id } = me;
    return forgotten > profile.era || (era > profile.era && farewells.some(({ gone }) => gone === id));
  }

  /** What was kept of those who are members no more. */
  #forgetStrangers(): void {
    const { members } = this.#state.ledger;
    for (const id of this.serials.keys()) if (!members.has(id)) this.serials.delete(id);
    for (const id of this.links.vectors.keys()) if (!members.has(id)) this.links.vectors.delete(id);
  }

  #isRepeated({ sender, boot, serial }: Message): boolean {
    let serials = this.serials.get(sender);
    if (serials === undefined) this.#forgetStrangers();
    if (serials === undefined || boot > serials.boot) {
      serials = { boot, highest: serial, seen: new Set(), carriedOut: Number.NaN };
      this.serials.set(sender, serials);
    }
    if (serial <= serials.highest - SERIALS_BEHIND_MAX) return true;
    if (serials.seen.has(serial)) return true;
    serials.seen.add(serial);
    serials.highest = Math.max(serials.highest, serial);
    if (serials.seen.size > 2 * SERIALS_BEHIND_MAX) {
      for (const old of serials.seen)
        if (old <= serials.highest - SERIALS_BEHIND_MAX) serials.seen.delete(old);
    }
    return false;
  }
}

/** Whether nothing of what it tells is left for a later message. */
function isWholeOf(sections: Message["sections"]): boolean {
  return sections.every((section) => section.profile !== null);
}
