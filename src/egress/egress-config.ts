import { z } from 'zod';

const HOST = /^(?:\*\.)?[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

const host = z
  .strictObject({
    host: z.string().regex(HOST, 'must be a host in lower case such as archive.example.org, or *.example.org for all below it').meta({ description: '"*." = all names below, and not the name itself. An IPv4 address is one too.' }),
    ports: z.array(z.int().min(1).max(65_535)).min(1).max(100).default([443]),
    internal: z.boolean().default(false).meta({ description: 'It may have a private or loopback address. Link-local ones (cloud metadata) stay refused.' }),
  })
  .meta({ description: 'What jobs may reach.' });

/** The file of `pratique egress`; unknown keys are errors. */
export const egressSchema = z.strictObject({
  listen: z.strictObject({ host: z.string().min(1).default('0.0.0.0'), port: z.int().min(0).max(65_535).default(3128) }).prefault({}),
  allow: z.array(host).max(10_000),
  connections: z.int().min(1).max(100_000).default(500).meta({ description: 'At once, of all jobs together; more are closed.' }),
  idle: z.int().min(1).max(86_400).default(300).meta({ description: 'Seconds after which a connection on which nothing passes is closed.' }),
});

export type EgressConfig = z.output<typeof egressSchema>;
export type AllowedHost = EgressConfig['allow'][number];

/** The entry that lets this host and port through; undefined = none does. A trailing dot names the same host. */
export function allowed(allow: readonly AllowedHost[], name: string, port: number): AllowedHost | undefined {
  const asked = name.toLowerCase().replace(/\.$/, '');
  return allow.find(({ host: pattern, ports }) => ports.includes(port) && (pattern.startsWith('*.') ? asked.length > pattern.length - 1 && asked.endsWith(pattern.slice(1)) : asked === pattern));
}
