// The operators' routes of the fleet: what this instance sees of it, and the word that a replica is gone for good.
import { GatewayError } from "../../errors.ts";
import { fleetView } from "../../fleet/view.ts";
import type { RunningReplica } from "../../fleet/shell.ts";
import type { Clock } from "../../clock.ts";
import { jsonAnswer, type PlainRoute } from "../../http/plain-route.ts";

/** `GET /fleet` and `POST /admin/evict/:replica`. */
export function fleetRoutes(running: RunningReplica, clock: Clock): readonly PlainRoute[] {
  const view = () => fleetView(running.replica, clock.elapsedMs(), running.peers());
  return [
    { method: "GET", path: "/fleet", handle: () => jsonAnswer(view()) },
    {
      method: "POST",
      path: "/admin/evict/:replica",
      handle({ params }) {
        const word = params["replica"] ?? "";
        const named = view().members.filter(
          ({ replica, name }) => name === word || (word.length >= 4 && replica.startsWith(word)),
        );
        const candidates = named.filter((member) => member.state !== "gone");
        const [member] = candidates;
        if (member === undefined || candidates.length > 1)
          throw notOne(word, named.length, candidates.length);
        if (member.is_self) {
          throw new GatewayError(
            "invalid_request",
            "A replica can't evict itself; stop it, and it hands over.",
          );
        }
        if (member.state === "live") {
          throw new GatewayError(
            "invalid_request",
            `\`${word}\` is alive (heard ${member.silent_ms} ms ago): stop it first, or its share is spent twice for a while.`,
          );
        }
        running.replica.membership.evict(member.replica);
        return jsonAnswer({ status: "evicted", replica: member.replica, name: member.name });
      },
    },
  ];
}

function notOne(word: string, named: number, candidates: number): GatewayError {
  if (candidates > 1) {
    return new GatewayError(
      "invalid_request",
      `\`${word}\` fits ${candidates} replicas; name one by its id (GET /fleet).`,
    );
  }
  const message =
    named > 0
      ? `\`${word}\` is gone already; its share was taken over.`
      : `No replica is called \`${word}\`; GET /fleet lists them.`;
  return new GatewayError("not_found", message);
}
