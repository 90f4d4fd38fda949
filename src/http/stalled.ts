// Clients that do not read what they are sent. TCP lets them: what waits for them stays in memory, their request stays
// open, and the provider's answer behind it stands still. A connection that has taken nothing for a while although
// something waits for it is closed, and everything behind it ends as it does when a client leaves.
//
// Looked at about once a second for all connections together; one that has nothing waiting costs a comparison.
import type { Socket } from "node:net";

interface Mark {
  /** What the kernel had taken in all when it last took something. */
  readonly takenBytes: number;
  /** When that was noticed. */
  readonly sinceMs: number;
}

export class StalledClients {
  readonly #stallMs: number;
  readonly #marks = new Map<Socket, Mark>();
  #closedCount = 0;

  /** `stallMs`: how long a client may take nothing. */
  constructor(stallMs: number) {
    this.#stallMs = stallMs;
  }

  /** How many connections were closed. */
  get closedCount(): number {
    return this.#closedCount;
  }

  /** Closes those that have stalled. Call it about once a second. */
  sweep(sockets: Iterable<Socket>, nowMs: number): void {
    for (const socket of sockets) {
      if (socket.writableLength > 0) this.#look(socket, nowMs);
      else if (this.#marks.size > 0) this.#marks.delete(socket);
    }
  }

  /** The connection is closed. */
  forget(socket: Socket): void {
    if (this.#marks.size > 0) this.#marks.delete(socket);
  }

  #look(socket: Socket, nowMs: number): void {
    const takenBytes = takenBy(socket);
    const mark = this.#marks.get(socket);
    if (mark === undefined || mark.takenBytes !== takenBytes) {
      this.#marks.set(socket, { takenBytes, sinceMs: nowMs });
    } else if (nowMs - mark.sinceMs >= this.#stallMs) {
      this.#marks.delete(socket);
      this.#closedCount += 1;
      socket.destroy();
    }
  }
}

/**
 * How many bytes the kernel has taken over. Sockets tell of a write only when all of it is through, which takes a slow
 * client minutes for a large answer; their handle knows better, and Node's own socket timeout asks it the same way.
 */
function takenBy(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, "_handle");
  if (typeof handle === "object" && handle !== null) {
    const handed: unknown = Reflect.get(handle, "bytesWritten");
    const queued: unknown = Reflect.get(handle, "writeQueueSize");
    if (typeof handed === "number" && typeof queued === "number") return handed - queued;
  }
  return socket.bytesWritten - socket.writableLength;
}
