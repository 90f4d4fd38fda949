// The small model, searched to the end: three real replicas share three units that never come back, and every sequence
// of so many steps is played. A step is a take, an exchange (whole, or with its answer lost), a write to the disk, or a
// crash and restart, with the write that was under way on the disk or not. No random test can miss an order of events
// that this one plays. What must hold in every state reached: no more than three units were ever admitted, and the
// shares that a replica knows of add up to the whole.
import type { Limit } from "../../src/bucket/limit.ts";
import { WHOLE } from "../../src/bucket/parts.ts";
import { load, PREFIX } from "../../src/fleet/journal.ts";
import type { Bucket } from "../../src/fleet/quota.ts";
import { Replica } from "../../src/fleet/replica.ts";
import { MemoryStore } from "../../src/store/memory.ts";

const CAPACITY = 3;
const LIMIT: Limit = {
  key: "p/requests",
  dimension: "requests",
  capacity: CAPACITY,
  // As good as never: what is admitted in all is what matters.
  refill: { kind: "continuous", unitsPerMs: 1e-12 },
};
const STEP_MS = 100;
const NAMES = ["a", "b", "c"] as const;
type Name = (typeof NAMES)[number];

class Process {
  readonly name: Name;
  readonly disk = new Map<string, Uint8Array>();
  #replica: Replica | undefined;
  #bucket: Bucket | undefined;
  /** The write under way. */
  #batch: readonly (readonly [string, Uint8Array | null])[] | null = null;

  constructor(name: Name) {
    this.name = name;
  }

  get replica(): Replica {
    if (this.#replica === undefined) throw new Error("not started");
    return this.#replica;
  }

  get bucket(): Bucket {
    if (this.#bucket === undefined) throw new Error("not started");
    return this.#bucket;
  }

  start(nowMs: number): void {
    const replica = new Replica({
      loaded: load(new MemoryStore({ contents: this.disk }).entries(PREFIX)),
      newId: this.name.repeat(32),
      nowMs,
      instant: { bootId: "machine", monotonicMs: nowMs, wallMs: nowMs },
      membership: {
        name: this.name,
        hasPeers: true,
        // `a` founds at its first tick. Nobody waits for what the siblings remember: the worst case.
        foundAfterMs: this.name === "a" ? 0 : Infinity,
        bootGraceMs: 0,
        reclaimAfterMs: Infinity,
        unreachableAfterMs: 3000,
      },
    });
    replica.setLinks(NAMES.filter((other) => other !== this.name));
    this.#batch = null;
    this.#replica = replica;
    this.#bucket = replica.open(LIMIT);
    replica.tick(nowMs, nowMs);
  }

  /** Begins to write what is due, or ends the write that has begun. */
  write(nowMs: number): void {
    if (this.#batch === null) {
      const instant = { bootId: "machine", monotonicMs: nowMs, wallMs: nowMs };
      this.#batch = this.replica.journal.collect(nowMs, instant)?.batch ?? null;
      return;
    }
    this.#apply();
    this.replica.journal.written();
  }

  /** Writes until nothing is left to write. */
  flush(nowMs: number): void {
    while (this.#batch !== null || this.replica.journal.hasWork) this.write(nowMs);
  }

  crash(nowMs: number, hasReachedDisk: boolean): void {
    if (hasReachedDisk) this.#apply();
    this.start(nowMs);
  }

  /** Takes a unit if there is one; otherwise a request waits for one. */
  take(nowMs: number): boolean {
    const shortage = this.replica.take([this.bucket], [1], nowMs);
    this.replica.wait(this.bucket, shortage?.reason === "level" ? { cost: 1, sinceMs: nowMs } : null, nowMs);
    return shortage === null;
  }

  #apply(): void {
    for (const [key, value] of this.#batch ?? []) {
      if (value === null) this.disk.delete(key);
      else this.disk.set(key, value);
    }
    this.#batch = null;
  }
}

class Model {
  readonly #processes = new Map<Name, Process>(NAMES.map((name) => [name, new Process(name)]));
  nowMs = 1000;
  admitted = 0;

  constructor() {
    for (const process of this.#processes.values()) process.start(this.nowMs);
  }

  process(name: Name): Process {
    const process = this.#processes.get(name);
    if (process === undefined) throw new Error(`no ${name}`);
    return process;
  }

  take(name: Name): void {
    if (this.process(name).take(this.nowMs)) this.admitted += 1;
  }

  /** One exchange that `from` begins. The answer waits, as it must, until what it tells is durable. */
  exchange(from: Name, to: Name, isAnswerLost: boolean): void {
    const [asking, asked] = [this.process(from), this.process(to)];
    const link = asking.replica.exchange.links.all.get(to);
    if (link === undefined) throw new Error(`no link to ${to}`);
    const received = asked.replica.receive(asking.replica.exchange.request(link), this.nowMs, null);
    if (received.kind !== "taken") return;
    if (received.mustFlush) asked.flush(this.nowMs);
    const answer = asked.replica.answer(received.from);
    if (!isAnswerLost) asking.replica.receive(answer, this.nowMs, to);
  }

  play(step: Step): void {
    this.nowMs += STEP_MS;
    step.play(this);
    for (const { replica } of this.#processes.values()) replica.tick(this.nowMs, this.nowMs);
  }

  /** What is broken in this state; empty: nothing. */
  fault(): string {
    if (this.admitted > CAPACITY) return `${this.admitted} units were admitted of ${CAPACITY}`;
    for (const { name, replica } of this.#processes.values()) {
      const { ledger, holdings } = replica.state;
      const rows = holdings.get(LIMIT.key)?.rows;
      if (ledger.lineage === null || rows === undefined) continue;
      let sum = 0;
      const named = new Set([...ledger.members.keys(), ...rows.balances.keys(), ledger.lineage.founder]);
      for (const id of named) sum += ledger.share(rows, id);
      if (sum !== WHOLE) return `${name} knows of shares of ${sum / WHOLE} in all`;
      replica.check();
    }
    return "";
  }
}

interface Step {
  readonly text: string;
  readonly play: (model: Model) => void;
}

const PAIRS = NAMES.flatMap((from) => NAMES.filter((to) => to !== from).map((to) => [from, to] as const));

const STEPS: readonly Step[] = [
  ...NAMES.map((name) => ({ text: `take ${name}`, play: (model: Model) => model.take(name) })),
  ...NAMES.map((name) => ({
    text: `write ${name}`,
    play: (model: Model) => model.process(name).write(model.nowMs),
  })),
  ...PAIRS.map(([from, to]) => ({
    text: `${from} asks ${to}`,
    play: (model: Model) => model.exchange(from, to, false),
  })),
  ...PAIRS.map(([from, to]) => ({
    text: `${from} asks ${to}, the answer is lost`,
    play: (model: Model) => model.exchange(from, to, true),
  })),
  ...NAMES.map((name) => ({
    text: `crash ${name}, the write under way is lost`,
    play: (model: Model) => model.process(name).crash(model.nowMs, false),
  })),
  ...NAMES.map((name) => ({
    text: `crash ${name}, the write under way has reached the disk`,
    play: (model: Model) => model.process(name).crash(model.nowMs, true),
  })),
];

function flushAll(model: Model): void {
  for (const name of NAMES) model.process(name).flush(model.nowMs);
}

/** Everybody knows everybody, and the founder holds all. */
function meet(model: Model): void {
  flushAll(model);
  for (const round of [1, 2]) {
    for (const [from, to] of PAIRS) model.exchange(from, to, false);
    model.nowMs += round;
    flushAll(model);
  }
}

/** States to begin from; each is reached by steps of its own. */
export const BEGINNINGS: Readonly<Record<string, (model: Model) => void>> = {
  "nobody has met": (model) => flushAll(model),
  "all have met, the founder holds the whole": meet,
  "two wait for units that the founder holds": (model) => {
    meet(model);
    for (const name of ["b", "c"] as const) model.take(name);
  },
  "one unit is left, with the founder, and two wait for it": (model) => {
    meet(model);
    for (const name of ["a", "a", "b", "c"] as const) {
      model.take(name);
      model.process("a").flush(model.nowMs);
    }
  },
  "one unit is left, with its receiver, who has not written it yet": (model) => {
    meet(model);
    for (const name of ["a", "a", "b"] as const) {
      model.take(name);
      model.process("a").flush(model.nowMs);
    }
    model.play({ text: "", play: () => model.exchange("b", "a", false) });
  },
  "each holds a unit or more": (model) => {
    meet(model);
    for (const name of ["b", "c"] as const) {
      model.take(name);
      model.play({ text: "", play: () => model.exchange(name, "a", false) });
      flushAll(model);
      model.process(name).replica.wait(model.process(name).bucket, null, model.nowMs);
    }
  },
};

export interface SearchResult {
  readonly states: number;
  /** The most units that were admitted in any state. */
  readonly admittedMost: number;
  /** The first sequence that broke something, and what; null: none did. */
  readonly fault: { readonly steps: readonly string[]; readonly what: string } | null;
}

/** Plays every sequence of up to `depth` steps from a beginning. */
export function searchAll(begin: (model: Model) => void, depth: number): SearchResult {
  let states = 0;
  let admittedMost = 0;
  const path: Step[] = [];
  const replay = (): Model => {
    const model = new Model();
    begin(model);
    for (const step of path) model.play(step);
    return model;
  };
  const visit = (): SearchResult["fault"] => {
    const model = replay();
    states += 1;
    admittedMost = Math.max(admittedMost, model.admitted);
    const what = model.fault();
    if (what !== "") return { steps: path.map(({ text }) => text), what };
    if (path.length === depth) return null;
    for (const step of STEPS) {
      path.push(step);
      const fault = visit();
      path.pop();
      if (fault !== null) return fault;
    }
    return null;
  };
  const fault = visit();
  return { states, admittedMost, fault };
}
