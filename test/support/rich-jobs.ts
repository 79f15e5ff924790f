import type { Instant } from '../../src/clock.ts';
import type { Job } from '../../src/job/job.ts';
import { PHASES, type Phase, TERMINAL_PHASES } from '../../src/job/phase.ts';

const HASH = `sha256:${'a'.repeat(64)}` as const;

/** The facts of a job in this phase, as many of them as it can have; texts are of the worst kind. */
export function richJob(phase: Phase, now: Instant): Partial<Job> {
  const ran = !['PENDING', 'QUEUED', 'HELD'].includes(phase);
  const over = TERMINAL_PHASES.has(phase);
  return {
    phase,
    runId: 'run <1> & "so" on',
    creationTime: now,
    quote: over ? null : now + 60_000,
    startTime: ran ? now + 1 : null,
    endTime: over ? now + 2 : null,
    executionDuration: 2 ** 31 - 1,
    destruction: now + 1_000_000,
    parameters: [
      { name: 'IMAGE', value: 'registry.test/tools/one:1' }, { name: 'ARG', value: ' a ' }, { name: 'ARG', value: '<b>' },
      { name: 'ENV.EMPTY', value: '' }, { name: 'ENV.FILE', value: 'line\r\n\u0001', byReference: true },
    ],
    decision: { id: 'd-1', at: now, policy: HASH, rule: 'tools', base: { name: 'debian:12', digest: HASH } },
    results: ran && phase !== 'ARCHIVED' ? [
      { id: 'stdout', mediaType: 'text/plain', ...(over ? { size: 3, digest: HASH } : {}) },
      { id: 'a b/ü&<.fits', mediaType: 'application/fits', size: 12, digest: HASH },
    ] : [],
    error: phase === 'ERROR' ? { type: 'fatal', message: 'exit code 1 <&>', detail: 'the end of stderr' } : phase === 'ABORTED' ? { type: 'fatal', message: 'over its limit' } : null,
    info: ran ? { message: 'doing <it>', ...(over ? { exitCode: 1, signal: 'SIGKILL', outOfMemory: true, resultBytes: 15, usage: { cpuSeconds: 1.23456, peakMemory: 2 ** 20, writtenBytes: 7, sentBytes: 0, measuredAt: now + 2 } } : {}), tagMovedTo: HASH, warnings: ['one', 'two'] } : {},
  };
}

/** A job in each phase, once with everything and once with nothing. */
export function jobsInEveryPhase(now: Instant): readonly Partial<Job>[] {
  return PHASES.flatMap((phase): Partial<Job>[] => [
    richJob(phase, now),
    { phase, creationTime: now, destruction: null, executionDuration: 0, task: null, owner: null, endTime: TERMINAL_PHASES.has(phase) ? now : null },
  ]);
}
