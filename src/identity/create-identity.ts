import { readFile } from 'node:fs/promises';
import { ANONYMOUS, type Caller, isMember } from '../caller.ts';
import type { Clock } from '../clock.ts';
import { GatewayError } from '../errors.ts';
import type { Identify } from '../http/request-caller.ts';
import type { Logger } from '../logger.ts';
import type { UntrustedFetch } from '../untrusted-fetch.ts';
import { parseAuthorization } from './authorization-header.ts';
import { BasicIdentity } from './basic-identity.ts';
import { BearerIdentity, type Issuer } from './bearer-identity.ts';
import { challengesOf, protectedResourceOf, securityMethodsOf } from './challenges.ts';
import type { IdentityConfig, IssuerConfig } from './identity-config.ts';
import { IssuerFetch } from './issuer-fetch.ts';
import { IssuerKeys } from './issuer-keys.ts';
import { IssuerMetadataSource } from './issuer-metadata.ts';
import { NO_PASSWORDS, parseGroups, parsePasswords, type Passwords } from './password-file.ts';
import { TokenRefused } from './token-refused.ts';
import { TokenVerifier } from './token-verifier.ts';
import { Userinfo } from './userinfo.ts';
import { WatchedFile } from './watched-file.ts';

export interface IdentityParts {
  readonly fetch: UntrustedFetch;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The gateway's public URL. */
  readonly baseUrl: string;
}

/** How the site knows its callers. */
export interface Identity {
  readonly identify: Identify;
  /** WWW-Authenticate, one challenge each; empty = there is no way to log in. */
  readonly challenges: readonly string[];
  /** For VOSI capabilities. */
  readonly securityMethods: readonly string[];
  /** RFC 9728's document; absent = no tokens are taken. */
  readonly protectedResource: object | undefined;
  close(): Promise<void>;
}

/** Everything that finds out who asks, wired. Asks nobody yet. Throws when a file of certificates cannot be read. */
export async function createIdentity(config: IdentityConfig, parts: IdentityParts): Promise<Identity> {
  const issuers = await Promise.all(config.issuers.map((issuer) => createIssuer(issuer, parts)));
  const bearer = issuers.length === 0 ? undefined : new BearerIdentity(issuers, parts.clock);
  const basic = config.htpasswd === undefined ? undefined : await createBasic(config.htpasswd, parts);
  const identify: Identify = async (ctx) => {
    try {
      return withRights(await callerOf(ctx.req.headers.authorization, bearer, basic), config);
    } catch (error) {
      if (!(error instanceof TokenRefused)) throw error;
      parts.logger.info({ reason: error.message, cause: error.cause instanceof Error ? error.cause.name : undefined }, 'credentials refused');
      // of an answer that has begun there is no more to say than its end
      if (!ctx.res.headersSent) ctx.res.setHeader('WWW-Authenticate', [...challengesOf(config, parts.baseUrl, 'invalid_token')]);
      throw new GatewayError('Unauthenticated', error.message);
    }
  };
  return {
    identify,
    challenges: challengesOf(config, parts.baseUrl),
    securityMethods: securityMethodsOf(config),
    protectedResource: protectedResourceOf(config, parts.baseUrl),
    close: async () => basic?.close(),
  };
}

async function createIssuer(config: IssuerConfig, { fetch, clock }: IdentityParts): Promise<Issuer> {
  const ca = config.ca === undefined ? undefined : await readFile(config.ca, 'utf8');
  const documents = new IssuerFetch(fetch, config, ca);
  const metadata = new IssuerMetadataSource(config, documents, clock);
  const keys = new IssuerKeys(metadata, documents, clock);
  return { config, verifier: new TokenVerifier(config, keys, clock), userinfo: new Userinfo(metadata, documents) };
}

async function createBasic(files: NonNullable<IdentityConfig['htpasswd']>, { clock, logger }: IdentityParts): Promise<BasicIdentity> {
  const parse = (text: string): Passwords => {
    const passwords = parsePasswords(text);
    for (const problem of passwords.problems) logger.warn({ file: files.file }, problem);
    return passwords;
  };
  const passwords = new WatchedFile(files.file, parse, NO_PASSWORDS, clock, logger);
  const groups = files.groups === undefined ? undefined : new WatchedFile<ReadonlyMap<string, readonly string[]>>(files.groups, parseGroups, new Map(), clock, logger);
  // so that the log says at the start what is wrong with them, and not when the first user cannot log in
  await Promise.all([passwords.read(), groups?.read()]);
  return new BasicIdentity({ passwords, clock, ...(groups === undefined ? {} : { groups }) });
}

/** Throws TokenRefused for every credential that is not valid: nobody who shows one becomes anonymous. */
async function callerOf(header: string | undefined, bearer: BearerIdentity | undefined, basic: BasicIdentity | undefined): Promise<Caller> {
  const credentials = parseAuthorization(header);
  switch (credentials.scheme) {
    case 'none':
      return ANONYMOUS;
    case 'bearer':
      if (bearer === undefined) throw new TokenRefused('tokens are not taken here');
      return bearer.identify(credentials.token);
    case 'basic':
      if (basic === undefined) throw new TokenRefused('users and passwords are not taken here');
      return basic.identify(credentials.user, credentials.password);
    case 'unknown':
      throw new TokenRefused('these credentials cannot be read, or are of a kind that is not known here');
  }
}

function withRights(caller: Caller, { operators }: IdentityConfig): Caller {
  return operators.some((group) => isMember(caller.groups, group)) ? { ...caller, operator: true } : caller;
}
