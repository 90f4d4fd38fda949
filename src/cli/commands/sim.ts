// `sluice sim`: the pretend provider alone, for trying another gateway, a client, or several Sluices against one quota.
// `program.ts` runs it with `runSim(parsed, output, process)`, whose result is the exit code.
import { GatewayError } from "../../errors.ts";
import { parseSettings } from "../../simulator/settings.ts";
import { startSimulator } from "../../simulator/simulator.ts";
import type { Simulator, SimulatorOptions, SimulatorStats } from "../../simulator/simulator.ts";
import type { Invocation } from "../args.ts";
import type { Output } from "./check.ts";
import { listenForStop } from "./stop-signals.ts";
import type { SignalSource } from "./stop-signals.ts";

const LISTEN = "127.0.0.1:8790";

/** Runs until a signal comes. Resolves with the exit code: 0 after a signal, 1 when it could not start. */
export async function runSim(invocation: Invocation, output: Output, signals: SignalSource): Promise<number> {
  const stop = listenForStop(signals, () => process.exit(1));
  try {
    const simulator = await start(invocation);
    output.out(greeting(simulator.url));
    await stop.first;
    output.out(farewell(simulator.stats()));
    await simulator.close();
    return 0;
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    output.err(`${error.message}\n`);
    return 1;
  } finally {
    stop.off();
  }
}

async function start(invocation: Invocation): Promise<Simulator> {
  const listen = parseListen(invocation.option("listen") ?? LISTEN);
  const settings = parseSettings({
    requests_per_min: invocation.option("requests"),
    requests_burst: invocation.option("burst"),
    slack_ms: invocation.option("slack-ms"),
    tokens_per_min: invocation.option("tokens"),
    concurrent: invocation.option("concurrent"),
    first_ms: invocation.option("first-ms"),
    pace_ms: invocation.option("pace-ms"),
  });
  try {
    return await startSimulator({ ...settings, listen });
  } catch (cause) {
    const reason = cause instanceof Error ? `: ${cause.message}` : ".";
    throw new GatewayError(
      "invalid_config",
      `The simulator can't listen on ${listen.host}:${listen.port}${reason}`,
      { cause },
    );
  }
}

/** `HOST:PORT`, `[::1]:PORT` or `:PORT`; the command line has been checked for it. */
function parseListen(text: string): NonNullable<SimulatorOptions["listen"]> {
  const colon = text.lastIndexOf(":");
  const host = text.slice(0, colon).replaceAll(/[[\]]/g, "");
  return { host: host === "" ? "127.0.0.1" : host, port: Number(text.slice(colon + 1)) };
}

function greeting(url: string): string {
  return `The simulator listens on ${url}/v1 (its own counts: ${url}/simulator/stats). Try:

  curl ${url}/v1/chat/completions -d '{"model":"sim-chat","messages":[{"role":"user","content":"Hello"}]}'

`;
}

function farewell({ requests, tokens }: SimulatorStats): string {
  return `Let in ${requests.admitted} requests with ${tokens.admitted} tokens; refused ${requests.refused + tokens.refused}.\n`;
}
