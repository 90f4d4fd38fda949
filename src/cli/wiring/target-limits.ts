// From the configuration's limits, and those that were learned from answers, to the meters of one target.
import type { LearnedLimit } from "../../../providers/dialects/limits-learning.ts";
import { LimitAdvisor } from "../../../providers/dialects/limits-advice.ts";
import { LimitReader } from "../../../providers/dialects/limits.ts";
import type { Clock } from "../../clock.ts";
import type { LimitPeriod, LimitSpec, Provider } from "../../config/config.ts";
import { describeLimit, type LimitOwner, ownerName, toLimit } from "../../config/limits.ts";
import { TargetLimits, type KeptLimits } from "../../gateway/target-limits.ts";
import type { Limiter } from "../../limiter/limiter.ts";
import type { Meters, MeterSpec } from "../../limiter/meters.ts";
import type { RefusalObserver } from "../../observe/events.ts";
import { accountsOf } from "./accounts.ts";

/** How many targets' limits are learned: clients can name any number of models, and every limit is a bucket of the fleet. */
export const LEARNED_MAX = 1000;

/** As providers' headers speak of them; a month is 30 days there. */
const WINDOW_MS: Readonly<Record<LimitPeriod, number>> = {
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  day: 86_400_000,
  month: 30 * 86_400_000,
};

/** What limits are compiled with, and what outlives a reload of them. */
export interface LimitPlant {
  readonly limiter: Limiter;
  readonly clock: Clock;
  readonly observer: RefusalObserver;
  /** Limits that providers' answers have told, by `provider/model` and then by the provider's name for the limit. */
  readonly learned: Map<string, Map<string, LearnedLimit>>;
}

/** The limits of a provider as a whole, with each of its API keys. */
export function providerLimits(
  provider: Provider,
  { limiter }: Pick<LimitPlant, "limiter">,
): readonly Meters[] {
  return accountsOf(provider).map(({ account, limits }) =>
    limiter.open(meterSpecs({ kind: "provider", provider: account }, limits)),
  );
}

/** The limits of one model at one provider. */
export function targetLimits(provider: Provider, modelName: string, plant: LimitPlant): TargetLimits {
  const model = provider.models.get(modelName);
  const { account } = provider;
  const owner: LimitOwner = { kind: "model", provider: account, model: modelName };
  const configured = [
    ...configuredLimits({ kind: "provider", provider: account }, provider.limits),
    ...configuredLimits(owner, model?.limits ?? []),
  ];
  const compile = (learned: Iterable<LearnedLimit>): KeptLimits => {
    const limits = joined(
      configured,
      [...learned].map((limit) => learnedLimit(account, modelName, limit)),
    );
    const meters = plant.limiter.target({
      provider: account,
      model: modelName,
      specs: limits.map(({ spec }) => spec),
      counting: provider.counting,
      prices: model?.prices ?? null,
    });
    return { meters, kept: limits };
  };
  const isInvented = model === undefined;
  const learned = provider.learnsLimits
    ? learnedBefore(`${account}/${modelName}`, plant.learned, isInvented)
    : null;
  return new TargetLimits({
    limiter: plant.limiter,
    clock: plant.clock,
    observer: plant.observer,
    advisor: new LimitAdvisor({
      reader: new LimitReader(provider.limitHeaders),
      configured,
      isLearning: learned !== null,
    }),
    learned: learned ?? new Map(),
    compile,
  });
}

/** A limit, and how the provider's headers would speak of it. */
interface TargetLimit {
  readonly spec: MeterSpec;
  readonly dimension: string;
  readonly windowMs: number | null;
  readonly amount: number;
}

function configuredLimits(owner: LimitOwner, limits: readonly LimitSpec[]): readonly TargetLimit[] {
  const specs = meterSpecs(owner, limits);
  return specs.map((spec, index) => {
    const limit = limits[index];
    const per = limit?.per ?? null;
    const { dimension } = spec.limit;
    return { spec, dimension, windowMs: per === null ? null : WINDOW_MS[per], amount: limit?.amount ?? 0 };
  });
}

/** The meters of one owner's limits, in their order. */
export function meterSpecs(owner: LimitOwner, limits: readonly LimitSpec[]): readonly MeterSpec[] {
  return limits.map((spec) => ({
    limit: toLimit(owner, spec),
    ownerKind: owner.kind,
    owner: ownerName(owner),
    name: describeLimit(spec),
  }));
}

function learnedLimit(provider: string, model: string, learned: LearnedLimit): TargetLimit {
  const { dimension, windowMs, amount } = learned;
  const per = Object.entries(WINDOW_MS).find(([, ms]) => ms === windowMs)?.[0] ?? `${windowMs / 1000}s`;
  const spec: MeterSpec = {
    limit: {
      key: `${provider}/${model}/${dimension}/${per}`,
      dimension,
      capacity: amount,
      refill: { kind: "continuous", unitsPerMs: amount / windowMs },
    },
    ownerKind: "model",
    owner: `${provider}/${model}`,
    name: `${dimension}: ${amount}/${per}`,
  };
  return { spec, dimension, windowMs, amount };
}

/** Of limits that count the same over the same time the lowest is kept. */
function joined(configured: readonly TargetLimit[], learned: readonly TargetLimit[]): readonly TargetLimit[] {
  const limits = [...configured];
  for (const limit of learned) {
    if (limit.dimension === "concurrent" || limit.amount < 1) continue;
    const at = limits.findIndex(
      ({ dimension, windowMs }) => dimension === limit.dimension && windowMs === limit.windowMs,
    );
    const known = limits[at];
    if (known === undefined) limits.push(limit);
    else if (known.amount > limit.amount && known.spec.ownerKind === "model") limits[at] = limit;
  }
  return limits;
}

/** What is learned of a target, over reloads; null when there are too many already that no configuration names. */
function learnedBefore(
  target: string,
  learned: LimitPlant["learned"],
  isInvented: boolean,
): Map<string, LearnedLimit> | null {
  const known = learned.get(target);
  if (known !== undefined) return known;
  if (learned.size >= LEARNED_MAX && isInvented) return null;
  const none = new Map<string, LearnedLimit>();
  learned.set(target, none);
  return none;
}
