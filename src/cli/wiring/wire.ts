// Puts the parts together and takes them apart again. The only place that knows all of them.
//
//   config ─▶ snapshot ─▶ gateway ─▶ http          a reload makes a new snapshot and swaps it in
//   store ─▶ replica ─▶ limiter ──┘                these, connections and health outlive it
import type { Config } from "../../config/config.ts";
import { systemClock, systemRandom, systemTimers } from "../../clock.ts";
import { openReplica, type RunningReplica } from "../../fleet/shell.ts";
import { fleetSamples, fleetStateOf, type FleetView, membersOf } from "../../fleet/view.ts";
import { accountsOf } from "./accounts.ts";
import { shareCircuits } from "./fleet-circuits.ts";
import { sharePauses } from "./fleet-pauses.ts";
import { fleetParts } from "./fleet-wiring.ts";
import { LiveGateway } from "../../gateway/gateway.ts";
import { Hedges } from "../../gateway/hedges.ts";
import { Shadows } from "../../gateway/shadows.ts";
import { createHttpServer, type HttpServer } from "../../http/server.ts";
import type { PlainRoute } from "../../http/plain-route.ts";
import { Estimates } from "../../limiter/estimate.ts";
import { Limiter } from "../../limiter/limiter.ts";
import { healthz, metricsAnswer, readyz } from "../../observe/health.ts";
import type { Sample } from "../../observe/events.ts";
import type { GatewayObserver } from "../../observe/observer.ts";
import { HealthBook } from "../../routing/health-book.ts";
import { openStore } from "../../store/open.ts";
import type { Store } from "../../store/store.ts";
import { Watch } from "../../upstream/watch.ts";
import { askedBuckets } from "../name-pattern.ts";
import { ClientKeys } from "./client-keys.ts";
import { gaugeSamples } from "./gauges.ts";
import { openCache } from "./open-cache.ts";
import { Origins } from "./origins.ts";
import { providerRoute } from "../routes/provider-routes.ts";
import { trustNewKey, trustNewKeys } from "./new-keys.ts";
import { providerSecrets } from "./provider-secrets.ts";
import { Renewals } from "./renewals.ts";
import { RunTime } from "./run-time.ts";
import { Simulators } from "./simulators.ts";
import { compileSnapshot, type Plant } from "./snapshot.ts";

/** How long a sibling may take to confirm that it has taken over from a leaving instance. */
const LEAVE_MS = 5000;

/** What the greeting says of the fleet. */
export type FleetStanding = Pick<FleetView, "state" | "members">;

/** A gateway that runs. */
export interface Running {
  /** The port that clients connect to. */
  readonly port: number;
  readonly runningCount: number;
  /** Whether callers of this machine are served without a key. */
  readonly isOpen: boolean;
  /** How it stands with its siblings. */
  readonly fleet: FleetStanding;
  /** Resolves, with the reason, when this process must not go on. */
  readonly lost: Promise<string>;
  /** Starts what another configuration needs before it can be put in force. Rejects with `invalid_config`, and then nothing has changed. */
  prepare(config: Config): Promise<void>;
  /** Puts another configuration in force. Throws `invalid_config`, and then nothing has changed. */
  apply(config: Config): void;
  /** Stops accepting; resolves when every running request has ended. */
  finish(): Promise<void>;
  /** Ends what still runs; each client is told. */
  cut(): void;
  /** Writes reserved units back. */
  handBack(): Promise<void>;
  /** Closes everything. */
  close(): Promise<void>;
}

/** Opens the store, starts everything and listens. Rejects with a `GatewayError`, and then nothing runs. */
export async function openGateway(
  config: Config,
  observer: GatewayObserver,
  operatorRoutes: readonly PlainRoute[] = [],
): Promise<Running> {
  const opened: (() => Promise<void>)[] = [];
  try {
    return await open(config, observer, operatorRoutes, opened);
  } catch (error) {
    for (const close of opened.toReversed()) await close();
    throw error;
  }
}

async function open(
  config: Config,
  observer: GatewayObserver,
  operatorRoutes: readonly PlainRoute[],
  opened: (() => Promise<void>)[],
): Promise<Running> {
  const { store } = await openStore({
    directory: config.dataDir,
    log: observer.log,
    wallMs: systemClock.wallMs(),
  });
  opened.push(() => store.close());
  const replica = await openReplica({
    store,
    log: observer.log,
    ...fleetParts(config, observer.log, globalThis.process.env),
  });
  opened.push(() => replica.close());
  const simulators = new Simulators();
  opened.push(() => simulators.close());
  await simulators.prepare(config);
  const limiter = new Limiter({
    quota: replica.quota,
    clock: systemClock,
    timers: systemTimers,
    lineLengthMax: config.queue.maxLength,
  });
  observer.addSource((isAsked) => limiter.samples(isAsked));
  sharePauses({ board: replica.board, limiter, clock: systemClock, replica: replica.replica.id });
  observer.addSource(() => replica.board.samples());
  observer.addSource(() => fleetSamples(replica.replica, systemClock.elapsedMs(), replica.counts()));
  const cache = openCache(config, observer.log);
  opened.push(() => cache.close());
  const renewals = new Renewals(observer.log);
  opened.push(async () => renewals.closeAll());
  const plant: Plant = {
    clock: systemClock,
    observer,
    limiter,
    health: new HealthBook(),
    estimates: new Estimates(),
    origins: new Origins(),
    renewals,
    learned: new Map(),
    clientKeys: new ClientKeys(limiter),
    cache,
    simulatorUrl: (provider) => simulators.url(provider),
  };
  const process = new GatewayProcess({
    config,
    observer,
    operatorRoutes,
    store,
    replica,
    simulators,
    plant,
  });
  await process.listen(config);
  return process;
}

interface GatewayParts {
  readonly config: Config;
  readonly observer: GatewayObserver;
  readonly operatorRoutes: readonly PlainRoute[];
  readonly store: Store;
  readonly replica: RunningReplica;
  readonly simulators: Simulators;
  readonly plant: Plant;
}

class GatewayProcess implements Running {
  port = 0;
  readonly #parts: GatewayParts;
  readonly #gateway: LiveGateway;
  readonly #http: HttpServer;
  readonly #watch = new Watch(systemClock);
  #config: Config;
  #isDraining = false;
  #isStoreOpen = true;
  readonly #runTime: RunTime;

  constructor(parts: GatewayParts) {
    const { config, observer, operatorRoutes, plant, replica } = parts;
    this.#parts = parts;
    this.#config = config;
    this.#runTime = new RunTime({
      replica,
      limiter: plant.limiter,
      clientKeys: plant.clientKeys,
      clock: systemClock,
      log: observer.log,
      config: () => this.#config,
      isConfigured: this.#isConfigured,
    });
    this.#runTime.check(config, null);
    this.#runTime.configure(config);
    const snapshot = compileSnapshot(this.#runTime.inForce(config), plant);
    plant.origins.closeUnused();
    plant.renewals.closeUnused();
    plant.health.forgetUnused();
    this.#observe(config);
    const counting = this.#runTime.counting(observer);
    const hedges = new Hedges();
    const shadows = new Shadows();
    this.#gateway = new LiveGateway(snapshot, {
      clock: systemClock,
      random: systemRandom,
      timers: systemTimers,
      watch: this.#watch,
      limiter: plant.limiter,
      observer: counting,
      hedges,
      shadows,
    });
    observer.addSource(() => this.#gauges());
    observer.addSource(() => plant.cache.samples());
    observer.addSource(() => plant.renewals.samples());
    observer.addSource(() => this.#runTime.samples());
    plant.renewals.onKey = (provider) => {
      this.#observe(this.#config);
      trustNewKey(provider, plant.health, systemClock.elapsedMs());
    };
    observer.addSource(() => hedges.samples());
    observer.addSource(() => shadows.samples());
    this.#http = createHttpServer({
      gateway: this.#gateway,
      observer: counting,
      clock: systemClock,
      openRoutes: this.#openRoutes(),
      operatorRoutes: [
        ...operatorRoutes,
        ...this.#runTime.operatorRoutes(),
        providerRoute({ ...plant, config: () => this.#config }),
      ],
      clientRoutes: this.#runTime.clientRoutes(),
      adminKeySha256: () => this.#config.admin.keySha256,
      limits: config.http,
    });
    shareCircuits({
      board: replica.board,
      health: plant.health,
      clock: systemClock,
      replica: replica.replica.id,
      isConfigured: this.#isConfigured,
    });
    this.#runTime.onChange((what) => this.#recompile(what));
  }

  #recompile(what: "limits" | "keys"): void {
    if (what === "limits") this.apply(this.#config);
    else {
      const { clientKeys, limiter } = this.#parts.plant;
      const inForce = this.#runTime.inForce(this.#config);
      const keys = limiter.compileAll("keys", () => clientKeys.compile(inForce));
      this.#gateway.swap({ ...this.#gateway.runtime, ...keys });
    }
    this.#parts.observer.log.info(`${what} that were set at run time are in force`);
  }

  get runningCount(): number {
    return this.#gateway.runningCount;
  }

  get isOpen(): boolean {
    return this.#gateway.runtime.anonymous !== null;
  }

  get fleet(): FleetStanding {
    const { replica } = this.#parts.replica;
    return { state: fleetStateOf(replica), members: membersOf(replica, systemClock.elapsedMs()) };
  }

  async listen({ listen }: Config): Promise<void> {
    const { port } = await this.#http.listen(listen);
    this.port = port;
  }

  prepare(config: Config): Promise<void> {
    return this.#parts.simulators.prepare(config);
  }

  apply(config: Config): void {
    const { plant } = this.#parts;
    this.#runTime.check(config, this.#config);
    const snapshot = compileSnapshot(this.#runTime.inForce(config), plant);
    this.#runTime.configure(config);
    plant.origins.closeUnused();
    plant.renewals.closeUnused();
    plant.health.forgetUnused();
    plant.limiter.lineLengthMax = config.queue.maxLength;
    plant.cache.configure(config.cache);
    trustNewKeys(this.#config, config, plant.health, systemClock.elapsedMs());
    this.#observe(config);
    this.#config = config;
    this.#gateway.swap(snapshot);
  }

  async finish(): Promise<void> {
    this.#isDraining = true;
    this.#gateway.stopShadows();
    await Promise.all([this.#http.drain(), this.#gateway.idle()]);
    // A slot that is handed back must be free at the provider too.
    await this.#watch.idle();
  }

  cut(): void {
    this.#parts.plant.limiter.close();
    this.#gateway.abortAll();
    this.#http.close();
  }

  get lost(): Promise<string> {
    return this.#parts.replica.superseded.then(() => "another process runs under this identity");
  }

  async handBack(): Promise<void> {
    const { replica, observer } = this.#parts;
    const isSuperseded = replica.replica.state.supersededByBoot !== 0;
    if (replica.peers().length > 0 && !isSuperseded) {
      const hasLeft = await replica.leave(LEAVE_MS);
      if (hasLeft) observer.log.info("left the fleet; its siblings hold this share now");
      else if (replica.replica.state.ledger.lineage === null)
        observer.log.info("was in no fleet yet, and holds nothing to hand over");
      else if (replica.replica.membership.isDeserted)
        observer.log.info("nobody stays who could take over; this share waits here for the next start");
      else observer.log.warn("no sibling has taken over in time; this share waits here for the next start");
    }
    await replica.close();
  }

  async close(): Promise<void> {
    const { plant, simulators, store, observer } = this.#parts;
    this.#isStoreOpen = false;
    this.#http.close();
    plant.origins.closeAll();
    plant.renewals.closeAll();
    await plant.cache.close();
    await simulators.close();
    await store.close();
    observer.log.info("closed");
  }

  #observe(config: Config): void {
    this.#parts.observer.configure({
      level: config.log.level,
      secrets: [...secretsOf(config), ...this.#parts.plant.renewals.secrets()],
      models: modelsOf(config),
    });
  }

  #gauges(): Iterable<Sample> {
    const { health } = this.#parts.plant;
    const now = systemClock.elapsedMs();
    return gaugeSamples({
      running: this.#gateway.runningCount,
      providers: this.#config.providers.keys(),
      circuits: health.circuits(now),
      isConfigured: this.#isConfigured,
      pausedMs: (name) => this.#pausedUntilMs(name) - now,
    });
  }

  /** Until when the provider is paused with each of its API keys. */
  #pausedUntilMs(name: string): number {
    const provider = this.#config.providers.get(name);
    const accounts = provider === undefined ? [] : accountsOf(provider);
    return Math.min(...accounts.map(({ account }) => this.#parts.plant.limiter.pausedUntilMs(account)));
  }

  readonly #isConfigured = (provider: string, model: string): boolean =>
    this.#config.providers.get(provider)?.models.has(model) === true;

  #fleetState(): string | null {
    const state = fleetStateOf(this.#parts.replica.replica);
    return state === "serving" ? null : state;
  }

  #openRoutes(): readonly PlainRoute[] {
    const { observer, replica, store } = this.#parts;
    return [
      { method: "GET", path: "/healthz", handle: healthz },
      {
        method: "GET",
        path: "/readyz",
        handle: () =>
          readyz({
            isStoreOpen: this.#isStoreOpen,
            isStoreWritable: !replica.replica.isDiskFailing && store.fault() === null,
            isDraining: this.#isDraining,
            providerCount: this.#config.providers.size,
            fleetState: this.#fleetState(),
            warnings: replica.isMetByStrangers ? ["fleet_other_secret"] : [],
          }),
      },
      {
        method: "GET",
        path: "/metrics",
        handle: ({ query }) => metricsAnswer(observer.metrics(askedBuckets(query))),
      },
    ];
  }
}

/** Every value that must never show in a log line. */
function* secretsOf(config: Config): Generator<string> {
  for (const provider of config.providers.values()) yield* providerSecrets(provider);
  if (config.fleet.secret !== null) yield config.fleet.secret;
}

function* modelsOf(config: Config): Generator<string> {
  for (const provider of config.providers.values()) {
    for (const model of provider.models.keys()) yield `${provider.name}/${model}`;
  }
}
