// Each replica keeps its share of the limits that *it* knows, so one that did not get the latest configuration lets through more
// or less than its siblings think. Nothing else would show it: so each tells its limits (limit-sheet.ts), and where they differ
// for longer than a roll-out takes, the log says so once, and `GET /fleet`, `sluice status` and a metric for as long as it lasts.
//
//     limits in force ──▶ board: told-limits/REPLICA ──▶ siblings: compare with their own
import type { Clock } from "../../clock.ts";
import type { LimitSpec } from "../../config/config.ts";
import type { RunningReplica } from "../../fleet/shell.ts";
import { type LimitDifference, type MemberView, membersOf } from "../../fleet/view.ts";
import type { Log, Sample } from "../../observe/events.ts";
import { gauge } from "../../observe/sample.ts";
import {
  differencesOf,
  type LimitSheet,
  packSheet,
  type SheetDifference,
  sheetOf,
  unpackSheet,
} from "./limit-sheet.ts";

const PREFIX = "told-limits/";

/** A roll-out takes less. */
const LASTING_MS = 60_000;
/** Limits that change all the time, as while client keys are made, are told this often at most. */
const TELL_EVERY_MS = 5000;
/** What nobody tells anew is of a replica that is gone. */
const KEPT_MS = 3_600_000;
const RENEW_MS = KEPT_MS / 2;
/** Siblings come to differ one after the other; the log is told of all of them at once. */
const SETTLED_MS = 5000;
/** Limits that one line of the log names. */
const NAMED_MAX = 10;

export interface FleetLimitsParts {
  readonly replica: Pick<RunningReplica, "replica" | "board">;
  readonly clock: Clock;
  readonly log: Log;
  /** The limits in force, by their names in the fleet. */
  readonly limits: () => ReadonlyMap<string, LimitSpec>;
}

/** What a sibling's latest word comes to. */
interface Compared {
  readonly word: Uint8Array;
  readonly own: LimitSheet;
  readonly found: readonly SheetDifference[];
  /** Since when its limits have been others, in elapsed milliseconds; Infinity: they are the same. */
  readonly sinceMs: number;
  /** They have been others for longer than a roll-out takes. */
  readonly isLasting: boolean;
}

export class FleetLimits {
  readonly #parts: FleetLimitsParts;
  #own: LimitSheet | null = null;
  #isChanged = true;
  #toldMs = -Infinity;
  #toldAs = "";
  #siblings: ReadonlyMap<string, Compared> = new Map();
  #differences: readonly LimitDifference[] = [];
  /** What the log was told last, and what it is to be told once that has stood for a while. */
  #logged = "";
  #found = { text: "", sinceMs: 0 };

  constructor(parts: FleetLimitsParts) {
    this.#parts = parts;
    parts.replica.board.retain(PREFIX, KEPT_MS);
  }

  /** Limits have changed here. */
  changed(): void {
    this.#isChanged = true;
  }

  /** Those that have differed for longer than a roll-out takes. */
  get differences(): readonly LimitDifference[] {
    return this.#differences;
  }

  *samples(): Iterable<Sample> {
    const help = "Limits that have not been the same here and at some sibling for a minute.";
    yield gauge("sluice_fleet_differing_limits", help, this.#differences.length);
  }

  /** To be called about every second. */
  look(): void {
    const { replica, clock } = this.#parts;
    const nowMs = clock.elapsedMs();
    const siblings = membersOf(replica.replica, nowMs).filter(
      ({ is_self, state }) => !is_self && state !== "gone",
    );
    if (siblings.length === 0 && this.#siblings.size === 0) return;
    const own = this.#tell(replica.replica.id, nowMs);
    this.#siblings = this.#compare(siblings, own, nowMs);
    this.#differences = grouped(siblings, this.#siblings);
    this.#say(nowMs);
  }

  #tell(id: string, nowMs: number): LimitSheet {
    const sinceMs = nowMs - this.#toldMs;
    const isDue = this.#isChanged && sinceMs >= TELL_EVERY_MS;
    if (this.#own !== null && !isDue && this.#toldAs === id && sinceMs < RENEW_MS) return this.#own;
    const { replica, limits } = this.#parts;
    this.#isChanged = false;
    this.#toldMs = nowMs;
    this.#toldAs = id;
    this.#own = sheetOf(limits());
    replica.board.offer(PREFIX + id, packSheet(this.#own));
    return this.#own;
  }

  /** Those siblings that have told their limits. What one that is silent was seen with last stands: its latest word may be old. */
  #compare(siblings: readonly MemberView[], own: LimitSheet, nowMs: number): ReadonlyMap<string, Compared> {
    const compared = new Map<string, Compared>();
    for (const { replica, state } of siblings) {
      const before = this.#siblings.get(replica);
      const word = this.#parts.replica.board.get(PREFIX + replica)?.value;
      if (state === "live" && word !== undefined) compared.set(replica, compare(word, own, before, nowMs));
      else if (before !== undefined) compared.set(replica, before);
    }
    return compared;
  }

  #say(nowMs: number): void {
    const lines = this.#differences.map(inWords);
    const text = lines.join("\n");
    if (text !== this.#found.text) this.#found = { text, sinceMs: nowMs };
    if (text === this.#logged || nowMs - this.#found.sinceMs < SETTLED_MS) return;
    this.#logged = text;
    const { log } = this.#parts;
    if (lines.length === 0) {
      log.info("limits are the same at all siblings again");
      return;
    }
    log.warn("limits differ between instances, and each keeps its share of its own", {
      limits: lines.slice(0, NAMED_MAX),
      ...(lines.length > NAMED_MAX ? { more: lines.length - NAMED_MAX } : {}),
      what_to_do: "give all instances the same limits; `sluice status` shows what differs",
    });
  }
}

function compare(word: Uint8Array, own: LimitSheet, before: Compared | undefined, nowMs: number): Compared {
  const isSame = before !== undefined && before.word === word && before.own === own;
  const found = isSame ? before.found : differencesWith(word, own);
  const sinceMs = found.length === 0 ? Infinity : Math.min(before?.sinceMs ?? Infinity, nowMs);
  return { word, own, found, sinceMs, isLasting: nowMs - sinceMs >= LASTING_MS };
}

function differencesWith(word: Uint8Array, own: LimitSheet): readonly SheetDifference[] {
  const theirs = unpackSheet(word);
  return theirs === null ? [] : differencesOf(own, theirs);
}

/** One for all siblings that have the same. */
function grouped(
  siblings: readonly MemberView[],
  compared: ReadonlyMap<string, Compared>,
): readonly LimitDifference[] {
  const found = new Map<string, SheetDifference & { readonly at: string[] }>();
  for (const { replica, name } of siblings) {
    const { isLasting = false, found: differences = [] } = compared.get(replica) ?? {};
    for (const difference of isLasting ? differences : []) {
      const key = `${difference.limit ?? ""}\n${difference.there ?? ""}`;
      const group = found.get(key) ?? { ...difference, at: [] };
      group.at.push(name || replica);
      found.set(key, group);
    }
  }
  return [...found.values()].sort((left, right) => ((left.limit ?? "") < (right.limit ?? "") ? -1 : 1));
}

/** `main/requests/min is 100 at gw-2, and 50 here`. */
function inWords({ limit, here, there, at }: LimitDifference): string {
  const siblings = at.length > NAMED_MAX ? `${at.length} siblings` : at.join(", ");
  if (limit === null) return `one of many limits is another at ${siblings}`;
  return `${limit} is ${there ?? "no limit"} at ${siblings}, and ${here ?? "none"} here`;
}
