// How a search gets to where it begins, and how a fleet is healed: whole exchanges, writes to the end, time that passes.
import { WHOLE } from "../../../src/bucket/parts.ts";
import { faultOf, type Fleet, slotOf, type Steps, type Surety } from "./fleet.ts";
import { type Input, type Name, NAMES } from "./process.ts";

export class Script {
  readonly steps: Steps;
  fleet: Fleet;

  constructor(steps: Steps, fleet: Fleet) {
    this.steps = steps;
    this.fleet = fleet;
  }

  facts(name: Name): Fleet["lives"][number]["facts"] {
    const life = this.fleet.lives[NAMES.indexOf(name)];
    if (life === undefined) throw new Error(`no ${name}`);
    return life.facts;
  }

  move(name: Name, input: Input): this {
    if (!this.facts(name).hasLeft) this.fleet = this.steps.move(this.fleet, name, input);
    return this;
  }

  take(name: Name, cost = 1): this {
    return this.move(name, { kind: "take", cost });
  }

  tick(ms: number): this {
    this.fleet = this.steps.pass(this.fleet, ms);
    return this;
  }

  /** Writes until nothing is left to write. */
  flush(...names: readonly Name[]): this {
    for (const name of names.length === 0 ? NAMES : names) {
      while (this.facts(name).isWriting || this.facts(name).hasWork) this.move(name, { kind: "write" });
    }
    return this;
  }

  /** One whole exchange, with everything written that it brings. */
  exchange(from: Name, to: Name): this {
    if (this.facts(from).hasLeft) return this;
    return this.halfExchange(from, to).flush(from);
  }

  /** An exchange whose answer has arrived, and nothing of it is written. */
  halfExchange(from: Name, to: Name): this {
    this.fleet = this.steps.meet(this.fleet, from, to);
    this.flush(to);
    this.fleet = this.steps.deliver(this.fleet, slotOf(to, from));
    return this;
  }

  /** Everybody exchanges with everybody. */
  meet(): this {
    this.flush();
    for (const from of NAMES) for (const to of NAMES) if (from !== to) this.exchange(from, to);
    return this;
  }
}

/** Rounds after which all must agree; those who leave or are gone need more. */
const ROUNDS = 12;
/** Short enough that nobody counts as silent meanwhile. */
const ROUND_MS = 2500;

/** Lets a fleet come to rest without any more faults. What is broken then; empty: nothing. */
export function faultAfterHealing(steps: Steps, fleet: Fleet, surety: Surety): string {
  const script = new Script(steps, { ...fleet, late: null, letters: fleet.letters.map(() => null) });
  for (const name of NAMES) if (script.facts(name).isWaiting) script.move(name, { kind: "give up" });
  script.meet();
  for (let round = 0; round < ROUNDS && !isAtRest(script); round++) script.tick(ROUND_MS).meet();
  const broken = faultOf(script.fleet, surety);
  if (broken !== "") return `after healing: ${broken}`;
  if (isAtRest(script)) return "";
  const views = staying(script).map(({ view }) => `[${view}]`);
  return `after healing the whole is not in the hands of those who stay: ${views.join(" ")}`;
}

function staying(script: Script): Fleet["lives"][number]["facts"][] {
  return NAMES.map((name) => script.facts(name)).filter(({ isAdmitting }) => isAdmitting);
}

/** All who stay know the same, and hold the whole. */
function isAtRest(script: Script): boolean {
  const facts = staying(script);
  const held = facts.reduce((sum, { share }) => sum + share, 0);
  return held === WHOLE && facts.every(({ view }) => view === facts[0]?.view);
}
