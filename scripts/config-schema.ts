// Writes config.schema.json from the schema in src/config; a test fails when it is not current.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { configJsonSchema } from "../src/config/json-schema.ts";

writeFileSync(join(import.meta.dirname, "../config.schema.json"), configJsonSchema());
