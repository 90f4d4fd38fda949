// A circuit that opens at one replica is a hint to the others: theirs stay closed, but are in doubt for as long. Nobody
// is kept from a provider by what a sibling has seen; the sibling's way there may be what is broken.
//
//     circuit opens ──▶ board: circuit/REPLICA/SCOPE/PROVIDER/KEY/NAME ──▶ siblings: `suspect`
import type { Clock } from "../../clock.ts";
import type { Board } from "../../fleet/board.ts";
import type { CircuitName, HealthBook } from "../../routing/health-book.ts";

const PREFIX = "circuit/";

interface CircuitParts {
  readonly board: Board;
  readonly health: HealthBook;
  readonly clock: Clock;
  /** The replica's id. */
  readonly replica: string;
  /** Whether the configuration has this model: clients name others, of which the siblings need not hear. */
  readonly isConfigured: (provider: string, model: string) => boolean;
}

/** Shares openings from here on, and heeds those of siblings that are known already. */
export function shareCircuits({ board, health, clock, replica, isConfigured }: CircuitParts): void {
  const heed = (key: string, value: Uint8Array | null, ageMs: number): void => {
    const told = value === null ? null : read(key);
    if (told === null || told.author === replica) return;
    const openMs = Number(Buffer.from(value ?? []).toString("latin1"));
    health.suspect(told.circuit, clock.elapsedMs(), openMs - ageMs);
  };
  for (const { key, value, ageMs } of board.entries(PREFIX)) heed(key, value, ageMs);
  board.onChange(heed);
  health.onOpen = (circuit, openMs) => {
    const { scope, provider, name, key } = circuit;
    if (scope === "model" && !isConfigured(provider, name)) return;
    const value = Buffer.from(String(Math.ceil(openMs)), "latin1");
    board.offer(`${PREFIX}${replica}/${scope}/${provider}/${key}/${name}`, value);
  };
}

/** Models' names may have slashes, so they come last. */
function read(key: string): { readonly author: string; readonly circuit: CircuitName } | null {
  const [prefix, author = "", scope, provider = "", apiKey = "", ...name] = key.split("/");
  if (`${prefix}/` !== PREFIX) return null;
  if (scope !== "provider" && scope !== "model" && scope !== "key") return null;
  return { author, circuit: { scope, provider, name: name.join("/"), key: apiKey } };
}
