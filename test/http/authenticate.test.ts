import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { expect, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { GatewayError } from "../../src/errors.ts";
import { Authenticator, authenticateOperator } from "../../src/http/authenticate.ts";
import { recordRefusal } from "../../src/http/refusal.ts";
import { silentLog, type RequestRecord } from "../../src/observe/events.ts";
import { OPEN_RUNTIME } from "./server-fixture.ts";

// A connection that has closed by the time its request is looked at has no address any more.
const left = new IncomingMessage(new Socket());

test.each([
  ["client", () => new Authenticator(systemClock).authenticate(left, OPEN_RUNTIME)],
  ["operator", () => authenticateOperator(left, null)],
])("a %s that has gone is not taken for a stranger", (_, authenticate) => {
  expect(authenticate).toThrow(expect.objectContaining({ code: "client_gone" }));
});

test("a client that has gone is counted as that", () => {
  const records: RequestRecord[] = [];
  const observer = {
    log: silentLog,
    requestEnded: (record: RequestRecord) => void records.push(record),
    addSource: () => undefined,
  };
  const refused = { id: "1", route: "/v1/chat/completions", startedMs: 0, endedMs: 0 };
  recordRefusal(observer, refused, new GatewayError("client_gone", "Left."));
  expect(records).toMatchObject([{ outcome: "client_gone", errorCode: "client_gone", status: 499 }]);
});
