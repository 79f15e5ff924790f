import type { KeyObject } from 'node:crypto';
import { digestOf, type Digest } from '../image/digest.ts';
import { formatReference, parseReference, type Reference } from '../image/reference.ts';
import type { Relaxations } from '../task/relaxations.ts';
import { parseDuration, parseSize } from '../task/units.ts';
import { compileImagePattern, type ImagePattern } from './image-pattern.ts';
import { type ComposeKnobs, STRICT } from './compose-knobs.ts';
import type { KeylessIdentity } from './keyless-bundle.ts';
import type { PolicyDocument, RuleDocument } from './policy-schema.ts';
import { readPublicKey } from './public-key.ts';
import { readTrustedRoot } from './trusted-root.ts';

/** A base image that operators have approved. */
export interface ApprovedBase {
  readonly name: string;
  readonly reference: Reference;
  /** The reference, formatted: what sightings are kept under. */
  readonly key: string;
  /** Milliseconds since the reference last named a digest, above which that digest counts no more; absent = never too old. */
  readonly maxAge?: number;
}

/** A key, and the repositories in which its signatures count. */
export interface TrustedKey {
  readonly name: string;
  readonly key: KeyObject;
  readonly repositories: readonly ImagePattern[];
}

/** Somebody who signs without a key of his own, and the repositories in which that counts. */
export interface TrustedIdentity {
  readonly name: string;
  readonly identity: KeylessIdentity;
  readonly repositories: readonly ImagePattern[];
}

export type TrustedSigner = TrustedKey | TrustedIdentity;

export interface ExternalVerification {
  /** Words with `{image}` in some of them; the first is an absolute path. */
  readonly command: readonly string[];
  /** Milliseconds. */
  readonly timeout: number;
}

export interface SignatureRule {
  readonly mode: 'off' | 'warn' | 'require';
  readonly signers: readonly TrustedSigner[];
  readonly verifier?: ExternalVerification;
}

export type ConfigurationRule = NonNullable<RuleDocument['config']>;

/** One rule, ready to be applied. */
export interface Rule {
  readonly name: string;
  readonly images: readonly ImagePattern[];
  /** Absent = every caller. */
  readonly groups?: ReadonlySet<string>;
  /** The operator's words; the rule refuses. */
  readonly deny?: string;
  /** By their keys; absent = not asked. */
  readonly bases?: ReadonlyMap<string, ApprovedBase>;
  readonly config: ConfigurationRule;
  readonly signature: SignatureRule;
  /** `uid:gid`, or `image`; absent = the site's. */
  readonly user?: string;
  /** Whether tasks may name ports that their owner reaches. */
  readonly endpoints: boolean;
  /** Absent = nothing. */
  readonly relaxed?: Relaxations;
  /** The most that one task may ask for; absent = the site's. */
  readonly limits: { readonly cores?: number; readonly memory?: number };
}

/** A policy ready to be applied. */
export interface CompiledPolicy {
  /** Of the document in canonical form: the same policy written differently has the same hash. */
  readonly hash: Digest;
  readonly rules: readonly Rule[];
  readonly bases: readonly ApprovedBase[];
  readonly revoked: ReadonlySet<Digest>;
  /** What compose files may be beyond the strict default. */
  readonly compose: ComposeKnobs;
}

const NOT_SIGNED: SignatureRule = { mode: 'off', signers: [] };
/** Enough for a verifier that asks a transparency log over a slow line (seconds). */
const DEFAULT_TIMEOUT = 30;
const SECOND = 1000;

/** Compiles a document that parsePolicy has accepted (its key files read in). */
export function compilePolicy(document: PolicyDocument): CompiledPolicy {
  const bases = new Map((document.bases ?? []).map((base) => [base.name, compileBase(base)]));
  const keys = new Map((document.keys ?? []).map((key) => [key.name, compileKey(key)]));
  const identities = new Map((document.identities ?? []).map((identity) => [identity.name, compileIdentity(identity)]));
  return {
    hash: digestOf(canonical(document)),
    rules: document.rules.map((rule) => compileRule(rule, bases, { keys, identities })),
    bases: [...bases.values()],
    revoked: new Set(document.revoked),
    compose: document.compose ?? STRICT,
  };
}

function compileBase(base: NonNullable<PolicyDocument['bases']>[number]): ApprovedBase {
  const maxAge = base.maxAge === undefined ? undefined : parseDuration(base.maxAge);
  const reference = parseReference(base.image);
  return { name: base.name, reference, key: formatReference(reference), ...(maxAge === undefined ? {} : { maxAge: maxAge * SECOND }) };
}

function compileKey(key: NonNullable<PolicyDocument['keys']>[number]): TrustedKey {
  return { name: key.name, key: readPublicKey(key.publicKey ?? ''), repositories: key.repositories.map(compileImagePattern) };
}

function compileIdentity({ name, issuer, subject, trustedRoot, repositories }: NonNullable<PolicyDocument['identities']>[number]): TrustedIdentity {
  return { name, identity: { trust: readTrustedRoot(trustedRoot ?? ''), issuer, subject }, repositories: repositories.map(compileImagePattern) };
}

interface Signers {
  readonly keys: ReadonlyMap<string, TrustedKey>;
  readonly identities: ReadonlyMap<string, TrustedIdentity>;
}

function compileRule(rule: RuleDocument, bases: ReadonlyMap<string, ApprovedBase>, signers: Signers): Rule {
  const memory = rule.limits?.memory === undefined ? undefined : parseSize(rule.limits.memory);
  return {
    name: rule.name,
    images: rule.images.map(compileImagePattern),
    ...(rule.groups === undefined ? {} : { groups: new Set(rule.groups) }),
    ...(rule.deny === undefined ? {} : { deny: rule.deny }),
    ...(rule.base === undefined ? {} : { bases: new Map(pick(rule.base, bases).map((base) => [base.key, base])) }),
    config: rule.config ?? {},
    signature: rule.signature === undefined ? NOT_SIGNED : compileSignature(rule.signature, signers),
    ...(rule.run?.user === undefined ? {} : { user: rule.run.user }),
    endpoints: rule.run?.endpoints ?? false,
    ...compileRelaxations(rule.run ?? {}),
    limits: {
      ...(rule.limits?.cores === undefined ? {} : { cores: rule.limits.cores }),
      ...(memory === undefined ? {} : { memory }),
    },
  };
}

function compileRelaxations({ user, hostRoot, writableRoot, capabilities, network, runtime, gpus }: NonNullable<RuleDocument['run']>): Pick<Rule, 'relaxed'> {
  const relaxed: Relaxations = {
    ...(writableRoot === undefined ? {} : { writableRoot }),
    ...(capabilities === undefined ? {} : { capabilities: [...new Set(capabilities)].sort() }),
    ...(user !== undefined && /^0+:/.test(user) ? { root: hostRoot === true ? 'host' : 'apart' } : {}),
    ...(network === undefined ? {} : { network }),
    ...(runtime === undefined ? {} : { runtime }),
    ...(gpus === undefined ? {} : { gpus }),
  };
  return Object.keys(relaxed).length === 0 ? {} : { relaxed };
}

function compileSignature(signature: NonNullable<RuleDocument['signature']>, { keys, identities }: Signers): SignatureRule {
  const { mode, verifier } = signature;
  if (verifier === undefined) return { mode, signers: [...pick(signature.keys ?? [], keys), ...pick(signature.identities ?? [], identities)] };
  const timeout = (verifier.timeout === undefined ? undefined : parseDuration(verifier.timeout)) ?? DEFAULT_TIMEOUT;
  return { mode, signers: [], verifier: { command: verifier.command, timeout: timeout * SECOND } };
}

function pick<T>(names: readonly string[], from: ReadonlyMap<string, T>): T[] {
  return names.map((name) => {
    const found = from.get(name);
    // A name that is left out would make a rule weaker than it reads.
    if (found === undefined) throw new Error(`the policy refers to ${name}, which it does not define`);
    return found;
  });
}

/** JSON with keys in order, so that only a change of meaning changes the hash. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
