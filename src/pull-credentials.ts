import { readFileSync } from 'node:fs';
import type { PullCredentials } from './engine/docker-pull.ts';
import { findInDockerConfig } from './registry/credentials.ts';
import type { RegistryEntry } from './registry/registry-config.ts';

/**
 * The credentials with which the engine pulls what was judged: those that the registry was asked with, its own or what docker
 * login's file has for it. Tokens in that file are for the gateway's own questions only; the engine then pulls as nobody.
 */
export function pullCredentials(registries: readonly RegistryEntry[], dockerConfig: string | undefined): PullCredentials {
  const known = new Map(registries.map(({ host, credentials }) => [host, credentials]));
  return (domain) => {
    const credentials = known.get(domain);
    if (credentials !== undefined) {
      const { username, password, passwordFile } = credentials;
      return { username, password: password ?? readFileSync(passwordFile ?? '', 'utf8').replace(/\r?\n$/, '') };
    }
    const found = dockerConfig === undefined || !known.has(domain) ? undefined : findInDockerConfig(readFileSync(dockerConfig, 'utf8'), domain);
    return found?.kind === 'basic' ? { username: found.username, password: found.password } : undefined;
  };
}
