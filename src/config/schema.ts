// The whole of `sluice.yaml`. Every key has one sentence; editors show it, and config.example.yaml says more. The schema looks
// at one value at a time; what takes two to be wrong (a limit without prices, an alias that loops) is found in `resolve*.ts`.
import { z } from "zod";
import { PRIORITIES, STRATEGIES } from "./config.ts";
import { cache, http } from "./gateway-schema.ts";
import { authShape, limits, limitsOrAuto, list, named, providerShape, strict } from "./provider-schema.ts";
import {
  duration,
  durationOr,
  flag,
  instant,
  integer,
  listenAddress,
  number,
  secret,
  text,
  url,
  word,
} from "./scalars.ts";
import { circuit, hedge, queue, retry, timeouts } from "./attempts-schema.ts";

const log = strict({
  level: word(["debug", "info", "warn", "error"])
    .prefault("info")
    .describe("The least important lines that are written."),
  merges: flag()
    .prefault("false")
    .describe("Whether each merge of replicated state is traced, for finding faults."),
});

const credentials = strict({
  access_key_id: text().optional().describe("The id of the AWS access key."),
  secret_access_key: secret().optional().describe("The secret of the AWS access key."),
  session_token: secret().optional().describe("The session token of temporary credentials."),
  from: word(["container", "role", "instance"])
    .optional()
    .describe(
      "Where short-lived AWS keys come from instead: an endpoint beside the container, a role that a token is exchanged for, or the metadata of the machine; by default what the environment speaks of.",
    ),
  url: url().optional().describe("For `container`: the endpoint."),
  token: secret().optional().describe("For `container`: what it wants to see in `authorization`."),
  token_file: text()
    .optional()
    .describe("For `container` and `role`: a file with the token, read again each time."),
  role: text().optional().describe("For `role`: its ARN."),
});

const provider = strict({
  type: text()
    .optional()
    .describe("The file in providers/catalog that describes it; the provider's own name by default."),
  api_key: secret()
    .optional()
    .describe("The API key; by default the environment variable that the catalog names."),
  api_key_file: text()
    .optional()
    .describe("A file with the API key instead; it is read again when it changes."),
  api_keys: list(
    z.union(
      [
        secret(),
        strict({
          name: text()
            .optional()
            .describe("The key's name in limits, metrics and messages; its place in the list by default."),
          key: secret().optional().describe("The API key."),
          key_file: text()
            .optional()
            .describe("A file with the API key instead; it is read again when it changes."),
          limits: limits
            .optional()
            .describe("What may be sent with this key; the provider's `limits` by default."),
        }),
      ],
      { error: "expected an API key, or { name: second, key: … }" },
    ),
    "a list of API keys",
  )
    .min(1, { error: "expected at least one API key" })
    .optional()
    .describe(
      "Several API keys instead of one; each has the limits for itself, and the one with most room is taken.",
    ),
  credentials: credentials.optional().describe("AWS credentials, for providers whose requests are signed."),
  options: named(text())
    .optional()
    .describe(
      "Settings that fill placeholders of the base URL, such as a region, or that only its language understands.",
    ),
  limits: limitsOrAuto
    .optional()
    .describe("What may be sent to it; `auto` learns that from the provider's answers."),
  ...providerShape,
  auth: strict(authShape).optional().describe("How requests are authenticated."),
});

export type RawProvider = z.output<typeof provider>;

const condition = strict({
  models: list(text()).optional().describe("The client asked for one of these names."),
  keys: list(text()).optional().describe("The client's key is one of these, by name."),
  headers: named(text())
    .optional()
    .describe("The request has these headers with these values; * is any value."),
  metadata: named(text())
    .optional()
    .describe("The body's `metadata` has these members with these values; * is any value."),
  min_prompt_tokens: integer({ min: 0 })
    .optional()
    .describe("The prompt has at least so many tokens, by estimate."),
  max_prompt_tokens: integer({ min: 0 })
    .optional()
    .describe("The prompt has at most so many tokens, by estimate."),
  tools: flag().optional().describe("Whether the request has tools."),
  images: flag().optional().describe("Whether the request has images."),
  stream: flag().optional().describe("Whether the request asks for a stream."),
});

export type RawCondition = z.output<typeof condition>;

const TARGET = "a target such as main/some-model";

const target = z.union(
  [
    text(TARGET),
    strict({
      to: text(TARGET).describe("A model as provider/model, or the name of another entry of `models`."),
      weight: number({ min: 0 })
        .prefault("1")
        .describe("Its part of the requests, for the strategy `weighted`."),
      when: condition
        .optional()
        .describe("For which requests the target is used; all conditions have to hold."),
    }),
  ],
  { error: `expected ${TARGET}, or { to: main/some-model, weight: 1 }` },
);

export type RawTarget = z.output<typeof target>;

const targets = list(target, "a list of targets such as [ main/some-model ]").min(1, {
  error: "expected at least one target",
});

const canary = strict({
  to: text(TARGET).describe("The target that is tried out."),
  percent: number({ min: 0, max: 100 }).describe("How many of a hundred requests go there first."),
});

const shadow = strict({
  to: text(TARGET).describe("The target that gets copies."),
  percent: number({ min: 0, max: 100 }).describe("Of how many of a hundred requests it gets one."),
});

const alias = z.union(
  [
    targets,
    strict({
      strategy: word(STRATEGIES)
        .prefault("ordered")
        .describe(
          "How the first target of a request is chosen; the others follow when it fails or has no room.",
        ),
      targets: targets.describe("Where requests go."),
      patience: duration()
        .prefault("0")
        .describe("How long a target may be without room before the next one counts as better."),
      sticky: flag()
        .prefault("false")
        .describe("Whether requests of one session or prompt-cache key stay with one target."),
      canary: canary.optional().describe("A target that a part of the requests goes to first."),
      shadow: shadow
        .optional()
        .describe("A target that gets copies of a part of the requests, whose answers nobody sees."),
    }),
  ],
  { error: "expected a list of targets, or { strategy: …, targets: [ … ] }" },
);

export type RawAlias = z.output<typeof alias>;

const keyName = text().describe("The key's name in logs, metrics and messages.");

const keyShape = {
  models: list(text(), "a list of models such as [ smart ]")
    .optional()
    .describe(
      "What it may ask for: entries of `models`, provider/model, or models of the catalogs; everything by default.",
    ),
  priority: word(PRIORITIES)
    .prefault("normal")
    .describe("Its place in the line when requests wait for room."),
  weight: number({ min: 0.01, max: 1000 })
    .prefault("1")
    .describe("Its part of what is served, against other keys of its priority that wait too."),
  limits: limits.optional().describe("What all requests with this key may use together."),
  expires: instant()
    .optional()
    .describe("When it stops working: a day such as 2027-01-31 (its beginning, UTC) or an instant."),
  tags: list(text(), "a list of words such as [ research ]")
    .max(20, { error: "expected at most 20 tags" })
    .optional()
    .describe("Words to find it by."),
  metadata: named(text()).optional().describe("What else there is to say of it, for people and scripts."),
};

const clientKey = strict({
  name: keyName,
  key: secret().describe("The secret that the client sends."),
  ...keyShape,
});

export type RawClientKey = z.output<typeof clientKey>;

/** A client key as it is made at run time: the same without its secret. */
export const keyDefinitionSchema = strict({ name: keyName, ...keyShape });

export type RawKeyDefinition = z.output<typeof keyDefinitionSchema>;

const admin = strict({
  key: secret().optional().describe("The secret for /admin and /fleet; none: loopback only."),
});

const usage = strict({
  days: integer({ min: 1, max: 100 }).prefault("35").describe("For how many days totals of use are kept."),
});

const reclaim = z.union(
  [
    word(["never", "operator"]),
    strict({
      after: duration().describe(
        "After how long its siblings take over the share of an instance that is silent.",
      ),
    }),
  ],
  { error: "expected never, operator, or { after: 60s }" },
);

const fleet = strict({
  name: text().optional().describe("This instance's name for people; the host name by default."),
  listen: listenAddress().optional().describe("Where siblings connect, as HOST:PORT."),
  peers: list(text("a peer such as http://gw-1:8788"), "a list of peers such as [ http://gw-1:8788 ]")
    .prefault([])
    .describe(
      "The siblings: http://HOST:PORT each, dns://NAME:PORT for all addresses of a name, or nats://HOST:PORT.",
    ),
  secret: secret().optional().describe("The secret that all siblings share; at least 16 bytes."),
  reclaim: reclaim.prefault("operator").describe("What becomes of the share of an instance that is silent."),
  found_after: durationOr("auto", "never")
    .prefault("auto")
    .describe(
      "How long silent peers are waited for before a new fleet is founded without them; auto: 5s for those that are not there, and for ever for those that can't be reached.",
    ),
  unreachable_after: duration()
    .prefault("3s")
    .describe("After how long without news a sibling gets no more units."),
  boot_grace: duration()
    .prefault("2s")
    .describe("How long a start waits for siblings that may know more than the disk does."),
});

export type RawFleet = z.output<typeof fleet>;

/** `sluice.yaml`. */
export const schema = strict({
  listen: listenAddress().prefault("127.0.0.1:8787").describe("Where clients connect, as HOST:PORT."),
  data_dir: text().prefault("./data").describe("The folder of the store, relative to this file."),
  http: http.prefault({}).describe("The bounds on connections and requests."),
  log: log.prefault({}).describe("What is logged."),
  providers: named(provider.prefault({}), "providers by name")
    .optional()
    .describe(
      "The providers by your names for them; by default those whose API keys are in the environment.",
    ),
  models: named(alias, "models by name")
    .prefault({})
    .describe("What clients may ask for, and where it goes."),
  queue: queue.prefault({}).describe("Waiting for room in a limit."),
  retry: retry.prefault({}).describe("Trying again after a failure."),
  hedge: hedge
    .prefault({})
    .describe("Asking a second target when an answer is slow in coming; the first to answer wins."),
  circuit: circuit
    .prefault({})
    .describe("When a provider, a model or an API key that keeps failing is left alone."),
  timeouts: timeouts.prefault({}).describe("How long things may take."),
  cache: cache.prefault({}).describe("Answers that are given again; none by default."),
  keys: list(clientKey, "a list of keys such as [ { name: team-a, key: … } ]")
    .prefault([])
    .describe(
      "The clients' keys; without any, only clients on this machine are served, and no key is asked.",
    ),
  admin: admin.prefault({}).describe("The operators' routes."),
  usage: usage.prefault({}).describe("Totals of use by key, provider, model and day."),
  fleet: fleet.prefault({}).describe("The other instances that share these limits."),
});

export type RawConfig = z.output<typeof schema>;

const option = strict({
  env: list(text())
    .optional()
    .describe("The environment variables it is taken from when the configuration does not give it."),
  default: z.string().optional().describe("Its value when nothing else gives one."),
  optional: flag().optional().describe("Whether the provider works without it."),
  number: flag().optional().describe("Whether it is a number of at least 0."),
});

/** A file of providers/catalog; its name is the provider type's id. */
export const catalogSchema = strict({
  name: text().describe("The vendor's name as it writes it."),
  docs: text("an address").describe("The page that documents its API."),
  builtin: flag().optional().describe("Whether this is the simulator that Sluice itself serves."),
  prices_as_of: z.iso
    .date({ error: "expected a day such as 2026-11-21" })
    .optional()
    .describe("The day for which the prices are known to hold."),
  probe: text()
    .optional()
    .describe("For a server on this machine: the path below the base URL that lists its models."),
  probe_owner: text()
    .optional()
    .describe("What its list of models says in `owned_by`, to tell it from other servers on the same port."),
  limits: limits.optional().describe("Its limits when the configuration gives none."),
  options: named(option).optional().describe("What fills the placeholders, or is handed to the language."),
  ...providerShape,
  dialect: providerShape.dialect.unwrap().describe("The wire language that the provider speaks."),
  auth: strict({
    ...authShape,
    env: list(text()).optional().describe("The environment variables that may hold the API key."),
    optional: flag().optional().describe("Whether the provider also serves requests without a key."),
    from_env: strict({
      file: list(text()).optional().describe("The variables that may hold `file`."),
      client_id: list(text()).optional().describe("The variables that may hold `client_id`."),
      client_secret: list(text()).optional().describe("The variables that may hold `client_secret`."),
      client_assertion_file: list(text())
        .optional()
        .describe("The variables that may hold `client_assertion_file`."),
    })
      .optional()
      .describe("The environment variables that settings of tokens are taken from."),
    shared: flag()
      .optional()
      .describe(
        "Whether the variables serve other purposes too, so that one of them alone does not switch the provider on.",
      ),
    access_key_id: list(text())
      .optional()
      .describe("For signatures: the variables that may hold the access key's id."),
    secret_access_key: list(text())
      .optional()
      .describe("For signatures: the variables that may hold its secret."),
    session_token: list(text())
      .optional()
      .describe("For signatures: the variables that may hold a session token."),
    signing: strict({
      container_host: url().optional().describe("What paths of endpoints beside a container are below."),
      role_url: url().optional().describe("Where tokens are exchanged for the keys of a role."),
      role_parameters: named(text()).optional().describe("What is sent there with each request."),
      instance_url: url().optional().describe("Where the metadata of a machine lists its role."),
      session_url: url().optional().describe("Where a session with the metadata is begun."),
      session_headers: named(text()).optional().describe("The headers that begin a session."),
      session_header: text().optional().describe("The header that carries the session."),
      from_env: strict({
        keys_url: list(text()).optional().describe("The variables that may hold the endpoint."),
        keys_path: list(text()).optional().describe("The variables that may hold its path."),
        keys_token: list(text()).optional().describe("The variables that may hold its token."),
        keys_token_file: list(text()).optional().describe("The variables that may name a file with it."),
        role: list(text()).optional().describe("The variables that may hold the role."),
        role_token_file: list(text()).optional().describe("The variables that may name its token's file."),
      })
        .optional()
        .describe("The environment variables that these are taken from."),
    })
      .optional()
      .describe("For signatures: where short-lived keys come from."),
  })
    .prefault({})
    .describe("How requests are authenticated."),
});

export type CatalogEntry = z.output<typeof catalogSchema>;
