// The configuration that is measured: a client key is asked for, an alias is planned, and three buckets are taken from
// (the provider's requests and tokens, the key's tokens), all of them durable. Limits are so high that none is met.
// `smart` is at a provider whose answers pass as they are, `mended` at one whose answers are looked at and mended.

import { CLIENT_KEY } from "./load.ts";

export function sluiceConfig(upstreamPort: number, dataDir: string): string {
  return `
listen: 127.0.0.1:0
data_dir: ${dataDir}
log: { level: warn }
providers:
  bench: ${provider(upstreamPort, "quirks: { canonical: true }, ")}
  compatible: ${provider(upstreamPort, "")}
models:
  smart: [ bench/bench-model ]
  mended: [ compatible/bench-model ]
keys:
  - { name: team-a, key: ${CLIENT_KEY}, models: [ smart, mended ], limits: [ { tokens: 1_000_000_000_000/day } ] }
`;
}

function provider(upstreamPort: number, quirks: string): string {
  return (
    `{ dialect: openai, base_url: "http://127.0.0.1:${upstreamPort}/v1", api_key: sk-bench-upstream-key, ${quirks}` +
    `auth: { header: authorization, prefix: "Bearer " }, ` +
    `limits: [ { requests: 100_000_000/min }, { tokens: 100_000_000_000/min } ] }`
  );
}
