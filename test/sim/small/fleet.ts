// A state of the small fleet: the states of its three processes and of the network, how much was admitted, and which
// faults may still happen. The network holds one message per direction, which is delivered at any time or never, and is
// lost when the next one is sent; a copy of one can be held back, to arrive late, out of order and a second time.
import { WHOLE } from "../../../src/bucket/parts.ts";
import { together } from "./describe.ts";
import type { Life, Lives, Outcome } from "./lives.ts";
import { type Input, type Letter, type Name, NAMES } from "./process.ts";

/** How often each kind of fault (and what else makes the search wide) may happen on one way. */
export interface Budget {
  readonly crash: number;
  readonly late: number;
  readonly tick: number;
  readonly silence: number;
  readonly giveBack: number;
  readonly giveUp: number;
  readonly fail: number;
  readonly leave: number;
  readonly evict: number;
  readonly restore: number;
  /** A disk goes back without saying so. */
  readonly setBack: number;
  /** `c` is started on a copy of another's disk. */
  readonly copy: number;
  /** Seconds that pass for all. */
  readonly time: number;
  readonly clock: number;
}

export interface Fleet {
  readonly lives: readonly Life[];
  /** By direction, see `DIRECTIONS`. */
  readonly letters: readonly (Letter | null)[];
  readonly late: Letter | null;
  /**
   * Units that are missing from one exact bucket: admitted, not returned and not refilled. Per calendar period; all in
   * one place where there is none.
   */
  readonly used: ReadonlyMap<number, number>;
  /** What may be over: what a disk that went back had spent and nobody else had heard of. */
  readonly forgiven: number;
  readonly budget: Budget;
}

export interface Step {
  readonly text: string;
  readonly to: Fleet;
}

export const DIRECTIONS = NAMES.flatMap((from) =>
  NAMES.filter((to) => to !== from).map((to) => ({ from, to, slot: slotOf(from, to) })),
);

export function slotOf(from: Name, to: Name): number {
  return NAMES.indexOf(from) * 3 + NAMES.indexOf(to);
}

export const NO_LETTERS: readonly null[] = Array.from({ length: 9 }, () => null);

export const NO_BUDGET: Budget = {
  crash: 0,
  late: 0,
  tick: 0,
  silence: 0,
  giveBack: 0,
  giveUp: 0,
  fail: 0,
  leave: 0,
  evict: 0,
  restore: 0,
  setBack: 0,
  copy: 0,
  time: 0,
  clock: 0,
};

/** Equal for two fleets whose parts are the same, versions and all: quicker than `textOf`, and seldom enough different. */
export function exactTextOf({ lives, letters, late, used, forgiven, budget }: Fleet): string {
  let text = late === null ? "" : `${late.id}`;
  for (const life of lives) text += ` ${life.id}`;
  for (const letter of letters) text += letter === null ? "," : `,${letter.id}`;
  for (const [period, units] of used) text += ` ${period}:${units}`;
  return `${text}/${forgiven}${budgetText(budget)}`;
}

function budgetText(budget: Budget): string {
  return `|${budget.crash}${budget.late}${budget.tick}${budget.silence}${budget.giveBack}${budget.giveUp}${budget.fail}${budget.leave}${budget.evict}${budget.restore}${budget.setBack}${budget.copy}${budget.time}${budget.clock}`;
}

/** Equal for two fleets exactly when nothing can tell them apart. */
export function textOf({ lives, letters, late, used, forgiven, budget }: Fleet): string {
  const shapes = [...lives, ...letters, late].map((one) => one?.shape ?? null);
  return `${together(shapes)} ${[...used].join(",")} ${forgiven} ${budgetText(budget)}`;
}

/** What of all that could happen is looked at. */
export interface Scope {
  /** The units that requests ask for. */
  readonly costs: readonly number[];
  /** A request arrives as soon as it is sent, so that the same number of steps leads further. */
  readonly isQuick: boolean;
  /** Who does anything. */
  readonly active: readonly Name[];
}

/** Everything that may happen next. */
export class Steps {
  readonly #lives: Lives;
  readonly #costs: readonly number[];
  readonly #isQuick: boolean;
  readonly #active: readonly Name[];

  constructor(lives: Lives, { costs, isQuick, active }: Scope) {
    this.#lives = lives;
    this.#costs = costs;
    this.#isQuick = isQuick;
    this.#active = active;
  }

  of(fleet: Fleet): Step[] {
    const steps: Step[] = [];
    for (const name of this.#active) {
      const life = fleet.lives[NAMES.indexOf(name)];
      if (life !== undefined && !life.facts.hasLeft) this.#own(fleet, life, name, steps);
    }
    for (const { from, to, slot } of DIRECTIONS) {
      if (this.#active.includes(from) && this.#active.includes(to))
        this.#network(fleet, from, to, slot, steps);
    }
    if (fleet.late !== null) {
      const text = `${fleet.late.to} hears ${fleet.late.from}, late`;
      steps.push({ text, to: this.hear({ ...fleet, late: null }, fleet.late) });
    }
    const { budget } = fleet;
    if (budget.time > 0) {
      const left = { ...budget, time: budget.time - 1 };
      steps.push({ text: "a second passes", to: this.pass({ ...fleet, budget: left }, 1000) });
    }
    if (budget.copy > 0) {
      const left = { ...budget, copy: budget.copy - 1 };
      steps.push({ text: "c is started on a copy of b's disk", to: this.#copy({ ...fleet, budget: left }) });
    }
    return steps;
  }

  /** Time passes for all. */
  pass(fleet: Fleet, ms: number): Fleet {
    const { refill } = fleet.lives[0]?.root.limit ?? { refill: { kind: "held" as const } };
    const refilled = refill.kind === "continuous" ? refill.unitsPerMs * ms : 0;
    const used = new Map([...fleet.used].map(([period, units]) => [period, Math.max(0, units - refilled)]));
    let next: Fleet = { ...fleet, used };
    for (const name of NAMES) {
      const life = next.lives[NAMES.indexOf(name)];
      if (life?.facts.hasLeft === false) next = this.move(next, name, { kind: "tick", ms });
    }
    return next;
  }

  /** What was on its way to or from the process that was there is lost. */
  #copy(fleet: Fleet): Fleet {
    const [, original, onto] = fleet.lives;
    if (original === undefined || onto === undefined) throw new Error("no b or c");
    const letters = fleet.letters.map((letter) =>
      letter?.to === "c" || letter?.from === "c" ? null : letter,
    );
    return { ...fleet, letters, lives: fleet.lives.with(2, this.#lives.copy(original, onto)) };
  }

  /** What nobody heard of a process is forgotten with its disk, and may be spent once more; nor is it heard later. */
  #setBack(fleet: Fleet, life: Life, name: Name): Fleet {
    const { id, spent } = life.facts;
    const heard = fleet.lives.map((other) => (other === life ? 0 : (other.facts.heard.get(id) ?? 0)));
    const forgiven = fleet.forgiven + Math.max(0, spent - Math.max(...heard));
    const letters = fleet.letters.map((letter) => (letter?.from === name ? null : letter));
    const before = { ...fleet, letters, forgiven };
    return this.move(before, name, { kind: "restore", isMarked: false });
  }

  /** What a process does by itself, or suffers. */
  #own(fleet: Fleet, life: Life, name: Name, steps: Step[]): void {
    const { facts } = life;
    const { budget } = fleet;
    const can = (text: string, input: Input, cost: Partial<Budget> = {}): void => {
      const left = { ...budget, ...cost };
      steps.push({ text: `${name} ${text}`, to: this.move({ ...fleet, budget: left }, name, input) });
    };
    if (facts.isAdmitting) for (const cost of this.#costs) can(`takes ${cost}`, { kind: "take", cost });
    if (facts.isRecovering)
      steps.push({ text: `${name} asks everybody what they remember`, to: this.#askAll(fleet, name) });
    if (facts.isWriting || facts.hasWork)
      can(facts.isWriting ? "has written" : "begins to write", { kind: "write" });
    if (facts.running > 0 && budget.giveBack > 0)
      can("gives back", { kind: "give back" }, { giveBack: budget.giveBack - 1 });
    if (facts.isWaiting && budget.giveUp > 0)
      can("waits no more", { kind: "give up" }, { giveUp: budget.giveUp - 1 });
    if (budget.tick > 0) can("ticks", { kind: "tick", ms: 1000 }, { tick: budget.tick - 1 });
    if (budget.silence > 0)
      can("ticks after a long time", { kind: "tick", ms: 6000 }, { silence: budget.silence - 1 });
    if (facts.isWriting && budget.fail > 0)
      can("can't write", { kind: "fail to write" }, { fail: budget.fail - 1 });
    if (budget.leave > 0 && facts.isAdmitting) can("leaves", { kind: "leave" }, { leave: budget.leave - 1 });
    if (budget.evict > 0 && facts.isAdmitting) {
      for (const whom of NAMES)
        if (whom !== name) can(`evicts ${whom}`, { kind: "evict", whom }, { evict: budget.evict - 1 });
    }
    if (budget.restore + budget.setBack > 0 && !facts.hasBackup && !facts.isWriting)
      can("is backed up", { kind: "back up" });
    if (budget.restore > 0 && facts.hasBackup)
      can("is restored", { kind: "restore", isMarked: true }, { restore: budget.restore - 1 });
    if (budget.setBack > 0 && facts.hasBackup) {
      const left = { ...budget, setBack: budget.setBack - 1 };
      const text = `${name}'s disk goes back to what it was`;
      steps.push({ text, to: this.#setBack({ ...fleet, budget: left }, life, name) });
    }
    if (budget.clock > 0) {
      const cost = { clock: budget.clock - 1 };
      can("sets the clock on by a day", { kind: "step the clock", days: 1 }, cost);
      can("sets the clock back by a day", { kind: "step the clock", days: -1 }, cost);
    }
    if (budget.crash === 0) return;
    const crash = { crash: budget.crash - 1 };
    can("crashes", { kind: "crash", isWritten: false }, crash);
    if (facts.isWriting) can("crashes, and it is written", { kind: "crash", isWritten: true }, crash);
  }

  #network(fleet: Fleet, from: Name, to: Name, slot: number, steps: Step[]): void {
    const asking = fleet.lives[NAMES.indexOf(from)];
    if (asking !== undefined && !asking.facts.hasLeft)
      steps.push({
        text: `${from} asks ${to}`,
        to: this.#isQuick ? this.meet(fleet, from, to) : this.ask(fleet, from, to),
      });
    const letter = fleet.letters[slot];
    if (letter === null || letter === undefined) return;
    const what = letter.isAnswer ? "'s answer" : "";
    steps.push({ text: `${to} hears ${from}${what}`, to: this.deliver(fleet, slot) });
    if (fleet.budget.late === 0 || fleet.late !== null) return;
    const budget = { ...fleet.budget, late: fleet.budget.late - 1 };
    steps.push({ text: `a copy of what ${from} told ${to} is late`, to: { ...fleet, budget, late: letter } });
  }

  ask(fleet: Fleet, from: Name, to: Name): Fleet {
    return this.move(fleet, from, { kind: "ask", to });
  }

  /** Asks all others, hears their answers, and looks whether that is all. */
  #askAll(fleet: Fleet, name: Name): Fleet {
    let next = fleet;
    for (const other of NAMES)
      if (other !== name) next = this.deliver(this.meet(next, name, other), slotOf(other, name));
    return this.move(next, name, { kind: "tick", ms: 0 });
  }

  /** Asks, and is heard at once. */
  meet(fleet: Fleet, from: Name, to: Name): Fleet {
    return this.deliver(this.ask(fleet, from, to), slotOf(from, to));
  }

  /** Delivers what is on its way in a direction, if anything is. */
  deliver(fleet: Fleet, slot: number): Fleet {
    const letter = fleet.letters[slot] ?? null;
    return letter === null ? fleet : this.hear({ ...fleet, letters: fleet.letters.with(slot, null) }, letter);
  }

  hear(fleet: Fleet, letter: Letter): Fleet {
    const hearing = fleet.lives[NAMES.indexOf(letter.to)];
    if (hearing === undefined || hearing.facts.hasLeft) return fleet;
    return this.move(fleet, letter.to, { kind: "hear", letter });
  }

  move(fleet: Fleet, name: Name, input: Input): Fleet {
    const place = NAMES.indexOf(name);
    const life = fleet.lives[place];
    if (life === undefined) throw new Error(`no ${name}`);
    const outcome = this.#lives.move(life, input);
    const isRestart = input.kind === "crash" || input.kind === "restore";
    return {
      ...fleet,
      lives: fleet.lives.with(place, outcome.life),
      letters: lettersAfter(fleet, name, outcome, isRestart),
      late: isRestart && fleet.late?.to === name && fleet.late.isAnswer ? null : fleet.late,
      used: usedAfter(fleet, life, outcome, isRestart),
    };
  }
}

/** What is sent takes the place of what was sent before. An answer to a process that died reaches nobody. */
function lettersAfter(
  { letters }: Fleet,
  name: Name,
  outcome: Outcome,
  isRestart: boolean,
): Fleet["letters"] {
  if (!isRestart && outcome.letters.length === 0) return letters;
  const after = isRestart
    ? letters.map((letter) => (letter?.to === name && letter.isAnswer ? null : letter))
    : [...letters];
  for (const letter of outcome.letters) after[slotOf(letter.from, letter.to)] = letter;
  return after;
}

/** Requests that ran with a process that died are gone: of running requests there are fewer, the rest stays used. */
function usedAfter(
  { used }: Fleet,
  life: Life,
  { admitted, returned }: Outcome,
  isRestart: boolean,
): Fleet["used"] {
  const { limit } = life.root;
  const change = isRestart && limit.refill.kind === "held" ? -life.facts.running : admitted - returned;
  if (change === 0) return used;
  const period = limit.refill.kind === "calendar" ? life.facts.period : 0;
  return new Map(used).set(period, Math.max(0, (used.get(period) ?? 0) + change));
}

/** Takes forgive a little rounding, and there is a refill that is as good as none. */
const SLACK = 0.01;

/** What holds in every state that is searched. */
export interface Surety {
  /** Whether shares must never add up to more than the whole: not while one who lives may be declared dead. */
  readonly areSharesSure: boolean;
  /** How many fleets were founded, each of which has a whole bucket until it has met an older one. */
  readonly fleets: number;
}

/**
 * What is broken in this state; empty: nothing. It looks ahead: units that replicas hold and could take are as good as
 * admitted, so a unit too many is seen when it comes into being and not only when it is taken.
 */
export function faultOf({ lives, used, forgiven }: Fleet, { areSharesSure, fleets }: Surety): string {
  let shares = 0;
  const spendable = new Map(used);
  for (const { facts, root } of lives) {
    if (facts.fault !== "") return facts.fault;
    if (!facts.isAdmitting) continue;
    shares += facts.share;
    const { kind } = root.limit.refill;
    const period = kind === "calendar" ? facts.period : 0;
    spendable.set(period, (spendable.get(period) ?? 0) + facts.level);
    if (facts.aheadPeriod !== -1)
      spendable.set(facts.aheadPeriod, (spendable.get(facts.aheadPeriod) ?? 0) + facts.aheadUnits);
  }
  const capacity = fleets * (lives[0]?.root.limit.capacity ?? 0) + forgiven;
  for (const [period, units] of spendable) {
    const admitted = used.get(period) ?? 0;
    if (units > capacity + SLACK)
      return `${admitted} units were admitted and ${units - admitted} can be, of ${capacity}`;
  }
  if (areSharesSure && shares > WHOLE) return `together they believe to hold ${shares / WHOLE} of the bucket`;
  return "";
}
