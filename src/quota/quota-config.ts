import { z } from 'zod';
import { bytes, cores } from '../task/unit-schemas.ts';

const count = z.int().min(0).max(1_000_000);

/** What can be limited for one owner and for all members of a group together. Absent = without limit. */
const shared = {
  queued: count.optional().meta({ description: 'Jobs that wait. One more is 429.' }),
  running: count.optional().meta({ description: 'Jobs that run at once; others wait in the queue and hold nobody up.' }),
  cores: cores.optional().meta({ description: 'Cores of all running jobs together. A job that asks for more is 403.' }),
  memory: bytes.optional().meta({ description: 'Memory of all running jobs together. A job that asks for more is 403.' }),
  questions: count.optional().meta({ description: 'Questions to /accepts and judgements of jobs in a minute. One more is 429.' }),
  images: count.optional().meta({ description: 'Different images run within 24 hours. One more is 429.' }),
  cpuHours: z.number().min(0).max(1_000_000).optional().meta({ description: 'Hours of CPU time within 24 hours, as measured; what was not measured counts as all cores of the job. Who has used as much is 429 until it is less; queued jobs wait, running ones go on.' }),
  results: bytes.optional().meta({ description: 'Results that are kept of all jobs. Who has as much can create and run no more: 403.' }),
};

const owner = z.strictObject({
  jobs: count.optional().meta({ description: 'Jobs that are kept, those that are over included. One more is 403.' }),
  ...shared,
});

/** The section `quotas`. */
export const quotaSchema = z
  .strictObject({
    owner: owner.prefault({}).meta({ description: 'Of each owner, where nothing else is said.' }),
    anonymous: owner.optional().meta({ description: 'Of all anonymous callers together; questions of each address. Default: as of one owner.' }),
    tiers: z
      .array(owner.extend({ groups: z.array(z.string().min(1).max(2048)).min(1).max(100) }))
      .max(100)
      .default([])
      .meta({ description: 'Of each owner in one of these groups, instead of `owner`; the first tier that fits counts.' }),
    groups: z
      .array(z.strictObject({ group: z.string().min(1).max(2048), ...shared }))
      .max(1000)
      .default([])
      .meta({ description: 'Of all members of a group together.' }),
  })
  .prefault({});

/** The parsed `quotas` section. */
export type QuotaConfig = z.output<typeof quotaSchema>;
/** Limits of one owner. Sizes in bytes. */
export type OwnerLimits = QuotaConfig['owner'];
/** Limits of a group. */
export type GroupLimits = Omit<QuotaConfig['groups'][number], 'group'>;
