// `sluice start`: runs the gateway until a signal comes. The configuration is watched meanwhile: a valid change is put
// in force, an invalid one is reported and the old one kept.
import { flushCompileCache } from "node:module";
import { hostname } from "node:os";
import { systemClock, systemTimers } from "../../clock.ts";
import type { Config } from "../../config/config.ts";
import { type Loaded, loadConfig, type LoadOptions } from "../../config/load.ts";
import { keysThatNeedRestart } from "../../config/restart.ts";
import { describeProblems } from "../../config/problems.ts";
import { watchConfig } from "../../config/watch.ts";
import { GatewayError } from "../../errors.ts";
import { logConsole } from "../../observe/console-lines.ts";
import { fdWriter, type LineWriter } from "../../observe/line-writer.ts";
import { createObserver, type GatewayObserver } from "../../observe/observer.ts";
import type { Invocation } from "../args.ts";
import { startBanner } from "./banner.ts";
import type { Output } from "./check.ts";
import { drainRoute } from "./drain-command.ts";
import { Drain } from "../wiring/drain.ts";
import { probeModels } from "./probe.ts";
import { listenForStop, type SignalSource } from "./stop-signals.ts";
import { openGateway, type Running } from "../wiring/wire.ts";

/** What of the process a start needs. */
export interface StartShell {
  readonly output: Output;
  readonly cwd: string;
  readonly env: LoadOptions["env"];
  readonly signals: SignalSource;
  /** Whether a person reads the log. */
  readonly isTerminal: boolean;
  readonly version: string;
}

/** Runs until a signal comes. Resolves with the exit code. */
export async function runStart(invocation: Invocation, shell: StartShell): Promise<number> {
  const load: LoadOptions = {
    file: invocation.option("config"),
    listen: invocation.option("listen"),
    dataDir: invocation.option("data-dir"),
    cwd: shell.cwd,
    env: shell.env,
    hostName: hostname(),
    probe: probeModels,
  };
  const writer = fdWriter(1, systemTimers);
  // Whatever ends the process, the last lines are the ones that tell why.
  shell.signals.once("exit", () => writer.flushNow());
  try {
    return await run(load, shell, writer);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    shell.output.err(`${error.message}\n`);
    return 1;
  } finally {
    await writer.flush();
  }
}

async function run(load: LoadOptions, shell: StartShell, writer: LineWriter): Promise<number> {
  const stop = listenForStop(shell.signals, () => process.exit(1));
  const asked = Promise.withResolvers<string>();
  const loaded = await loadConfig(load);
  const { config, warnings } = loaded;
  if (warnings.length > 0) shell.output.err(`${describeProblems(warnings)}\n`);
  const observer = createObserver({
    writer,
    clock: systemClock,
    level: config.log.level,
    isPretty: shell.isTerminal,
    hasColors: shell.isTerminal && (shell.env["NO_COLOR"] ?? "") === "",
  });
  logConsole(observer.log);
  const running = await openGateway(config, observer, [drainRoute(() => asked.resolve("/admin/drain"))]);
  shell.output.out(
    startBanner(config, {
      port: running.port,
      isOpen: running.isOpen,
      version: shell.version,
      fleet: running.fleet,
    }),
  );
  // A process that is killed at the end would leave nothing for the next start.
  flushCompileCache();
  let { drainMs } = config.timeouts;
  const watch = watchConfig({
    load,
    loaded,
    timers: systemTimers,
    onChange: async (changed) => {
      if (await apply(changed, config, running, observer)) ({ drainMs } = changed.config.timeouts);
    },
    onInvalid: (error) =>
      observer.log.error("the new configuration is not valid; the old one stays in force", {
        reason: error.message,
      }),
  });
  const drain = drainOf(() => drainMs, running, observer);
  const lost = running.lost.then((why) => ({ reason: why, isLost: true }));
  const told = Promise.race([stop.first, asked.promise]).then((reason) => ({ reason, isLost: false }));
  const { reason, isLost } = await Promise.race([lost, told]);
  watch.close();
  const code = await drain.stop(reason);
  stop.off();
  return isLost ? 1 : code;
}

/** Puts a new configuration in force, and says whether it is; `started` is the one that the process was started with. */
async function apply(
  { config, warnings }: Loaded,
  started: Config,
  running: Running,
  observer: GatewayObserver,
): Promise<boolean> {
  try {
    await running.prepare(config);
    running.apply(config);
    observer.log.info("the new configuration is in force", { providers: [...config.providers.keys()] });
    const keys = keysThatNeedRestart(started, config);
    if (keys.length > 0) observer.log.warn("a part of the new configuration waits for a restart", { keys });
    if (warnings.length > 0) {
      observer.log.warn("the new configuration may not be what was meant", {
        reason: describeProblems(warnings),
      });
    }
    return true;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    observer.log.error("the new configuration can't be put in force; the old one stays", { reason });
    return false;
  }
}

function drainOf(drainMs: () => number, running: Running, observer: GatewayObserver): Drain {
  return new Drain({
    steps: {
      finish: () => running.finish(),
      cut: () => running.cut(),
      handBack: () => running.handBack(),
      close: () => running.close(),
    },
    drainMs,
    timers: systemTimers,
    log: observer.log,
    running: () => running.runningCount,
  });
}
