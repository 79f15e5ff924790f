import { z } from 'zod';
import { GatewayError } from '../errors.ts';
import { isDigest } from '../image/digest.ts';
import { parseReference } from '../image/reference.ts';
import { CAPABILITIES } from '../task/relaxations.ts';
import { parseDuration, parseSize } from '../task/units.ts';
import { composeSchema } from './compose-knobs.ts';
import { compileImagePattern } from './image-pattern.ts';
import { publicKeyProblem } from './public-key.ts';
import { MAX_TRUSTED_ROOT, trustedRootProblem } from './trusted-root.ts';

/** Decision.rule where no rule matched; no rule may be called so. */
export const NO_RULE = 'none';

const networkName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'must be 1 to 32 lower-case letters, digits and "-"');
const runtimeName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'must be the name of a runtime');

const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'a name has 1 to 64 letters, digits, ".", "_" or "-" and begins with a letter or digit')
  .meta({ description: 'Appears in answers, in the audit log and where other parts of the policy refer to this one.' });

const image = text(parseReference);
const pattern = text(compileImagePattern).meta({
  description: 'host/path[:tag]: "*" within one component, "**" for one component or more; "**" alone is every image there is.',
});
const size = z.string().refine((given) => parseSize(given) !== undefined, 'must be a size with its unit such as 512M or 2G');
const duration = z.string().refine((given) => (parseDuration(given) ?? 0) > 0, 'must be a duration such as 90d, 12h or PT5M');
const digest = z
  .string()
  .regex(/^sha256:[0-9a-f]{64}$/, { error: 'must be sha256: and 64 lower-case hex digits', abort: true })
  .refine(isDigest);
const variable = z
  .string()
  .regex(/^[A-Za-z_*][A-Za-z0-9_*]{0,127}$/, 'must be the name of a variable, "*" in it for any characters');
const labelPattern = z.string().regex(/^[\x21-\x7e]{1,255}$/, 'must be the name of a label, "*" in it for any characters');
const words = z.array(z.string().min(1).max(4096)).min(1).max(100);

const base = z
  .strictObject({
    name,
    image: image.meta({ description: 'A tag: every digest it has had counts. A digest: exactly this one.' }),
    maxAge: duration.optional().meta({ description: 'A digest counts only if the tag named it within this time.' }),
  })
  .meta({ description: 'An approved base image.' });

const key = z
  .strictObject({
    name,
    publicKey: z.string().max(16384).superRefine(report(publicKeyProblem)).optional().meta({ description: 'In PEM.' }),
    publicKeyFile: z.string().min(1).max(4096).optional().meta({ description: 'Instead: a file in PEM, relative to the policy file.' }),
    repositories: z.array(pattern).min(1).max(1000).meta({ description: 'What this key may sign: patterns without a tag.' }),
  })
  .meta({ description: 'A key whose cosign signatures are trusted.' });

const identity = z
  .strictObject({
    name,
    trustedRoot: z.string().max(MAX_TRUSTED_ROOT).superRefine(report(trustedRootProblem)).optional().meta({ description: "Sigstore's trusted_root.json, as text." }),
    trustedRootFile: z.string().min(1).max(4096).optional().meta({ description: 'Instead: that file, relative to the policy file.' }),
    issuer: z
      .string()
      .regex(/^https?:\/\/[!-)+-~]{1,1000}$/, 'must be the URL of an OpenID provider, without "*"')
      .meta({ description: 'The OpenID provider that knew who signed, exactly.' }),
    subject: z
      .string()
      .regex(/^(?=.*[^*])[!-~]{1,1000}$/, 'must be the name in the certificate, "*" in it for any characters, and not every name')
      .meta({ description: 'A mail address or URL in the certificate; "*" in it for any characters, "/" and "@" too.' }),
    repositories: z.array(pattern).min(1).max(1000).meta({ description: 'What this identity may sign: patterns without a tag.' }),
  })
  .meta({ description: 'Somebody whose keyless cosign signatures are trusted.' });

const start = z.union([z.enum(['any', 'none', 'required', 'as-base']), z.array(words).min(1).max(100)], {
  error: 'must be any, none, required, as-base, or a list of lists of words',
});

const config = z
  .strictObject({
    user: z.enum(['any', 'numeric-non-root']).optional().meta({ description: "The image's own USER. A name is not numeric." }),
    environment: z
      .strictObject({ allow: z.array(variable).max(1000).optional(), deny: z.array(variable).max(1000).optional() })
      .optional()
      .meta({ description: "The image's variables and the request's. LD_* and a changed PATH are refused unless allowed here." }),
    entrypoint: start.optional(),
    command: start.optional().meta({ description: "The image's, or the request's where it replaces it." }),
    entrypointOrCommand: z.literal('required').optional(),
    volumes: z
      .union([z.enum(['any', 'none']), z.array(z.string().startsWith('/')).max(100)], { error: 'must be any, none, or a list of absolute paths' })
      .optional()
      .meta({ description: 'Absent = none: a volume of the image escapes the read-only root and the disk limits.' }),
    ports: z
      .union([z.enum(['any', 'none']), z.array(z.string().regex(/^\d{1,5}\/(tcp|udp|sctp)$/)).max(100)], {
        error: 'must be any, none, or a list of ports such as 8080/tcp',
      })
      .optional(),
    healthcheck: z.enum(['any', 'none']).optional(),
    labels: z
      .strictObject({
        required: z.record(z.string().min(1).max(255), z.string().max(4096)).optional(),
        forbidden: z.array(labelPattern).max(1000).optional(),
      })
      .optional()
      .meta({ description: 'required: label -> value, in which "*" stands for any characters.' }),
    maxSize: size.optional().meta({ description: 'Sum of the compressed layers.' }),
    maxAge: duration.optional().meta({ description: "By the image's own claim of when it was created." }),
    maxLayers: z.int().min(1).max(512).optional(),
    architectures: z.array(z.string().min(1).max(64)).min(1).max(20).optional(),
  })
  .meta({ description: "What the image's configuration must be like." });

const signature = z.strictObject({
  mode: z.enum(['off', 'warn', 'require']),
  keys: z.array(name).min(1).max(100).optional().meta({ description: 'Names of keys; a signature by one of them is enough.' }),
  identities: z.array(name).min(1).max(100).optional().meta({ description: 'Names of identities; a signature by one of them, or of the keys, is enough.' }),
  verifier: z
    .strictObject({
      command: z.array(z.string().min(1).max(4096)).min(1).max(100),
      timeout: duration.optional(),
    })
    .optional()
    .meta({ description: 'A program asked instead: {image} in its words becomes host/path@digest. Exit code 0 = signed.' }),
});

const rule = z
  .strictObject({
    name: name.refine((given) => given !== NO_RULE, `a rule cannot be called "${NO_RULE}"`),
    images: z.array(pattern).min(1).max(1000),
    groups: z.array(z.string().min(1).max(512)).min(1).max(1000).optional().meta({ description: 'Only for callers in one of these.' }),
    deny: z.string().min(1).max(500).optional().meta({ description: 'Refuses, and says this.' }),
    unrestricted: z.literal(true).optional().meta({ description: 'Spells out that every image is accepted.' }),
    base: z.array(name).min(1).max(10_000).optional().meta({ description: 'Built on one of these approved bases.' }),
    config: config.optional(),
    signature: signature.optional(),
    run: z
      .strictObject({
        user: z
          .string()
          .regex(/^(?:image|\d{1,9}:\d{1,9})$/, 'must be uid:gid in digits, or "image"')
          .optional()
          .meta({ description: 'uid:gid, or "image" for its own (numeric, not root); absent = the site\'s.' }),
        hostRoot: z
          .literal(true)
          .optional()
          .meta({ description: "With run.user of uid 0: says that root of a container may be root of the engine's host, where it has neither user namespaces nor a sandboxing runtime. Absent = refused there." }),
        endpoints: z.literal(true).optional().meta({ description: 'Tasks may name ports (PORT) that their owner reaches while they run, by way of the gateway. Absent = none.' }),
        writableRoot: z.literal(true).optional().meta({ description: "The root file system can be written; what is written counts as the job's disk." }),
        capabilities: z.array(z.enum(CAPABILITIES)).min(1).max(CAPABILITIES.length).optional().meta({ description: 'For containers that run as root (run.user with uid 0).' }),
        network: networkName.optional().meta({ description: "A network profile of the site's (engine.networks). Absent = no network." }),
        runtime: runtimeName.optional().meta({ description: "One of the engine's runtimes, runsc say. Absent = the site's." }),
        gpus: z.int().min(1).max(64).optional().meta({ description: 'Graphics processors that one container may ask for at most (GPUS, resources.mingpus). Absent = none.' }),
      })
      .optional()
      .meta({ description: 'What is relaxed for containers under this rule; each is told in the decision, and what the engine lacks of it refuses the job.' }),
    limits: z
      .strictObject({ cores: z.number().positive().max(65_536).optional(), memory: size.optional() })
      .optional()
      .meta({ description: 'The most one task may ask for under this rule.' }),
  })
  .meta({ description: 'One rule. The first whose images (and groups) match decides.' });

/** The policy file, as written. Keys that are not here are errors. */
export const policySchema = z
  .strictObject({
    bases: z.array(base).max(10_000).optional(),
    keys: z.array(key).max(1000).optional(),
    identities: z.array(identity).max(1000).optional(),
    revoked: z.array(digest).max(100_000).optional().meta({ description: 'Of a manifest, index, configuration, layer or base: never accepted.' }),
    rules: z.array(rule).max(1000),
    compose: composeSchema.optional(),
  })
  .meta({ title: 'Policy of Pratique', description: 'Which container images may run here. What no rule takes is refused.' });

/** A policy as data: shape and every single value are right; what refers to what is checked in policy-consistency.ts. */
export type PolicyDocument = z.infer<typeof policySchema>;
export type RuleDocument = PolicyDocument['rules'][number];

/** The JSON Schema (2020-12) of the policy file, for editors. */
export function policyJsonSchema(): Readonly<Record<string, unknown>> {
  return z.toJSONSchema(policySchema, { io: 'input' });
}

/** Text that `parse` takes; its complaint becomes the problem. */
function text(parse: (text: string) => unknown): z.ZodString {
  return z.string().superRefine(
    report((given) => {
      try {
        parse(given);
        return undefined;
      } catch (error) {
        if (error instanceof GatewayError) return error.message;
        throw error;
      }
    }),
  );
}

function report(problem: (text: string) => string | undefined) {
  return (given: string, context: z.RefinementCtx<string>): void => {
    const message = problem(given);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  };
}
