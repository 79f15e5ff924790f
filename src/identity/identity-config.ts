import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';

/** Every signature that needs a secret only to make it: `none` and the HMACs, whose key a verifier would have to share, are not among them. */
export const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'] as const;

const path = z.string().min(1);
const group = z.string().min(1).max(2048);
const claim = z.string().regex(/^[A-Za-z0-9_.:/-]{1,256}$/, 'must be the name of a claim');

const issuerUrl = z
  .url({ protocol: /^https?$/ })
  .max(2048)
  .refine((text) => !/[?#]/.test(text) && URL.canParse(text) && new URL(text).username === '', 'must have no query, fragment or user');

/** Claims in which the federations of the VO put groups: AARC-G002 (EGI Check-in, eduTEAMS), AARC-G069, WLCG, and everybody else. */
const GROUP_CLAIMS = ['eduperson_entitlement', 'entitlements', 'wlcg.groups', 'groups'];

const groups = z.strictObject({
  claims: z.array(claim).max(20).default(GROUP_CLAIMS).meta({ description: 'Claims whose values are groups.' }),
  accept: z
    .array(group)
    .min(1)
    .max(1000)
    .optional()
    .meta({ description: 'Only groups like these count, "*" standing for any characters. Needed where several issuers are configured, or one could speak for the other.' }),
  also: z
    .array(z.strictObject({ of: group, is: group }))
    .max(1000)
    .default([])
    .meta({ description: 'Who is a member `of` one group has the group `is` too: a collaboration that two federations know by two names is one here.' }),
});

const issuer = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'must be 1 to 32 lower-case letters, digits and "-"').meta({ description: 'Begins the id of everybody it vouches for: name:subject.' }),
    issuer: issuerUrl.meta({ description: 'The URL, exactly as it stands in the claim iss of its tokens.' }),
    audience: z
      .union([z.literal('any'), z.array(z.string().min(1).max(1000)).min(1).max(20)])
      .meta({ description: 'A token must be meant for one of these. any = it may be meant for another service, whose operators then can act in the name of their users here.' }),
    algorithms: z.array(z.enum(ALGORITHMS)).min(1).default(['RS256', 'ES256', 'PS256', 'EdDSA']),
    subject: z.enum(['sub', 'voperson_id', 'eduperson_unique_id']).default('sub').meta({ description: 'Claim that names the person for good.' }),
    groups: groups.prefault({}),
    userinfo: z
      .enum(['never', 'groups', 'opaque'])
      .default('never')
      .meta({ description: 'groups: the userinfo endpoint is asked for the groups. opaque: also tokens that are no JWT are accepted where it knows them; for whom they are meant cannot be checked.' }),
    insecure: z.boolean().default(false).meta({ description: 'Speak plain http with it.' }),
    internal: z.boolean().default(false).meta({ description: 'It may have a private or loopback address.' }),
    ca: path.optional().meta({ description: 'PEM file of the certificates that alone may vouch for it. Default: the CAs of the system.' }),
    tokens: z
      .strictObject({ standardId: z.string().regex(/^ivo:\/\/[\x21-\x7e]+$/, 'must be an ivo:// identifier'), accessUrl: z.url({ protocol: /^https?$/ }).max(2048) })
      .optional()
      .meta({ description: 'How VO clients get a token, told in the ivoa_bearer challenge. Default: OpenID at the issuer.' }),
  })
  .superRefine((given, context) => {
    if (given.issuer.startsWith('http:') && !given.insecure) context.addIssue({ code: 'custom', path: ['issuer'], message: 'must be https, or insecure must be true' });
    if (given.userinfo === 'opaque' && given.audience !== 'any') {
      context.addIssue({ code: 'custom', path: ['userinfo'], message: 'opaque tokens do not say for whom they are meant: that needs audience: any' });
    }
  });

/** Where passwords are, and who of those people is in which group. */
interface PasswordFiles {
  readonly file: string;
  readonly groups?: string | undefined;
}

const htpasswd = z.union([
  path.transform((file): PasswordFiles => ({ file })),
  z.strictObject({ file: path, groups: path.optional().meta({ description: 'Lines such as "astronomers: ada bob".' }) }).transform((files): PasswordFiles => files),
]);

/** The section `identity`. Absent = nobody can log in, and anonymous callers may do what the policy lets everybody do. */
export const identitySchema = z
  .strictObject({
    realm: z.string().regex(/^[\x20-\x21\x23-\x5b\x5d-\x7e]{1,100}$/, 'must be ASCII without quotes and backslashes').default('pratique').meta({ description: 'What log-in windows call this site.' }),
    anonymous: z
      .strictObject({
        ask: z.boolean().default(true).meta({ description: 'May ask /accepts.' }),
        run: z.boolean().default(false).meta({ description: 'May have jobs. All anonymous jobs belong to everybody who is anonymous.' }),
        reasons: z.boolean().default(true).meta({ description: 'Is told why the answer is no; else only that it is.' }),
      })
      .prefault({}),
    issuers: z.array(issuer).max(20).default([]).meta({ description: 'OpenID providers whose access tokens are accepted.' }),
    htpasswd: htpasswd.optional().meta({ description: 'File that `htpasswd -B` writes, for HTTP Basic; bcrypt only.' }),
    operators: z.array(group).max(100).default([]).meta({ description: 'Groups whose members see all jobs and may abort them.' }),
  })
  .superRefine((given, context) => {
    if (given.issuers.length === 0 && given.htpasswd === undefined) context.addIssue({ code: 'custom', message: 'nobody could log in: give issuers or htpasswd, or leave identity out' });
    const several = given.issuers.length + (given.htpasswd?.groups === undefined ? 0 : 1) > 1;
    const taken = (key: 'name' | 'issuer', i: number): boolean => given.issuers.findIndex((other) => other[key] === given.issuers[i]?.[key]) < i;
    for (const [i, entry] of given.issuers.entries()) {
      for (const key of ['name', 'issuer'] as const) if (taken(key, i)) context.addIssue({ code: 'custom', path: ['issuers', i, key], message: 'is given twice' });
      if (several && entry.groups.accept === undefined) {
        context.addIssue({ code: 'custom', path: ['issuers', i, 'groups', 'accept'], message: 'is needed where several can vouch for groups: say which ones this issuer is believed' });
      }
    }
    const opaque = given.issuers.filter(({ userinfo }) => userinfo === 'opaque');
    // a token sent to the wrong issuer is a token given away
    if (opaque.length > 1) context.addIssue({ code: 'custom', path: ['issuers'], message: 'only one issuer can have opaque tokens: nothing in them says whose they are' });
  });

/** The parsed `identity` section. */
export type IdentityConfig = z.output<typeof identitySchema>;
/** One issuer of it. */
export type IssuerConfig = IdentityConfig['issuers'][number];

/** The same with every file's path absolute, relative ones being relative to `directory`. */
export function resolveIdentityPaths(config: IdentityConfig, directory: string): IdentityConfig {
  const absolute = (file: string): string => (isAbsolute(file) ? file : resolve(directory, file));
  const { file, groups: members } = config.htpasswd ?? {};
  return {
    ...config,
    issuers: config.issuers.map((entry) => (entry.ca === undefined ? entry : { ...entry, ca: absolute(entry.ca) })),
    ...(file === undefined ? {} : { htpasswd: { file: absolute(file), groups: members === undefined ? undefined : absolute(members) } }),
  };
}
