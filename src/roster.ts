// What is going on right now: a set whose members come and go thousands of times a second. A `Set` is the wrong tool for
// that. V8 links each table that a set outgrows to its successor, for iterators that may still walk through it; once
// one such table has reached the old generation, all its successors and the members they once held stay alive until
// the next full collection. Here members know their seat in an array, and the last one takes the seat of the one that
// leaves. Measured on a busy gateway: 13 MB copied per minor collection with sets, 0.3 MB without.

/** A thing that can be in one roster at a time. */
export interface Seated {
  /** Its place in the roster; -1 while it is in none. Only the roster writes it. */
  seat: number;
}

export class Roster<T extends Seated> {
  readonly #members: T[] = [];

  get size(): number {
    return this.#members.length;
  }

  /** Adds a member that is in no roster. */
  add(member: T): void {
    member.seat = this.#members.length;
    this.#members.push(member);
  }

  /** Takes a member out; one that is not in is left alone. */
  delete(member: T): void {
    const { seat } = member;
    if (seat === -1) return;
    member.seat = -1;
    const last = this.#members.pop();
    if (last === undefined || last === member) return;
    this.#members[seat] = last;
    last.seat = seat;
  }

  /** The members as they are now; any of them may leave while the list is walked through. */
  list(): readonly T[] {
    return this.#members.slice();
  }
}
