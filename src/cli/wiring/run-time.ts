// What holds for the whole fleet beside the configuration, because it was set while the fleet runs: limits and client keys. And
// what the fleet counts of use. All of it lives in the replicated map.
import type { Clock } from "../../clock.ts";
import type { Config } from "../../config/config.ts";
import { GatewayError } from "../../errors.ts";
import type { Bucket } from "../../fleet/quota.ts";
import type { RunningReplica } from "../../fleet/shell.ts";
import type { PlainRoute } from "../../http/plain-route.ts";
import { KeyBook } from "../../keys/key-book.ts";
import type { Limiter } from "../../limiter/limiter.ts";
import type { Log, Observer, Sample } from "../../observe/events.ts";
import { counter } from "../../observe/sample.ts";
import { UsageBook } from "../../usage/usage-book.ts";
import type { ClientKeys } from "./client-keys.ts";
import { FleetLimits } from "./fleet-limits.ts";
import { fleetRoutes } from "../routes/fleet-routes.ts";
import { keyRoutes } from "../routes/key-routes.ts";
import { configuredLimits, LimitOverrides } from "./limit-overrides.ts";
import { limitRoutes } from "../routes/limit-routes.ts";
import { ownUsageRoute, usageRoute } from "../routes/usage-routes.ts";

interface RunTimeParts {
  readonly replica: RunningReplica;
  readonly limiter: Limiter;
  readonly clientKeys: ClientKeys;
  readonly clock: Clock;
  readonly log: Log;
  /** The configuration as it was written. */
  readonly config: () => Config;
  /** Whether the configuration in force has this model of this provider. */
  readonly isConfigured: (provider: string, model: string) => boolean;
}

export class RunTime {
  readonly #parts: RunTimeParts;
  readonly #overrides: LimitOverrides;
  readonly #keys: KeyBook;
  readonly #usage: UsageBook;
  readonly #fleetLimits: FleetLimits;
  /** Micro-dollars spent at each provider since this process began. */
  readonly #spent = new Map<string, number>();

  constructor(parts: RunTimeParts) {
    const { replica, limiter, clock, log } = parts;
    const { board } = replica;
    this.#parts = parts;
    this.#overrides = new LimitOverrides(board);
    const keys = new KeyBook({ board, clock, log });
    this.#keys = keys;
    parts.clientKeys.areAsked = () => keys.hasBegun;
    const usage = new UsageBook({
      board,
      clock,
      replica: replica.replica.id,
      isElder: () => replica.replica.membership.isElder,
      isListed: parts.isConfigured,
    });
    this.#usage = usage;
    const fleetLimits = new FleetLimits({
      replica,
      clock,
      log,
      limits: () => configuredLimits(this.inForce(parts.config())),
    });
    this.#fleetLimits = fleetLimits;
    board.onCount = () => {
      usage.flush();
      fleetLimits.look();
    };
    limiter.onSettled = ({ clientKey, meters }, used) => {
      const { provider, model } = meters;
      const microUsd = meters.microUsd(used);
      usage.settled({ key: clientKey, provider, model }, used, microUsd);
      this.#spent.set(provider, (this.#spent.get(provider) ?? 0) + microUsd);
    };
  }

  /** The configuration with what was set at run time. */
  inForce(config: Config): Config {
    return this.#overrides.applyTo(this.#keys.applyTo(config));
  }

  /** Counts the requests that this observer is told of. */
  counting(observer: Observer): Observer {
    return {
      log: observer.log,
      requestEnded: (record) => {
        observer.requestEnded(record);
        this.#usage.ended(record);
      },
      addSource: (source) => observer.addSource(source),
    };
  }

  /** Settings of a configuration that is put in force. */
  configure({ usage }: Config): void {
    this.#usage.keepDays(usage.days);
    this.#fleetLimits.changed();
  }

  /**
   * A configuration may not take the name of a key that was made at run time: its users would be locked out. Where it has
   * done so before this process started, nobody is there to keep the old one, and the configuration's key holds.
   */
  check(config: Config, before: Config | null): void {
    for (const name of config.keys.keys()) {
      if (this.#keys.get(name) === undefined || before?.keys.has(name) === true) continue;
      const message = `keys: a key \`${name}\` was made at run time; revoke it first, or choose another name`;
      if (before !== null) throw new GatewayError("invalid_config", message);
      this.#parts.log.error("a key of run time is out of force: the configuration has one of its name", {
        name,
      });
    }
  }

  /** Calls back when limits, or only keys, have changed; once for what came together. */
  onChange(listener: (what: "limits" | "keys") => void): void {
    let due: "limits" | "keys" | null = null;
    const tell = (what: "limits" | "keys"): void => {
      this.#fleetLimits.changed();
      const isDue = due !== null;
      due = what === "limits" ? what : (due ?? what);
      if (isDue) return;
      queueMicrotask(() => {
        const changed = due ?? what;
        due = null;
        listener(changed);
      });
    };
    this.#overrides.onChange(() => tell("limits"));
    this.#keys.onChange = () => tell("keys");
  }

  *samples(): Iterable<Sample> {
    const help = "What requests cost, in US dollars, by the prices that are known.";
    for (const [provider, microUsd] of this.#spent) {
      yield counter("sluice_cost_usd_total", help, microUsd / 1_000_000, { provider });
    }
    yield* this.#fleetLimits.samples();
  }

  operatorRoutes(): readonly PlainRoute[] {
    const { replica, limiter, clientKeys, clock, config } = this.#parts;
    const surroundings = () => ({
      isConfigured: (bucket: Bucket) => limiter.lists(bucket),
      limitsDiffer: this.#fleetLimits.differences,
    });
    return [
      ...fleetRoutes(replica, clock, surroundings),
      ...limitRoutes(this.#overrides, () => this.#keys.applyTo(config())),
      ...keyRoutes({
        book: this.#keys,
        clock,
        config,
        inForce: () => this.inForce(config()).keys,
        levels: (key) => limiter.levels(clientKeys.meters(key), clock.elapsedMs()),
      }),
      usageRoute({ usage: this.#usage, clock }),
    ];
  }

  clientRoutes(): readonly PlainRoute[] {
    const { limiter, clientKeys, clock } = this.#parts;
    return [
      ownUsageRoute({ usage: this.#usage, clock }, (caller) => {
        const meters = clientKeys.metersOf.get(caller);
        return meters === undefined ? [] : limiter.levels(meters, clock.elapsedMs());
      }),
    ];
  }
}
