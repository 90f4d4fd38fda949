// The schema as JSON Schema, for editors: completion, and the sentence of each key where the cursor is.
import { z } from "zod";
import { schema } from "./schema.ts";

/** The contents of config.schema.json. `npm run config-schema` writes it. */
export function configJsonSchema(): string {
  const json = z.toJSONSchema(schema, {
    io: "input",
    override: ({ jsonSchema }) => asEditorsReadIt(jsonSchema),
  });
  return `${JSON.stringify({ ...json, title: "sluice.yaml" }, null, 2)}\n`;
}

/** Sluice reads every scalar as text and an empty value as not given; an editor's YAML knows numbers, booleans and null. */
function asEditorsReadIt(json: z.core.JSONSchema.BaseSchema): void {
  const { default: value, type } = json;
  if (value === "true" || value === "false") json.default = value === "true";
  else if (typeof value === "string" && /^\d+$/.test(value)) json.default = Number(value);
  if (type === "object" && json.required === undefined) Object.assign(json, { type: ["object", "null"] });
}
