// `sluice evict NAME`: tells an instance that one of its siblings is gone for good, so that its share is taken over now.
import { GatewayError } from "../../errors.ts";
import type { Invocation } from "../args.ts";
import { findRemote, messageIn, reporting, type RemoteShell } from "./remote.ts";

/** Resolves with the exit code: 0 when the share was taken over, 1 when not. */
export function runEvict(invocation: Invocation, shell: RemoteShell): Promise<number> {
  return reporting(shell, async () => {
    const remote = findRemote(invocation, shell);
    const [name = ""] = invocation.words;
    const answer = await remote.ask("POST", `/admin/evict/${encodeURIComponent(name)}`);
    if (answer.status !== 200)
      throw new GatewayError("invalid_request", messageIn(answer.text, answer.status));
    shell.out(invocation.flag("json") ? `${answer.text}\n` : `The share of \`${name}\` was taken over.\n`);
    return 0;
  });
}
