// `sluice backup FILE` and `sluice restore FILE`. A backup may be taken while the gateway runs; a restore needs it stopped.
import { systemClock } from "../../clock.ts";
import { readDataDir } from "../../config/load.ts";
import { GatewayError } from "../../errors.ts";
import { backUp, restore } from "../../store/backup.ts";
import type { Invocation } from "../args.ts";
import { type RemoteShell, reporting } from "./remote.ts";

/** Resolves with the exit code. */
export function runBackup(invocation: Invocation, shell: RemoteShell): Promise<number> {
  return reporting(shell, async () => {
    const file = fileOf(invocation);
    const entries = await backUp(dataDirectory(invocation, shell), file);
    shell.out(`${file}: ${entries} entries.\n`);
    return 0;
  });
}

/** Resolves with the exit code. */
export function runRestore(invocation: Invocation, shell: RemoteShell): Promise<number> {
  return reporting(shell, async () => {
    const directory = dataDirectory(invocation, shell);
    const keepsLevels = invocation.flag("keep-levels");
    const { entries, setAside } = await restore({
      directory,
      file: fileOf(invocation),
      wallMs: systemClock.wallMs(),
      keepsLevels,
    });
    shell.out(`${directory}: ${entries} entries.\n`);
    if (setAside !== null) shell.out(`What was there before: ${setAside}\n`);
    shell.out(keepsLevels ? KEPT : EMPTY);
    return 0;
  });
}

const EMPTY = `Buckets start empty, because the copy does not know what was spent after it was made: limits per minute are
full again after a minute, limits by the calendar with their next period. Use --keep-levels to start from the
copy's levels instead.\n`;

const KEPT = "Buckets start from the copy's levels: what was spent after it was made may be spent again.\n";

function fileOf(invocation: Invocation): string {
  const [file] = invocation.words;
  if (file === undefined)
    throw new GatewayError("invalid_config", `Which file? \`sluice ${invocation.command} FILE\``);
  return file;
}

function dataDirectory(invocation: Invocation, { cwd, env, hostName }: RemoteShell): string {
  return readDataDir({ file: invocation.option("config"), cwd, env, hostName });
}
