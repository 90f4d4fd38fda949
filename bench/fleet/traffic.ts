// What keeping in step costs while nothing happens and while everything is in use: bytes on the wire and CPU time per
// replica. Real HTTP on loopback, all replicas in one process, memory stores. Bytes are those of the sockets, HTTP's
// and the seal's own included; what a replica sends others receive, so they are counted once.
import { channel } from "node:diagnostics_channel";
import { Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { performance } from "node:perf_hooks";
import { Demand } from "./demand.ts";
import { Lab, limitsOf } from "./lab.ts";

const SETTLE_MS = 1500;
const WINDOW_MS = 3000;

export interface Traffic {
  readonly replicas: number;
  readonly buckets: number;
  /** Requests per second, on each bucket of each replica. */
  readonly perSecond: number;
  readonly messagesPerSecond: number;
  readonly bytesPerSecond: number;
  /** Of one core, in percent, per replica; what makes the requests is in it. */
  readonly cpuPercent: number;
}

const sockets = new Set<Socket>();
channel("net.client.socket").subscribe((message) => {
  if (typeof message !== "object" || message === null || !("socket" in message)) return;
  if (message.socket instanceof Socket) sockets.add(message.socket);
});

function wireBytes(): number {
  let bytes = 0;
  for (const socket of sockets) bytes += socket.bytesRead + socket.bytesWritten;
  return bytes;
}

/** Measures one fleet, with requests at a rate or (0) without any. */
export async function measureTraffic(replicas: number, buckets: number, perSecond: number): Promise<Traffic> {
  sockets.clear();
  // Everything that is asked for fits, so that the traffic is that of use and not of scarcity.
  const capacity = Math.max(6000, perSecond * replicas * 60 * 2);
  const lab = await Lab.open({ replicas, limits: limitsOf(buckets, capacity), store: "memory" });
  const demands = perSecond === 0 ? [] : lab.seats.map((seat) => new Demand(seat));
  try {
    for (const demand of demands) demand.start(perSecond);
    await pause(SETTLE_MS);
    const before = { bytes: wireBytes(), messages: messagesOf(lab), startedMs: performance.now() };
    const cpu = process.cpuUsage();
    await pause(WINDOW_MS);
    const { user, system } = process.cpuUsage(cpu);
    const seconds = (performance.now() - before.startedMs) / 1000;
    return {
      replicas,
      buckets,
      perSecond,
      messagesPerSecond: (messagesOf(lab) - before.messages) / seconds / replicas,
      bytesPerSecond: (wireBytes() - before.bytes) / seconds / replicas,
      cpuPercent: (user + system) / 1e4 / seconds / replicas,
    };
  } finally {
    for (const demand of demands) demand.stop();
    await lab.close();
  }
}

function messagesOf({ seats }: Lab): number {
  return seats.reduce((sum, { running }) => sum + running.replica.state.counts.sent, 0);
}
