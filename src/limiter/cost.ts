// What one request costs in each dimension: as expected before it is sent, and as it was when it is settled. How a
// provider counts is data (its `Counting`), so that nothing here knows a vendor. Pure.
import type { Dimension } from "../bucket/limit.ts";
import type { Sale, SaleKind, Usage } from "../observe/events.ts";
import { saleMicroUsd, type UnitPrices } from "./sale.ts";

/** How a provider counts a request against its own limits; the catalog says it per provider. */
export interface Counting {
  /** Whether `tokens` counts output too; some count input alone. */
  readonly tokensCountOutput: boolean;
  /** Whether input read from a cache counts. */
  readonly cachedInputCounts: boolean;
  /** What the provider sets aside for the answer at admission: nothing, the request's `max_tokens`, or that and the model's maximum when it is unset. */
  readonly reservesOutput: "none" | "max_tokens" | "model_maximum";
  /** How many units one output token costs. */
  readonly outputWeight: number;
}

/** The rule for limits that are ours (a client key's): everything that passes counts once, cached or not. */
export const PLAIN_COUNTING: Counting = {
  tokensCountOutput: true,
  cachedInputCounts: true,
  reservesOutput: "none",
  outputWeight: 1,
};

/** US dollars per million model tokens, which is the same number as micro-dollars per token. */
export interface PriceList {
  readonly input: number;
  readonly output: number;
  readonly cachedInput: number;
  readonly cacheWrite: number;
}

export interface Prices extends PriceList {
  /** For every token of requests whose input, cached or not, has more tokens than `above`. */
  readonly long?: PriceList & { readonly above: number };
  /** What is sold by other units; absent: nothing is. */
  readonly units?: UnitPrices;
  /** Tokens have no price: only `units` mean something. */
  readonly isByUnitsAlone?: boolean;
}

function priceList(prices: Prices, inputTokens: number): PriceList {
  const { long } = prices;
  return long !== undefined && inputTokens > long.above ? long : prices;
}

export const FREE: Prices = { input: 0, output: 0, cachedInput: 0, cacheWrite: 0 };

/** What a request is expected to use, in model tokens. */
export interface Estimate {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** The most that the client allows for all answers together; null when it set no `max_tokens`. */
  readonly maxTokens: number | null;
  /** The most that the model gives; null when unknown. */
  readonly modelMaxTokens: number | null;
  /** What may be sold by other units than tokens; absent: nothing is. */
  readonly sells?: SaleKind;
  /** The most that it can be; absent where the model has no price for it. */
  readonly sale?: Sale;
}

/** Whether everything that the request may cost has a price. */
export function isPriced({ sells, sale }: Estimate, prices: Prices | null): boolean {
  if (prices === null) return false;
  const areTokensSold = prices.isByUnitsAlone !== true;
  if (sells === undefined) return areTokensSold;
  if (sale !== undefined && unitCost(sale, prices) !== null) return true;
  // Ranking is sold by one or the other; what pictures and sound cost in tokens can't be told beforehand.
  return sells === "searches" && areTokensSold;
}

/** Units to take before the request is sent; whole, and at least 1 in dimensions that count requests. */
export function expectedCost(
  dimension: Dimension,
  estimate: Estimate,
  counting: Counting,
  prices: Prices,
): number {
  switch (dimension) {
    case "requests":
    case "concurrent":
      return 1;
    case "input_tokens":
      return estimate.inputTokens;
    case "output_tokens":
      return reservedOutput(estimate, counting);
    case "tokens":
      return estimate.inputTokens + (counting.tokensCountOutput ? reservedOutput(estimate, counting) : 0);
    case "usd":
      return expectedUsd(estimate, prices);
  }
}

function expectedUsd({ inputTokens, outputTokens, sale }: Estimate, prices: Prices): number {
  const { input, output } = priceList(prices, inputTokens);
  const units = sale === undefined ? null : unitCost(sale, prices);
  const tokens = inputTokens * input + (units === null ? outputTokens * output : 0);
  return wholeUp(requestFee(prices) + (units ?? 0) + tokens);
}

/** Micro-dollars; null: it has no price of that kind. */
function unitCost(sale: Sale, { units }: Prices): number | null {
  return units === undefined ? null : saleMicroUsd(sale, units);
}

function requestFee({ units }: Prices): number {
  return (units?.request ?? 0) * 1_000_000;
}

/** Units that the request has used, from what the provider reported. */
export function actualCost(dimension: Dimension, usage: Usage, counting: Counting, prices: Prices): number {
  switch (dimension) {
    case "requests":
      return 1;
    case "concurrent":
      return 0;
    case "input_tokens":
      return countedInput(usage, counting);
    case "output_tokens":
      return usage.outputTokens * counting.outputWeight;
    case "tokens":
      return (
        countedInput(usage, counting) +
        (counting.tokensCountOutput ? usage.outputTokens * counting.outputWeight : 0)
      );
    case "usd":
      return usdCost(usage, prices);
  }
}

/** Micro-dollars, rounded up. What a provider reports in tokens is paid in tokens where those have a price. */
export function usdCost(usage: Usage, prices: Prices): number {
  const { sold } = usage;
  const isUsed = usage.inputTokens > 0 || usage.outputTokens > 0 || sold !== undefined;
  if (!isUsed) return 0;
  const areTokensPaid = sold?.hasTokens === true && prices.isByUnitsAlone !== true;
  const units = sold === undefined || areTokensPaid ? null : bookedCost(sold.sale, prices);
  const paid = units === null ? usage : { ...usage, outputTokens: 0 };
  return wholeUp(requestFee(prices) + (units ?? 0) + tokenCost(paid, prices));
}

/** A form may turn out to have asked for pictures that are not listed: they were made, so they cost as much as the dearest. */
function bookedCost(sale: Sale, prices: Prices): number | null {
  const cost = unitCost(sale, prices);
  if (cost !== null || sale.kind !== "images") return cost;
  return unitCost({ ...sale, size: "auto", quality: "auto" }, prices);
}

/** Micro-dollars. */
function tokenCost(usage: Usage, prices: Prices): number {
  const plainInput = Math.max(0, usage.inputTokens - usage.cachedInputTokens - usage.cacheWriteTokens);
  const { input, output, cachedInput, cacheWrite } = priceList(prices, usage.inputTokens);
  return (
    plainInput * input +
    usage.cachedInputTokens * cachedInput +
    usage.cacheWriteTokens * cacheWrite +
    usage.outputTokens * output
  );
}

/** Prices are decimal fractions: what is a whole number but for binary rounding stays that number. */
function wholeUp(microUsd: number): number {
  return Math.max(0, Math.ceil(microUsd - 1e-6));
}

function countedInput(usage: Usage, counting: Counting): number {
  return counting.cachedInputCounts
    ? usage.inputTokens
    : Math.max(0, usage.inputTokens - usage.cachedInputTokens);
}

function reservedOutput(estimate: Estimate, counting: Counting): number {
  return Math.max(estimate.outputTokens, setAside(estimate, counting)) * counting.outputWeight;
}

/** What the provider itself sets aside at admission: taking less would make it refuse what we admitted. */
function setAside(estimate: Estimate, counting: Counting): number {
  switch (counting.reservesOutput) {
    case "none":
      return 0;
    case "max_tokens":
      return estimate.maxTokens ?? 0;
    case "model_maximum":
      return estimate.maxTokens ?? estimate.modelMaxTokens ?? 0;
  }
}
