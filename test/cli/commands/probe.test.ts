import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { probeModels } from "../../../src/cli/commands/probe.ts";

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** A server on this machine, and the URL of its models. */
async function serve(listener: RequestListener): Promise<string> {
  const started = createServer(listener);
  server = started;
  await new Promise<void>((resolve) => started.listen(0, "127.0.0.1", resolve));
  const address = started.address();
  return `http://127.0.0.1:${isAddress(address) ? address.port : 0}/v1/models`;
}

function isAddress(address: unknown): address is AddressInfo {
  return typeof address === "object" && address !== null && "port" in address;
}

describe("a probe", () => {
  test("finds a server's models", async () => {
    const url = await serve((_, response) => {
      response.end(
        JSON.stringify({ object: "list", data: [{ id: "a", owned_by: "vllm" }, { id: "b" }, { no: 1 }, 5] }),
      );
    });
    expect(await probeModels(url)).toEqual([
      { id: "a", ownedBy: "vllm" },
      { id: "b", ownedBy: "" },
    ]);
  });

  test.each<[string, RequestListener]>([
    ["an error", (_, response) => response.writeHead(500).end('{"data":[]}')],
    ["a page", (_, response) => response.end("<html>")],
    ["something else", (_, response) => response.end('{"data":{}}')],
    ["null", (_, response) => response.end("null")],
    [
      "half an answer",
      (_, response) => response.writeHead(200, { "content-length": 99 }).write("{", () => response.destroy()),
    ],
    ["nothing", (_, response) => response.destroy()],
    ["silence", () => undefined],
    ["too much", (_, response) => response.end(`{"data":[{"id":"${"x".repeat(2_000_000)}"}]}`)],
  ])("takes %s for no server", async (_, listener) => {
    expect(await probeModels(await serve(listener))).toBeNull();
  });

  test("finds nothing where nobody listens", async () => {
    const url = await serve((_, response) => response.end());
    server?.close();
    expect(await probeModels(url)).toBeNull();
  });
});
