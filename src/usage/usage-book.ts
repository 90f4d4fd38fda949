// Totals of use by client key, provider, model and day. Requests only add to a map in memory; about every second that is
// added to this replica's pages in the fleet's replicated map, where it is durable and siblings see it. So a process that
// is killed takes with it what it counted in its last second.
//
//     settled, ended ──▶ pending ──(a second)──▶ this replica's pages of the day ──▶ store, siblings
import type { Clock } from "../clock.ts";
import type { Board } from "../fleet/board.ts";
import type { Posted } from "../fleet/shared-map.ts";
import type { RequestRecord, Usage } from "../observe/events.ts";
import {
  type Counts,
  decodePage,
  Draft,
  encodePage,
  NO_COUNTS,
  OTHER,
  type Row,
  rowId,
  type Subject,
} from "./counts.ts";
import { dayIn, dayOf, pageKey, USAGE_PREFIX } from "./days.ts";

/** A replica's pages of one day; about 1,200 rows of ordinary length. */
const PAGES = 64;
/** Rows of one second; more come only from a client that invents names. */
const PENDING_MAX = 5000;

const DAY_MS = 86_400_000;
/** How often to look after the pages of days that are over; first when the siblings have long been heard. */
const TIDY_EVERY_MS = 60_000;
const TIDY_AFTER_MS = 600_000;
/** After this nobody adds to a day's pages, however much clocks disagree. */
const FINAL_AFTER_MS = 2 * DAY_MS;

interface UsageOptions {
  readonly board: Board;
  readonly clock: Clock;
  /** The replica's id: names its pages. */
  readonly replica: string;
  /** Whether this replica is the one that looks after pages of ended processes. */
  readonly isElder?: () => boolean;
  /** Whether the configuration has this model. Others get a row of their own only once they have been used. */
  readonly isListed: (provider: string, model: string) => boolean;
}

/** The use of one row's subject on one day. */
export interface DayRow extends Row {
  readonly day: string;
}

interface Tally {
  readonly subject: Subject;
  requests: number;
  errors: number;
  inputTokens: number;
  outputTokens: number;
  cachedInputTokens: number;
  cacheWriteTokens: number;
  microUsd: number;
}

/** What was counted since the last flush. Found by the names themselves: to join and hash them costs more than all the rest. */
class Pending {
  readonly tallies: Tally[] = [];
  readonly #byKey = new Map<string, Map<string, Map<string, Tally>>>();

  of(subject: Subject): Tally {
    const byProvider = within(this.#byKey, subject.key);
    const byModel = within(byProvider, subject.provider);
    const known = byModel.get(subject.model);
    if (known !== undefined) return known;
    if (this.tallies.length >= PENDING_MAX && subject !== OTHER) return this.of(OTHER);
    const tally = { subject, ...NO_COUNTS };
    byModel.set(subject.model, tally);
    this.tallies.push(tally);
    return tally;
  }
}

function within<V>(map: Map<string, Map<string, V>>, name: string): Map<string, V> {
  let inner = map.get(name);
  if (inner === undefined) {
    inner = new Map();
    map.set(name, inner);
  }
  return inner;
}

export class UsageBook {
  readonly #options: UsageOptions;
  #pending = new Pending();
  #tidyMs: number;

  constructor(options: UsageOptions) {
    this.#options = options;
    this.#tidyMs = options.clock.elapsedMs() + TIDY_AFTER_MS;
  }

  /** Keeps days for so long. */
  keepDays(days: number): void {
    this.#options.board.retain(USAGE_PREFIX, days * DAY_MS);
  }

  /** An attempt was settled with this. */
  settled(subject: Subject, usage: Usage, microUsd: number): void {
    if (usage.inputTokens === 0 && usage.outputTokens === 0) return;
    const tally = this.#pending.of(subject);
    tally.inputTokens += usage.inputTokens;
    tally.outputTokens += usage.outputTokens;
    tally.cachedInputTokens += usage.cachedInputTokens;
    tally.cacheWriteTokens += usage.cacheWriteTokens;
    tally.microUsd += microUsd;
  }

  /** A request is over. One without a key counts for an empty name, but not when it reached no provider: strangers could fill the rows. */
  ended({ keyName, provider, model, outcome }: RequestRecord): void {
    if (keyName === "" && provider === "") return;
    const tally = this.#pending.of({ key: keyName, provider, model });
    tally.requests += 1;
    if (outcome !== "ok" && outcome !== "client_gone") tally.errors += 1;
  }

  /** Pages stay for weeks, and each names the run of the process that wrote it in every message: one goes on for all. */
  #tidy(): void {
    const { board, clock, isElder } = this.#options;
    const nowMs = clock.elapsedMs();
    if (nowMs < this.#tidyMs) return;
    this.#tidyMs = nowMs + TIDY_EVERY_MS;
    if (isElder?.() !== true) return;
    const firstOpen = dayOf(clock.wallMs() - FINAL_AFTER_MS);
    board.adopt(USAGE_PREFIX, (key) => (dayIn(key) ?? firstOpen) < firstOpen);
  }

  /** Adds what was counted to this replica's pages. */
  flush(): void {
    this.#tidy();
    const pending = this.#pending.tallies;
    if (pending.length === 0) return;
    this.#pending = new Pending();
    const day = dayOf(this.#options.clock.wallMs());
    const drafts = this.#drafts(day);
    const places = new Map(
      drafts.flatMap((draft) => [...draft.page.keys()].map((id) => [id, draft] as const)),
    );
    for (const { subject, ...counts } of pending) {
      const named = this.#named(subject, counts);
      const id = rowId(named);
      const draft = places.get(id) ?? this.#begin(drafts, named);
      if (draft === null) drafts[0]?.addOther(counts);
      else {
        draft.add(named, counts);
        places.set(id, draft);
      }
    }
    const { board, replica } = this.#options;
    for (const [index, draft] of drafts.entries()) {
      if (draft.isChanged) board.offer(pageKey(day, replica, index), encodePage(draft.page));
    }
  }

  /** This replica's pages of a day, in the order in which they were begun. */
  #drafts(day: string): Draft[] {
    const { board, replica } = this.#options;
    const drafts: Draft[] = [];
    for (let index = 0; index < PAGES; index++) {
      const posted = board.get(pageKey(day, replica, index));
      if (posted === undefined) break;
      drafts.push(new Draft(decodePage(posted.value)));
    }
    return drafts;
  }

  /** Where a subject gets its row: the last page, or a new one; null: nowhere. Keys and limits have to find room too. */
  #begin(drafts: Draft[], subject: Subject): Draft | null {
    const last = drafts.at(-1);
    if (last?.hasRoom(subject) === true) return last;
    if (last !== undefined && (drafts.length >= PAGES || !this.#options.board.isRoomy)) return null;
    const fresh = new Draft(new Map());
    drafts.push(fresh);
    return fresh.hasRoom(subject) ? fresh : null;
  }

  /** Clients can name any model; one that no provider has answered for shares a row with others. */
  #named(subject: Subject, { inputTokens, outputTokens }: Counts): Subject {
    const { provider, model } = subject;
    const isKnown =
      provider === "" || inputTokens + outputTokens > 0 || this.#options.isListed(provider, model);
    return isKnown ? subject : { ...subject, model: OTHER.model };
  }

  /** The fleet's use on these days, both included, by all that is told apart; rows of different replicas are not added up. */
  async *rows(from: string, to: string): AsyncIterable<DayRow> {
    this.flush();
    // What is replaced meanwhile would be met twice.
    const pages = [...this.#options.board.entries(USAGE_PREFIX)];
    for (const [index, { key, value }] of pages.entries()) {
      if (index % PAGES_AT_ONCE === PAGES_AT_ONCE - 1) await new Promise(setImmediate);
      yield* rowsOf({ key, value }, from, to);
    }
  }
}

/** Reading a page takes some 20 µs; requests must not wait for thousands of them. */
const PAGES_AT_ONCE = 100;

function* rowsOf({ key, value }: Pick<Posted, "key" | "value">, from: string, to: string): Iterable<DayRow> {
  const day = dayIn(key);
  if (day === null || day < from || day > to) return;
  for (const row of decodePage(value).values()) yield { day, ...row };
}
