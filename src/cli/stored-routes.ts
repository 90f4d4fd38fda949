// What is asked of a response after it was made: to show it, its input, to cancel or to delete it. Its id names the
// provider that keeps it, so the question goes there, whichever instance gets it. Nothing is generated, so no units are taken.
//
//   GET | DELETE /v1/responses/ID     GET /v1/responses/ID/input_items     POST /v1/responses/ID/cancel
import type { Clock } from "../clock.ts";
import type { Config, Provider } from "../config/config.ts";
import { GatewayError } from "../errors.ts";
import { keeperOf, markedId, withOtherId } from "../gateway/affinity.ts";
import type { PlainAnswer, PlainRequest, PlainRoute } from "../http/plain-route.ts";
import { collect } from "../upstream/collect.ts";
import type { Watch } from "../upstream/watch.ts";
import type { Origins } from "./origins.ts";
import { belowBase, requestHeaders } from "./provider-wire.ts";

export interface StoredParts {
  /** The configuration in force. */
  readonly config: () => Config;
  readonly origins: Origins;
  readonly watch: Watch;
  readonly clock: Clock;
}

const PATH = "/v1/responses/:id";

/** The routes for stored responses; each needs a client key. */
export function storedRoutes(parts: StoredParts): readonly PlainRoute[] {
  const route = (method: PlainRoute["method"], rest: string): PlainRoute => ({
    method,
    path: `${PATH}${rest}`,
    handle: (request) => ask(method, rest, request, parts),
  });
  return [route("GET", ""), route("DELETE", ""), route("GET", "/input_items"), route("POST", "/cancel")];
}

async function ask(
  method: PlainRoute["method"],
  rest: string,
  request: PlainRequest,
  parts: StoredParts,
): Promise<PlainAnswer> {
  const { config, origins, watch, clock } = parts;
  const marked = request.params["id"] ?? "";
  const found = keeperOf(marked);
  const provider = found === null ? undefined : accountOf(config(), found.account);
  if (found === null || provider === undefined || provider.isSimulator) throw unknownId(marked);
  const base = new URL(provider.baseUrl);
  const query = request.query.size === 0 ? "" : `?${request.query.toString()}`;
  const { status, headers, body } = await collect(origins.of(provider.name, base.origin), watch, {
    method,
    path: pathOf(provider, base, `${encodeURIComponent(found.id)}${rest}${query}`),
    headers: requestHeaders(provider, "application/json"),
    body: Buffer.from(method === "POST" ? request.body : ""),
    timeouts: config().timeouts,
    startedMs: clock.elapsedMs(),
  });
  const answer = withOtherId(body, found.id, markedId(found.id, provider.account));
  return {
    status,
    headers: {
      "content-type": headers["content-type"] ?? "application/json",
      "x-sluice-provider": provider.name,
    },
    body: answer.toString("utf8"),
  };
}

/** The provider with the API key that the answer was asked for with: another account knows nothing of it. */
function accountOf({ providers }: Config, account: string): Provider | undefined {
  const [name = "", key] = account.split("~");
  const provider = providers.get(name);
  return key === undefined ? provider : provider?.pool.get(key);
}

function pathOf(provider: Provider, base: URL, rest: string): string {
  return belowBase(provider, base)(`${provider.paths.responses ?? "/responses"}/${rest}`);
}

function unknownId(id: string): GatewayError {
  const message = `There is no response ${JSON.stringify(id)} here: only responses that a provider keeps can be asked for.`;
  return new GatewayError("not_found", message, { param: "response_id" });
}
