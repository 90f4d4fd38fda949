// From the configuration's `fleet` to what the replica is opened with.
import type { Config } from "../../config/config.ts";
import { systemClock, systemTimers } from "../../clock.ts";
import type { OpenReplicaOptions } from "../../fleet/shell.ts";
import { openSiblings } from "../../fleet/siblings.ts";
import { TRACE_VARIABLE } from "../../fleet/trace.ts";
import { GatewayError } from "../../errors.ts";
import type { Log } from "../../observe/events.ts";
import { localUrl } from "../local-url.ts";

type FleetParts = Pick<OpenReplicaOptions, "connect" | "membership" | "isTracing" | "address">;

/** What makes the replica a member of a fleet; an instance without peers and without `fleet.listen` is alone. */
export function fleetParts({ fleet, log: { merges } }: Config, log: Log, env: NodeJS.ProcessEnv): FleetParts {
  const isTracing = merges || env[TRACE_VARIABLE] === "1";
  const { listen, peers, secret } = fleet;
  const membership = {
    name: fleet.name,
    hasPeers: peers.length > 0,
    foundAfterMs: fleet.foundAfterMs ?? Infinity,
    foundsUnheard: fleet.foundsUnheard,
    bootGraceMs: fleet.bootGraceMs,
    reclaimAfterMs: fleet.reclaim.kind === "after" ? fleet.reclaim.afterMs : Infinity,
    unreachableAfterMs: fleet.unreachableAfterMs,
  };
  if (secret === null || (listen === null && peers.length === 0)) return { isTracing, membership };
  return {
    isTracing,
    membership,
    ...(listen === null ? {} : { address: localUrl(listen) }),
    async connect(receive) {
      const parts = { clock: systemClock, timers: systemTimers, log, receive };
      try {
        return await openSiblings({ listen, peers, secret }, parts);
      } catch (cause) {
        const where = listen === null ? "" : ` on ${listen.host}:${listen.port}`;
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new GatewayError(
          "invalid_config",
          `Siblings can't be listened for${where} (fleet.listen): ${reason}.`,
          {
            cause,
          },
        );
      }
    },
  };
}
