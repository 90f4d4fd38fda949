// Everything about one model at one provider that a request needs, worked out once when the configuration is compiled:
// sending a request then only follows references.
import type { ErrorHint } from "../../../providers/dialects/classify.ts";
import type { GatewayError } from "../../errors.ts";
import type { ModelEstimate } from "../../limiter/estimate.ts";
import type { Origin } from "../../upstream/origin.ts";
import type { TargetLanguage } from "./passage.ts";
import type { Route } from "../routes.ts";
import type { TargetLimits } from "../target-limits.ts";

export interface UpstreamTarget {
  /** The provider's name in the configuration. */
  readonly provider: string;
  /** The provider's name, with the API key's where it has several: whose limits these are, and who keeps stored answers. */
  readonly account: string;
  /** The provider's name for the model. */
  readonly model: string;
  readonly origin: Origin;
  /** Path and query on the origin, per kind of route. */
  readonly paths: Readonly<Partial<Record<Route["kind"], string>>>;
  /** What it speaks, and how each kind of request gets into that. */
  readonly language: TargetLanguage;
  /** What lets its requests in. */
  readonly access: UpstreamAccess;
  /** The model's name as JSON text, in quotes. */
  readonly modelJson: Buffer;
  /** Whether the provider reports usage in streams when asked by `stream_options`. */
  readonly takesStreamOptions: boolean;
  /** Client headers that begin with this are passed on; empty: none. */
  readonly passedHeaderPrefix: string;
  /** The limits of the provider and of this model; they change with what its answers tell. */
  readonly limits: TargetLimits;
  /** What this provider's errors mean, before the general rules. */
  readonly errorHints: readonly ErrorHint[];
  /** What requests to this model are expected to use; it learns. */
  readonly estimate: ModelEstimate;
  /** `x-sluice-provider` and `x-sluice-model` with values that are safe in a header. */
  readonly answerHeaders: readonly string[];
}

/** What lets requests in at a provider. Where its key expires, what is read here is another after it was renewed. */
export interface UpstreamAccess {
  /** Names and values in turn, authentication included: secrets. */
  readonly wholeHeaders: string[];
  /** The same for a request whose answer is to be a stream. */
  readonly streamHeaders: string[];
  /** The same where the answer may be anything. */
  readonly openHeaders: string[];
  /** Adds the headers that sign a request; null: none is signed. */
  readonly sign: Signer | null;
  /** What the provider must not tell clients when it quotes what it was sent; see `secretForms`. */
  readonly secrets: readonly string[];
  /** null: the key does not change. */
  readonly renewal: KeyRenewal | null;
}

/** A key that is renewed while requests run. */
export interface KeyRenewal {
  /** Whether there is a key that can be used now. */
  isValid(): boolean;
  /** While there is none: resolves within a bounded time with null when there is one again, else with why not. Never rejects. */
  missing(): Promise<GatewayError | null>;
  /** The provider has refused the key. */
  refused(): void;
}

/** What a signature covers; the path has its query. */
export interface Signable {
  readonly method: string;
  readonly path: string;
  readonly body: Buffer;
}

/** The headers to add to a request, names and values in turn. */
export type Signer = (request: Signable, wallMs: number) => readonly string[];

/** A name made safe for a header's value: what is not printable ASCII is percent-encoded. */
export function headerSafe(name: string): string {
  return name.replaceAll(/[^\x20-\x7e]/gu, (char) =>
    encodeURIComponent(char.isWellFormed() ? char : "\ufffd"),
  );
}
