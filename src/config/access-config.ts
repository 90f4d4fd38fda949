// What lets requests in at a provider, as the configuration has it: how a key is sent, and where one comes from that changes.

/** How requests to a provider are let in. */
export type ProviderAuth =
  | { readonly kind: "none" }
  /** `header: prefix + key`; the header's name is in lower case. */
  | { readonly kind: "header"; readonly header: string; readonly prefix: string }
  /** Requests are signed (AWS Signature Version 4) unless there is an API key, which goes as a bearer token. */
  | { readonly kind: "sigv4"; readonly service: string; readonly credentials: AwsCredentials | null };

/** What `auth.kind` may say: how a key is sent, or where an access token comes from. */
export const AUTH_KINDS = [
  "header",
  "service_account",
  "client_credentials",
  "metadata",
  "sigv4",
  "none",
] as const;

/** A key that is got while Sluice runs, again and again. Paths are absolute. */
export type KeySourceConfig =
  /** It stands in a file alone. */
  | { readonly kind: "file"; readonly file: string }
  /** Access tokens for the account whose key is in a file. */
  | {
      readonly kind: "service_account";
      readonly file: string;
      readonly scope: string;
      /** For files that don't name it. */
      readonly tokenUrl: string;
    }
  /** Access tokens for a registered client. The secret is one. */
  | {
      readonly kind: "client_credentials";
      readonly tokenUrl: string;
      readonly clientId: string;
      readonly proof:
        | { readonly kind: "secret"; readonly secret: string }
        | { readonly kind: "assertion"; readonly file: string };
      readonly parameters: Readonly<Record<string, string>>;
    }
  /** Access tokens that this machine's surroundings give. */
  | { readonly kind: "metadata"; readonly url: string; readonly headers: Readonly<Record<string, string>> }
  /** Short-lived keys for signatures, from an endpoint beside the container. The token is a secret. */
  | {
      readonly kind: "container";
      readonly url: string;
      readonly token:
        | { readonly kind: "secret"; readonly secret: string }
        | { readonly kind: "file"; readonly file: string }
        | null;
    }
  /** The same for a role, in exchange for a token that says who this workload is. */
  | {
      readonly kind: "role";
      readonly url: string;
      readonly parameters: Readonly<Record<string, string>>;
      readonly role: string;
      readonly session: string;
      readonly tokenFile: string;
    }
  /** The same from the machine's metadata, after a session was begun there. `url` ends in a slash. */
  | {
      readonly kind: "instance";
      readonly url: string;
      readonly session: {
        readonly url: string;
        readonly headers: Readonly<Record<string, string>>;
        readonly header: string;
      };
    };

/** Secrets, all but the id. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | null;
}
