// What of a provider's entry must show neither in a log line nor in an answer.
import type { Provider } from "../../config/config.ts";

/** Members of a URL's query that open doors; others, such as an API's version, are no secrets. */
const SECRET_QUERY = /key|token|secret|sig|pass|code/i;

export function* providerSecrets({
  apiKey,
  pool,
  headers,
  query,
  auth,
  keySource,
}: Provider): Generator<string> {
  if (apiKey !== null) yield apiKey;
  for (const pooled of pool.values()) if (pooled.apiKey !== null) yield pooled.apiKey;
  yield* Object.values(headers);
  for (const [name, value] of Object.entries(query)) if (SECRET_QUERY.test(name)) yield value;
  if (auth.kind === "sigv4" && auth.credentials !== null) {
    yield auth.credentials.secretAccessKey;
    if (auth.credentials.sessionToken !== null) yield auth.credentials.sessionToken;
  }
  if (keySource?.kind === "container" && keySource.token?.kind === "secret") yield keySource.token.secret;
  if (keySource?.kind === "client_credentials" && keySource.proof.kind === "secret")
    yield keySource.proof.secret;
}
