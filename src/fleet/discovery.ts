// Finds the siblings' addresses from `fleet.peers`: `http://host:port` as it stands, and `dns://name:port` through the
// system's resolver, again every few seconds, because replicas come and go. A name that begins with an underscore is
// an SRV record (RFC 2782: `dns://_fleet._tcp.sluice`), whose answer names hosts and ports; any other name stands for
// all of its addresses. When a name can't be resolved the addresses known last are kept: a resolver's hiccup must not
// cut a replica off from siblings that are there.
import { lookup, resolveSrv } from "node:dns/promises";

/** The most addresses that one name may stand for. */
const ADDRESSES_MAX = 256;

/** How long one resolution may take. */
const RESOLVE_TIMEOUT_MS = 3000;

export interface Resolver {
  /** All IPv4 and IPv6 addresses of a host name. */
  addresses(host: string): Promise<readonly string[]>;
  /** The hosts and ports of an SRV record. */
  services(name: string): Promise<readonly { readonly name: string; readonly port: number }[]>;
}

/** The system's: `lookup` honours the hosts file and search domains, which short names in Kubernetes need. */
export const systemResolver: Resolver = {
  async addresses(host) {
    const found = await lookup(host, { all: true });
    return found.map(({ address }) => address);
  },
  services: (name) => resolveSrv(name),
};

/** A peer whose address can be found: one that is given, or a name to be resolved. */
export type AddressedPeer =
  | { readonly kind: "http"; readonly url: string }
  | { readonly kind: "dns"; readonly host: string; readonly port: number };

type Name = Extract<AddressedPeer, { readonly kind: "dns" }>;

export class Discovery {
  readonly #static: readonly string[];
  readonly #names: readonly Name[];
  readonly #resolver: Resolver;
  readonly #known = new Map<string, readonly string[]>();
  readonly #faults = new Map<string, string>();
  #resolving: Promise<void> | null = null;

  constructor(peers: readonly AddressedPeer[], resolver: Resolver = systemResolver) {
    this.#static = peers.flatMap((peer) => (peer.kind === "http" ? [peer.url] : []));
    this.#names = peers.filter((peer) => peer.kind === "dns");
    this.#resolver = resolver;
  }

  /** Whether there is anything to resolve. */
  get isDynamic(): boolean {
    return this.#names.length > 0;
  }

  /** The addresses as known now. */
  addresses(): readonly string[] {
    return [...new Set([...this.#static, ...[...this.#known.values()].flat()])];
  }

  /** Names that could not be resolved the last time, with the reason. */
  faults(): ReadonlyMap<string, string> {
    return this.#faults;
  }

  /** Resolves all names once; never rejects. A resolution under way is joined, so a slow resolver isn't asked again meanwhile. */
  resolve(): Promise<void> {
    this.#resolving ??= Promise.all(this.#names.map((name) => this.#resolveName(name))).then(() => {
      this.#resolving = null;
    });
    return this.#resolving;
  }

  async #resolveName(name: Name): Promise<void> {
    try {
      const found = await within(RESOLVE_TIMEOUT_MS, this.#lookUp(name));
      if (found.length === 0) throw new Error("no addresses");
      this.#known.set(name.host, found.slice(0, ADDRESSES_MAX));
      this.#faults.delete(name.host);
    } catch (error) {
      this.#faults.set(name.host, error instanceof Error ? error.message : String(error));
    }
  }

  async #lookUp({ host, port }: Name): Promise<readonly string[]> {
    if (!host.startsWith("_")) return this.#hostAddresses(host, port);
    const services = await this.#resolver.services(host);
    const found = await Promise.all(
      services.slice(0, ADDRESSES_MAX).map((service) => this.#hostAddresses(service.name, service.port)),
    );
    return found.flat();
  }

  async #hostAddresses(host: string, port: number): Promise<readonly string[]> {
    const addresses = await this.#resolver.addresses(host);
    return addresses
      .map((address) => `http://${address.includes(":") ? `[${address}]` : address}:${port}`)
      .sort();
  }
}

async function within<Value>(timeoutMs: number, promise: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs / 1000} s`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
