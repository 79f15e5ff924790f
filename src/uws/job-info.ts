import type { LiveFacts } from '../execution/job-progress.ts';
import { formatReference } from '../image/reference.ts';
import { formatInstant } from '../job/instant.ts';
import { changesSince } from '../task/decision.ts';
import type { Job } from '../job/job.ts';

/** The namespace of what we put into jobInfo. No name in it is a name of UWS: clients read those wherever they stand (uws.md 2.4). */
export const JOB_INFO_NAMESPACE = 'https://pratique.dev/ns/job/1.0';

/** Facts about a job that UWS has no element for, by name; absent ones are left out. The same in XML and JSON. */
export type JobFacts = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** What jobInfo tells of a job. */
export function factsOf(job: Job, live: LiveFacts = {}): JobFacts {
  const { task, decision, follows, info } = job;
  const container = task?.type === 'container' ? task : undefined;
  const told = decision === null || decision.untold === true ? undefined : decision;
  const changes = follows === undefined || told === undefined ? [] : changesSince(follows, told, task);
  return present({
    activity: live.waiting ?? info.message,
    queuePosition: live.queuePosition,
    pulledBytes: info.pull?.current,
    pullBytes: info.pull?.total,
    progress: live.progress,
    imageDigest: container?.image.manifestDigest,
    configDigest: container?.image.configDigest,
    images: task?.type === 'project' ? task.services.map(({ name, task: { image } }) => `${name} ${formatReference({ ...image.reference, digest: image.manifestDigest })}`) : undefined,
    baseName: told?.base?.name,
    baseDigest: told?.base?.digest,
    rule: told?.rule,
    relaxed: told?.relaxed,
    decisionId: decision?.id,
    decidedAt: decision === null ? undefined : formatInstant(decision.at),
    followsDecision: follows?.id,
    changedSinceDecision: changes.length === 0 ? undefined : changes,
    sharedWith: job.sharedWith === undefined || job.sharedWith.length === 0 ? undefined : job.sharedWith,
    tagMovedTo: info.tagMovedTo,
    exitCode: info.exitCode,
    signal: info.signal,
    outOfMemory: info.outOfMemory,
    ...usageOf(job, live),
    warnings: info.warnings === undefined || info.warnings.length === 0 ? undefined : info.warnings,
  });
}

/** What the job uses; as long as it runs by what was measured last. */
function usageOf({ startTime, endTime, info }: Job, live: LiveFacts): Readonly<Record<string, JobFacts[string] | undefined>> {
  if (startTime === null) return {};
  const usage = info.usage ?? live.usage;
  return {
    wallSeconds: endTime === null ? undefined : seconds((endTime - startTime) / 1000),
    cpuSeconds: usage && seconds(usage.cpuSeconds),
    peakMemory: usage?.peakMemory,
    diskReadBytes: usage?.readBytes,
    diskWrittenBytes: usage?.writtenBytes,
    networkReceivedBytes: usage?.receivedBytes,
    networkSentBytes: usage?.sentBytes,
    usageMeasuredAt: usage && formatInstant(usage.measuredAt),
    resultBytes: info.resultBytes,
  };
}

/** In milliseconds. */
function seconds(value: number): number {
  return Math.round(value * 1000) / 1000;
}

function present(facts: Readonly<Record<string, JobFacts[string] | undefined>>): JobFacts {
  return Object.fromEntries(Object.entries(facts).filter((fact): fact is [string, JobFacts[string]] => fact[1] !== undefined));
}
