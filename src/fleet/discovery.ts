// Finds the siblings' addresses from `fleet.peers`: `http://host:port` as it stands, and `dns://name:port` through the
// system's resolver, again every few seconds, because replicas come and go. A name that begins with an underscore is
// an SRV record (RFC 2782: `dns://_fleet._tcp.sluice`), whose answer names hosts and ports; any other name stands for
// all of its addresses. What can't be resolved, a name or one of the hosts that a record names, keeps the addresses known
// last, and keeps nobody else's from being known: neither a resolver's hiccup nor a sibling that is gone may cut a
// replica off from siblings that are there, or it would found a fleet of its own.
import { lookup, Resolver as Records } from "node:dns/promises";
import { systemTimers, type Timers } from "../clock.ts";

/** The most addresses that one name may stand for. */
const ADDRESSES_MAX = 256;

/** How long the resolver may take to answer one question. */
const RESOLVE_TIMEOUT_MS = 3000;

export interface Resolver {
  /** All IPv4 and IPv6 addresses of a host name. */
  addresses(host: string): Promise<readonly string[]>;
  /** The hosts and ports of an SRV record. */
  services(name: string): Promise<readonly { readonly name: string; readonly port: number }[]>;
}

/** A server that says nothing is asked twice, after 1 s and 2 s more: no question outlives what waits for it. */
const RECORDS_OPTIONS = { timeout: 1000, tries: 2 } as const;

/**
 * The system's: `lookup` honours the hosts file and search domains, which short names in Kubernetes need. `records` are
 * asked for SRV records; by default the system's servers.
 */
export function systemResolver(records = new Records(RECORDS_OPTIONS)): Resolver {
  return {
    async addresses(host) {
      const found = await lookup(host, { all: true });
      return found.map(({ address }) => address);
    },
    services: (name) => records.resolveSrv(name),
  };
}

/** A peer whose address can be found: one that is given, or a name to be resolved. */
export type AddressedPeer =
  | { readonly kind: "http"; readonly url: string }
  | { readonly kind: "dns"; readonly host: string; readonly port: number };

type Name = Extract<AddressedPeer, { readonly kind: "dns" }>;

type Faults = ReadonlyMap<string, string>;

export class Discovery {
  readonly #static: readonly string[];
  readonly #names: readonly Name[];
  readonly #ask: Ask;
  /** The addresses known last, by name or host, and port. */
  #known = new Map<string, readonly string[]>();
  #faults: Faults = new Map();
  #resolving: Promise<void> | null = null;

  constructor(
    peers: readonly AddressedPeer[],
    resolver: Resolver = systemResolver(),
    timers: Timers = systemTimers,
  ) {
    this.#static = peers.flatMap((peer) => (peer.kind === "http" ? [peer.url] : []));
    this.#names = peers.filter((peer) => peer.kind === "dns");
    this.#ask = { resolver, timers };
  }

  /** Whether there is anything to resolve. */
  get isDynamic(): boolean {
    return this.#names.length > 0;
  }

  /** The addresses as known now. */
  addresses(): readonly string[] {
    const named = this.#names.flatMap((name) => this.#known.get(keyOf(name)) ?? []);
    return [...new Set([...this.#static, ...named])];
  }

  /** Whether every name, and every host that one brought, could be resolved the last time. */
  get isComplete(): boolean {
    return this.#names.every((name) => this.#known.has(keyOf(name))) && this.#faults.size === 0;
  }

  /** Names and hosts that could not be resolved the last time, with the reason. */
  faults(): Faults {
    return this.#faults;
  }

  /** Resolves all names once; never rejects. A resolution under way is joined, so a slow resolver isn't asked again meanwhile. */
  resolve(): Promise<void> {
    this.#resolving ??= this.#resolveAll().finally(() => {
      this.#resolving = null;
    });
    return this.#resolving;
  }

  async #resolveAll(): Promise<void> {
    const resolution = new Resolution(this.#ask, this.#known);
    await Promise.all(this.#names.map((name) => resolution.find(name)));
    this.#known = resolution.known;
    this.#faults = resolution.faults;
  }
}

interface Ask {
  readonly resolver: Resolver;
  readonly timers: Timers;
}

/** One round of questions: what it finds, what it could not, and what was known before. */
class Resolution {
  readonly known = new Map<string, readonly string[]>();
  readonly faults = new Map<string, string>();
  readonly #resolver: Resolver;
  readonly #timers: Timers;
  readonly #before: ReadonlyMap<string, readonly string[]>;

  constructor({ resolver, timers }: Ask, before: ReadonlyMap<string, readonly string[]>) {
    this.#resolver = resolver;
    this.#timers = timers;
    this.#before = before;
  }

  /** The addresses of a name. */
  async find(name: Name): Promise<void> {
    const isService = name.host.startsWith("_");
    await this.#learn(name, () => (isService ? this.#ofService(name.host) : this.#ofHost(name)));
  }

  /** Asks for addresses; those known last stand if there are none. */
  async #learn(name: Name, ask: () => Promise<readonly string[]>): Promise<readonly string[]> {
    let found: readonly string[];
    try {
      found = await ask();
      if (found.length === 0) throw new Error("no addresses");
    } catch (error) {
      this.faults.set(name.host, error instanceof Error ? error.message : String(error));
      found = this.#before.get(keyOf(name)) ?? [];
    }
    this.known.set(keyOf(name), found.slice(0, ADDRESSES_MAX));
    return found;
  }

  async #ofService(name: string): Promise<readonly string[]> {
    const services = await this.#within(this.#resolver.services(name));
    const hosts = services
      .slice(0, ADDRESSES_MAX)
      .map((service): Name => ({ kind: "dns", host: service.name, port: service.port }));
    const found = await Promise.all(hosts.map((host) => this.#learn(host, () => this.#ofHost(host))));
    return found.flat();
  }

  async #ofHost({ host, port }: Name): Promise<readonly string[]> {
    const addresses = await this.#within(this.#resolver.addresses(host));
    return addresses
      .map((address) => `http://${address.includes(":") ? `[${address}]` : address}:${port}`)
      .sort();
  }

  /** What a question is answered with, or an error when its time is over. */
  async #within<Value>(answer: Promise<Value>): Promise<Value> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const callOff = this.#timers.after(RESOLVE_TIMEOUT_MS, () =>
      reject(new Error(`no answer within ${RESOLVE_TIMEOUT_MS / 1000} s`)),
    );
    try {
      return await Promise.race([answer, late]);
    } finally {
      callOff();
    }
  }
}

function keyOf({ host, port }: Name): string {
  return `${host} ${port}`;
}
