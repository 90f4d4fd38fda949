// Runs scenario commands on the real planner, circuits and retries, in a world in which time, chance and room are what the
// scenario says. Each command answers with text.
import { compileRoutes } from "../../src/routing/compile.ts";
import type { RouteRequest } from "../../src/routing/condition.ts";
import { admit, observeLatency, report } from "../../src/routing/health.ts";
import type { FailureKind, Pass } from "../../src/routing/health.ts";
import { HealthBook } from "../../src/routing/health-book.ts";
import type { View } from "../../src/routing/order.ts";
import { plan } from "../../src/routing/plan.ts";
import { Progress, RETRY_POLICY } from "../../src/routing/retry.ts";
import type { RetryPolicy, Setback } from "../../src/routing/retry.ts";
import type { RouteTable } from "../../src/routing/table.ts";
import type { Attempt, Plan, Target } from "../../src/routing/target.ts";
import { readTable } from "./read-table.ts";
import { readMs, seededRandom, showMs, wordsOf } from "./script.ts";
import type { Words } from "./script.ts";

const FAILURES: readonly FailureKind[] = [
  "quota_spent",
  "rate_limited",
  "overloaded",
  "capacity",
  "bad_request",
  "auth",
  "not_found",
  "content_filter",
  "context_length",
  "transient",
  "unreachable",
  "timeout",
  "interrupted",
];

type Name = string;

export class Interpreter {
  readonly #health = new HealthBook();
  readonly #waits = new Map<Name, number>();
  readonly #shares = new Map<Name, number>();
  readonly #running = new Map<Name, Pass[]>();
  #table: RouteTable<Name> | undefined;
  #now = 1_000_000;
  #random = seededRandom(1);

  run(lines: readonly string[]): string {
    const [first = "", ...rest] = lines;
    const space = first.indexOf(" ");
    const command = space === -1 ? first : first.slice(0, space);
    const words = wordsOf(space === -1 ? "" : first.slice(space));
    switch (command) {
      case "table":
        return this.#compile(rest);
      case "plan":
        return this.#plan(words);
      case "spread":
        return this.#spread(words);
      case "send":
        return this.#send(words, rest);
      case "room":
        return this.#setRoom(words);
      case "random":
        return this.#setRandom(words);
      case "time":
        this.#now += readMs(words.plain[0] ?? "");
        return "";
      case "report":
        return this.#report(words);
      case "start":
        return this.#start(words);
      case "suspect":
        return this.#suspect(words);
      case "health":
        return this.#showHealth();
      default:
        throw new Error(`no command: ${command}`);
    }
  }

  #compile(lines: readonly string[]): string {
    const compiled = compileRoutes({
      ...readTable(lines),
      health: this.#health,
      attach: (provider, model, key) => `${provider}/${model}${key === "" ? "" : `#${key}`}`,
    });
    if (compiled.kind === "invalid") return compiled.faults.join("\n");
    this.#table = compiled.table;
    return "ok";
  }

  #planOf(words: Words): Plan<Name> {
    if (this.#table === undefined) throw new Error("no table");
    return plan(requestOf(words), this.#table, this.#view());
  }

  #view(): View<Name> {
    return {
      now: this.#now,
      random: this.#random,
      waitMs: (target) => this.#waits.get(target.upstream) ?? 0,
      shareLeft: (target) => this.#shares.get(target.upstream) ?? 1,
    };
  }

  #plan(words: Words): string {
    return showPlan(this.#planOf(words));
  }

  /** How often each target comes first in many plans, in percent. */
  #spread(words: Words): string {
    const times = Number(words.named.get("times") ?? 10_000);
    const counts = new Map<string, number>();
    for (let count = 0; count < times; count += 1) {
      const session = words.plain.includes("sessions")
        ? { named: new Map([...words.named, ["session", `s${count}`]]) }
        : {};
      const planned = this.#planOf({ ...words, ...session });
      const first = planned.kind === "refused" ? planned.code : showFirst(planned);
      counts.set(first, (counts.get(first) ?? 0) + 1);
    }
    return [...counts]
      .toSorted(([left], [right]) => (left < right ? -1 : 1))
      .map(([name, count]) => `${name} ${Math.round((100 * count) / times)} %`)
      .join("\n");
  }

  /** A request's whole way: what each target answers is in the lines below, in turn; `ok` where nothing is said. */
  #send(words: Words, script: readonly string[]): string {
    const planned = this.#planOf(words);
    if (planned.kind === "refused") return showPlan(planned);
    const answers = new Map(script.map((line) => readAnswers(line)));
    const policy: RetryPolicy = {
      ...RETRY_POLICY,
      attempts: Number(words.named.get("attempts") ?? 3),
    };
    const deadlineMs = this.#now + readMs(words.named.get("deadline") ?? "60s");
    return this.#follow(planned.attempts, answers, policy, deadlineMs).join("\n");
  }

  #follow(
    attempts: readonly Attempt<Name>[],
    answers: ReadonlyMap<Name, string[]>,
    policy: RetryPolicy,
    deadlineMs: number,
  ): string[] {
    const log: string[] = [];
    const progress = new Progress(
      attempts.map(({ target }) => target),
      policy,
      deadlineMs,
    );
    let targets = attempts.map(({ target }) => target);
    let prefix = "";
    for (;;) {
      const target = targets.find((one) => this.#hasRoom(one, answers, log));
      if (target === undefined) return [...log, "no room"];
      const answer = answers.get(target.upstream)?.shift() ?? "ok";
      log.push(`${prefix}${target.upstream} ${answer}`);
      progress.started(target);
      const setback = this.#try(target, answer);
      if (setback === null) return log;
      const step = progress.next(target, setback, this.#now, this.#random);
      if (step.kind === "stop") return [...log, `stop: ${step.reason}`];
      prefix = step.delayMs > 0 ? `after ${showMs(step.delayMs)} ` : "";
      this.#now += step.delayMs;
      targets = [...step.targets];
    }
  }

  #hasRoom(target: Target<Name>, answers: ReadonlyMap<Name, string[]>, log: string[]): boolean {
    if (answers.get(target.upstream)?.[0] !== "no_room") return true;
    answers.get(target.upstream)?.shift();
    log.push(`${target.upstream} no_room`);
    return false;
  }

  /** One attempt: `ok`, or a failure with a wait and the time that it took, as in `rate_limited/2s took=30s`. */
  #try(target: Target<Name>, answer: string): Setback | null {
    const pass = admit(target.health, this.#now);
    if (pass === null) throw new Error(`a circuit is in the way of ${target.upstream}`);
    const [kindAndWait = "", took] = answer.split(" took=");
    if (took !== undefined) this.#now += readMs(took);
    const [kindName = "", wait] = kindAndWait.split("/");
    if (kindName === "ok") {
      report(target.health, pass, { kind: "ok" }, this.#now);
      return null;
    }
    const kind = failureOf(kindName);
    const waitMs = wait === undefined ? null : readMs(wait);
    report(target.health, pass, { kind, ...(waitMs === null ? {} : { waitMs }) }, this.#now);
    return { kind, waitMs };
  }

  #setRoom({ plain, named }: Words): string {
    for (const name of plain) {
      if (named.has("wait")) this.#waits.set(name, readMs(named.get("wait") ?? ""));
      if (named.has("share")) this.#shares.set(name, Number(named.get("share")));
    }
    return "";
  }

  #setRandom({ plain, named }: Words): string {
    const seed = named.get("seed");
    if (seed !== undefined) this.#random = seededRandom(Number(seed));
    else {
      let drawn = 0;
      const numbers = plain.map(Number);
      this.#random = () => numbers[drawn++ % numbers.length] ?? 0;
    }
    return "";
  }

  /** Attempts that ended: `report main/big transient times=5 wait=2s latency=300ms`. */
  #report({ plain, named }: Words): string {
    const [name = "", kindName = "ok"] = plain;
    const { health } = this.#targetOf(name);
    for (let count = 0; count < Number(named.get("times") ?? 1); count += 1) {
      const pass = this.#running.get(name)?.pop() ?? admit(health, this.#now);
      if (pass === null) return "blocked";
      const latency = named.get("latency");
      if (latency !== undefined) observeLatency(health, "whole", readMs(latency), this.#now);
      const wait = named.get("wait");
      if (kindName === "ok" || kindName === "abandoned") report(health, pass, { kind: kindName }, this.#now);
      else {
        const waitMs = wait === undefined ? {} : { waitMs: readMs(wait) };
        report(health, pass, { kind: failureOf(kindName), ...waitMs }, this.#now);
      }
    }
    return "";
  }

  #start({ plain, named }: Words): string {
    const [name = ""] = plain;
    for (let count = 0; count < Number(named.get("times") ?? 1); count += 1) {
      const pass = admit(this.#targetOf(name).health, this.#now);
      if (pass === null) return "blocked";
      this.#running.set(name, [...(this.#running.get(name) ?? []), pass]);
    }
    return "";
  }

  #suspect({ plain }: Words): string {
    const [scope, provider = "", path = ""] = plain;
    const [name = "", key = ""] = path.split("#");
    if (scope !== "provider" && scope !== "model" && scope !== "key") throw new Error(`no scope: ${scope}`);
    this.#health.suspect({ scope, provider, name, key }, this.#now, 60_000);
    return "";
  }

  #targetOf(name: Name): Target<Name> {
    const [path = "", key = ""] = name.split("#");
    const slash = path.indexOf("/");
    const [provider, model] = [path.slice(0, slash), path.slice(slash + 1)];
    const health = this.#health.of(provider, model, key);
    return { provider, model, key, health, contextTokens: null, endpoints: null, upstream: name };
  }

  /** Circuits that are not closed, and what else is worth knowing. */
  #showHealth(): string {
    const lines = [...this.#health.circuits(this.#now)].flatMap(
      ({ scope, provider, name, key, state, blockedMs }) => {
        if (state === "closed") return [];
        const when = blockedMs > 0 ? ` for ${showMs(blockedMs)}` : "";
        return [
          `${scope} ${provider}${name === "" ? "" : ` ${name}`}${key === "" ? "" : `#${key}`}: ${state}${when}`,
        ];
      },
    );
    return lines.length === 0 ? "all closed" : lines.join("\n");
  }
}

function requestOf({ plain, named }: Words): RouteRequest {
  const allowed = named.get("allowed");
  return {
    model: plain[0] ?? "",
    endpoint: named.get("endpoint") ?? "chat",
    keyName: named.get("key") ?? "",
    allowedModels: allowed === undefined ? null : new Set(allowed.split(",")),
    promptTokens: Number(named.get("tokens") ?? 100),
    isStream: plain.includes("stream"),
    hasTools: plain.includes("tools"),
    hasImages: plain.includes("images"),
    session: named.get("session") ?? null,
    header: (name) => named.get(`header.${name}`),
    metadata: (name) => named.get(`metadata.${name}`),
  };
}

function showPlan(planned: Plan<Name>): string {
  if (planned.kind === "refused") {
    const retry = planned.retryAfterMs === undefined ? "" : ` (in ${showMs(planned.retryAfterMs)})`;
    return `${planned.code}${retry}: ${planned.message}`;
  }
  const lines = planned.attempts.map(
    ({ target, waitMs }) => `${target.upstream}${waitMs > 0 ? ` in ${showMs(waitMs)}` : ""}`,
  );
  return [...lines, ...(planned.shadow === null ? [] : [`shadow: ${planned.shadow.upstream}`])].join("\n");
}

function showFirst(planned: Extract<Plan<Name>, { kind: "attempts" }>): string {
  const shadow = planned.shadow === null ? "" : ` and ${planned.shadow.upstream}`;
  return `${planned.attempts[0]?.target.upstream ?? "nothing"}${shadow}`;
}

/** `main/big: transient/2s, ok`. */
function readAnswers(line: string): [Name, string[]] {
  const at = line.indexOf(": ");
  return [
    line.slice(0, at).trim(),
    line
      .slice(at + 2)
      .split(",")
      .map((answer) => answer.trim()),
  ];
}

function failureOf(name: string): FailureKind {
  const kind = FAILURES.find((known) => known === name);
  if (kind === undefined) throw new Error(`no failure: ${name}`);
  return kind;
}
