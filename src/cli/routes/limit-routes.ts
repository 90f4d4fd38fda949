// The operators' routes for limits set at run time: `GET /admin/limits`, and `GET`, `PUT`, `DELETE` of one by its name,
// as `/admin/limits/main/requests/min`.
import type { Config, LimitSpec } from "../../config/config.ts";
import { didYouMean } from "../../config/suggest.ts";
import { GatewayError } from "../../errors.ts";
import { jsonAnswer, type PlainRequest, type PlainRoute } from "../../http/plain-route.ts";
import {
  changedLimit,
  configuredLimits,
  type LimitOverride,
  type LimitOverrides,
  parseLimitChange,
} from "../wiring/limit-overrides.ts";

/** `config`: the one in force, as it was written. */
export function limitRoutes(overrides: LimitOverrides, config: () => Config): readonly PlainRoute[] {
  const path = "/admin/limits/:limit{.+}";
  return [
    {
      method: "GET",
      path: "/admin/limits",
      handle() {
        const known = configuredLimits(config());
        const set = [...overrides.all()].map(([name, override]) => view(name, known.get(name), override));
        return jsonAnswer({ limits: set.sort((left, right) => (left.limit < right.limit ? -1 : 1)) });
      },
    },
    { method: "GET", path, handle: (request) => jsonAnswer(one(nameIn(request), overrides, config())) },
    {
      method: "PUT",
      path,
      async handle(request) {
        const name = nameIn(request);
        const spec = configuredLimits(config()).get(name);
        if (spec === undefined) throw unknownLimit(name, config());
        const value = parseLimitChange(request.body);
        if (typeof value === "string") throw new GatewayError("invalid_request", value);
        const changed = changedLimit(spec, value);
        if (typeof changed === "string") {
          throw new GatewayError("invalid_request", `\`${name}\` can't be set to that: ${changed}.`);
        }
        await overrides.set(name, value);
        return jsonAnswer(one(name, overrides, config()));
      },
    },
    {
      method: "DELETE",
      path,
      async handle(request) {
        const name = nameIn(request);
        if (!overrides.all().has(name)) {
          throw new GatewayError("not_found", `\`${name}\` is not set at run time.`);
        }
        await overrides.unset(name);
        return jsonAnswer({ limit: name, status: "unset" });
      },
    },
  ];
}

function nameIn({ params }: PlainRequest): string {
  return params["limit"] ?? "";
}

function one(name: string, overrides: LimitOverrides, config: Config): object {
  const spec = configuredLimits(config).get(name);
  const override = overrides.all().get(name);
  if (spec === undefined && override === undefined) throw unknownLimit(name, config);
  return view(name, spec, override);
}

function view(limit: string, spec: LimitSpec | undefined, override: LimitOverride | undefined) {
  return {
    limit,
    configured: spec === undefined ? null : { amount: spec.amount, burst: spec.burst },
    set:
      override === undefined
        ? null
        : {
            amount: override.amount,
            burst: override.burst ?? override.amount,
            by: override.by ?? "",
            at: new Date(override.setMs).toISOString(),
          },
  };
}

function unknownLimit(name: string, config: Config): GatewayError {
  const hint = didYouMean(name, configuredLimits(config).keys());
  return new GatewayError(
    "not_found",
    `The configuration has no limit \`${name.slice(0, 100)}\`${hint || "."}`,
  );
}
