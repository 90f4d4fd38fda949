// The compiled routes: one Map lookup from what a client asks for to where it goes. Models that are in no catalog
// (`provider/model` reaches any) are added when they are first asked for and forgotten when too many have been, because
// clients choose these names.
import type { HealthBook } from "./health-book.ts";
import type { RouteNode } from "./target.ts";

/** How many names that only clients know are remembered at once. */
const UNLISTED_MAX = 1000;

const NAME_LENGTH_MAX = 256;

/** Makes the node of a model that is in no catalog. */
export type MakeUnlisted<U> = (provider: string, model: string) => RouteNode<U>;

export class RouteTable<U = unknown> {
  readonly #routes: ReadonlyMap<string, RouteNode<U>>;
  readonly #providers: ReadonlySet<string>;
  readonly #health: HealthBook;
  readonly #makeUnlisted: MakeUnlisted<U>;
  /** Oldest first. */
  readonly #unlisted = new Map<string, RouteNode<U>>();

  constructor(
    routes: ReadonlyMap<string, RouteNode<U>>,
    providers: ReadonlySet<string>,
    health: HealthBook,
    makeUnlisted: MakeUnlisted<U>,
  ) {
    this.#routes = routes;
    this.#providers = providers;
    this.#health = health;
    this.#makeUnlisted = makeUnlisted;
  }

  /** Where a name leads; undefined: nowhere. */
  resolve(name: string): RouteNode<U> | undefined {
    return this.#routes.get(name) ?? this.#unlisted.get(name) ?? this.#addUnlisted(name);
  }

  /** All names that the configuration knows: aliases, `provider/model` and models alone. */
  names(): Iterable<string> {
    return this.#routes.keys();
  }

  #addUnlisted(name: string): RouteNode<U> | undefined {
    const slash = name.indexOf("/");
    const provider = name.slice(0, Math.max(0, slash));
    const model = name.slice(slash + 1);
    if (!this.#providers.has(provider) || !isModelName(model)) return undefined;
    if (this.#unlisted.size >= UNLISTED_MAX) this.#forgetOldest();
    const node = this.#makeUnlisted(provider, model);
    this.#unlisted.set(name, node);
    return node;
  }

  #forgetOldest(): void {
    for (const name of this.#unlisted.keys()) {
      this.#unlisted.delete(name);
      const slash = name.indexOf("/");
      this.#health.forget(name.slice(0, slash), name.slice(slash + 1));
      return;
    }
  }
}

/**
 * Control characters never occur in a model's name; a name that is sent on must not be able to end a header or a line.
 * Some providers are told the model in the path: a segment of dots would lead to another place there.
 */
function isModelName(model: string): boolean {
  if (model === "" || model.length > NAME_LENGTH_MAX || /\p{Cc}/u.test(model)) return false;
  return !model.split(/[/\\]/).some((segment) => segment === "." || segment === "..");
}
