// The provider catalog: one file per vendor in providers/catalog, whose name is the provider type's id. Files are read when
// somebody asks for them, from beside this module whatever the working directory is.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readDocument } from "./document.ts";
import { ConfigError } from "./problems.ts";
import { type CatalogEntry, catalogSchema } from "./schema.ts";
import { validate } from "./validate.ts";

const FOLDER = join(import.meta.dirname, "../../providers/catalog");

export interface Catalog {
  /** In alphabetical order. */
  readonly ids: readonly string[];
  /** The entry with this id. Throws a `ConfigError` when its file is not a valid entry. */
  get(id: string): CatalogEntry | undefined;
}

/** The catalog in a folder; the one that comes with Sluice by default. */
export function openCatalog(folder: string = FOLDER): Catalog {
  const ids = readdirSync(folder)
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => name.slice(0, -".yaml".length))
    .toSorted();
  const known = new Set(ids);
  const entries = new Map<string, CatalogEntry>();
  return {
    ids,
    get(id) {
      if (!known.has(id)) return undefined;
      const entry = entries.get(id) ?? readEntry(join(folder, `${id}.yaml`));
      entries.set(id, entry);
      return entry;
    },
  };
}

function readEntry(file: string): CatalogEntry {
  const document = readDocument(readFileSync(file, "utf8"), file, {});
  const { value, problems } = validate(document, catalogSchema);
  if (value === undefined || problems.length > 0) throw new ConfigError(problems);
  return value;
}
