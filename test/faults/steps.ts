/** The named steps at which a gateway can be told to die: class and method. */
export const STEPS = [
  'DockerEngine.ensureImage', 'DockerEngine.create', 'DockerEngine.start', 'DockerEngine.wait', 'DockerEngine.inspect', 'DockerEngine.stop', 'DockerEngine.logs',
  'DockerEngine.outputs', 'DockerEngine.remove', 'DockerEngine.list', 'DockerEngine.time', 'DockerCalls.ask', 'DockerCalls.open',
  'SqliteJobStore.create', 'SqliteJobStore.changePhase', 'SqliteJobStore.update', 'SqliteJobStore.claim', 'SqliteJobStore.release', 'SqliteJobStore.holds',
  'SqliteJobStore.heartbeat', 'SqliteJobStore.delete', 'SqliteJobStore.forget', 'SqliteDatabase.durable',
  'FileResultStore.tidy', 'FileResultStore.write', 'FileResultStore.settle', 'FileResultStore.deleteAll',
] as const;

export type Step = (typeof STEPS)[number];

/** `during`: some milliseconds after it began, so that what was sent is on its way and no answer is there. */
export const MOMENTS = ['before', 'during', 'after'] as const;

export type Moment = (typeof MOMENTS)[number];

/** What the harness tells a gateway. */
export interface Order {
  readonly step?: Step;
  readonly moment?: Moment;
  /** Milliseconds by which its wall clock is wrong from now on. */
  readonly clockOffset?: number;
}
