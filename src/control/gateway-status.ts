import { z } from 'zod';

/** What a running gateway tells its operator. */
export const statusSchema = z.object({
  draining: z.boolean(),
  /** Jobs that run. */
  active: z.number(),
  /** Jobs that are QUEUED, of everybody. */
  queued: z.number(),
  /** Why no new jobs are taken; absent = they are. */
  closed: z.string().exactOptional(),
});

export type GatewayStatus = z.output<typeof statusSchema>;

/** The name of the socket in the data folder. */
export const CONTROL_SOCKET = 'control.sock';
