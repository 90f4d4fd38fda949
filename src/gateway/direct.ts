// Requests that name their provider rather than a model: the opaque pass-through, and questions about responses that a
// provider keeps. They take the same way as all others (plan, units, circuits, records) under the model `*` of their
// provider, or the model that they are seen to be about.
import type { CallRequest } from "../upstream/call.ts";

/** The model that stands for all that is asked of a provider without one. */
export const ANY_MODEL = "*";

export type DirectMethod = NonNullable<CallRequest["method"]>;

export interface Direct {
  readonly method: DirectMethod;
  /** Path and query: below the provider's base URL, or behind the id of what is asked about. */
  readonly path: string;
  /** What is asked about; null: the request is passed through. */
  readonly stored: Stored | null;
}

/** A response that a provider keeps, by the id that the client knows, and by the provider's own. */
export interface Stored {
  readonly marked: string;
  readonly id: string;
  /** The provider's name, with the API key's where it has several. */
  readonly account: string;
}
