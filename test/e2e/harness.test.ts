// The harness itself: what a test leaves running does not outlive it.
import { expect, test } from "vitest";
import { startGateway, type GatewayProcess } from "./harness.ts";

let left: GatewayProcess | null = null;

test("a test that ends before it stops its gateway", async () => {
  left = await startGateway({ providers: { sim: { type: "simulator" } } });
  expect(await left.isHealthy()).toBe(true);
});

test("leaves nothing running", async () => {
  expect(left).not.toBeNull();
  // Its end is reported as soon as the kernel has it.
  expect(await left?.stop()).toBeNull();
  expect(() => process.kill(left?.pid ?? 0, 0)).toThrow("ESRCH");
});
