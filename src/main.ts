#!/usr/bin/env node
// The program: reads the command line and runs the command. Everything it does is in cli/.
import "./cli/engine.ts";
import { parseCommandLine, type Invocation } from "./cli/args.ts";
import { runBackup, runRestore } from "./cli/backup.ts";
import { runCheck, type Output } from "./cli/check.ts";
import { runEvict } from "./cli/evict.ts";
import { runDrain } from "./cli/drain-command.ts";
import { probeModels } from "./cli/probe.ts";
import { runSim } from "./cli/sim.ts";
import { runStart } from "./cli/start.ts";
import { runLimits, runStatus } from "./cli/status.ts";
import { runTop } from "./cli/top.ts";
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
      );
    case "sim":
      return runSim(invocation, output, process);
    case "status":
      return runStatus(invocation, { ...output, cwd, env, hostName: hostname() });
    case "limits":
      return runLimits(invocation, { ...output, cwd, env, hostName: hostname() });
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
      });
    case "backup":
      return runBackup(invocation, { ...output, cwd, env, hostName: hostname() });
    case "restore":
      return runRestore(invocation, { ...output, cwd, env, hostName: hostname() });
    case "evict":
      return runEvict(invocation, { ...output, cwd, env, hostName: hostname() });
    case "keys":
      output.err(`\`sluice ${invocation.command}\` is not there yet.\n`);
      return Promise.resolve(2);
  }
}

const parsed = parseCommandLine(process.argv.slice(2), VERSION);
switch (parsed.kind) {
  case "text":
    output.out(parsed.text);
    break;
  case "fault":
    output.err(parsed.text);
    process.exitCode = 2;
    break;
  case "run":
    process.exitCode = await run(parsed);
    break;
}
