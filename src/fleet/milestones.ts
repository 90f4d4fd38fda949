// What an operator wants to find in the log of a replica's life as a member: that it looks for siblings, which fleet it founded,
// joined or came back to, and that it had to give way and goes on with nothing, be it to an older fleet or because its siblings
// took it for dead.
import type { Lineage } from "../bucket/ledger.ts";
import type { Log, LogFields } from "../observe/events.ts";
import type { Board } from "./board.ts";
import type { Replica } from "./replica.ts";

/** Addresses that one line names. */
const NAMED_MAX = 10;

/**
 * `gave-way/STAMP`: the fleet that was founded then has given way. Those of the older one would not notice: whoever hears of them
 * is a newcomer by the time it speaks to them.
 */
const GAVE_WAY = "gave-way/";
/** How long that stays, and for how long it is news. */
const KEPT_MS = 3_600_000;
const NEWS_MS = 60_000;

/** Looks, ten per second, for which the name of a fleet's founder is waited for. */
const NAMELESS_LOOKS_MAX = 10;

/** The look at which siblings that hold a founding back are told of: by then one that is not there has been so for long enough. */
const HELD_BACK_LOOKS = 10;

export class Milestones {
  readonly #replica: Replica;
  readonly #board: Board;
  readonly #log: Log;
  /** Of the fleets that gave way, the one that this replica was in. */
  #gaveWay = "";
  /** The one that others gave up last, as the log was told. */
  #heardOf = "";
  #id: string;
  #lineage: Lineage | null;
  /** Looks since siblings that can't be reached have kept this one from founding a fleet. */
  #heldBackLooks = 0;
  #isRecovering = false;
  /** It left before this start, and is not back yet: it comes back as another, and as one more if siblings have forgotten it. */
  #hadLeft: boolean;
  #isReturnTold = false;
  #namelessLooks = 0;

  constructor(replica: Replica, board: Board, log: Log) {
    this.#replica = replica;
    this.#board = board;
    this.#log = log;
    board.retain(GAVE_WAY, KEPT_MS);
    board.onChange((key, value, ageMs) => {
      if (key.startsWith(GAVE_WAY) && value !== null && ageMs < NEWS_MS) this.#hear(key);
    });
    this.#id = replica.id;
    this.#lineage = replica.state.ledger.lineage;
    this.#hadLeft = replica.state.me.hasLeft;
  }

  /** Founding a fleet beside one that can't be reached would double every limit: it is said what is waited for. */
  #lookForSiblings(): void {
    const { membership, exchange } = this.#replica;
    this.#heldBackLooks = membership.isHeldBack ? this.#heldBackLooks + 1 : 0;
    if (this.#heldBackLooks !== HELD_BACK_LOOKS) return;
    const silent = exchange.links.all
      .values()
      .filter(({ isSelf, absentSinceMs }) => !isSelf && absentSinceMs === Infinity);
    this.#log.warn(
      "siblings can't be reached that may have a fleet already: nothing is admitted before they answer",
      {
        addresses: Array.from(silent, ({ name }) => name).slice(0, NAMED_MAX),
        what_to_do: "see why, or take those that are no more out of fleet.peers, or set fleet.found_after",
      },
    );
  }

  /** Logs what a replica with siblings does first; `where`: where it is to be found, and where it looks. */
  begin(where: { readonly address: string | undefined; readonly peers: readonly string[] }): void {
    const self = { name: this.#replica.state.me.profile.name, replica: this.#id, ...where };
    this.#isRecovering = this.#replica.state.isRecovering;
    if (this.#isRecovering) this.#log.info("asking the siblings what they remember", self);
    else if (this.#lineage === null) this.#log.info("looking for siblings", self);
  }

  /** Logs what has happened since the last look. */
  look(): void {
    this.#lookForReturn();
    const { id } = this.#replica;
    const lineage = this.#lineageToTell();
    const [before, known] = [this.#id, this.#lineage];
    this.#id = id;
    this.#lineage = lineage;
    if (lineage === null && known !== null && !this.#hadLeft) this.#sayBegunAgain(id, before);
    else if (id !== before) this.#sayNewId(id, before);
    else if (this.#replica.isInService) this.#hadLeft = false;
    this.#lookForSiblings();
    if (lineage === null || isSame(lineage, known)) return;
    const fleet = this.#describe(lineage);
    if (known !== null) this.#giveWay(known, fleet);
    else if (lineage.founder === id)
      this.#log.info("founded a fleet: no peer that answered is in one", fleet);
    else this.#log.info("joined a fleet", fleet);
  }

  /** The fleet it is in; none yet while the founder's name is not known, which comes a little after the fleet is joined. */
  #lineageToTell(): Lineage | null {
    const { ledger, me } = this.#replica.state;
    const { lineage } = ledger;
    if (lineage === null || this.#lineage !== null || lineage.founder === me.id) return lineage;
    const isNamed = (ledger.members.get(lineage.founder)?.profile.name ?? "") !== "";
    this.#namelessLooks += 1;
    // One who is long gone has no name any more.
    if (!isNamed && this.#namelessLooks < NAMELESS_LOOKS_MAX) return null;
    this.#namelessLooks = 0;
    return lineage;
  }

  #giveWay(known: Lineage, fleet: LogFields): void {
    this.#log.warn("met an older fleet; this one gives way and goes on in it, holding nothing", {
      ...fleet,
      own_founded_at: foundedAt(known),
      what_to_do:
        "nothing, if two fleets were to become one; if the older is an old data folder, stop its instance and empty that, then `sluice evict` those of its members that are no more",
    });
    this.#gaveWay = GAVE_WAY + known.stamp;
    this.#board.offer(this.#gaveWay, new Uint8Array());
  }

  /** Those who gave way themselves have said so. */
  #hear(key: string): void {
    const { lineage } = this.#replica.state.ledger;
    const isOwn = key === this.#gaveWay || key === GAVE_WAY + this.#lineage?.stamp;
    // Several of its members may say so.
    if (lineage === null || isOwn || key === this.#heardOf) return;
    this.#heardOf = key;
    this.#log.warn("a younger fleet has given way to this one; its members go on in it, holding nothing", {
      founded_at: foundedAt(lineage),
      what_to_do:
        "nothing, if two fleets were to become one; if this instance was started with an old data folder, stop it and start it with an empty one",
    });
  }

  #lookForReturn(): void {
    const { isRecovering, ledger } = this.#replica.state;
    if (this.#isRecovering && !isRecovering && ledger.lineage !== null && ledger.lineage === this.#lineage)
      this.#log.info("in the fleet again", this.#describe(ledger.lineage));
    this.#isRecovering = isRecovering;
  }

  #describe({ stamp, founder }: Lineage): LogFields {
    const name = this.#replica.state.ledger.members.get(founder)?.profile.name || founder;
    return { founded_at: foundedAt({ stamp }), founder: name };
  }

  #sayBegunAgain(replica: string, before: string): void {
    this.#log.warn(
      "the siblings have forgotten what this replica has not heard of; it begins again as a newcomer that holds nothing",
      { replica, before },
    );
  }

  #sayNewId(replica: string, before: string): void {
    const ids = { replica, before };
    if (this.#hadLeft && !this.#isReturnTold)
      this.#log.info("had left the fleet; goes on in it as a new replica", ids);
    this.#isReturnTold = this.#hadLeft;
    if (!this.#hadLeft)
      this.#log.warn(
        "a sibling has this replica's share: it was taken for dead, or its data folder is from before it left; it goes on as a new one that holds nothing",
        ids,
      );
  }
}

function foundedAt({ stamp }: Pick<Lineage, "stamp">): string {
  return new Date(stamp).toISOString();
}

function isSame(left: Lineage, right: Lineage | null): boolean {
  return left.stamp === right?.stamp && left.founder === right.founder;
}
