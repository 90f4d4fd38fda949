// `npm run fleet`: three gateways and a provider that enforces a quota, on this machine, through a cut, a kill and more.
// Shows live what the provider let in and that it refused nothing. Takes about a minute; exit code 0 says it held.
import { type FleetProcesses } from "../test/e2e/fleet-processes.ts";
import { runFaults } from "../test/e2e/fleet-scenario.ts";
import { type Load } from "../test/e2e/load.ts";

const EVERY_MS = 1000;
const startedMs = performance.now();

function say(what: string): void {
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0).padStart(3);
  console.log(`${seconds} s  ${what}`);
}

let timer: NodeJS.Timeout | undefined;

/** One line per second: what came in, and what the provider made of it. */
function watch(fleet: FleetProcesses, load: Load): void {
  let before = { admitted: 0, sent: 0 };
  timer = setInterval(() => {
    void fleet.stats().then(
      ({ admitted, refused }) => {
        const { sent, refused: toldToWait } = load.tally;
        const asked = String(sent - before.sent).padStart(4);
        const let_in = String(admitted - before.admitted).padStart(4);
        say(
          `     ${asked} requests/s, the provider let in ${let_in}, refused ${refused} in all; ${toldToWait} were answered 429 by the gateways`,
        );
        before = { admitted, sent };
      },
      () => clearInterval(timer),
    );
  }, EVERY_MS);
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
process.stdout.once("error", () => process.exit(1));

console.log("Starting a provider and three gateways …");
const { provider, tally, lost, seconds, use, lastBurst } = await runFaults({ seed: 1, say, watch });
clearInterval(timer);
const killed = tally.lost.length - lost.length;
console.log(`
In ${seconds.toFixed(0)} s ${tally.sent} requests were sent; ${tally.served} were served, ${tally.refused} were told when to come back. Of the burst at the end ${lastBurst} were served.
The provider let in ${provider.admitted} and refused ${provider.refused}; ${(use * 100).toFixed(1)} % of its quota was used.
Lost: ${killed} that ran on gateways that were killed, and ${lost.length === 0 ? "no others" : `besides ${lost.map(({ station, outcome }) => `${station} ${outcome}`).join("; ")}`}.`);
if (provider.refused > 0 || lost.length > 0) process.exitCode = 1;
