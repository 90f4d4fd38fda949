// Who comes next among requests of one priority: fair between client keys, first come first served for each of them.
// Start-time fair queueing (Goyal, Vin, Cheng 1996): every client has a virtual time at which its next request may
// begin, a served request moves its client's time on by what it cost over the client's weight, and the client that is
// least far on comes next: while both wait, a client of weight 2 is served twice as much as one of weight 1.
// A client that was idle starts at the present virtual time, so its wait does not grow with another's backlog, and
// idleness saves up no credit.
import { Heap, type InHeap } from "./heap.ts";

/** What stands in a queue. The links belong to the queue. */
export interface Queued {
  readonly clientKey: string;
  /** The client's part of what is served while others wait too; above zero. */
  readonly weight: number;
  /** Order of arrival, over all queues. */
  readonly sequence: number;
  /** What serving it will cost here. */
  queuedCost: number;
  queuedFor: Client<this> | null;
  before: this | null;
  after: this | null;
}

/** Who asks, and how much weight it has among others. */
export type Newcomer = Pick<Queued, "clientKey" | "weight">;

/** One client's requests in a queue, a list in the order of arrival. */
export class Client<T extends Queued> implements InHeap {
  readonly key: string;
  weight: number;
  heapIndex = -1;
  first: T | null = null;
  last: T | null = null;
  /** Virtual time at which its first request may begin. */
  start: number;
  /** Sum of the costs of its requests here. */
  cost = 0;

  constructor({ clientKey, weight }: Queued, start: number) {
    this.key = clientKey;
    this.weight = weight;
    this.start = start;
  }
}

function isBefore<T extends Queued>(left: Client<T>, right: Client<T>): boolean {
  if (left.start !== right.start) return left.start < right.start;
  return (left.first?.sequence ?? Infinity) < (right.first?.sequence ?? Infinity);
}

export class FairQueue<T extends Queued> {
  readonly #clients = new Map<string, Client<T>>();
  /** Clients with requests here. */
  readonly #active = new Heap<Client<T>>(isBefore);
  #virtualTime = 0;
  /** How many requests stand here. */
  size = 0;
  /** What they cost together. */
  cost = 0;

  /** The request that comes next, or null. */
  get head(): T | null {
    return this.#active.first?.first ?? null;
  }

  /** Adds a request; one that comes from another queue takes the place of its arrival among its client's. */
  push(request: T, cost: number): void {
    const client = this.#client(request);
    request.queuedCost = cost;
    request.queuedFor = client;
    let before = client.last;
    while (before !== null && before.sequence > request.sequence) before = before.before;
    link(client, request, before);
    client.cost += cost;
    this.cost += cost;
    this.size++;
    this.#active.put(client);
  }

  /** Takes out a request that leaves unserved: its client's time stands still. */
  remove(request: T): void {
    const client = request.queuedFor;
    if (client === null) return;
    unlink(client, request);
    client.cost -= request.queuedCost;
    this.cost -= request.queuedCost;
    this.size--;
    if (client.first !== null) this.#active.put(client);
    else this.#retire(client);
    if (this.size === 0) this.#forget();
  }

  /** Takes out a request because it was served: its client pays. */
  serve(request: T): void {
    const client = request.queuedFor;
    if (client === null) return;
    this.#virtualTime = Math.max(this.#virtualTime, client.start);
    client.start += request.queuedCost / client.weight;
    this.remove(request);
  }

  /**
   * The cost of what will be served before a new request of this client and cost: all of the client's own, and of
   * every other's at most as much for its weight.
   */
  costAhead({ clientKey, weight }: Newcomer, cost: number): number {
    const own = this.#clients.get(clientKey)?.cost ?? 0;
    let ahead = own;
    for (const client of this.#clients.values()) {
      if (client.key !== clientKey) {
        ahead += Math.min(client.cost, ((own + cost) * client.weight) / weight);
      }
    }
    return ahead;
  }

  /** All requests, oldest first. */
  all(): T[] {
    const requests: T[] = [];
    for (const client of this.#clients.values()) {
      for (let each = client.first; each !== null; each = each.after) requests.push(each);
    }
    return requests.sort((left, right) => left.sequence - right.sequence);
  }

  #client(request: T): Client<T> {
    const { clientKey, weight } = request;
    let client = this.#clients.get(clientKey);
    if (client === undefined) {
      client = new Client<T>(request, this.#virtualTime);
      this.#clients.set(clientKey, client);
    } else if (client.first === null) {
      client.start = Math.max(client.start, this.#virtualTime);
    }
    // It may have changed since the client's last request.
    client.weight = weight;
    return client;
  }

  /** A client without requests is remembered only while it has had more than its turn. */
  #retire(client: Client<T>): void {
    this.#active.remove(client);
    if (client.start <= this.#virtualTime) this.#clients.delete(client.key);
  }

  /** Nobody waits, so nobody is ahead of anybody. */
  #forget(): void {
    this.#clients.clear();
    this.#virtualTime = 0;
    this.cost = 0;
  }
}

function link<T extends Queued>(client: Client<T>, request: T, before: T | null): void {
  const after = before === null ? client.first : before.after;
  request.before = before;
  request.after = after;
  if (before === null) client.first = request;
  else before.after = request;
  if (after === null) client.last = request;
  else after.before = request;
}

function unlink<T extends Queued>(client: Client<T>, request: T): void {
  if (request.before === null) client.first = request.after;
  else request.before.after = request.after;
  if (request.after === null) client.last = request.before;
  else request.after.before = request.before;
  request.before = null;
  request.after = null;
  request.queuedFor = null;
}
