// The fleet: peers as addresses of their kind, and what they can't be without.
import type { FleetConfig, Peer, Reclaim } from "./config.ts";
import type { Report } from "./report.ts";
import type { RawFleet } from "./schema.ts";

const FLEET_PORT = 8788;
/** Sixteen random bytes can't be guessed, not even by somebody who has recorded messages to try guesses on. */
const SECRET_BYTES_MIN = 16;

/** Resolves `fleet`; `hostName` is this machine's. */
export function resolveFleet(raw: RawFleet, hostName: string, report: Report): FleetConfig {
  const peers = raw.peers.flatMap((text, index) => {
    const peer = toPeer(text);
    if (typeof peer !== "string") return [peer];
    report.error(["fleet", "peers", index], peer);
    return [];
  });
  const listen = raw.listen ?? null;
  const isAsked = peers.some((peer) => peer.kind !== "nats");
  if (isAsked && peers.some((peer) => peer.kind === "nats")) {
    report.error(
      ["fleet", "peers"],
      "siblings are reached over NATS or by addresses, not both: keep one kind",
    );
  }
  if (new Set(peers.flatMap(credentialsOf)).size > 1) {
    report.error(
      ["fleet", "peers"],
      "NATS is asked with one user and password: give the same, or give it once",
    );
  }
  if (isAsked && listen === null) {
    report.error(["fleet"], "`listen` is missing: siblings have to reach this instance too");
  }
  if ((peers.length > 0 || listen !== null) && raw.secret === undefined) {
    report.error(["fleet"], "`secret` is missing: siblings share one, and whoever knows it can move units");
  }
  if (raw.secret !== undefined && Buffer.byteLength(raw.secret) < SECRET_BYTES_MIN) {
    report.error(
      ["fleet", "secret"],
      `a secret has at least ${SECRET_BYTES_MIN} bytes, because whoever guesses it can move units; \`openssl rand -hex 32\` makes one`,
    );
  }
  if (raw.name !== undefined && !/^[\x21-\x7e]{1,64}$/.test(raw.name)) {
    report.error(["fleet", "name"], "a name is at most 64 visible ASCII characters");
  }
  return {
    name: raw.name ?? hostName,
    listen,
    peers,
    secret: raw.secret ?? null,
    reclaim: toReclaim(raw.reclaim),
    ...toFounding(raw.found_after),
    unreachableAfterMs: raw.unreachable_after,
    bootGraceMs: raw.boot_grace,
  };
}

/** `user:password` of a NATS server's URL, if it has them. */
function credentialsOf(peer: Peer): readonly string[] {
  if (peer.kind !== "nats") return [];
  const { username, password } = new URL(peer.url);
  return username === "" && password === "" ? [] : [`${username}:${password}`];
}

/** The peer, or what is wrong with it. */
function toPeer(text: string): Peer | string {
  const fault = "expected http://HOST:PORT, dns://NAME:PORT or nats://HOST:PORT";
  if (!URL.canParse(text)) return fault;
  const url = new URL(text);
  if (url.hostname === "") return fault;
  if (url.pathname.length > 1 || url.search !== "" || url.hash !== "")
    return "a peer is an address without a path";
  switch (url.protocol) {
    case "http:":
    case "https:":
      if (url.username !== "" || url.password !== "")
        return "credentials don't belong into a peer's URL; siblings share `secret`";
      return { kind: "http", url: url.origin };
    case "dns:":
      return { kind: "dns", host: url.hostname, port: url.port === "" ? FLEET_PORT : Number(url.port) };
    case "nats:":
    case "tls:":
      return { kind: "nats", url: text };
    default:
      return fault;
  }
}

/** Peers that are not there are waited for this long. */
const FOUND_AFTER_MS = 5000;

function toFounding(raw: RawFleet["found_after"]): Pick<FleetConfig, "foundAfterMs" | "foundsUnheard"> {
  if (raw === "auto") return { foundAfterMs: FOUND_AFTER_MS, foundsUnheard: false };
  return { foundAfterMs: raw === "never" ? null : raw, foundsUnheard: raw !== "never" };
}

function toReclaim(raw: RawFleet["reclaim"]): Reclaim {
  return typeof raw === "string" ? { kind: raw } : { kind: "after", afterMs: raw.after };
}
