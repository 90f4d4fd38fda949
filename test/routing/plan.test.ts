import { describe, expect, test } from "vitest";
import { plan } from "../../src/routing/plan.ts";
import { provider, faultsOf, inWords, request, tableOf, to, view } from "./tables.ts";

const PROVIDERS = [provider("main", "big", "small"), provider("spare", "small", "org/open")];

describe("a name", () => {
  const table = tableOf({
    providers: PROVIDERS,
    aliases: [
      { name: "smart", strategy: "ordered", targets: [to("main/big"), to("spare/small")] },
      { name: "deep", strategy: "ordered", targets: [to("spare/org/open"), to("smart")] },
      { name: "big", strategy: "ordered", targets: [to("spare/small")] },
    ],
  });

  test.each([
    ["smart", "main/big spare/small", "an alias's targets in order"],
    ["deep", "spare/org/open main/big spare/small", "an alias of an alias"],
    ["main/small", "main/small", "a provider's model"],
    ["main/unheard-of", "main/unheard-of", "a model that no catalog lists"],
    ["spare/a/b/c", "spare/a/b/c", "a model's name with slashes"],
    ["small", "main/small spare/small", "a bare model, at all that list it"],
    ["org/open", "spare/org/open", "a bare model's name with a slash"],
    ["big", "spare/small", "an alias, rather than the model of this name"],
    ["smrt", "model_not_found", "nothing"],
    ["", "model_not_found", "nothing"],
    ["main/", "model_not_found", "nothing"],
    ["/small", "model_not_found", "nothing"],
    ["other/small", "model_not_found", "nothing, at an unknown provider"],
    ["main/a\r\nx: y", "model_not_found", "nothing, with a line break"],
    ["main/../../secret", "model_not_found", "nothing, with a segment that leads out of the path"],
    ["spare/a/./b", "model_not_found", "nothing, with a segment that stays where it is"],
    ["spare/a\\..\\b", "model_not_found", "nothing, with such a segment between backslashes"],
    ["spare/v1.5..2/b", "spare/v1.5..2/b", "a model's name with dots inside"],
    [`main/${"x".repeat(300)}`, "model_not_found", "nothing, when it is too long"],
    ["__proto__", "model_not_found", "nothing, even if every object has it"],
  ])("%j leads to %j: %s", (name, expected) => {
    expect(inWords(plan(request(name), table, view()))).toBe(expected);
  });

  test("that is nearly right is answered with the right one and the list", () => {
    expect(plan(request("smrat"), table, view())).toMatchObject({
      code: "model_not_found",
      message: expect.stringMatching(/`smrat` does not exist. Did you mean `smart`\?.*`main\/big`/),
    });
  });

  test("that the key may not use is refused with what it may use", () => {
    const allowedModels = new Set(["smart"]);
    const refused = plan(request("main/big", { allowedModels, keyName: "team-a" }), table, view());
    expect(refused).toMatchObject({
      code: "permission_denied",
      message: expect.stringMatching(/`team-a` may not use.*`main\/big`.*It may use: `smart`/),
    });
    expect(inWords(plan(request("smart", { allowedModels }), table, view()))).toBe("main/big spare/small");
  });

  test("that is made up is repeated on one line and not at length", () => {
    const refused = plan(request(`x\n${"y".repeat(10_000)}`), table, view());
    expect(refused.kind === "refused" && refused.message.length).toBeLessThan(500);
    expect(refused.kind === "refused" && refused.message).not.toContain("\n");
  });

  test("of one target costs no allocation: the plan is always the same object", () => {
    const once = plan(request("main/unlisted"), table, view());
    expect(plan(request("main/unlisted"), table, view())).toBe(once);
  });

  test("that only clients know is forgotten after a thousand others", () => {
    const first = plan(request("main/made-up"), table, view());
    for (let count = 0; count < 1000; count += 1) plan(request(`main/x${count}`), table, view());
    expect(plan(request("main/made-up"), table, view())).not.toBe(first);
  });
});

describe("a definition's faults", () => {
  test.each([
    [[to("mian/big")], "models.a: there is no provider mian; did you mean main?"],
    [[to("b")], "models.a: there is no alias b"],
    [[to("a")], "models.a: the aliases go round in a circle: a → a"],
    [[], "models.a: it has no targets"],
    [[to("main/big", 0)], "models.a: all weights are 0, so nothing would ever be sent"],
    [[to("main/big", -1)], "models.a: the weight of main/big is -1; it must be 0 or more"],
    [[to("main/big", Number.NaN)], "models.a: the weight of main/big is NaN; it must be 0 or more"],
  ])("are named: %j", (targets, fault) => {
    expect(
      faultsOf({ providers: PROVIDERS, aliases: [{ name: "a", strategy: "ordered", targets }] })[0],
    ).toContain(fault);
  });

  test("show the whole circle", () => {
    const ring = (name: string, next: string) =>
      ({ name, strategy: "ordered", targets: [to("main/big"), to(next)] }) as const;
    const faults = faultsOf({
      providers: PROVIDERS,
      aliases: [ring("a", "b"), ring("b", "c"), ring("c", "a")],
    });
    expect(faults).toEqual(["models.a: the aliases go round in a circle: a → b → c → a"]);
  });

  test("include aliases that multiply into too many targets", () => {
    const doubled = (name: string, next: string) =>
      ({ name, strategy: "ordered", targets: [to(next), to(next)] }) as const;
    const names = Array.from({ length: 30 }, (_, index) => `a${index}`);
    const aliases = names.map((name, index) => doubled(name, names[index + 1] ?? "main/big"));
    expect(faultsOf({ providers: PROVIDERS, aliases })[0]).toContain("more than 100 targets");
  });
});
