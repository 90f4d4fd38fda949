// A real server on a port of the system's choice with a gateway behind it that tells what it was asked.
import { onTestFinished } from "vitest";
import { systemClock } from "../../src/clock.ts";
import type { ClientDownstream } from "../../src/http/downstream.ts";
import type { RequestFacts } from "../../src/gateway/request/request.ts";
import type { ClientKey, Runtime } from "../../src/gateway/runtime.ts";
import { createHttpServer, type HttpOptions, type HttpServer } from "../../src/http/server.ts";
import type { LogFields, RequestRecord, Sample, SampleSource } from "../../src/observe/events.ts";
import { RawClient } from "./raw-client.ts";

export const ANONYMOUS: ClientKey = {
  name: "anonymous",
  models: null,
  priority: 1,
  weight: 1,
  expiresMs: Infinity,
};

export const OPEN_RUNTIME: Runtime = {
  keys: new Map(),
  anonymous: ANONYMOUS,
  providers: new Set(["local"]),
  models: [
    { id: "smart", ownedBy: "sluice" },
    { id: "local/org/model:7b", ownedBy: "local" },
  ],
};

type Serve = (request: RequestFacts, downstream: ClientDownstream) => void;

/** Answers with what it got. */
function echo(request: RequestFacts, downstream: ClientDownstream): void {
  const { id, route, key, body, members } = request;
  const answer = JSON.stringify({
    route: route.kind,
    key: key.name,
    model: members.model,
    body: body.toString(),
  });
  downstream.response.writeHead(200, ["content-type", "application/json", "x-request-id", id]).end(answer);
}

export interface Fixture {
  readonly port: number;
  readonly server: HttpServer;
  readonly records: readonly RequestRecord[];
  readonly logs: readonly { readonly message: string; readonly fields: LogFields | undefined }[];
  readonly samples: () => Sample[];
  /** A client of this server, closed when the test ends. */
  readonly client: () => RawClient;
}

type FixtureOptions = Partial<HttpOptions> & { readonly runtime?: Runtime; readonly serve?: Serve };

/** Starts a server on a port of the system's choice, or on `port`. It is closed when the test ends. */
export async function startServer(options: FixtureOptions = {}, wantedPort = 0): Promise<Fixture> {
  const records: RequestRecord[] = [];
  const logs: { message: string; fields: LogFields | undefined }[] = [];
  const sources: SampleSource[] = [];
  const note = (message: string, fields?: LogFields): void => void logs.push({ message, fields });
  const server = createHttpServer({
    gateway: { runtime: options.runtime ?? OPEN_RUNTIME, serve: options.serve ?? echo },
    observer: {
      log: { debug: note, info: note, warn: note, error: note },
      requestEnded: (record) => void records.push(record),
      addSource: (source) => void sources.push(source),
    },
    clock: systemClock,
    openRoutes: [],
    operatorRoutes: [],
    adminKeySha256: () => null,
    ...options,
  });
  onTestFinished(() => server.close());
  const { port } = await server.listen({ host: "127.0.0.1", port: wantedPort });
  return {
    port,
    server,
    records,
    logs,
    samples: () => sources.flatMap((source) => Array.from(source(() => true))),
    client() {
      const client = new RawClient(port);
      onTestFinished(() => client.close());
      return client;
    },
  };
}
