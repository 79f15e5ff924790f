import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { GatewayError } from '../errors.ts';
import { parseDomain } from '../image/reference.ts';
import type { ConnectionEntry } from './registry-config.ts';

/** What a registry's token service, or the registry itself, is told. */
export type Credentials =
  /** `callers`: not the site's, but of who asks. */
  | { readonly kind: 'basic'; readonly username: string; readonly password: string; readonly callers?: true }
  /** To be changed for an access token (OAuth 2 refresh token). */
  | { readonly kind: 'identity-token'; readonly token: string }
  /** To be used as it is. */
  | { readonly kind: 'registry-token'; readonly token: string };

/** Finds the credentials for one host each time they are needed, so that files may change. Nothing = anonymous. */
export type CredentialSource = () => Promise<Credentials | undefined>;

/** `Basic` credentials as a header. */
export function basicHeader(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;
}

/** The source for one host: its own configuration, else docker login's file, if there is one. Throws RegistryUnavailable. */
export function credentialSource(entry: ConnectionEntry, dockerConfig: string | undefined): CredentialSource {
  const own = entry.credentials;
  if (own !== undefined) {
    return async () => ({ kind: 'basic', username: own.username, password: own.password ?? (await readPassword(own.passwordFile ?? '', entry.host)) });
  }
  if (dockerConfig === undefined) return async () => undefined;
  return async () => findInDockerConfig(await readText(dockerConfig, entry.host), entry.host);
}

async function readPassword(file: string, host: string): Promise<string> {
  return (await readText(file, host)).replace(/\r?\n$/, '');
}

async function readText(file: string, host: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new GatewayError('RegistryUnavailable', `the gateway cannot read its credentials for ${host}`, { cause: error });
  }
}

const dockerConfigSchema = z.object({
  auths: z.record(z.string(), z.object({ auth: z.string().optional(), identitytoken: z.string().optional(), registrytoken: z.string().optional() })).optional(),
});

/**
 * What `docker login` stored for a host in its config.json (docker/cli, config/types). The keys `credsStore` and
 * `credHelpers` name programs to be run, and are ignored. Throws RegistryUnavailable where the file is no such file.
 */
export function findInDockerConfig(text: string, host: string): Credentials | undefined {
  let auths: z.output<typeof dockerConfigSchema>['auths'];
  try {
    auths = dockerConfigSchema.parse(JSON.parse(text)).auths;
  } catch {
    // The cause would quote the file.
    throw new GatewayError('RegistryUnavailable', 'the configured docker login file cannot be read');
  }
  const found = Object.entries(auths ?? {}).find(([key]) => hostOfKey(key) === host)?.[1];
  if (found === undefined) return undefined;
  if (found.registrytoken) return { kind: 'registry-token', token: found.registrytoken };
  if (found.identitytoken) return { kind: 'identity-token', token: found.identitytoken };
  const [, username, password] = /^([^:]+):([\s\S]*)$/.exec(Buffer.from(found.auth ?? '', 'base64').toString('utf8').replace(/\0+$/, '')) ?? [];
  return username === undefined || password === undefined ? undefined : { kind: 'basic', username, password };
}

/** Keys are `host`, `host:port`, `https://host/`, `https://index.docker.io/v1/`; compared whole, never by their end. */
function hostOfKey(key: string): string | undefined {
  const host = key.replace(/^https?:\/\//, '').split('/', 1)[0] ?? '';
  try {
    return parseDomain(host);
  } catch {
    return undefined;
  }
}
