// Scenario texts of the waiting line: commands, a line of dashes, and what they must print. `interpret` runs the
// commands on a limiter with a real replica and prints what happened; scenarios.test.ts compares. With
// SCENARIOS=rewrite the files are written anew: commit that only when you understand every difference.
//
//   limits p tokens=100/10s requests=2/1s     limits of provider p            (concurrent=3, usd=500/day)
//   key k tokens=50/1min                      limits of client key k
//   reserve a p tokens=30 by=k high within=5s request a; `low`, `high`; without `within` it does not wait
//   settle a tokens=20  |  giveback a  |  cancel a
//   advance 3s  |  pause p 5s  |  room p tokens=30  |  levels p  |  facts p  |  line-length 2  |  close
import { refusalError } from "../../src/limiter/refusal.ts";
import type { Ask, Priority, Refusal, Reservation, Waiting } from "../../src/limiter/reservation.ts";
import type { Meters } from "../../src/limiter/meters.ts";
import { limitSpec, milliseconds, SoloLimiter, tokens, used } from "./solo-limiter.ts";

const PRIORITIES: Readonly<Record<string, Priority>> = { high: 0, low: 2 };

interface Line {
  readonly verb: string;
  readonly words: readonly string[];
  option(name: string): string | undefined;
}

function parse(text: string): Line {
  const [verb = "", ...rest] = text.trim().split(/\s+/);
  return {
    verb,
    words: rest.filter((word) => !word.includes("=") || verb === "limits" || verb === "key"),
    option: (name) => rest.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1),
  };
}

export class Interpreter {
  readonly #solo = new SoloLimiter();
  readonly #targets = new Map<string, Meters>();
  readonly #keys = new Map<string, Meters>();
  readonly #held = new Map<string, Reservation>();
  readonly #waiting = new Map<string, Waiting>();
  #output: string[] = [];

  /** Runs the commands and returns what they printed. */
  run(commands: readonly string[]): string[] {
    this.#output = [];
    for (const command of commands) {
      this.#execute(parse(command));
      this.#solo.flush();
    }
    return this.#output;
  }

  #print(text: string): void {
    this.#output.push(text);
  }

  #execute(line: Line): void {
    const { limiter, now } = this.#solo;
    const [name = "", second = ""] = line.words;
    switch (line.verb) {
      case "limits":
        this.#targets.set(
          name,
          this.#solo.target(
            name,
            line.words.slice(1).map((word) => limitSpec("provider", name, word)),
          ),
        );
        return;
      case "key":
        this.#keys.set(name, this.#solo.key(line.words.slice(1).map((word) => limitSpec("key", name, word))));
        return;
      case "reserve":
        this.#reserve(name, line);
        return;
      case "settle":
        limiter.settle(this.#take(name), used(Number(line.option("tokens") ?? 0)), now);
        return;
      case "giveback":
        limiter.giveBack(this.#take(name), now);
        return;
      case "cancel":
        this.#waiting.get(name)?.cancel();
        return;
      case "advance":
        this.#solo.advance(milliseconds(name));
        return;
      case "pause":
        this.#pause(name, now + milliseconds(second));
        return;
      case "line-length":
        limiter.lineLengthMax = Number(name);
        return;
      case "close":
        limiter.close();
        return;
      default:
        this.#show(line);
    }
  }

  /** `p`, or `p/m` for its model alone. */
  #pause(name: string, untilMs: number): void {
    const [provider = "", model] = name.split("/");
    const meters = this.#targets.get(provider);
    if (meters === undefined) throw new Error(`no target ${provider}`);
    this.#solo.limiter.pause(meters, model === undefined ? "provider" : "model", untilMs);
  }

  #show(line: Line): void {
    const { limiter, now } = this.#solo;
    const [name = ""] = line.words;
    const target = this.#target(name);
    switch (line.verb) {
      case "room": {
        const ask = this.#ask(line);
        const room = limiter.roomMs(this.#meters(target, ask), ask, now);
        this.#print(`room of ${name} in ${room} ms`);
        return;
      }
      case "levels": {
        const levels = target.meters.map(
          ({ limit }, index) => `${limit.dimension}=${round(this.#solo.level(target, index))}`,
        );
        this.#print(`${name}: ${levels.join(" ")}`);
        return;
      }
      case "facts":
        this.#print(JSON.stringify(limiter.facts(target, now)));
        return;
      default:
        throw new Error(`unknown command: ${line.verb}`);
    }
  }

  #target(name: string): Meters {
    const target = this.#targets.get(name);
    if (target === undefined) throw new Error(`unknown provider: ${name}`);
    return target;
  }

  #meters(target: Meters, { clientKey }: Ask): Meters {
    const key = this.#keys.get(clientKey);
    return key === undefined ? target : target.with(key);
  }

  #take(name: string): Reservation {
    const held = this.#held.get(name);
    if (held === undefined) throw new Error(`${name} holds nothing`);
    this.#held.delete(name);
    return held;
  }

  #ask(line: Line): Ask {
    const within = line.option("within");
    return {
      estimate: tokens(Number(line.option("tokens") ?? 0)),
      priority: PRIORITIES[line.words.find((word) => word in PRIORITIES) ?? ""] ?? 1,
      clientKey: line.option("by") ?? "anonymous",
      deadlineMs: this.#solo.now + (within === undefined ? 0 : milliseconds(within)),
    };
  }

  #reserve(name: string, line: Line): void {
    const ask = this.#ask(line);
    const meters = this.#meters(this.#target(line.words[1] ?? ""), ask);
    const answer = this.#solo.limiter.reserve(meters, ask, this.#solo.now);
    if (answer.kind !== "waiting") {
      this.#decided(name, answer);
      return;
    }
    this.#print(`${name} waits`);
    this.#waiting.set(name, answer);
    answer.decided((outcome) => this.#decided(name, outcome));
  }

  #decided(name: string, outcome: Reservation | Refusal): void {
    this.#waiting.delete(name);
    if (outcome.kind === "reserved") {
      this.#held.set(name, outcome);
      this.#print(`${name} admitted${outcome.waitedMs > 0 ? ` after ${round(outcome.waitedMs)} ms` : ""}`);
      return;
    }
    const error = refusalError(outcome);
    const later = error.retryAfterMs === undefined ? "" : `, retry after ${error.retryAfterMs} ms`;
    this.#print(`${name} refused: ${error.code}${later}: ${error.message}`);
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
