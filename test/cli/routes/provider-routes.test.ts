import { expect, test } from "vitest";
import { providerRoute } from "../../../src/cli/routes/provider-routes.ts";
import { admit, report } from "../../../src/routing/health.ts";
import { HealthBook } from "../../../src/routing/health-book.ts";
import { load } from "../../config/setup.ts";
import { SoloLimiter } from "../../limiter/solo-limiter.ts";

const CLOSED = { state: "closed", blocked_ms: 0 };

const RENEWAL = {
  account: "main~two",
  provider: "main",
  isValid: true,
  endsInMs: 60_000,
  renewed: 1,
  failed: 2,
  fault: "it is away",
};

test("operators see every circuit and every pause, and no secret", async () => {
  const { config } = await load(
    "providers: { main: { type: openai, api_keys: [ sk-one-secret, { name: two, key: sk-two-secret } ], models: { m: {} } } }",
  );
  const { limiter, clock } = new SoloLimiter();
  const health = new HealthBook();
  const first = health.of("main", "m", "1");
  health.of("main", "m", "two");
  health.of("main", "named-by-a-client", "two");
  for (let time = 0; time < 2; time++) {
    const pass = admit(first, clock.elapsedMs());
    if (pass !== null) report(first, pass, { kind: "auth" }, clock.elapsedMs());
  }
  limiter.holdBack("main~two/m", clock.elapsedMs() + 3000);
  const route = providerRoute({
    config: () => config,
    health,
    limiter,
    clock,
    renewals: { reports: () => [RENEWAL] },
  });
  const { body } = await route.handle({ params: {}, query: new URLSearchParams(), body: "" });
  expect(body).not.toContain("secret");
  expect(JSON.parse(body)).toEqual({
    providers: [
      {
        provider: "main",
        type: "openai",
        circuit: CLOSED,
        keys: [
          { key: "1", circuit: { state: "open", blocked_ms: 5000 }, paused_ms: 0 },
          { key: "two", circuit: CLOSED, paused_ms: 0 },
        ],
        models: [
          { model: "m", key: "1", circuit: CLOSED, paused_ms: 0 },
          { model: "m", key: "two", circuit: CLOSED, paused_ms: 3000 },
        ],
        renewals: [
          { key: "two", valid: true, ends_in_ms: 60_000, renewed: 1, failed: 2, fault: "it is away" },
        ],
      },
    ],
  });
});
