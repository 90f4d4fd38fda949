// The operators' routes of the fleet: what this instance sees of it, and the word that a replica is gone for good.
import { GatewayError } from "../../errors.ts";
import {
  fleetStateOf,
  type FleetQuestion,
  type FleetSurroundings,
  fleetView,
  membersOf,
} from "../../fleet/view.ts";
import type { RunningReplica } from "../../fleet/shell.ts";
import type { Clock } from "../../clock.ts";
import { jsonAnswer, type PlainRoute } from "../../http/plain-route.ts";
import { askedBuckets } from "../name-pattern.ts";

/** How many buckets `GET /fleet` tells of when nobody says how many, and the most that it does. */
const BUCKETS = 1000;
const BUCKETS_MAX = 10_000;

/** `GET /fleet` and `POST /admin/evict/:replica`. */
export function fleetRoutes(
  running: RunningReplica,
  clock: Clock,
  surroundings: () => Omit<FleetSurroundings, "peers" | "failing">,
): readonly PlainRoute[] {
  return [
    {
      method: "GET",
      path: "/fleet",
      handle({ query }) {
        const around = { peers: running.peers(), failing: running.failing(), ...surroundings() };
        return jsonAnswer(fleetView(running.replica, clock.elapsedMs(), around, questionIn(query)));
      },
    },
    {
      method: "POST",
      path: "/admin/evict/:replica",
      handle({ params }) {
        const word = params["replica"] ?? "";
        const named = membersOf(running.replica, clock.elapsedMs()).filter(
          ({ replica, name }) => name === word || (word.length >= 4 && replica.startsWith(word)),
        );
        if (fleetStateOf(running.replica) !== "serving")
          throw new GatewayError(
            "fleet_unavailable",
            "This instance has not heard from its siblings yet and can't tell who lives: ask one that serves.",
          );
        const present = named.filter((member) => member.state !== "gone");
        // One that is alive would be refused anyway: of a name that was taken again it is the former one.
        const silent = present.filter((member) => member.state === "silent");
        const candidates = present.length > 1 && silent.length === 1 ? silent : present;
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

/** `?bucket=main/*` (several times, if need be), `?limit=100`, `?after=NAME`. Throws `invalid_request`. */
function questionIn(query: URLSearchParams): FleetQuestion {
  const limit = Number(query.get("limit") ?? BUCKETS);
  if (!Number.isInteger(limit) || limit < 0 || limit > BUCKETS_MAX) {
    throw new GatewayError("invalid_request", `\`limit\` is a whole number from 0 to ${BUCKETS_MAX}.`, {
      param: "limit",
    });
  }
  return { isAsked: askedBuckets(query), after: query.get("after") ?? "", limit };
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
