// Whose request is it? Client keys are known by their SHA-256 alone; a gateway without keys serves callers of its own
// machine and nobody else. Hashing costs more than everything else here, so a header that was found good is remembered
// for as long as the same set of keys is in force.
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Clock } from "../clock.ts";
import { GatewayError } from "../errors.ts";
import type { ClientKey, Runtime } from "../gateway/runtime.ts";

const BEARER = /^Bearer +(\S+) *$/i;

/** Headers longer than this, or beyond this many, are not remembered: keys can be padded with spaces at will. */
const KNOWN_CHARS_MAX = 256;
const KNOWN_MAX = 10_000;

export class Authenticator {
  readonly #clock: Clock;
  #keys: ReadonlyMap<string, ClientKey> | undefined;
  /** Header value as received, to the key it was found to be. */
  readonly #known = new Map<string, ClientKey>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The caller's key. Throws `invalid_api_key`, `permission_denied` for a foreign web page, `client_gone` for nobody. */
  authenticate(request: IncomingMessage, runtime: Runtime): ClientKey {
    if (runtime.anonymous !== null) return anonymous(request, runtime.anonymous);
    if (runtime.keys !== this.#keys) {
      this.#keys = runtime.keys;
      this.#known.clear();
    }
    const { authorization, "x-api-key": xApiKey, "api-key": apiKey } = request.headers;
    const key =
      this.#find(authorization, runtime.keys) ??
      this.#find(xApiKey, runtime.keys) ??
      this.#find(apiKey, runtime.keys);
    if (key !== undefined) {
      if (key.expiresMs !== Infinity && key.expiresMs <= this.#clock.wallMs()) throw expired(key);
      return key;
    }
    const isMissing = authorization === undefined && xApiKey === undefined && apiKey === undefined;
    throw new GatewayError(
      "invalid_api_key",
      isMissing
        ? "No API key was sent. Send it as `Authorization: Bearer KEY` or `x-api-key: KEY`."
        : "The API key is not known to this gateway. It must be one of the gateway's own client keys.",
    );
  }

  #find(header: string | string[] | undefined, keys: ReadonlyMap<string, ClientKey>): ClientKey | undefined {
    if (typeof header !== "string") return undefined;
    const known = this.#known.get(header);
    if (known !== undefined) return known;
    const key = keys.get(sha256(BEARER.exec(header)?.[1] ?? header).toString("hex"));
    if (key !== undefined && header.length <= KNOWN_CHARS_MAX) {
      if (this.#known.size >= KNOWN_MAX) this.#known.clear();
      this.#known.set(header, key);
    }
    return key;
  }
}

function expired({ name, expiresMs }: ClientKey): GatewayError {
  const message = `This secret of the key \`${name}\` has expired on ${new Date(expiresMs).toISOString()}.`;
  return new GatewayError("invalid_api_key", message);
}

/** What proxies add to say whom they ask for. */
const FORWARDING = ["forwarded", "x-forwarded-for", "x-real-ip"] as const;

/** Whether a proxy on this machine passes on what somebody else asks: its address says nothing then. */
function isForwarded(request: IncomingMessage): boolean {
  return FORWARDING.some((name) => request.headers[name] !== undefined);
}

/**
 * Lets callers of this machine in. Web pages run on this machine too: a browser names the page's origin, and only
 * pages that come from this machine themselves may use the gateway without a key. So does a reverse proxy.
 */
function anonymous(request: IncomingMessage, key: ClientKey): ClientKey {
  if (!isLoopback(addressOf(request))) {
    const message =
      "This gateway has no client keys and so serves its own machine only. Configure `keys` to let others in.";
    throw new GatewayError("invalid_api_key", message);
  }
  if (isForwarded(request)) {
    const message =
      "This gateway has no client keys and so serves nobody through a proxy. Configure `keys` to let others in.";
    throw new GatewayError("invalid_api_key", message);
  }
  if (isForeignPage(request)) {
    const message = "Web pages of other sites may not use a gateway that has no client keys.";
    throw new GatewayError("permission_denied", message);
  }
  return key;
}

/** The peer's address, which a connection has as long as it is open. Throws `client_gone`. */
function addressOf(request: IncomingMessage): string {
  const address = request.socket.remoteAddress;
  if (address === undefined) throw new GatewayError("client_gone", "The client closed its connection.");
  return address;
}

/** Operators: the admin key (known by its SHA-256 in hexadecimal), or without one callers of this machine. Throws `invalid_api_key`. */
export function authenticateOperator(request: IncomingMessage, adminKeySha256: string | null): void {
  if (adminKeySha256 === null) {
    if (isLoopback(addressOf(request)) && !isForwarded(request) && !isForeignPage(request)) return;
    throw new GatewayError("invalid_api_key", "No admin key is configured, so only this machine is let in.");
  }
  const sent = BEARER.exec(request.headers.authorization ?? "")?.[1] ?? request.headers["x-api-key"];
  // Digests have one length, so that comparing them takes the same time whatever was sent.
  if (typeof sent === "string" && timingSafeEqual(sha256(sent), Buffer.from(adminKeySha256, "hex"))) return;
  throw new GatewayError("invalid_api_key", "This needs the admin key: `Authorization: Bearer KEY`.");
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/** Whether a peer's address is of this machine: 127.0.0.0/8, ::1, or the former written as IPv6. */
export function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.") || address.startsWith("::ffff:127.");
}

/**
 * Whether a page of another site asks. Its browser names it as `Origin`; not where the page's own name leads to this machine,
 * which its owner can make it do at any time (DNS rebinding), but then that name is the `Host`.
 */
function isForeignPage({ headers: { origin, host } }: IncomingMessage): boolean {
  return (origin !== undefined && !isLocalOrigin(origin)) || (host !== undefined && PUBLIC_NAME.test(host));
}

/** A name with a dot that ends in letters, so no address, and in none that only a private network gives out. */
const PUBLIC_NAME = /\.(?!(?:localhost|local|internal|lan)\.?(?::|$))[a-z][a-z0-9-]*\.?(?::\d*)?$/i;

function isLocalOrigin(origin: string): boolean {
  const host = URL.parse(origin)?.hostname;
  return host === "localhost" || host === "[::1]" || (host !== undefined && /^127(\.\d+){3}$/.test(host));
}
