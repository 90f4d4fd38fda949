// Siblings that join, fall silent, come back, leave or are taken over, in a line of the log each. It compares who is there with who
// was there at the last look, so that nothing else in this folder has to think of telling.
import type { Log } from "../observe/events.ts";
import type { Replica } from "./replica.ts";
import { fleetStateOf, type MemberView, membersOf } from "./view.ts";

interface Known {
  readonly state: MemberView["state"];
  /** Whether it has been heard, or was there when this replica came: many are known by hearsay first. */
  readonly isMet: boolean;
}

interface Change {
  readonly level: "info" | "warn";
  readonly message: string;
}

const JOINED: Change = { level: "info", message: "a sibling has joined" };
const BACK: Change = { level: "info", message: "a sibling is back" };
const SILENT: Change = { level: "warn", message: "a sibling has fallen silent" };
const LEFT: Change = { level: "info", message: "a sibling has left, and has handed its share over" };
const TAKEN_OVER: Change = {
  level: "info",
  message: "the share of a sibling that was silent was taken over",
};

/** Who was known before is silent until its first message comes: that is no return. */
const ARRIVAL_MS = 3000;

export class RollCall {
  readonly #replica: Replica;
  readonly #log: Log;
  #known: ReadonlyMap<string, Known> = new Map();
  #isIn = false;
  #isArriving = true;
  #sinceMs = 0;
  #id = "";

  constructor(replica: Replica, log: Log) {
    this.#replica = replica;
    this.#log = log;
  }

  /** Logs what has changed since the last look; while this replica is not in a fleet yet, nothing. */
  look(nowMs: number): void {
    const { id } = this.#replica;
    const isIn = fleetStateOf(this.#replica) === "serving";
    const isNews = isIn && this.#isIn && id === this.#id;
    if (!isNews) this.#sinceMs = nowMs;
    this.#isArriving = nowMs - this.#sinceMs < ARRIVAL_MS;
    const members = membersOf(this.#replica, nowMs).filter(({ is_self }) => !is_self);
    this.#known = new Map(members.map((member) => [member.replica, this.#note(member, isNews)]));
    this.#isIn = isIn;
    this.#id = id;
  }

  #note(member: MemberView, isNews: boolean): Known {
    const { replica, name, state } = member;
    if (!isNews) return { state, isMet: true };
    const known = this.#known.get(replica);
    const isMet = known?.isMet === true;
    // Its name comes with a later message than its first sign of life.
    if (!isMet && state === "live" && name === "") return { state: "silent", isMet };
    if (state === known?.state) return known;
    const change = this.#changeOf(member, isMet);
    if (change !== null) this.#log[change.level](change.message, { name, replica, ...this.#heirOf(replica) });
    return { state, isMet: isMet || state === "live" };
  }

  #changeOf({ replica, state }: MemberView, isMet: boolean): Change | null {
    if (state === "live" && !isMet) return JOINED;
    if (!isMet || (state === "live" && this.#isArriving)) return null;
    if (state === "live") return BACK;
    if (state === "silent") return SILENT;
    return this.#replica.state.ledger.members.get(replica)?.hasLeft === true ? LEFT : TAKEN_OVER;
  }

  /** Who holds the share of one that is gone. */
  #heirOf(replica: string): { readonly heir?: string } {
    const { ledger } = this.#replica.state;
    const heir = ledger.members.get(ledger.succession.get(replica) ?? "");
    return heir === undefined ? {} : { heir: heir.profile.name || heir.id };
  }
}
