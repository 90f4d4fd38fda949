// The states that one process can be in, each met once. What an input leads to is worked out once per state, by a real
// replica that is played up to there from its start, and remembered: two fleets that differ only in what the others do
// share it. That is what makes the search deep, for most of its steps are looked up.
//
// It is only right if a state's text tells all that matters. So each time a state is moved by an input, what comes of it
// is held against what came of the same text before, in whatever history: if that ever differs, the search fails.
import { WHOLE } from "../../../src/bucket/parts.ts";
import { addMessage, numberOf, Sketch, type Shape, together } from "./describe.ts";
import { type Input, type Letter, letterOf, type Name, Process, type Root, type Sent } from "./process.ts";

/** Processes that are kept where they are, in case that is where the search goes on. */
const KEPT_MAX = 4000;

/** What a state means for the promise. */
export interface Facts {
  /** Whether it may take. */
  readonly isAdmitting: boolean;
  /** The parts that it believes to hold, none below zero. */
  readonly share: number;
  /** What it has spent and not got back; the same of each id, as far as it has heard. */
  readonly spent: number;
  readonly heard: ReadonlyMap<string, number>;
  /** Units that it could take, and of which calendar period; those of a later one apart. */
  readonly level: number;
  readonly period: number;
  readonly aheadUnits: number;
  readonly aheadPeriod: number;
  readonly running: number;
  readonly isWaiting: boolean;
  readonly hasWork: boolean;
  readonly isWriting: boolean;
  readonly hasLeft: boolean;
  readonly hasBackup: boolean;
  /** It asks what its siblings remember before it admits anything. */
  readonly isRecovering: boolean;
  readonly id: string;
  /** Who holds how much, as it knows. */
  readonly view: string;
  /** What is broken in this replica by itself; empty: nothing. */
  readonly fault: string;
}

/** A state of a process. */
export interface Life {
  readonly id: number;
  readonly root: Root;
  readonly shape: Shape;
  readonly facts: Facts;
  readonly origin: { readonly life: Life; readonly input: Input } | null;
  readonly outcomes: Map<string, Outcome>;
}

export interface Outcome {
  readonly life: Life;
  readonly letters: readonly Letter[];
  readonly admitted: number;
  readonly returned: number;
}

export class Lives {
  readonly #lives = new Map<string, Life>();
  readonly #letters = new Map<string, Letter>();
  readonly #kept = new Map<Life, Process>();
  /** What came of a text and an input. */
  readonly #known = new Map<string, string>();
  /** Inputs that were worked out by a replica. */
  played = 0;

  get count(): number {
    return this.#lives.size;
  }

  start(root: Root): Life {
    return this.#lifeOf(new Process(root), null);
  }

  /** A process that is started on a copy of another's disk, in place of `onto`. */
  copy(original: Life, onto: Life): Life {
    const process = this.#processAt(original);
    this.#kept.set(original, process);
    const starts = Math.max(original.root.starts, onto.root.starts) + 1;
    const { disk, days } = process;
    return this.#lifeOf(
      new Process({ ...onto.root, starts, days, disk, backup: null, isRestored: false }),
      null,
    );
  }

  /** What an input leads to. */
  move(life: Life, input: Input): Outcome {
    const key = keyOf(input);
    let outcome = life.outcomes.get(key);
    if (outcome === undefined) {
      outcome = this.#play(life, input);
      life.outcomes.set(key, outcome);
      this.#compare(life, input, outcome);
    }
    return outcome;
  }

  #play(life: Life, input: Input): Outcome {
    this.played += 1;
    const process = this.#processAt(life);
    if (input.kind === "crash" || input.kind === "restore") {
      const next = new Process(restartOf(process, input));
      return { life: this.#lifeOf(next, null), letters: [], admitted: 0, returned: 0 };
    }
    process.play(input);
    const { sent, admitted, returned } = process;
    const letters = sent.map((one) => this.#letterOf(one, life.root.name));
    return { life: this.#lifeOf(process, { life, input }), letters, admitted, returned };
  }

  #processAt(life: Life): Process {
    const kept = this.#kept.get(life);
    if (kept !== undefined) {
      this.#kept.delete(life);
      return kept;
    }
    const inputs: Exclude<Input, { kind: "crash" | "restore" }>[] = [];
    for (let { origin } = life; origin !== null; origin = origin.life.origin) {
      if (origin.input.kind !== "crash" && origin.input.kind !== "restore") inputs.push(origin.input);
    }
    const process = new Process(life.root);
    for (const input of inputs.toReversed()) process.play(input);
    return process;
  }

  #lifeOf(process: Process, origin: Life["origin"]): Life {
    const shape = process.shape();
    const key = `${shape.id} ${JSON.stringify(shape.versions)}`;
    let life = this.#lives.get(key);
    if (life === undefined) {
      const { root } = process;
      life = { id: this.#lives.size, root, shape, facts: factsOf(process), origin, outcomes: new Map() };
      this.#lives.set(key, life);
    }
    this.#kept.set(life, process);
    if (this.#kept.size > KEPT_MAX) this.#forgetOldest();
    return life;
  }

  #forgetOldest(): void {
    for (const oldest of this.#kept.keys()) {
      this.#kept.delete(oldest);
      return;
    }
  }

  #letterOf(sent: Sent, from: Name): Letter {
    const letter = letterOf(sent, from);
    const sketch = new Sketch();
    sketch.add(from, sent.to, sent.isAnswer);
    addMessage(sketch, letter.message);
    const shape = sketch.finish();
    const key = `${shape.id} ${JSON.stringify(shape.versions)}`;
    let known = this.#letters.get(key);
    if (known === undefined) {
      known = { ...letter, id: this.#letters.size, shape };
      this.#letters.set(key, known);
    }
    return known;
  }

  #compare(life: Life, input: Input, { life: next, letters, admitted }: Outcome): void {
    const before = together([life.shape, input.kind === "hear" ? input.letter.shape : null]);
    const from = numberOf(`${before} ${input.kind === "hear" ? "" : keyOf(input)}`);
    const to = `${together([next.shape, ...letters.map(({ shape }) => shape)])} ${admitted}`;
    const known = this.#known.get(String(from));
    if (known === undefined) this.#known.set(String(from), to);
    else if (known !== to)
      throw new Error(`the text of a state does not tell all that matters: ${keyOf(input)}`);
  }
}

/** An input as a text, the same for the same input. */
function keyOf(input: Input): string {
  if (input.kind === "hear") return `hear ${input.letter.id}`;
  return Object.values(input).join(" ");
}

function restartOf(process: Process, input: Input & { kind: "crash" | "restore" }): Root {
  const { root, disk, written, backup, days } = process;
  const next = { ...root, starts: root.starts + 1, days, backup };
  if (input.kind === "crash")
    return { ...next, isRestored: false, disk: input.isWritten ? (written ?? disk) : disk };
  if (backup === null) throw new Error("there is no backup");
  return { ...next, isRestored: input.isMarked, disk: backup, backup: null };
}

function factsOf(process: Process): Facts {
  const { replica, bucket, written, running } = process;
  const { state, journal } = replica;
  return {
    isAdmitting: state.isAdmitting && state.ledger.lineage !== null,
    share: Math.min(WHOLE, Math.max(0, state.ledger.share(bucket.holding.rows, state.me.id))),
    level: Math.max(0, levelNow(process)),
    spent: bucket.spent - bucket.returned,
    heard: heardBy(process),
    period: bucket.period,
    aheadUnits: Math.max(0, bucket.aheadUnits),
    aheadPeriod: bucket.aheadPeriod,
    running: running.reduce((sum, cost) => sum + cost, 0),
    isWaiting: bucket.holding.waiting !== null,
    hasWork: journal.hasWork,
    isWriting: written !== null,
    hasLeft: replica.hasLeft,
    hasBackup: process.backup !== null,
    isRecovering: state.isRecovering,
    id: state.me.id,
    view: viewOf(process),
    fault: faultOf(process),
  };
}

/** A level is brought up to date when it is looked at; here nothing may change by being looked at. */
function levelNow({ bucket, nowMs }: Process): number {
  const refilled = bucket.level + Math.max(0, nowMs - bucket.atMs) * bucket.ratePerMs;
  return Math.min(Math.max(bucket.capacity, bucket.level), refilled);
}

function heardBy({ bucket }: Process): ReadonlyMap<string, number> {
  const rows = [...bucket.holding.rows.entries];
  return new Map(rows.map(([author, { row }]) => [author, row.spent - row.returned]));
}

function holdersOf({ replica, bucket }: Process): Map<string, number> {
  const { ledger } = replica.state;
  const { rows } = bucket.holding;
  const ids = new Set([...ledger.members.keys(), ...rows.balances.keys(), ...ledger.succession.values()]);
  if (ledger.lineage !== null) ids.add(ledger.lineage.founder);
  const holders = new Map<string, number>();
  for (const id of ids) if (!ledger.succession.has(id)) holders.set(id, ledger.share(rows, id));
  return holders;
}

function viewOf(process: Process): string {
  const holders = [...holdersOf(process)].filter(([, parts]) => parts !== 0);
  return holders
    .map(([id, parts]) => `${id.slice(0, 3)} ${parts}`)
    .sort()
    .join(", ");
}

/** The shares that a replica knows of add up to the whole, and its own is the one that it works with. */
function faultOf(process: Process): string {
  const { replica, bucket } = process;
  const { ledger, me } = replica.state;
  try {
    replica.check();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  if (ledger.lineage === null) return "";
  let sum = 0;
  for (const parts of holdersOf(process).values()) sum += parts;
  if (sum !== WHOLE) return `${replica.id} knows of shares of ${sum / WHOLE} in all`;
  const share = ledger.share(bucket.holding.rows, me.id);
  if (bucket.share !== share) return `${replica.id} works with ${bucket.share} parts and holds ${share}`;
  return "";
}
