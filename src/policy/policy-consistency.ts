import { z } from 'zod';
import { formatReference, parseReference } from '../image/reference.ts';

/** Something wrong with a policy, and where: `rules[2].base[0]`. */
export interface PolicyProblem {
  readonly path: string;
  readonly message: string;
}

/** What cross-references need to see, of a document however malformed: nothing here ever fails to parse. */
const texts = z.array(z.string().catch('')).catch([]);
const named = z.looseObject({ name: z.string().optional().catch(undefined) });
const outline = z
  .object({
    bases: z.array(named.extend({ image: z.string().catch(''), maxAge: z.unknown().optional() }).catch({ image: '', maxAge: undefined })).catch([]),
    keys: z
      .array(named.extend({ publicKey: z.unknown().optional(), publicKeyFile: z.unknown().optional(), repositories: texts }).catch({ publicKey: '', publicKeyFile: undefined, repositories: [] }))
      .catch([]),
    identities: z
      .array(named.extend({ trustedRoot: z.unknown().optional(), trustedRootFile: z.unknown().optional(), repositories: texts }).catch({ trustedRoot: '', trustedRootFile: undefined, repositories: [] }))
      .catch([]),
    rules: z
      .array(
        named
          .extend({
            images: texts,
            base: texts.optional().catch(undefined),
            config: z.looseObject({}).optional().catch(undefined),
            run: z.looseObject({ user: z.string().optional().catch(undefined), capabilities: z.unknown().optional(), hostRoot: z.unknown().optional() }).optional().catch(undefined),
            signature: z.looseObject({ mode: z.unknown().optional(), keys: texts.optional().catch(undefined), identities: texts.optional().catch(undefined) }).optional().catch(undefined),
          })
          .catch({ images: [] }),
      )
      .catch([]),
  })
  .catch({ bases: [], keys: [], identities: [], rules: [] });

type Outline = z.infer<typeof outline>;
type RuleOutline = Outline['rules'][number];

/** What a rule may say besides `name`, `images`, `groups` when it only refuses. */
const NOT_BESIDE_DENY = ['unrestricted', 'base', 'config', 'signature', 'run', 'limits'] as const;

/**
 * What is wrong between the parts of a policy, although each may be right by itself: names given twice or not at all, words
 * that contradict each other, and a rule that accepts everything without saying so.
 */
export function inconsistencies(document: unknown): readonly PolicyProblem[] {
  const policy = outline.parse(document);
  return [
    ...repeatedNames('bases', policy.bases),
    ...repeatedNames('keys', policy.keys),
    ...repeatedNames('identities', policy.identities),
    ...repeatedNames('rules', policy.rules),
    ...policy.bases.flatMap(baseProblems),
    ...repeatedImages(policy.bases),
    ...policy.keys.flatMap(keyProblems),
    ...policy.identities.flatMap(identityProblems),
    ...policy.rules.flatMap((rule, i) => ruleProblems(policy, rule, `rules[${String(i)}]`)),
  ];
}

function repeatedNames(list: string, entries: readonly { readonly name?: string | undefined }[]): PolicyProblem[] {
  return entries.flatMap(({ name }, i) => {
    const first = entries.findIndex((other) => other.name === name);
    if (name === undefined || first === i) return [];
    return [{ path: `${list}[${String(i)}].name`, message: `the name is taken by ${list}[${String(first)}]` }];
  });
}

/** Which of two ages would count for one image? */
function repeatedImages(bases: Outline['bases']): PolicyProblem[] {
  const images = bases.map(({ image }) => normalised(image));
  return images.flatMap((image, i) => {
    const first = images.indexOf(image);
    if (image === undefined || first === i) return [];
    return [{ path: `bases[${String(i)}].image`, message: `is the image of bases[${String(first)}] already` }];
  });
}

function normalised(image: string): string | undefined {
  try {
    return formatReference(parseReference(image));
  } catch {
    return undefined;
  }
}

function baseProblems(base: Outline['bases'][number], i: number): PolicyProblem[] {
  if (base.maxAge === undefined || !base.image.includes('@')) return [];
  return [{ path: `bases[${String(i)}].maxAge`, message: 'has no meaning for a base named by digest: it never changes' }];
}

function keyProblems(key: Outline['keys'][number], i: number): PolicyProblem[] {
  const path = `keys[${String(i)}]`;
  const either = (key.publicKey === undefined) === (key.publicKeyFile === undefined) ? [{ path, message: 'needs either publicKey or publicKeyFile' }] : [];
  return [...either, ...repositoryProblems(key.repositories, path)];
}

function identityProblems(identity: Outline['identities'][number], i: number): PolicyProblem[] {
  const path = `identities[${String(i)}]`;
  const either = (identity.trustedRoot === undefined) === (identity.trustedRootFile === undefined) ? [{ path, message: 'needs either trustedRoot or trustedRootFile' }] : [];
  return [...either, ...repositoryProblems(identity.repositories, path)];
}

function repositoryProblems(repositories: readonly string[], path: string): PolicyProblem[] {
  return repositories.flatMap((pattern, at) =>
    hasTag(pattern) ? [{ path: `${path}.repositories[${String(at)}]`, message: 'must be without a tag: a signature is of a digest' }] : [],
  );
}

function hasTag(pattern: string): boolean {
  return pattern.lastIndexOf(':') > pattern.lastIndexOf('/') && pattern !== '**';
}

function ruleProblems(policy: Outline, rule: RuleOutline, path: string): PolicyProblem[] {
  if (rule['deny'] !== undefined) {
    return NOT_BESIDE_DENY.filter((key) => rule[key] !== undefined).map((key) => ({
      path: `${path}.${key}`,
      message: 'has no meaning beside deny: the rule only refuses',
    }));
  }
  return [
    ...unknownNames(rule.base, policy.bases, `${path}.base`, 'base'),
    ...unknownNames(rule.signature?.keys, policy.keys, `${path}.signature.keys`, 'key'),
    ...unknownNames(rule.signature?.identities, policy.identities, `${path}.signature.identities`, 'identity'),
    ...signatureProblems(rule, path),
    ...asBaseProblems(rule, path),
    ...restrictionProblems(rule, path),
    ...capabilityProblems(rule, path),
  ];
}

function unknownNames(used: readonly string[] | undefined, known: readonly { readonly name?: string | undefined }[], path: string, what: string): PolicyProblem[] {
  return (used ?? []).flatMap((name, i) => {
    if (known.some((entry) => entry.name === name)) return [];
    return [{ path: `${path}[${String(i)}]`, message: `there is no ${what} of this name` }];
  });
}

function signatureProblems({ signature }: RuleOutline, path: string): PolicyProblem[] {
  if (signature === undefined || signature.mode === 'off') return [];
  const verifier = signature['verifier'];
  if ((signature.keys === undefined && signature.identities === undefined) === (verifier === undefined)) {
    return [{ path: `${path}.signature`, message: 'needs either keys or identities, or a verifier' }];
  }
  const parsed = z.looseObject({ command: z.array(z.string()).min(1) }).safeParse(verifier);
  if (!parsed.success) return [];
  const [program, ...words] = parsed.data.command;
  const at = `${path}.signature.verifier.command`;
  return [
    ...(program?.startsWith('/') ? [] : [{ path: `${at}[0]`, message: 'must be an absolute path: the gateway does not search for programs' }]),
    ...(words.some((word) => word.includes('{image}')) ? [] : [{ path: at, message: 'must have {image} in one of its words: what is to be verified' }]),
  ];
}

function asBaseProblems({ base, config }: RuleOutline, path: string): PolicyProblem[] {
  if (base !== undefined) return [];
  return ['entrypoint', 'command']
    .filter((key) => config?.[key] === 'as-base')
    .map((key) => ({ path: `${path}.config.${key}`, message: 'as-base needs a rule that asks for a base' }));
}

function restrictionProblems(rule: RuleOutline, path: string): PolicyProblem[] {
  const restricted = rule.base !== undefined || rule.signature?.mode === 'require';
  const anyRegistry = rule.images.some((pattern) => pattern === '**' || pattern.startsWith('**:'));
  const says = rule['unrestricted'] !== undefined;
  if (anyRegistry && !restricted && !says) {
    return [{ path, message: 'would accept every image of every registry: ask for a base or a signature, or write unrestricted: true' }];
  }
  if (says && (restricted || !anyRegistry)) {
    return [{ path: `${path}.unrestricted`, message: 'is wrong here: the rule does not accept everything' }];
  }
  return [];
}

/** Without new privileges nobody but root has any use of a capability, or is root of anything. */
function capabilityProblems({ run }: RuleOutline, path: string): PolicyProblem[] {
  if (/^0+:/.test(run?.user ?? '')) return [];
  return (['capabilities', 'hostRoot'] as const).filter((name) => run?.[name] !== undefined).map((name) => ({
    path: `${path}.run.${name}`, message: 'does nothing for who is not root: give run.user with uid 0 too, or leave it out',
  }));
}
