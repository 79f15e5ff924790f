import { z } from 'zod';
import { COMPOSE_KEYS } from './compose-keys.ts';

/** Refused keys that can be passed over without changing what runs: what is passed over is never acted on. */
export const IGNORABLE: readonly string[] = Object.entries(COMPOSE_KEYS).filter(([, rule]) => rule.correction === 'remove').map(([key]) => key);

const external = z
  .array(z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/, 'must be the name of a network or volume of the engine'))
  .max(100)
  .default([]);

/** The section `compose` of a policy: what single keys of compose files may be beyond the strict default. */
export const composeSchema = z
  .strictObject({
    services: z.int().min(1).max(100).default(10).meta({ description: 'Services in one file.' }),
    containers: z.int().min(1).max(1000).default(20).meta({ description: 'Containers of one job, replicas counted.' }),
    ignore: z
      .array(z.string().refine((key) => IGNORABLE.includes(key), 'must be a refused key that can be passed over, such as services.*.container_name'))
      .max(200)
      .default([])
      .meta({ description: 'Refused keys that are passed over with a warning instead. They are never acted on.' }),
    capabilities: z
      .array(z.enum(['NET_BIND_SERVICE', 'CHOWN', 'FOWNER', 'KILL', 'SETGID', 'SETUID']))
      .default([])
      .meta({ description: 'Capabilities that services may add. Capabilities that reach the host cannot be listed.' }),
    sysctls: z
      .array(z.string().regex(/^net\.[a-z0-9_.-]{1,100}$/, "must be one of the network's own, net.…"))
      .max(100)
      .default(['net.core.somaxconn', 'net.ipv4.ip_unprivileged_port_start', 'net.ipv4.ip_local_port_range', 'net.ipv4.tcp_syncookies'])
      .meta({ description: "Kernel parameters of the container's own network that services may set." }),
    dns: z.array(z.union([z.ipv4(), z.ipv6()])).max(10).default([]).meta({ description: 'Resolvers that services may name.' }),
    networks: external.meta({ description: 'Networks of the engine that files may use as external ones. Whoever is in them can be reached by jobs.' }),
    volumes: external.meta({ description: 'Volumes of the engine that files may use as external ones, read-only: shared data.' }),
    user: z
      .enum(['site', 'numeric'])
      .default('site')
      .meta({ description: 'user: only the one that the image rule gives, or any uid:gid in numbers but root.' }),
    openFiles: z.int().min(64).max(1_048_576).default(4096).meta({ description: 'The most that ulimits.nofile may be.' }),
    processes: z.int().min(8).max(100_000).default(256).meta({ description: 'The most that pids_limit may be.' }),
  })
  .meta({ description: 'Docker Compose files as tasks.' });

/** The section, with every default set. */
export type ComposeKnobs = z.output<typeof composeSchema>;

/** A site that says nothing. */
export const STRICT: ComposeKnobs = composeSchema.parse({});
