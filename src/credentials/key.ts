// A key that a provider lets requests in with, where it comes from, and how long it is good: the words that this folder
// shares. Sources know one way each of getting a key; `renewal.ts` keeps one at hand, whatever the source.
import { GatewayError } from "../errors.ts";

/** What opens a provider's door. Secrets, all but the id. */
export type Key =
  /** Shown as it is, in a header. */
  | { readonly kind: "shown"; readonly value: string }
  /** Requests are signed with it. */
  | {
      readonly kind: "signing";
      readonly accessKeyId: string;
      readonly secretAccessKey: string;
      readonly sessionToken: string | null;
    };

export interface Issued {
  readonly key: Key;
  /** How long it is good, in milliseconds; null: until the source gives another. */
  readonly lifeMs: number | null;
}

export interface KeySource {
  /** A source on this machine: asking it costs nothing, so it is asked again soon, however often it failed. */
  readonly isLocal?: boolean;
  /**
   * A key as the source gives it now. Rejects with a `KeyFault` when there is none, within the deadline that the signal keeps.
   */
  issue(signal: AbortSignal): Promise<Issued>;
}

/** Why there is no key, in words for the operator: what was asked, what came back, what to do. Holds no secrets. */
export class KeyFault extends Error {
  override readonly name = "KeyFault";
}

/** What can stand in a header: a key that can't is a file with something else in it. */
const HEADER_SAFE = /^[\x21-\x7e]+$/;

/** The text as a key that is shown. Throws a `KeyFault` naming `origin` for what no header can carry. */
export function shownKey(text: string, origin: string): Key {
  const value = text.trim();
  if (value === "") throw new KeyFault(`${origin} is empty`);
  if (!HEADER_SAFE.test(value)) {
    throw new KeyFault(`${origin} holds a blank, a line break or another character that no header can carry`);
  }
  return { kind: "shown", value };
}

export function isSameKey(left: Key, right: Key): boolean {
  if (left.kind === "shown") return right.kind === "shown" && left.value === right.value;
  return (
    right.kind === "signing" &&
    left.accessKeyId === right.accessKeyId &&
    left.secretAccessKey === right.secretAccessKey &&
    left.sessionToken === right.sessionToken
  );
}

/** A request came for a provider that there is no key for. What exactly is wrong is for the operator's log alone. */
export function noKey(provider: string, retryAfterMs: number, cause: unknown): GatewayError {
  return new GatewayError(
    "provider_auth",
    `The gateway has no valid key for provider \`${provider}\`: it could not be renewed. The gateway's log says why.`,
    { cause, retryAfterMs },
  );
}
