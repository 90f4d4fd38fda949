// The way to the siblings, as configured: over HTTP to addresses that are given or found by name, or over NATS.
import { createHash } from "node:crypto";
import { type Clock, randomId, type Timers } from "../clock.ts";
import type { Log } from "../observe/events.ts";
import { type AddressedPeer, Discovery, type Resolver } from "./discovery.ts";
import { openHttpTransport } from "./http-transport.ts";
import { openNatsTransport } from "./nats-transport.ts";
import type { Receive, Transport } from "./transport.ts";

export type Peer = AddressedPeer | { readonly kind: "nats"; readonly url: string };

export interface SiblingOptions {
  /** Where siblings connect; null when they are reached over NATS only. */
  readonly listen: { readonly host: string; readonly port: number } | null;
  /** Empty: siblings may come, but none is looked for. */
  readonly peers: readonly Peer[];
  readonly secret: string;
}

export interface SiblingParts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly receive: Receive;
  /** Finds addresses by name; the system's by default. */
  readonly resolver?: Resolver;
}

/** Names are resolved again this often: replicas come and go. */
const RESOLVE_EVERY_MS = 5000;

/** Opens the transport. Rejects when `listen` can't be listened on. */
export async function openSiblings(options: SiblingOptions, parts: SiblingParts): Promise<Transport> {
  const { secret, peers, listen } = options;
  const { clock, log, receive } = parts;
  const gate = { secret, session: randomId(), receive };
  const servers = peers.flatMap((peer) => (peer.kind === "nats" ? [peer.url] : []));
  if (servers.length > 0)
    return openNatsTransport({ ...gate, servers, prefix: subjectOf(secret), clock, log });
  const discovery = new Discovery(
    peers.filter((peer) => peer.kind !== "nats"),
    parts.resolver,
    parts.timers,
  );
  await discovery.resolve();
  const stopRefresh = discovery.isDynamic ? refresh(discovery, parts) : () => {};
  return openHttpTransport({
    ...gate,
    listen: listen ?? { host: "127.0.0.1", port: 0 },
    peers: () => discovery.addresses(),
    areAllKnown: () => discovery.isComplete,
    onClose: stopRefresh,
  });
}

/** Fleets that share a NATS are told apart by their secret, of which this tells nothing. */
function subjectOf(secret: string): string {
  return `sluice.${createHash("sha256").update(`subject ${secret}`).digest("hex").slice(0, 16)}`;
}

/** Resolves again and again; returns what stops it. A name that begins or ceases to fail is logged once. */
function refresh(discovery: Discovery, { timers, log }: SiblingParts): () => void {
  let failing = discovery.faults();
  let stop = (): void => {};
  const report = (): void => {
    for (const [name, reason] of discovery.faults()) {
      if (!failing.has(name))
        log.warn("peers can't be resolved; the addresses known last are kept", { name, reason });
    }
    failing = new Map(discovery.faults());
  };
  const again = async (): Promise<void> => {
    await discovery.resolve();
    report();
    later();
  };
  const later = (): void => {
    stop = timers.after(RESOLVE_EVERY_MS, () => void again());
  };
  failing = new Map();
  report();
  later();
  return () => stop();
}
