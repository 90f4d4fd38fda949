// The program: reads the command line and runs the command.
import { parseCommandLine, type Invocation } from "./args.ts";
import { runBackup, runRestore } from "./commands/backup.ts";
import { runCheck, type Output } from "./commands/check.ts";
import { runEvict } from "./commands/evict.ts";
import { runDrain } from "./commands/drain-command.ts";
import { runKeys } from "./commands/key-commands.ts";
import { probeModels } from "./commands/probe.ts";
import { runSim } from "./commands/sim.ts";
import { runStart } from "./commands/start.ts";
import { runLimits, runStatus } from "./commands/status.ts";
import { runTop } from "./commands/top.ts";
import { hostname } from "node:os";

const VERSION = "0.1.0";

const output: Output = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
};

function run(invocation: Invocation): Promise<number> {
  const cwd = process.cwd();
  const { env } = process;
  switch (invocation.command) {
    case "start":
      return runStart(invocation, {
        output,
        cwd,
        env,
        signals: process,
        isTerminal: process.stdout.isTTY,
        version: VERSION,
      });
    case "check":
      return runCheck(
        { file: invocation.option("config"), cwd, env, hostName: hostname(), probe: probeModels },
        output,
        invocation.flag("online"),
      );
    case "sim":
      return runSim(invocation, output, process);
    case "status":
      return runStatus(invocation, { ...output, cwd, env, hostName: hostname() });
    case "limits":
      return runLimits(invocation, { ...output, cwd, env, hostName: hostname() });
    case "keys":
      return runKeys(invocation, { ...output, cwd, env, hostName: hostname() });
    case "drain":
      return runDrain(invocation, { ...output, cwd, env, hostName: hostname() });
    case "top":
      return runTop(invocation, {
        ...output,
        cwd,
        env,
        hostName: hostname(),
        signals: process,
        isTerminal: process.stdout.isTTY,
        screen: () => ({ lines: process.stdout.rows ?? 0, columns: process.stdout.columns ?? 0 }),
      });
    case "backup":
      return runBackup(invocation, { ...output, cwd, env, hostName: hostname() });
    case "restore":
      return runRestore(invocation, { ...output, cwd, env, hostName: hostname() });
    case "evict":
      return runEvict(invocation, { ...output, cwd, env, hostName: hostname() });
  }
}

/** `sluice top | head`: a command whose reader has enough is done. A gateway goes on without one. */
function endWithReader({ command }: Invocation): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    if (command !== "start") process.exit(0);
  });
}

/** Runs the command that the arguments ask for. Resolves with the exit code. */
export async function runProgram(args: readonly string[]): Promise<number> {
  const parsed = parseCommandLine(args, VERSION);
  switch (parsed.kind) {
    case "text":
      output.out(parsed.text);
      return 0;
    case "fault":
      output.err(parsed.text);
      return 2;
    case "run":
      endWithReader(parsed);
      return run(parsed);
  }
}
