// What a start prints for people: where it listens, what is on, and a line to try it with.
import type { ClientKey, Config, Provider } from "../../config/config.ts";
import { describeLimit } from "../../config/limits.ts";
import type { FleetStanding } from "../wiring/wire.ts";
import { localUrl } from "../local-url.ts";

export interface Started {
  readonly version: string;
  /** The one really listened on, where the configuration leaves the choice to the system. */
  readonly port: number;
  /** Whether callers of this machine are served without a key: not when keys were made at run time. */
  readonly isOpen: boolean;
  readonly fleet: FleetStanding;
}

export function startBanner(config: Config, { port, isOpen, version, fleet }: Started): string {
  const url = localUrl({ host: config.listen.host, port });
  const providers = [...config.providers.values()].map(describeProvider);
  return [
    `Sluice ${version} listens on ${url} (${whoMayAsk(config, isOpen)})`,
    "",
    ...labelled("providers", providers.length === 0 ? ["none: every request will be refused"] : providers),
    ...labelled("models", [...config.models.keys()].slice(0, 12)),
    ...labelled("data", [config.dataDir]),
    ...labelled("fleet", config.fleet.peers.length === 0 ? [] : [describeStanding(config, fleet)]),
    "",
    "Try it:",
    "",
    `  ${curlLine(config, url, isOpen)}`,
    "",
    `Any client works with the base URL ${url}/v1. Stop with Ctrl-C.`,
    "",
  ].join("\n");
}

function whoMayAsk({ keys, listen }: Config, isOpen: boolean): string {
  if (keys.size > 0) return keys.size === 1 ? "one client key" : `${keys.size} client keys`;
  if (listen.isLoopback && !isOpen) return "client keys made at run time";
  return listen.isLoopback
    ? "this machine only, no key asked"
    : "callers from this machine only: no keys are configured";
}

/** At the first start nobody has been met yet; the log tells when. */
function describeStanding(
  { fleet: { name, peers, listen } }: Config,
  { state, members }: FleetStanding,
): string {
  const at = listen === null ? "" : ` at ${localUrl(listen)}`;
  const configured = peers.length === 1 ? "1 peer configured" : `${peers.length} peers configured`;
  return `${name}${at}, ${configured}: ${standing(state, members)}`;
}

function standing(state: FleetStanding["state"], members: FleetStanding["members"]): string {
  if (state === "seeking") return "looking for siblings";
  const founder = members.find(({ is_founder }) => is_founder);
  const whose =
    founder === undefined
      ? "the fleet"
      : `the fleet founded by ${founder.name || founder.replica.slice(0, 8)}`;
  return state === "recovering"
    ? `coming back to ${whose}, asking the siblings what they remember`
    : `in ${whose}`;
}

function labelled(label: string, lines: readonly string[]): readonly string[] {
  return lines.map((line, at) => `  ${(at === 0 ? label : "").padEnd(10)} ${line}`);
}

function describeProvider(provider: Provider): string {
  const where = provider.isSimulator ? "built in, answers are made up" : provider.baseUrl;
  const limits = provider.limits.map(describeLimit);
  if (provider.learnsLimits) limits.push("limits learned from its answers");
  return `${provider.name} (${where})${limits.length === 0 ? ", no limits" : `: ${limits.join(", ")}`}`;
}

/** The first model that the first key may ask for. */
function curlLine(config: Config, url: string, isOpen: boolean): string {
  const key = config.keys.values().next().value;
  const shown = key === undefined ? "YOUR_KEY" : `KEY_OF_${key.name}`;
  const auth = isOpen ? "" : ` -H 'authorization: Bearer ${shown}'`;
  const message = `{"model":"${modelToTry(config, key)}","messages":[{"role":"user","content":"Hello"}]}`;
  return `curl ${url}/v1/chat/completions${auth} -H 'content-type: application/json' -d '${message}'`;
}

function modelToTry({ models, providers }: Config, key: ClientKey | undefined): string {
  const allowed = key?.models?.values().next().value;
  if (allowed !== undefined) return allowed;
  const alias = models.keys().next().value;
  if (alias !== undefined) return alias;
  const provider = [...providers.values()].find((candidate) => candidate.models.size > 0);
  if (provider !== undefined) return `${provider.name}/${provider.models.keys().next().value}`;
  // No catalog knows what is there: the user does.
  const [first] = providers.keys();
  return first === undefined ? "MODEL" : `${first}/MODEL`;
}
