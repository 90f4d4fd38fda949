// Which providers to use when the configuration names none: those whose API key is in the environment, servers on this machine
// that answer, or else the built-in simulator, so that Sluice always starts.
import type { Catalog } from "./catalog.ts";
import { firstSet, type Env } from "./interpolate.ts";
import type { CatalogEntry, RawProvider } from "./schema.ts";

/** Asks a server on this machine for its models. Resolves within a short deadline, with null when there is no answer. */
export type Probe = (url: string) => Promise<readonly ListedModel[] | null>;

/** One line of a server's `GET /models`. */
export interface ListedModel {
  readonly id: string;
  readonly ownedBy: string;
}

/** The providers to use, by name. */
export async function detectProviders(
  catalog: Catalog,
  env: Env,
  probe: Probe | undefined,
): Promise<ReadonlyMap<string, RawProvider>> {
  const entries = catalog.ids
    .filter((id) => isWorthParsing(catalog.text(id), env))
    .flatMap((id) => {
      const entry = catalog.get(id);
      return entry === undefined ? [] : [{ id, entry }];
    });
  const found = new Map<string, RawProvider>();
  for (const { id, entry } of entries) if (isSwitchedOn(entry, env)) found.set(id, {});
  const answers = await Promise.all(entries.map(({ id, entry }) => ask(id, entry, probe)));
  for (const answer of answers)
    if (answer !== undefined && !found.has(answer.id)) found.set(answer.id, answer.provider);
  if (found.size > 0) return found;
  return new Map(entries.filter(({ entry }) => entry.builtin).map(({ id }) => [id, {}]));
}

/** Parsing all files takes 100 ms, and a start should not; most of them name no variable that is set. */
function isWorthParsing(text: string, env: Env): boolean {
  if (/^(?:probe|builtin):/m.test(text)) return true;
  return (text.match(/\b[A-Z][A-Z0-9_]{3,}\b/g) ?? []).some((word) => Object.hasOwn(env, word));
}

/** Whether the environment holds the provider's key and all that its URL needs. */
function isSwitchedOn(entry: CatalogEntry, env: Env): boolean {
  if (entry.auth.shared === true || firstSet(entry.auth.env, env) === undefined) return false;
  return Object.values(entry.options ?? {}).every(
    (option) =>
      option.optional === true || option.default !== undefined || firstSet(option.env, env) !== undefined,
  );
}

async function ask(id: string, entry: CatalogEntry, probe: Probe | undefined) {
  if (probe === undefined || entry.probe === undefined || entry.base_url === undefined) return undefined;
  const models = await probe(`${entry.base_url}${entry.probe}`);
  if (models === null) return undefined;
  const owner = entry.probe_owner;
  if (owner !== undefined && !models.some((model) => model.ownedBy === owner)) return undefined;
  const provider: RawProvider = { models: Object.fromEntries(models.map((model) => [model.id, {}])) };
  return { id, provider };
}
