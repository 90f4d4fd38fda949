// The frameworks that programs are written in, through one real gateway to vendors of four languages: the same answers as
// the official clients get, run through what each framework makes of them.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readString } from "../../providers/dialects/json.ts";
import { frameworksAt } from "./frameworks.ts";
import { startGateway, type GatewayProcess } from "./harness.ts";
import { startVendor, type Vendor } from "./vendor.ts";
import { expectSent, failureOf } from "./vendor-checks.ts";
import {
  breaking,
  CALLS,
  FAULTS,
  saying,
  SCHEMA,
  TOOL,
  VENDOR_NAMES,
  VENDORS,
  type Fault,
} from "./vendor-requests.ts";

const TIMES: Readonly<Record<string, string>> = { Oslo: "4 degrees", Rome: "20 degrees" };
const WHOLE_OR_STREAM = [
  ["whole", false],
  ["streamed", true],
] as const;
const OUTPUT_SCHEMA = { ...SCHEMA, properties: { ...SCHEMA.properties }, required: [...SCHEMA.required] };

let gateway: GatewayProcess;
let vendor: Vendor;
const FRAMEWORKS = frameworksAt(() => gateway.url);

/** A provider that fails is left alone for a while, so that each failure of each framework has its own. */
const failing = (vendorName: string, framework: string, fault: string): string =>
  `${vendorName}-${framework}-${fault}`.replaceAll(/[^\w]+/g, "-");

beforeAll(async () => {
  vendor = await startVendor();
  const providers = VENDOR_NAMES.flatMap((name) => {
    const { config, model } = VENDORS[name];
    const faults = [...FAULTS, "breaks"].flatMap((fault) =>
      FRAMEWORKS.map((framework) => failing(name, framework.name, fault)),
    );
    return [name, ...faults].map((each) => [each, { ...config(each, vendor.url), models: { [model]: {} } }]);
  });
  gateway = await startGateway({
    providers: Object.fromEntries(providers),
    retry: { attempts: 1 },
    queue: { max_wait: "0s" },
  });
}, 180_000);

afterAll(async () => {
  vendor.close();
  await gateway.stop("SIGKILL");
});

describe.each(FRAMEWORKS)("$name", (framework) => {
  describe.each(VENDOR_NAMES)("at %s", (name) => {
    const model = `${name}/${VENDORS[name].model}`;

    test.each(WHOLE_OR_STREAM)("gets thoughts, text and what it cost, %s", async (_, isStream) => {
      vendor.willAnswer(saying(name, { thinking: "Hm.", text: "Hello there." }, isStream));
      const pieces: string[] = [];
      const told = await framework.ask(model, { system: "Be brief.", user: "Hello?", isStream }, (piece) =>
        pieces.push(piece),
      );
      expectSent(vendor.sent[0], name, isStream);
      expect(told.text).toBe("Hello there.");
      expect(told.finish).toMatch(/^(stop|completed)$/);
      expect(told.usage).toEqual({ input: 20, cached: 4, output: 9 });
      expect(told.reasoning).toBe(framework.readsReasoning ? "Hm." : "");
      expect(pieces).toEqual(isStream ? ["Hello ", "there."] : []);
      const sent = JSON.stringify(vendor.sent[0]?.body);
      expect(sent).toContain("Be brief.");
      expect(sent).toContain("Hello?");
    });

    test.each(WHOLE_OR_STREAM)("runs tools that are called at once, %s", async (_, isStream) => {
      vendor.willAnswer(saying(name, { calls: CALLS }, isStream), saying(name, { text: "Rome." }, isStream));
      const asked: unknown[] = [];
      const tool = {
        ...TOOL,
        schema: OUTPUT_SCHEMA,
        run(args: unknown) {
          asked.push(args);
          return TIMES[readString(args, "city") ?? ""] ?? "";
        },
      };
      const told = await framework.ask(model, { user: "Which is warmer?", tool, isStream });
      expect(told.text).toBe("Rome.");
      expect(asked).toEqual([{ city: "Oslo" }, { city: "Rome" }]);
      expect(vendor.sent).toHaveLength(2);
      const sent = JSON.stringify(vendor.sent[1]?.body);
      for (const word of ["call00001", "call00002", "4 degrees", "20 degrees"]) {
        if (!word.startsWith("call") || name !== "gemini") expect(sent).toContain(word);
      }
    });

    test.each(WHOLE_OR_STREAM)("gets an answer that follows a schema, %s", async (_, isStream) => {
      vendor.willAnswer(saying(name, { text: '{"city":"Oslo"}' }, isStream));
      const told = await framework.ask(model, { user: "Which city?", schema: OUTPUT_SCHEMA, isStream });
      expect(told.object).toEqual({ city: "Oslo" });
      expect(JSON.stringify(vendor.sent[0]?.body)).toMatch(/\\?"city\\?"/);
    });

    const STATUSES: Readonly<Record<Fault, number>> = {
      "rate limited": 429,
      "bad request": 400,
      "wrong key": 502,
      overloaded: framework.language === "messages" ? 529 : 503,
    };
    test.each(FAULTS)("understands: %s", async (fault) => {
      const provider = failing(name, framework.name, fault);
      vendor.willAnswer(VENDORS[name].faults[fault]);
      const failure = await failureOf(
        framework.ask(`${provider}/${VENDORS[name].model}`, { user: "Hello?", isStream: false }),
      );
      const status = failure["status"] ?? failure["statusCode"];
      expect(status).toBe(STATUSES[fault]);
      expect(vendor.sent).toHaveLength(1);
    });

    test("sees a stream that breaks as an error, after what came before", async () => {
      vendor.willAnswer(breaking(name));
      const provider = failing(name, framework.name, "breaks");
      let text = "";
      const failure = await failureOf(
        framework.ask(`${provider}/${VENDORS[name].model}`, { user: "Hello?", isStream: true }, (piece) => {
          text += piece;
        }),
      );
      expect(text).toBe("Hel");
      expect(failure["said"]).toMatch(/overloaded/i);
    });
  });
});
