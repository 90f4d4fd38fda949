// A request as routing looks at it, and the world as it looks from this request: what routing must know of room is
// asked of the limiter only when there is a choice to make.
import { assert } from "../errors.ts";
import type { Estimate } from "../limiter/cost.ts";
import type { RequestShape } from "../limiter/estimate.ts";
import type { Meters } from "../limiter/meters.ts";
import type { Ask, Priority } from "../limiter/reservation.ts";
import type { RouteRequest } from "../routing/condition.ts";
import type { View } from "../routing/order.ts";
import type { Target } from "../routing/target.ts";
import type { Exchange } from "./exchange.ts";
import { priorityOf } from "./priority.ts";
import { saleOf } from "./sale.ts";
import type { ServeParts } from "./serve.ts";
import type { UpstreamTarget } from "./sending/upstream-target.ts";

/** Of prompts, where nothing is known of the model yet. */
const BYTES_PER_TOKEN = 4;

/** What names a client's session where the body does not: it wins over `prompt_cache_key` and `user`. */
const SESSION_HEADER = "x-sluice-session";

export class PlannedRequest implements RouteRequest, View<UpstreamTarget> {
  readonly model: string;
  readonly endpoint: string;
  readonly keyName: string;
  readonly allowedModels: ReadonlySet<string> | null;
  readonly isStream: boolean;
  readonly hasTools: boolean;
  readonly hasImages: boolean;
  readonly session: string | null;
  readonly priority: Priority;
  /** What the estimates go by. */
  readonly shape: RequestShape;
  /** `elapsedMs` of the present round of attempts. */
  now: number;
  readonly #exchange: Exchange;
  readonly #keyMeters: Meters;
  readonly #weight: number;
  readonly #parts: ServeParts;

  /** Throws `permission_denied` or `invalid_request` for a priority that the request can't have. */
  constructor(exchange: Exchange, parts: ServeParts, now: number) {
    const { members, route, key, body, headers, direct } = exchange.request;
    this.model = members.model;
    this.endpoint = route.endpoint;
    this.keyName = key.name;
    // Who may ask a provider directly was settled at the door.
    this.allowedModels = direct === null ? key.models : null;
    this.priority = priorityOf(headers, key);
    this.#weight = key.weight;
    this.isStream = members.isStream;
    this.hasTools = members.hasTools;
    this.hasImages = members.imageCount > 0;
    const session = headers[SESSION_HEADER];
    this.session = typeof session === "string" && session !== "" ? session : members.session;
    this.shape = {
      textBytes: Math.max(0, body.length - members.mediaBytes),
      imageCount: members.imageCount,
      maxTokens: members.maxTokens,
      choices: members.choices,
      hasOutput: route.output !== "none" && (direct === null || body.length > 0),
    };
    this.now = now;
    this.#exchange = exchange;
    this.#parts = parts;
    const keyMeters = exchange.runtime.metersOf.get(key);
    assert(keyMeters !== undefined, "a request's key has meters");
    this.#keyMeters = keyMeters;
  }

  /** About how large the prompt is, before a model is chosen. */
  get promptTokens(): number {
    return Math.ceil(this.shape.textBytes / BYTES_PER_TOKEN);
  }

  header(name: string): string | undefined {
    const value = this.#exchange.request.headers[name];
    return typeof value === "string" ? value : value?.join(", ");
  }

  metadata(name: string): string | undefined {
    const { direct, upload } = this.#exchange.request;
    if (direct !== null || upload !== null) return undefined;
    const { metadata } = this.#exchange.parsedBody();
    if (typeof metadata !== "object" || metadata === null || !Object.hasOwn(metadata, name)) return undefined;
    const value: unknown = Reflect.get(metadata, name);
    return typeof value === "string" ? value : undefined;
  }

  /** All limits that a request to this target has to pass. */
  meters(target: Target<UpstreamTarget>): Meters {
    return target.upstream.limits.meters.with(this.#keyMeters);
  }

  /** What to ask of the limiter for this target, waiting at most `waitMs` and no longer than the request has in all. */
  ask(target: Target<UpstreamTarget>, waitMs: number): Ask {
    return {
      estimate: this.#estimate(target.upstream),
      priority: this.priority,
      clientKey: this.keyName,
      weight: this.#weight,
      deadlineMs: Math.min(this.now + waitMs, this.#exchange.deadlineMs),
    };
  }

  #estimate({ estimate, limits }: UpstreamTarget): Estimate {
    const tokens = estimate.of(this.shape);
    const { sells } = this.#exchange.request.route;
    if (sells === null) return tokens;
    const sale = limits.meters.hasUnitPrices ? saleOf(this.#exchange) : null;
    return sale === null ? { ...tokens, sells } : { ...tokens, sells, sale };
  }

  random(): number {
    return this.#parts.random();
  }

  waitMs(target: Target<UpstreamTarget>): number {
    return this.#parts.limiter.roomMs(this.meters(target), this.ask(target, 0), this.now);
  }

  shareLeft(target: Target<UpstreamTarget>): number {
    const { requests, tokens } = this.#parts.limiter.facts(this.meters(target), this.now);
    return Math.min(
      requests === null ? 1 : requests.remaining / requests.limit,
      tokens === null ? 1 : tokens.remaining / tokens.limit,
    );
  }
}
