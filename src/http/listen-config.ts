import { z } from 'zod';
import { seconds } from '../task/unit-schemas.ts';
import { trustedProxies } from './client-address.ts';
import { SERVER_LIMITS } from './server.ts';

/** `fallback` in seconds. */
const some = (fallback: number) => seconds.refine((given) => given > 0, 'must be longer than nothing').prefault(`${String(fallback)}s`);

const proxy = z.string().refine((entry) => {
  try {
    trustedProxies([entry]);
    return true;
  } catch {
    return false;
  }
}, 'must be an address, or a network such as 10.0.0.0/8');

const tls = z
  .strictObject({
    certificate: z.string().min(1).meta({ description: 'In PEM, with the certificates between it and its root. Relative to this file.' }),
    key: z.string().min(1).meta({ description: 'In PEM, without a password. Relative to this file.' }),
  })
  .meta({ description: 'Has the gateway speak TLS itself. New files are seen within seconds, whoever replaces them.' });

/** The `listen` section of the configuration: times in seconds. Unknown keys are errors. */
export const listenSchema = z
  .strictObject({
    host: z.string().min(1).default('127.0.0.1'),
    port: z.int().min(0).max(65_535).default(8080),
    hosts: z
      .array(z.string().regex(/^[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?$/, 'must be the name of a host, without a port'))
      .max(1000)
      .default([])
      .meta({ description: 'Names in Host by which the gateway is called, beside that of baseUrl, localhost and every address; a request for any other is 421.' }),
    tls: tls.optional(),
    hsts: z.int().min(0).default(15_552_000).meta({ description: 'Seconds for which browsers that came by TLS shall use nothing else (Strict-Transport-Security); 0 = not said.' }),
    trustedProxies: z.array(proxy).max(1000).default([]).meta({ description: 'Proxies that are believed what X-Forwarded-For and X-Forwarded-Proto say; from anybody else they are ignored.' }),
    connections: z.int().min(1).max(1_000_000).default(SERVER_LIMITS.connections).meta({ description: 'At once; more are closed as they come.' }),
    headersTimeout: some(SERVER_LIMITS.headersTimeout).meta({ description: "In which a request's head must have arrived." }),
    requestTimeout: some(SERVER_LIMITS.requestTimeout).meta({ description: 'In which a request must have arrived, body included.' }),
    stallTimeout: some(SERVER_LIMITS.stallTimeout).meta({ description: 'In which a client must read something of what waits for it.' }),
  })
  .meta({ description: 'Where the gateway listens, and what a slow client may cost.' });

export type ListenConfig = z.output<typeof listenSchema>;
