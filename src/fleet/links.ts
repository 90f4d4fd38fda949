// When to talk to whom. A link is a way to a sibling: an address from the configuration or from DNS. Which replica
// answers there is learnt from its answer. Each link carries one exchange at a time, and starts one
//   at once           after units were given to the replica behind it,
//   at once (paced)   when a request begins to wait for units, to those that hold most of them,
//   every 100 ms      while there is news, along a few links picked at random so that a large fleet stays quiet,
//   every second      as a sign of life, likewise,
//   every 200 ms      while this replica looks for its fleet, along all of them.
import type { Vector } from "../bucket/ledger.ts";
import type { Member } from "../bucket/member.ts";
import { compareStamps, NEVER } from "../bucket/row.ts";
import type { Random } from "../clock.ts";

const ROUND_MS = 100;
const HEARTBEAT_MS = 1000;
const SEEK_MS = 200;
/** Links that a round goes along. */
const FANOUT = 3;
/** Pace of exchanges for waiting requests: a new one asks almost at once, and the time doubles while they bring nothing. */
const HURRY_MS = 1;
const PACE_MIN_MS = 4;
const PACE_MAX_MS = 100;
/**
 * An exchange without an answer for this long doesn't keep the next from starting; a late answer is taken all the same.
 * It follows the time that answers took lately and doubles with each failure, as TCP does it (RFC 6298): an answer after
 * a failure may be to either exchange and tells no time, so the longer patience stays until one comes at the first try.
 */
const ANSWER_MS = 200;
const ANSWER_MIN_MS = 20;
const ANSWER_MAX_MS = 800;
const DOUBLINGS_MAX = 6;
/** A link that failed so many times in a row, and for so long, is tried less often. */
const FAILURES_MAX = 5;
const FAILING_MS = 1000;

export class Link {
  readonly name: string;
  /** The replica behind it; empty until it has answered. */
  peer = "";
  /** It leads back to this very replica. */
  isSelf = false;
  /** Since when an exchange is under way; Infinity when none is. */
  sentMs = -Infinity;
  isBusy = false;
  hasAnswered = false;
  /** Since when, without a break, nobody listens there; Infinity while somebody may. */
  absentSinceMs = Infinity;
  /** It was silent or strange at some time: somebody may be there who can't be reached. */
  isDoubtful = false;
  newsSent = -1;
  /** Something for the replica behind it is ready. */
  isUrgent = false;
  /** There is more than fitted into the last message. */
  hasMore = false;
  paceMs = HURRY_MS;
  failures = 0;
  /** How long answers take, and by how much that varies; NaN before the first. */
  roundTripMs = Number.NaN;
  variationMs = 0;
  doublings = 0;
  answeredMs = -Infinity;
  /** Members of whom the peer knows less than we do, and no more than when it was heard before: it can't ask others. */
  stuck: ReadonlySet<string> = new Set();

  constructor(name: string) {
    this.name = name;
  }

  /** How long to wait for an answer now. A peer that is only slow, or has much to answer, is not asked over and over. */
  get patienceMs(): number {
    const usualMs = Number.isNaN(this.roundTripMs)
      ? ANSWER_MS
      : Math.max(ANSWER_MIN_MS, this.roundTripMs + 4 * this.variationMs);
    return Math.min(ANSWER_MAX_MS, usualMs * 2 ** this.doublings);
  }

  isFailing(nowMs: number): boolean {
    return this.failures > FAILURES_MAX && nowMs - this.answeredMs >= FAILING_MS;
  }

  /** Learns from an answer at the first try. */
  timed(tookMs: number): void {
    this.doublings = 0;
    if (Number.isNaN(this.roundTripMs)) {
      this.roundTripMs = tookMs;
      this.variationMs = tookMs / 2;
      return;
    }
    this.variationMs += (Math.abs(tookMs - this.roundTripMs) - this.variationMs) / 4;
    this.roundTripMs += (tookMs - this.roundTripMs) / 8;
  }
}

/** What the links need to know of the replica. */
export interface Occasion {
  readonly nowMs: number;
  readonly news: number;
  readonly isSeeking: boolean;
  /** Whom to ask for units that requests here wait for; empty while none waits. */
  readonly asked: ReadonlySet<string>;
}

interface Answer {
  readonly sender: string;
  readonly vector: Vector;
  /** Nothing of it is left for a later message. */
  readonly isWhole: boolean;
}

/** The first link from there on that does not fail; where all do, the one that is there. */
function answeringFrom(links: readonly Link[], start: number, nowMs: number): Link | undefined {
  for (let step = 0; step < links.length; step++) {
    const link = links[(start + step) % links.length];
    if (link?.isFailing(nowMs) === false) return link;
  }
  return links[start];
}

function slower(paceMs: number): number {
  return Math.min(PACE_MAX_MS, Math.max(PACE_MIN_MS, paceMs * 2));
}

function stuckOf(
  before: Vector | undefined,
  after: Vector,
  members: ReadonlyMap<string, Member>,
): ReadonlySet<string> {
  const stuck = new Set<string>();
  for (const member of members.values()) {
    const known = after.get(member.id) ?? NEVER;
    if (compareStamps(known, member) >= 0) continue;
    if (compareStamps(before?.get(member.id) ?? NEVER, known) >= 0) stuck.add(member.id);
  }
  return stuck;
}

export class Links {
  readonly all = new Map<string, Link>();
  /** Whether these are all that there are, as far as can be known: names were resolved, a broker is connected. */
  areAllKnown = true;
  readonly #random: Random;
  /** What each peer knew when it last spoke. */
  readonly vectors = new Map<string, Vector>();
  #roundMs = -Infinity;
  /** When the next exchange for a waiting request is due, if nothing happens before; Infinity: at no time. */
  pacedUntilMs = Infinity;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Replaces the set of links; those that stay keep their state. */
  set(names: Iterable<string>): void {
    const wanted = new Set(names);
    for (const name of this.all.keys()) {
      if (wanted.has(name)) continue;
      this.all.delete(name);
      this.#askAnew();
    }
    for (const name of wanted) if (!this.all.has(name)) this.all.set(name, new Link(name));
  }

  to(peer: string): Link | undefined {
    for (const link of this.all.values()) if (link.peer === peer) return link;
    return undefined;
  }

  /** The links on which an exchange is to start now; each is marked as busy. */
  due(occasion: Occasion): Link[] {
    const links = [...this.all.values()].filter((link) => !link.isSelf);
    const round = this.#round(links, occasion.nowMs);
    this.pacedUntilMs = Infinity;
    const due = links.filter((link) => {
      const patienceMs = occasion.isSeeking ? ANSWER_MS : link.patienceMs;
      if (link.isBusy && occasion.nowMs - link.sentMs >= patienceMs) {
        link.doublings = Math.min(DOUBLINGS_MAX, link.doublings + 1);
        this.#gaveUp(link);
      }
      return !link.isBusy && this.#isDue(link, occasion, round);
    });
    for (const link of due) {
      link.isBusy = true;
      link.isUrgent = false;
      link.hasMore = false;
      link.sentMs = occasion.nowMs;
      link.newsSent = occasion.news;
      if (occasion.asked.has(link.peer)) link.paceMs = slower(link.paceMs);
    }
    return due;
  }

  #isDue(link: Link, occasion: Occasion, round: ReadonlySet<Link>): boolean {
    const sinceMs = occasion.nowMs - link.sentMs;
    if (occasion.isSeeking) return link.isUrgent || sinceMs >= SEEK_MS;
    if (link.isFailing(occasion.nowMs) && sinceMs < HEARTBEAT_MS) return false;
    if (link.isUrgent || link.hasMore) return true;
    if (link.paceMs < PACE_MAX_MS && occasion.asked.has(link.peer)) {
      const dueMs = link.sentMs + link.paceMs;
      if (occasion.nowMs >= dueMs) return true;
      this.pacedUntilMs = Math.min(this.pacedUntilMs, dueMs);
    }
    if (!round.has(link)) return false;
    return link.newsSent !== occasion.news ? sinceMs >= ROUND_MS : sinceMs >= HEARTBEAT_MS;
  }

  /**
   * A few links at random, once per round. Of those that fail only the first counts: a name may stand for hundreds of
   * addresses behind which nobody is any more, and the siblings that are there must be heard all the same.
   */
  #round(links: readonly Link[], nowMs: number): ReadonlySet<Link> {
    if (nowMs - this.#roundMs < ROUND_MS) return new Set();
    this.#roundMs = nowMs;
    if (links.length <= FANOUT) return new Set(links);
    const picked = new Set<Link>();
    for (let tries = 0; picked.size < FANOUT && tries < 4 * FANOUT; tries++) {
      const at = Math.floor(this.#random() * links.length);
      const link = picked.size === 0 ? links[at] : answeringFrom(links, at, nowMs);
      if (link !== undefined) picked.add(link);
    }
    return picked;
  }

  /**
   * Who is gone may have founded a fleet and handed it on since the others answered: that all of them know of none
   * counts only as long as they are the same.
   */
  #askAnew(): void {
    for (const link of this.all.values()) link.hasAnswered = false;
  }

  answered(
    link: Link,
    { sender, vector, isWhole }: Answer,
    members: ReadonlyMap<string, Member>,
    nowMs: number,
  ): void {
    if (link.peer !== "" && link.peer !== sender) this.#askAnew();
    if (link.isBusy && link.failures === 0) link.timed(nowMs - link.sentMs);
    link.answeredMs = nowMs;
    link.isBusy = false;
    link.failures = 0;
    link.absentSinceMs = Infinity;
    if (isWhole) link.hasAnswered = true;
    if (link.peer === sender) link.stuck = stuckOf(this.vectors.get(sender), vector, members);
    link.peer = sender;
  }

  /** `absentMs`: the moment at which nobody listened there for sure. */
  failed(link: Link, absentMs = Infinity): void {
    link.isDoubtful ||= absentMs === Infinity;
    link.absentSinceMs = absentMs === Infinity ? Infinity : Math.min(link.absentSinceMs, absentMs);
    this.#gaveUp(link);
  }

  /** The exchange under way brought no answer. */
  #gaveUp(link: Link): void {
    link.isBusy = false;
    link.failures += 1;
  }

  /** A new request waits: ask without delay. */
  hurry(): void {
    for (const link of this.all.values()) link.paceMs = HURRY_MS;
  }
}
