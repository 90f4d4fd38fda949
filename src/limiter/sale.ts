// What is sold by other units than tokens: pictures, minutes of sound, characters that are spoken, searches. What a request asks
// for (a `Sale`) and what that costs (`UnitPrices`) are data, so that nothing here knows a vendor. Pure.
import type { Sale } from "../observe/events.ts";

/** US dollars for one picture; null: of any size or quality. */
export interface ImagePrice {
  readonly size: string | null;
  readonly quality: string | null;
  readonly usd: number;
}

/** In US dollars; null: not sold by that, or not known. */
export interface UnitPrices {
  /** For each request, beside everything else; 0: nothing. */
  readonly request: number;
  /** The first is what is made when a request does not say. Empty: none are known. */
  readonly images: readonly ImagePrice[];
  /** For a minute of sound that goes in. */
  readonly audioMinute: number | null;
  /** For a million characters that are spoken. */
  readonly characters: number | null;
  /** For a thousand searches. */
  readonly searches: number | null;
}

const MICRO = 1_000_000;

/** Micro-dollars, not rounded; null: the price is not known. */
export function saleMicroUsd(sale: Sale, prices: UnitPrices): number | null {
  switch (sale.kind) {
    case "images": {
      const usd = imageUsd(sale.size, sale.quality, prices.images);
      return usd === null ? null : sale.count * usd * MICRO;
    }
    case "audio":
      return prices.audioMinute === null ? null : (sale.seconds / 60) * prices.audioMinute * MICRO;
    case "speech":
      return prices.characters === null ? null : sale.characters * prices.characters;
    case "searches":
      return prices.searches === null ? null : (sale.count / 1000) * prices.searches * MICRO;
  }
}

/** Of all pictures that the request may mean the dearest; a size or quality that is not listed has no price. */
function imageUsd(size: string | null, quality: string | null, prices: readonly ImagePrice[]): number | null {
  const usual = prices[0];
  const wantedSize = size ?? usual?.size ?? null;
  const wantedQuality = quality ?? usual?.quality ?? null;
  const meant = prices.filter(
    (price) => isMeant(wantedSize, price.size) && isMeant(wantedQuality, price.quality),
  );
  return meant.length === 0 ? null : Math.max(...meant.map(({ usd }) => usd));
}

/** Left to the provider it may be any. */
const AUTO = "auto";

function isMeant(wanted: string | null, listed: string | null): boolean {
  return listed === null || wanted === null || wanted === AUTO || wanted.toLowerCase() === listed;
}
