// What can be said of a key that is made at run time: the same as in the configuration, and nothing of the environment.
import * as fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import type { Config } from "../../src/config/config.ts";
import { readKeyDefinition, resolveRuntimeKey } from "../../src/config/key-definition.ts";
import { load } from "./setup.ts";

let config: Config;

beforeAll(async () => {
  ({ config } = await load(`
providers:
  main: { type: simulator, models: { small: { prices: { input: 1, output: 2 } }, gratis: } }
models: { smart: [ main/small ], any: [ main/small, main/gratis ] }
`));
});

/** What is wrong with it; empty when it is sound. */
function problemOf(body: string): string {
  const read = readKeyDefinition(body);
  if (read.kind === "fault") return read.message;
  return resolveRuntimeKey(read.raw, config).fault?.message ?? "";
}

describe("the definition of a key", () => {
  test.each([
    ["", "The body must be JSON"],
    ["name: alice", "The body must be JSON"],
    ["[]", "xpected keys and values"],
    ["{}", "`name`: this key is missing"],
    ['{"name":"a b"}', "`name`: a key's name is made of"],
    ['{"name":""}', "`name`: expected text, not an empty text"],
    [`{"name":"${"a".repeat(65)}"}`, "at most 64 letters"],
    ['{"name":"alice","model":["smart"]}', '`model`: unknown key; did you mean "models"?'],
    ['{"name":"alice","models":["smrt"]}', 'no provider has it; did you mean "smart"?'],
    ['{"name":"alice","models":"smart"}', "`models`: expected a list of models"],
    ['{"name":"alice","priority":"urgent"}', "`priority`: expected one of low, normal, high"],
    ['{"name":"alice","weight":0}', "`weight`: expected a number from 0.01 to 1000"],
    ['{"name":"alice","weight":-1}', "`weight`: expected a number from 0.01"],
    ['{"name":"alice","limits":[{"usd":"0/day"}]}', "the amount must be a number above zero"],
    ['{"name":"alice","limits":[{"usd":"-5/day"}]}', "the amount must be a number above zero"],
    ['{"name":"alice","limits":[{"usd":"5/fortnight"}]}', "the period must be one of s, min, h, day, month"],
    ['{"name":"alice","limits":[{"usd":"5/day","timezone":"Mars/Olympus"}]}', "the IANA name of a time zone"],
    [
      '{"name":"alice","limits":[{"usd":"5/day"},{"usd":"6/day"}]}',
      "there already is a limit of usd per day",
    ],
    [
      '{"name":"alice","models":["main/gratis","any"],"limits":[{"requests":"1/s"},{"usd":"5/day"}]}',
      "`limits[1]`: no price is known of main/gratis, so dollars can't be counted",
    ],
    ['{"name":"alice","limits":[{"usd":"5/day"}]}', "no price is known of main/gratis"],
    ['{"name":"alice","expires":"soon"}', "`expires`: expected a day such as 2027-01-31"],
    ['{"name":"alice","expires":"2027-02-30"}', "there is no such day or time"],
    ['{"name":"alice","tags":{"a":"b"}}', "`tags`: expected a list of words"],
    ['{"name":"alice","key":"my-own-secret"}', "`key`: unknown key"],
    ['{"name":"alice","metadata":{"home":"${HOME}"}}', "HOME"],
    [`{"name":"alice","metadata":{"a":"${"x".repeat(20_000)}"}}`, "The definition is too long"],
    [`{"name":"alice","metadata":${'{"a":'.repeat(2000)}1${"}".repeat(2000)}}`, ""],
  ])("that is wrong is told: %s: %s", (body, problem) => {
    expect(problemOf(body)).not.toBe("");
    expect(problemOf(body)).toContain(problem);
  });

  test.each([
    ['{"name":"alice"}'],
    ['{"name":"alice","models":["smart","main/gratis","gratis","main/unheard-of"]}'],
    ['{"name":"alice","models":["smart"],"limits":[{"usd":"5/day"},{"usd":"50.5/month"},{"concurrent":3}]}'],
    ['{"name":"a","limits":[{"dimension":"requests","amount":5,"per":"month","timezone":"Europe/Berlin"}]}'],
    ['{"name":"a","weight":2.5,"priority":"low","tags":["x"],"metadata":{"n":1,"yes":true}}'],
    ['{"name":"a","expires":"2030-01-31T18:00:00+02:00","limits":null}'],
  ])("is sound: %s", (body) => {
    expect(problemOf(body)).toBe("");
  });

  test("says which models have no price when a budget names none", () => {
    expect(problemOf('{"name":"alice","limits":[{"usd":"5/day"}]}')).toContain(
      "no price is known of main/gratis",
    );
  });

  test("is read or refused whatever it is, and never fails", () => {
    const names = fc.constantFrom(
      "name",
      "models",
      "priority",
      "weight",
      "limits",
      "expires",
      "tags",
      "metadata",
      "usd",
    );
    const near = fc.dictionary(names, fc.oneof(fc.jsonValue(), fc.dictionary(names, fc.jsonValue())));
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          near.map((value) => JSON.stringify(value)),
        ),
        (body) => {
          expect(problemOf(body)).toBeTypeOf("string");
        },
      ),
    );
  });
});
