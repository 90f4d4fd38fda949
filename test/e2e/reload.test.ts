// What a reload leaves behind of the configuration before: nothing that anybody sees.
import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { startGateway } from "./harness.ts";

test("limits of a provider and a key that are no more are shown nowhere", async () => {
  const simulator = (perMin: number) => ({ type: "simulator", limits: [{ requests: `${perMin}/min` }] });
  const keys = [
    { name: "alice", key: "the-key-of-alice" },
    { name: "bob", key: "the-key-of-bob", limits: [{ requests: "5/min" }] },
  ];
  const providers = { stays: simulator(10), goes: simulator(10) };
  const gateway = await startGateway({ providers, keys });
  const fleet = async (): Promise<unknown> => (await fetch(`${gateway.url}/fleet`)).json();
  expect(await gateway.metrics()).toContain('bucket="goes/requests/min"');
  expect(await fleet()).toMatchObject({ buckets_total: 3, buckets_not_configured: 0 });

  const after = { listen: "127.0.0.1:0", providers: { stays: simulator(20) }, keys: keys.slice(0, 1) };
  writeFileSync(gateway.configFile, JSON.stringify(after));
  let shown = await gateway.metrics();
  while (shown.includes("goes/") || shown.includes("key/bob/")) shown = await gateway.metrics();
  expect(shown).toContain(
    'sluice_bucket_fleet_capacity_units{bucket="stays/requests/min",dimension="requests"} 20',
  );
  expect(await fleet()).toMatchObject({
    buckets: [{ bucket: "stays/requests/min" }],
    buckets_total: 1,
    buckets_not_configured: 2,
  });
  await gateway.stop();
});
