// Loaded into each gateway of a fleet under test, before its program (`node --import`): writes onto every request to a
// provider when it sets out, on the machine's monotonic clock, which all processes share. It knows nothing of the
// gateway: it hears of each request from undici, in the turn in which the gateway sends it.
import { subscribe } from "node:diagnostics_channel";

interface Outgoing {
  addHeader(name: string, value: string): void;
}

function isOutgoing(value: unknown): value is Outgoing {
  return typeof value === "object" && value !== null && "addHeader" in value;
}

subscribe("undici:request:create", (message) => {
  const request: unknown =
    typeof message === "object" && message !== null ? Reflect.get(message, "request") : null;
  if (!isOutgoing(request)) throw new Error("undici tells of requests in another way");
  request.addHeader("x-set-out-ms", String(Number(process.hrtime.bigint() / 1000n) / 1000));
  request.addHeader("x-set-out-by", String(process.pid));
});
