// A fleet in a world, with the requests that it serves and the promise that is checked after every event.
import type { Limit } from "../../src/bucket/limit.ts";
import { WHOLE } from "../../src/bucket/parts.ts";
import type { MembershipOptions } from "../../src/fleet/membership.ts";
import type { Bucket } from "../../src/fleet/quota.ts";
import { Desk, type Request } from "./desk.ts";
import { Claims } from "./doubled.ts";
import type { Fork } from "./forks.ts";
import { type Fleet, Machine } from "./machine.ts";
import { Oracle, rateOf } from "./oracle.ts";
import type { Truth } from "./shared.ts";
import { World } from "./world.ts";

export interface ClusterOptions {
  readonly seed: number;
  readonly machines: number;
  readonly limits: readonly Limit[];
  readonly membership?: Partial<MembershipOptions>;
  /** Parts may come to exist twice: replicas are declared dead, disks set back or copied. */
  readonly mayDouble?: boolean;
  /** What is shared beside the buckets: limits can be set at run time. */
  readonly truth?: Truth | null;
}

export class Broken extends Error {
  override readonly name = "Broken";
}

export class Cluster implements Fleet {
  readonly world: World;
  readonly machines = new Map<string, Machine>();
  readonly givenUp = new Set<string>();
  readonly desks = new Map<string, Desk>();
  readonly limits: readonly Limit[];
  readonly membership: Omit<MembershipOptions, "name">;
  readonly oracles: readonly Oracle[];
  readonly forks = new Set<Fork>();
  readonly truth: Truth | null;
  readonly #mayDouble: boolean;
  #isFounded = false;
  readonly #claims: Claims | null;
  /** The largest capacity of each bucket that was ever in force anywhere. */
  readonly #capacityMost = new Map<string, number>();

  constructor({ seed, machines, limits, membership, mayDouble = false, truth = null }: ClusterOptions) {
    this.world = new World(seed);
    this.limits = limits;
    this.membership = {
      hasPeers: machines > 1,
      foundAfterMs: Infinity,
      foundsUnheard: true,
      bootGraceMs: 1000,
      reclaimAfterMs: Infinity,
      unreachableAfterMs: 3000,
      ...membership,
    };
    this.oracles = limits.map((limit) => new Oracle(limit));
    this.#mayDouble = mayDouble;
    this.#claims = mayDouble && Number.isFinite(this.membership.reclaimAfterMs) ? new Claims() : null;
    this.truth = truth;
    for (let index = 0; index < machines; index++) this.add(`m${index}`);
    this.world.afterEvent = () => this.check();
  }

  /** A new machine with an empty disk; it isn't started. */
  add(name: string): Machine {
    const machine = new Machine(name, this);
    this.desks.set(name, new Desk(machine, this.oracles));
    return machine;
  }

  remove(name: string): void {
    const machine = this.machines.get(name);
    if (machine !== undefined) this.#claims?.forget(machine);
    this.machines.delete(name);
    this.desks.delete(name);
  }

  startAll(): void {
    for (const machine of this.machines.values()) machine.start();
  }

  room(machine: Machine, _bucket: Bucket): void {
    const desk = this.desks.get(machine.name);
    if (desk !== undefined && desk.line.length > 0) this.world.after(0, () => desk.serve());
  }

  crashed(machine: Machine): void {
    this.desks.get(machine.name)?.crashed();
  }

  arrive(name: string, request: Request): void {
    this.desks.get(name)?.arrive(request);
  }

  /** The promise of every bucket, and each replica's own invariants. */
  check(): void {
    if (this.#mayDouble || this.truth !== null) this.#measure();
    for (const oracle of this.oracles) {
      if (oracle.isBroken) {
        throw new Broken(`${oracle.limit.key} is over by ${oracle.over} at ${this.world.nowMs} ms`);
      }
    }
  }

  /** Gives the oracles what all parts can hold, those that exist twice counted twice. */
  #measure(): void {
    const { nowMs } = this.world;
    this.#claims?.look(this.machines.values());
    for (const fork of this.forks) {
      const fault = fork.look(this.machines.values(), this.oracles, nowMs);
      if (fault !== "") throw new Broken(fault);
    }
    for (const oracle of this.oracles) {
      const { limit } = oracle;
      const capacity = this.#capacityOf(limit);
      const unitsPerMs = rateOf(limit) * (capacity / limit.capacity);
      const displaced = limit.refill.kind === "held" ? this.#displaced(limit.key) : 0;
      oracle.resize({ capacity, unitsPerMs, displaced }, nowMs);
      // A fleet is founded with full buckets, of the limits that its founder knows.
      if (!this.#isFounded) oracle.level = capacity;
    }
    this.#isFounded ||= [...this.machines.values()].some(
      ({ replica }) => (replica?.state.ledger.lineage ?? null) !== null,
    );
    for (const fork of this.forks) if (fork.isOver) this.forks.delete(fork);
  }

  /**
   * What all parts of a bucket can hold. Each is of the limit that its holder knows, or that its disk knows where that is
   * more, for a kill brings that back; those that are on their way, or on the disk of a machine that is down, of the largest
   * that they may come back with: a lower limit that came and went meanwhile has not clamped them.
   */
  #capacityOf(limit: Limit): number {
    const { key, capacity } = limit;
    const parts = this.#partsOf(key);
    if (this.truth === null) return capacity * (parts / WHOLE);
    let left = parts;
    let sum = 0;
    let mostEver = Math.max(capacity, this.#capacityMost.get(key) ?? 0);
    for (const machine of this.machines.values()) {
      const local = machine.replica?.state.holdings.get(key)?.local;
      if (local === undefined || local === null) continue;
      mostEver = Math.max(mostEver, local.limit.capacity);
      const share = machine.isSuperseded ? 0 : Math.max(0, local.share);
      sum += share * Math.max(local.limit.capacity, machine.durableLimit(limit).capacity);
      left -= share;
    }
    this.#capacityMost.set(key, mostEver);
    return (sum + Math.max(0, left) * mostEver) / WHOLE;
  }

  /** All parts of a bucket that there are, those that exist twice counted twice. */
  #partsOf(key: string): number {
    let parts = WHOLE;
    for (const fork of this.forks) parts += fork.parts(key);
    if (this.#claims !== null) return parts + this.#claims.parts(key);
    for (const { replica } of this.machines.values()) {
      parts += Math.max(0, -(replica?.state.holdings.get(key)?.local?.share ?? 0));
    }
    return parts;
  }

  /** Running requests that hold no part: their replica lost it, or another goes on under its identity. */
  #displaced(key: string): number {
    let running = 0;
    for (const { replica, isSuperseded } of this.machines.values()) {
      const local = replica?.state.holdings.get(key)?.local;
      if (local === undefined || local === null) continue;
      running += isSuperseded ? local.capacity - local.level : Math.max(0, -local.level);
    }
    return running;
  }

  /** What is missing of the whole; empty: nothing, nor is any part on its way. */
  missing(): string {
    for (const { key } of this.limits) {
      let held = 0;
      for (const { replica } of this.machines.values())
        held += replica?.state.holdings.get(key)?.local?.share ?? 0;
      if (held !== WHOLE) return `${held} parts of ${key} are held in the end, of ${WHOLE}`;
    }
    return "";
  }

  /** Invariants that cost too much for every event. */
  checkDeep(): void {
    for (const { limit } of this.oracles) {
      let held = 0;
      for (const { replica, isSuperseded } of this.machines.values()) {
        // Who leaves admits nothing any more, and what it keeps waits on its disk.
        if (replica === null || isSuperseded || replica.membership.isLeaving) continue;
        held += Math.max(0, replica.state.holdings.get(limit.key)?.local?.share ?? 0);
      }
      const parts = this.#partsOf(limit.key);
      if (held > parts) throw new Broken(`${held} parts of ${limit.key} are held, of ${parts}`);
    }
    for (const { name, replica } of this.machines.values()) {
      if (replica === null) continue;
      replica.check();
      const { ledger } = replica.state;
      if (ledger.lineage === null) continue;
      for (const { local, rows } of replica.state.holdings.values()) {
        const share = ledger.share(rows, replica.id);
        if (local !== null && local.share !== share) {
          throw new Broken(`${name} works with ${local.share} parts of ${rows.key}, but holds ${share}`);
        }
      }
      for (const rows of ledger.buckets.values()) {
        const holders = new Set([
          ...ledger.members.keys(),
          ...rows.balances.keys(),
          ...ledger.succession.values(),
          ledger.lineage.founder,
        ]);
        let sum = 0;
        for (const id of holders) sum += ledger.succession.has(id) ? 0 : ledger.share(rows, id);
        if (sum !== WHOLE) throw new Broken(`${name} sees ${sum} parts of ${rows.key}, not the whole`);
      }
    }
  }

  /** Whether all running replicas hold the same replicated state. */
  differences(): string[] {
    const states = [...this.machines.values()].flatMap(({ name, replica }) =>
      replica === null ? [] : [{ name, text: describe(replica.state.ledger) }],
    );
    return states.filter(({ text }) => text !== states[0]?.text).map(({ name }) => name);
  }

  get admitted(): number {
    return this.oracles[0]?.admitted ?? 0;
  }
}

type Ledger = NonNullable<Machine["replica"]>["state"]["ledger"];

/** Everything replicated but the gauges' ages, in one canonical text. */
function describe(ledger: Ledger): string {
  const rows = [...ledger.buckets.values()].map((bucket) => ({
    key: bucket.key,
    rows: [...bucket.entries.values()]
      .map(({ author, row }) => ({
        author: author.id,
        spent: row.spent,
        returned: row.returned,
        given: [...row.given].sort(([left], [right]) => (left < right ? -1 : 1)),
      }))
      .sort((left, right) => (left.author < right.author ? -1 : 1)),
  }));
  const members = [...ledger.members.values()].map(({ id, profile }) => ({
    id,
    name: profile.name,
    heirs: profile.heirs,
    claims: [...profile.claims.keys()].sort(),
  }));
  return JSON.stringify({
    lineage: ledger.lineage,
    rows: rows.sort((left, right) => (left.key < right.key ? -1 : 1)),
    members: members.sort((left, right) => (left.id < right.id ? -1 : 1)),
  });
}
