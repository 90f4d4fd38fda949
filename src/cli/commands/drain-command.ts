// `sluice drain`: asks an instance over its admin route to finish what runs and stop, and waits until it has.
import { GatewayError } from "../../errors.ts";
import { systemTimers } from "../../clock.ts";
import type { Timers } from "../../clock.ts";
import type { PlainRoute } from "../../http/plain-route.ts";
import { jsonAnswer } from "../../http/plain-route.ts";
import type { Invocation } from "../args.ts";
import { findRemote, reporting } from "./remote.ts";
import type { Remote, RemoteShell } from "./remote.ts";

const LOOK_EVERY_MS = 500;
/** Longer than any drain that makes sense; then the waiting ends, not the draining. */
const LOOKS_MAX = 1800;

/** `POST /admin/drain`: answers at once; the instance stops as after SIGTERM. */
export function drainRoute(ask: () => void): PlainRoute {
  return {
    method: "POST",
    path: "/admin/drain",
    handle() {
      ask();
      return jsonAnswer({ status: "draining" }, 202);
    },
  };
}

/** Resolves with the exit code: 0 when the instance has stopped, 1 when it could not be asked or still runs after 15 minutes. */
export function runDrain(
  invocation: Invocation,
  shell: RemoteShell,
  timers: Timers = systemTimers,
): Promise<number> {
  return reporting(shell, async () => {
    const remote = findRemote(invocation, shell);
    const answer = await remote.ask("POST", "/admin/drain");
    if (answer.status !== 202) throw notDrained(remote.url, answer.status);
    shell.out(`${remote.url} finishes what runs, and stops …\n`);
    for (let looks = 0; looks < LOOKS_MAX; looks += 1) {
      if (await isGone(remote)) {
        shell.out("Stopped.\n");
        return 0;
      }
      await new Promise<void>((resolve) => void timers.after(LOOK_EVERY_MS, resolve));
    }
    shell.err(`${remote.url} still runs.\n`);
    return 1;
  });
}

function notDrained(url: string, status: number): GatewayError {
  const reason =
    status === 401 || status === 403
      ? "it wants its admin key: set SLUICE_ADMIN_KEY"
      : `it answered with status ${status}`;
  return new GatewayError("permission_denied", `${url} was not drained: ${reason}.`);
}

async function isGone(remote: Remote): Promise<boolean> {
  try {
    await remote.ask("GET", "/healthz");
    return false;
  } catch (error) {
    if (error instanceof GatewayError && error.code === "provider_unreachable") return true;
    throw error;
  }
}
