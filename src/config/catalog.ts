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
  /** The entry's file as it is; empty when there is none. */
  text(id: string): string;
}

/** The catalog in a folder; the one that comes with Sluice by default. */
export function openCatalog(folder: string = FOLDER): Catalog {
  const ids = readdirSync(folder)
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => name.slice(0, -".yaml".length))
    .toSorted();
  const texts = new Map<string, string>();
  const entries = new Map<string, CatalogEntry>();
  const fileOf = (id: string): string => join(folder, `${id}.yaml`);
  const text = (id: string): string => {
    const known = texts.get(id) ?? (ids.includes(id) ? readFileSync(fileOf(id), "utf8") : "");
    texts.set(id, known);
    return known;
  };
  return {
    ids,
    text,
    get(id) {
      if (!ids.includes(id)) return undefined;
      const entry = entries.get(id) ?? parseEntry(text(id), fileOf(id));
      entries.set(id, entry);
      return entry;
    },
  };
}

function parseEntry(text: string, file: string): CatalogEntry {
  const document = readDocument(text, file, {});
  const { value, problems } = validate(document, catalogSchema);
  if (value === undefined || problems.length > 0) throw new ConfigError(problems);
  return value;
}
