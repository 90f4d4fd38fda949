// `GET /v1/models`: what the caller may ask for, in one shape that both families of clients read. One looks at
// `object`, `created` and `owned_by`, the other at `type`, `display_name`, `created_at` and the paging members.
import { GatewayError } from "../errors.ts";
import type { ClientKey, ListedModel, Runtime } from "../gateway/runtime.ts";

/** Nobody knows when a model behind an alias was made, and clients want a number. */
const CREATED_SECONDS = 0;
const CREATED_AT = new Date(CREATED_SECONDS * 1000).toISOString();

/** All models that `key` may ask for. */
export function modelList(runtime: Runtime, key: ClientKey): unknown {
  const data = runtime.models.filter((model) => isAllowed(model, key)).map(modelEntry);
  return {
    object: "list",
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: false,
  };
}

/** One model. Throws `model_not_found`, also for one that `key` may not ask for: names are nobody else's business. */
export function modelById(runtime: Runtime, key: ClientKey, id: string): unknown {
  const model = runtime.models.find((model) => model.id === id && isAllowed(model, key));
  if (model !== undefined) return modelEntry(model);
  throw new GatewayError("model_not_found", `The model ${JSON.stringify(id)} does not exist here.`, {
    param: "model",
  });
}

function isAllowed(model: ListedModel, key: ClientKey): boolean {
  return key.models === null || key.models.has(model.id);
}

function modelEntry(model: ListedModel) {
  return {
    id: model.id,
    object: "model",
    created: CREATED_SECONDS,
    owned_by: model.ownedBy,
    type: "model",
    display_name: model.id,
    created_at: CREATED_AT,
  };
}
