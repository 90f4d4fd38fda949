// What lets requests in at a provider, as requests need it: headers and signatures with its key. Where the key is renewed they
// are made anew for each key, by the first request that comes with it.
import { SigV4Signer } from "../../../providers/dialects/index.ts";
import type { AwsCredentials } from "../../config/access-config.ts";
import type { Provider } from "../../config/config.ts";
import type { Key } from "../../credentials/key.ts";
import type { Renewal } from "../../credentials/renewal.ts";
import { secretForms } from "../../observe/secret-forms.ts";
import type { KeyRenewal, Signer, UpstreamAccess } from "../../gateway/sending/upstream-target.ts";
import { sigV4Crypto } from "../../upstream/sigv4-crypto.ts";
import { providerSecrets } from "./provider-secrets.ts";

const USER_AGENT = "sluice/0.1";

/** Of a provider whose requests go to `base`; `renewal` renews its key, if it has one that ends. */
export function accessOf(provider: Provider, base: URL, renewal: Renewal | null): UpstreamAccess {
  return renewal === null ? accessWith(provider, base) : new RenewedAccess(provider, base, renewal);
}

function accessWith(provider: Provider, base: URL): Omit<UpstreamAccess, "renewal"> & { renewal: null } {
  return {
    wholeHeaders: requestHeaders(provider, "application/json"),
    streamHeaders: requestHeaders(provider, "text/event-stream"),
    openHeaders: requestHeaders(provider, "*/*"),
    sign: signerOf(provider, base),
    secrets: secretForms(providerSecrets(provider)),
    renewal: null,
  };
}

class RenewedAccess implements UpstreamAccess {
  readonly renewal: KeyRenewal;
  readonly #provider: Provider;
  readonly #base: URL;
  readonly #renewal: Renewal;
  #key: Key | null = null;
  #access: Omit<UpstreamAccess, "renewal">;

  constructor(provider: Provider, base: URL, renewal: Renewal) {
    this.#provider = provider;
    this.#base = base;
    this.#renewal = renewal;
    this.renewal = renewal;
    this.#access = accessWith(provider, base);
  }

  get wholeHeaders(): string[] {
    return this.#latest().wholeHeaders;
  }

  get streamHeaders(): string[] {
    return this.#latest().streamHeaders;
  }

  get openHeaders(): string[] {
    return this.#latest().openHeaders;
  }

  get sign(): Signer | null {
    return this.#latest().sign;
  }

  get secrets(): readonly string[] {
    return this.#latest().secrets;
  }

  #latest(): Omit<UpstreamAccess, "renewal"> {
    const { key } = this.#renewal;
    if (key !== null && key !== this.#key) {
      this.#key = key;
      this.#access = accessWith(withKey(this.#provider, key), this.#base);
    }
    return this.#access;
  }
}

/** The provider as if this key were the one of its configuration. */
function withKey(provider: Provider, key: Key): Provider {
  if (key.kind === "shown") return { ...provider, apiKey: key.value };
  return provider.auth.kind === "sigv4"
    ? { ...provider, auth: { ...provider.auth, credentials: key } }
    : provider;
}

/** Everything that is the same for each request to a provider, secrets included. */
function requestHeaders(provider: Provider, accept: string): string[] {
  const headers = new Map([
    ["content-type", "application/json"],
    ["accept", accept],
    // Compressed answers would have to be decoded to be understood.
    ["accept-encoding", "identity"],
    ["user-agent", USER_AGENT],
  ]);
  const { auth, apiKey } = provider;
  if (apiKey !== null && auth.kind === "header") headers.set(auth.header, `${auth.prefix}${apiKey}`);
  if (apiKey !== null && auth.kind === "sigv4") headers.set("authorization", `Bearer ${apiKey}`);
  for (const [name, value] of Object.entries(provider.headers)) headers.set(name, value);
  return [...headers].flat();
}

/** Signs requests of providers that want it and have no key to be shown instead. */
function signerOf({ auth, apiKey, options }: Provider, base: URL): Signer | null {
  if (auth.kind !== "sigv4" || auth.credentials === null || apiKey !== null) return null;
  const signer = new SigV4Signer(
    withoutNull(auth.credentials),
    { region: options["region"] ?? "", service: auth.service },
    sigV4Crypto,
  );
  return ({ method, path, body }, wallMs) => {
    const request = { method, url: `${base.origin}${path}`, headers: {}, body };
    return Object.entries(signer.sign(request, wallMs)).flat();
  };
}

function withoutNull({ accessKeyId, secretAccessKey, sessionToken }: AwsCredentials) {
  return { accessKeyId, secretAccessKey, ...(sessionToken === null ? {} : { sessionToken }) };
}
