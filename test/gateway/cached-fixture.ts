// A gateway that keeps answers, in front of a scripted provider.
import type { RawAnswer } from "../http/raw-client.ts";
import { startGateway, type GatewayFixture, type GatewayOptions } from "./gateway-fixture.ts";
import { good, scriptedUpstream, type Script, type ScriptedUpstream } from "./scripted-upstream.ts";

export const CACHE = "cache: { ttl: 60s }";
export const ERROR = '{"error":{"message":"broken","type":"server_error","code":null}}';
export const BODY = { model: "any", messages: [{ role: "user", content: "Hello" }] };

export async function cached(
  options: Partial<GatewayOptions> & { readonly scripts?: readonly Script[] } = {},
): Promise<{ readonly gateway: GatewayFixture; readonly upstream: ScriptedUpstream }> {
  const upstream = await scriptedUpstream(...(options.scripts ?? [good]));
  const gateway = await startGateway({ providers: { a: upstream }, config: CACHE, ...options });
  return { gateway, upstream };
}

export function useOf({ headers }: RawAnswer): string | undefined {
  return headers["x-sluice-cache"];
}

/** What each of these requests got out of the cache, in turn. */
export async function uses(gateway: GatewayFixture, ...asks: readonly (() => Promise<RawAnswer>)[]) {
  const found: (string | undefined)[] = [];
  for (const ask of asks) found.push(useOf(await ask()));
  await gateway.settled();
  return found;
}
