// Processes that run from a disk that is not the latest of their identity: it was set back to an earlier copy, or a copy
// of it runs as well. The siblings remember what the identity gave and spent, so one that heard from all of them before
// it admits anything must know what any of them knew, or start with burnt levels: that is checked. What is left open by
// design is measured, and no unit more is allowed: what nobody had heard of yet can be spent again, and of one that
// could not ask within the grace time, what its old disk says, once, and what parts that exist twice refill.
import { WHOLE } from "../../src/bucket/parts.ts";
import type { Replica } from "../../src/fleet/replica.ts";
import { redirected } from "../../src/fleet/farewell.ts";
import { type Given, missing } from "./doubled.ts";
import type { Machine } from "./machine.ts";
import type { Oracle } from "./oracle.ts";

/** Rounding of totals that passed through records and messages. */
const SLACK = 2e-3;

/** What is known of one bucket of an identity. */
interface Said {
  readonly given: Given;
  /** Units taken and not returned. */
  readonly net: number;
  /** Parts that it holds. */
  readonly share: number;
}

type AllSaid = Map<string, Said>;

const NOTHING_SAID: Said = { given: new Map(), net: 0, share: 0 };

/** What a process says of itself; gives that nobody can have seen are left out when it is about to die. */
function saidBy({ state }: Replica): AllSaid {
  const said = new Map<string, Said>();
  for (const [key, { given, local }] of state.holdings) {
    if (local !== null) said.set(key, { given, net: local.spent - local.returned, share: local.share });
  }
  return said;
}

/** What a replica has heard of an identity. */
function heardBy({ state }: Replica, id: string): AllSaid {
  const heard = new Map<string, Said>();
  for (const [key, { rows, local }] of state.holdings) {
    const row = rows.entries.get(id)?.row;
    if (row === undefined) continue;
    // What ran then runs no more.
    const net = local?.limit.refill.kind === "held" ? -Infinity : row.spent - row.returned;
    heard.set(key, { given: row.given, net, share: 0 });
  }
  return heard;
}

interface Witness {
  readonly machine: Machine;
  readonly life: number;
  readonly heard: AllSaid;
}

export class Fork {
  /** The process that runs from the older disk. */
  machine: Machine;
  /** Another process of this identity that may admit; null: there was one, and `#truth` is what it left. */
  #twin: Machine | null;
  #truth: AllSaid = new Map();
  /** What both began from. */
  #base: AllSaid | null = null;
  /** What the process made of its disk. */
  #restored: AllSaid = new Map();
  #startedMs = 0;
  #life = 0;
  /** The identity on its disk. */
  #id = "";
  /** The identity of which `#truth` is. */
  #truthId: string;
  #hasAdmitted = false;
  /** What the process said when it last ran beside its twin. */
  #latest: AllSaid = new Map();
  #witnesses: readonly Witness[] = [];
  /** Parts of each bucket that came in until now, for which units were lent. */
  readonly #lentFor = new Map<string, number>();

  /** A disk that is about to be set back. */
  static setBack(machine: Machine): Fork {
    const fork = new Fork(machine, null);
    if (machine.replica !== null) fork.#truth = saidBy(machine.replica);
    return fork;
  }

  /** A disk of which a copy is about to be started. */
  static copied(machine: Machine, original: Machine): Fork {
    return new Fork(machine, original);
  }

  private constructor(machine: Machine, twin: Machine | null) {
    this.machine = machine;
    this.#twin = twin;
    this.#truthId = machine.replica?.id ?? "";
  }

  get hasTwin(): boolean {
    return this.#twin !== null;
  }

  isOf(machine: Machine): boolean {
    return this.machine === machine || this.#twin === machine;
  }

  /** Looks at the processes; to be called after every event. Returns what the design does not allow, or nothing. */
  look(machines: Iterable<Machine>, oracles: readonly Oracle[], nowMs: number): string {
    this.#lookAtTwin(oracles, nowMs);
    const { replica, life } = this.machine;
    if (replica === null) return "";
    if (this.#twin !== null) this.#latest = saidBy(replica);
    if (this.#life !== life) this.#begin(replica, machines, nowMs);
    if (this.#twin === null) this.#redirect(replica);
    if (this.#hasAdmitted && this.#twin !== null) this.#lendMore(replica, oracles, nowMs);
    if (this.#hasAdmitted || !replica.state.isAdmitting) return "";
    this.#hasAdmitted = true;
    if (!replica.state.isBurnt) this.#lend(replica, oracles, nowMs);
    return this.#unasked(replica, nowMs) || this.#untold(replica);
  }

  #begin(replica: Replica, machines: Iterable<Machine>, nowMs: number): void {
    this.#life = this.machine.life;
    this.#hasAdmitted = false;
    this.#startedMs = nowMs;
    this.#id = replica.id;
    this.#restored = saidBy(replica);
    this.#base ??= this.#restored;
    const witnesses: Witness[] = [];
    for (const machine of machines) {
      const other = machine.replica;
      if (other === null || this.isOf(machine) || other.state.isRecovering) continue;
      if (other.state.supersededByBoot > 0 || other.state.ledger.lineage === null) continue;
      witnesses.push({ machine, life: machine.life, heard: heardBy(other, replica.id) });
    }
    this.#witnesses = witnesses;
  }

  /** Who was given something may be spoken for by another now, and be forgotten later. */
  #redirect({ state }: Replica): void {
    const { members } = state.ledger;
    for (const [key, { given, net, share }] of this.#truth) {
      if (![...given.keys()].some((receiver) => (members.get(receiver)?.farewell ?? null) !== null)) continue;
      this.#truth.set(key, { given: redirected(state, given, []), net, share });
    }
  }

  /** Of two processes the earlier boot stops; what it had said by then is what the other may not know. */
  #lookAtTwin(oracles: readonly Oracle[], nowMs: number): void {
    const twin = this.#twin;
    if (twin === null) return;
    if (this.machine.isSuperseded) {
      this.#twin = this.machine;
      this.machine = twin;
      this.#life = twin.life;
      this.#hasAdmitted = true;
      this.#lookAtTwin(oracles, nowMs);
      return;
    }
    if (twin.replica !== null) {
      this.#truth = saidBy(twin.replica);
      this.#truthId = twin.replica.id;
    }
    if (!twin.isSuperseded) return;
    this.#twin = null;
    const { replica } = this.machine;
    for (const oracle of oracles) {
      // Units that were given to the other will be credited here once more.
      const ours = replica === null ? 0 : this.#incoming(oracle.limit.key, saidBy(replica));
      const parts = this.#incoming(oracle.limit.key, this.#truth) - ours;
      if (parts > 0) oracle.lend((parts / WHOLE) * oracle.capacity, nowMs);
    }
  }

  /** The parts that came in, by what one process says. */
  #incoming(key: string, said: AllSaid): number {
    const { given, share } = said.get(key) ?? NOTHING_SAID;
    return share + missing(given, this.#base?.get(key)?.given ?? NOTHING_SAID.given);
  }

  #lend(replica: Replica, oracles: readonly Oracle[], nowMs: number): void {
    const ours = saidBy(replica);
    for (const oracle of oracles) {
      const { key } = oracle.limit;
      const { share } = ours.get(key) ?? NOTHING_SAID;
      const { net } = this.#restored.get(key) ?? NOTHING_SAID;
      const truth = this.#truth.get(key) ?? NOTHING_SAID;
      const forgotten = this.parts(key);
      const most = (Math.max(share, forgotten) / WHOLE) * oracle.limit.capacity;
      const respent = Math.max(0, truth.net - net) + (forgotten / WHOLE) * oracle.limit.capacity;
      oracle.lend(this.#twin === null ? Math.min(most, respent) : most, nowMs);
      this.#lentFor.set(key, this.#incoming(key, ours));
    }
  }

  #lendMore(replica: Replica, oracles: readonly Oracle[], nowMs: number): void {
    const ours = saidBy(replica);
    for (const oracle of oracles) {
      const { key, capacity } = oracle.limit;
      const incoming = this.#incoming(key, ours);
      const more = incoming - (this.#lentFor.get(key) ?? 0);
      if (more <= 0) continue;
      oracle.lend((more / WHOLE) * capacity, nowMs);
      this.#lentFor.set(key, incoming);
    }
  }

  /** Siblings that were not asked, and had not had the time to be. */
  #unasked(replica: Replica, nowMs: number): string {
    const links = [...replica.exchange.links.all.values()].filter(({ isSelf }) => !isSelf);
    if (links.every(({ hasAnswered }) => hasAnswered)) return "";
    // A machine that sleeps has time to ask by its own clock only; that is never more.
    const askedMs = nowMs - this.#startedMs;
    return askedMs >= this.machine.fleet.membership.bootGraceMs - 1e-6
      ? ""
      : `${this.machine.name} admits ${askedMs} ms after its start, and has not asked all`;
  }

  /** What a sibling had told, and was not heeded. */
  #untold(replica: Replica): string {
    // It heard that this identity is gone, and is another one now.
    if (replica.id !== this.#id) return "";
    const ours = saidBy(replica);
    for (const { machine, life, heard } of this.#witnesses) {
      if (machine.life !== life || replica.exchange.links.all.get(machine.name)?.hasAnswered !== true)
        continue;
      for (const [key, { given, net }] of heard) {
        const known = ours.get(key) ?? NOTHING_SAID;
        const told = Math.min(net, this.#toldSince(machine, key));
        const spent = told - (this.#restored.get(key)?.net ?? 0);
        if (spent > SLACK && !replica.state.isBurnt)
          return `${this.machine.name} admits though ${machine.name} told of ${spent} more spent of ${key}`;
        const parts = missing(redirected(replica.state, given, []), known.given);
        if (parts > 0)
          return `${this.machine.name} admits though ${machine.name} told of ${parts} parts of ${key} given`;
      }
    }
    return "";
  }

  /** What a sibling has heard by now of what was spent before: the last word of a twin may have given some back. */
  #toldSince(machine: Machine, key: string): number {
    const entry = machine.replica?.state.ledger.buckets.get(key)?.entries.get(this.#id);
    if (entry === undefined || entry.boot >= (this.machine.replica?.state.me.boot ?? 0)) return Infinity;
    return entry.row.spent - entry.row.returned;
  }

  /** Parts of a bucket that exist once more than they should. */
  parts(key: string): number {
    const { replica } = this.machine;
    if (this.#base === null) return 0;
    // What it gave is with others while it is down, too.
    if (this.#twin !== null) return Math.max(0, this.#incoming(key, this.#latest));
    if (replica === null) return 0;
    const ours = replica.state.holdings.get(key)?.given ?? NOTHING_SAID.given;
    // Before its disk was set back it was another already: what this one had is another's.
    if (this.#id !== this.#truthId)
      return replica.id === this.#id ? Math.max(0, replica.state.holdings.get(key)?.local?.share ?? 0) : 0;
    return missing(this.#truth.get(key)?.given ?? NOTHING_SAID.given, ours);
  }

  /** Whether nothing is left of it, and the disk knows that too. */
  get isOver(): boolean {
    if (this.#twin !== null || !this.#hasAdmitted || this.machine.life !== this.#life) return false;
    if (!this.machine.isWritten) return false;
    return [...this.#truth.keys()].every((key) => this.parts(key) === 0);
  }
}
