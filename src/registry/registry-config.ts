import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import { parseDomain } from '../image/reference.ts';

/** A registry host as in a reference, normalised: `ghcr.io`, `localhost:5000`. */
const host = z.string().transform((text, context) => {
  try {
    return parseDomain(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : 'must be a registry host' });
    return z.NEVER;
  }
});

const path = z.string().min(1);

const credentials = z
  .strictObject({
    username: z.string().min(1).regex(/^[^:]*$/, 'must not contain ":"'),
    password: z.string().min(1).optional(),
    passwordFile: path.optional().meta({ description: 'File with the password; read anew each time it is needed, a line break at its end is ignored.' }),
  })
  .refine((given) => (given.password === undefined) !== (given.passwordFile === undefined), 'must have either password or passwordFile');

const connection = {
  insecure: z.boolean().default(false).meta({ description: 'Speak plain http with it.' }),
  internal: z.boolean().default(false).meta({ description: 'It may have a private or loopback address.' }),
  credentials: credentials.optional().meta({ description: 'Default: anonymous, or what registryClient.dockerConfig has for the host.' }),
  ca: path.optional().meta({ description: 'PEM file of the certificates that alone may vouch for it. Default: the CAs of the system.' }),
  realms: z.array(host).max(20).default([]).meta({ description: 'Hosts, beside its own, that may issue its tokens.' }),
  redirects: z.array(host).max(20).default([]).meta({ description: 'Hosts it may redirect to that are like it in insecure, internal and ca. Public ones need no mention.' }),
};

const registry = z.strictObject({
  host: host.meta({ description: 'As in references: ghcr.io, localhost:5000. docker.io is Docker Hub by all its names.' }),
  ...connection,
  callerLogins: z.boolean().default(false).meta({ description: 'Callers may give logins of their own for it, as REGISTRY.<HOST>. Whoever may ask can then try passwords there, from the address of this gateway.' }),
  mirror: z.strictObject({ host, ...connection }).optional().meta({ description: 'Where content is fetched from by digest; the registry itself is asked for what a tag names, and when the mirror fails.' }),
});

/** The section `registries`: the only hosts that are asked for images. Unknown keys are errors. */
export const registriesSchema = z
  .array(registry)
  .max(200)
  .default([])
  .superRefine((list, context) => {
    for (const [i, { host }] of list.entries()) {
      if (list.findIndex((other) => other.host === host) < i) context.addIssue({ code: 'custom', path: [i, 'host'], message: `${host} is listed twice` });
    }
  });

/** The section `registryClient`. */
export const registryClientSchema = z
  .strictObject({
    tagSeconds: z.number().min(0).max(3600).default(30).meta({ description: 'How long it is believed what a tag names, before the registry is asked again.' }),
    negativeSeconds: z.number().min(0).max(300).default(5).meta({ description: 'How long it is believed that there is no such image.' }),
    deadlineSeconds: z.number().min(1).max(600).default(30).meta({ description: 'For everything that one question to a registry takes.' }),
    cacheBytes: z.int().min(0).max(2 ** 34).default(64 * 2 ** 20).meta({ description: 'Documents kept in memory.' }),
    cacheDirectory: path.optional().meta({ description: 'Folder for documents that outlive the process. Default: none.' }),
    cacheDirectoryBytes: z.int().min(2 ** 20).max(2 ** 40).default(2 ** 30).meta({ description: 'Documents kept in that folder.' }),
    dockerConfig: path.optional().meta({ description: 'File that `docker login` writes; used for hosts without credentials above. Credential helpers are never run.' }),
  })
  .prefault({});

/** One registry that may be asked. */
export type RegistryEntry = z.output<typeof registriesSchema>[number];
/** How to speak with one host: a registry's own, or its mirror's. */
export type ConnectionEntry = Omit<RegistryEntry, 'mirror' | 'callerLogins'>;
export type RegistryClientOptions = z.output<typeof registryClientSchema>;

/** The same registries with every file's path absolute, relative ones being relative to `directory`. */
export function resolveRegistryPaths(registries: readonly RegistryEntry[], directory: string): RegistryEntry[] {
  const absolute = (file: string): string => (isAbsolute(file) ? file : resolve(directory, file));
  const connected = <T extends ConnectionEntry>(entry: T): T => ({
    ...entry,
    ...(entry.ca === undefined ? {} : { ca: absolute(entry.ca) }),
    ...(entry.credentials?.passwordFile === undefined ? {} : { credentials: { ...entry.credentials, passwordFile: absolute(entry.credentials.passwordFile) } }),
  });
  return registries.map((entry) => ({ ...connected(entry), ...(entry.mirror === undefined ? {} : { mirror: connected(entry.mirror) }) }));
}
