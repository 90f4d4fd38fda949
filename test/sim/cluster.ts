// A fleet in a world, with the requests that it serves and the promise that is checked after every event.
import type { Limit } from "../../src/bucket/limit.ts";
import { WHOLE } from "../../src/bucket/parts.ts";
import type { MembershipOptions } from "../../src/fleet/membership.ts";
import type { Bucket } from "../../src/fleet/quota.ts";
import { Desk, type Request } from "./desk.ts";
import { type Fleet, Machine } from "./machine.ts";
import { Oracle } from "./oracle.ts";
import { World } from "./world.ts";

export interface ClusterOptions {
  readonly seed: number;
  readonly machines: number;
  readonly limits: readonly Limit[];
  readonly membership?: Partial<MembershipOptions>;
}

export class Broken extends Error {
  override readonly name = "Broken";
}

export class Cluster implements Fleet {
  readonly world: World;
  readonly machines = new Map<string, Machine>();
  readonly desks = new Map<string, Desk>();
  readonly limits: readonly Limit[];
  readonly membership: Omit<MembershipOptions, "name">;
  readonly oracles: readonly Oracle[];

  constructor({ seed, machines, limits, membership }: ClusterOptions) {
    this.world = new World(seed);
    this.limits = limits;
    this.membership = {
      hasPeers: machines > 1,
      foundAfterMs: Infinity,
      bootGraceMs: 1000,
      reclaimAfterMs: Infinity,
      unreachableAfterMs: 3000,
      ...membership,
    };
    this.oracles = limits.map((limit) => new Oracle(limit));
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
    for (const oracle of this.oracles) {
      if (oracle.isBroken) {
        throw new Broken(`${oracle.limit.key} is over by ${oracle.over} at ${this.world.nowMs} ms`);
      }
    }
  }

  /** Invariants that cost too much for every event. */
  checkDeep(): void {
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
    heir: profile.heir,
    claims: [...profile.claims.keys()].sort(),
  }));
  return JSON.stringify({
    lineage: ledger.lineage,
    rows: rows.sort((left, right) => (left.key < right.key ? -1 : 1)),
    members: members.sort((left, right) => (left.id < right.id ? -1 : 1)),
  });
}
