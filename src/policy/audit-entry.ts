import type { Caller } from '../caller.ts';
import type { Image } from '../image/image.ts';
import { formatReference } from '../image/reference.ts';
import type { Task } from '../task/task.ts';
import type { AuditEntry } from './audit-log.ts';
import type { Judgement } from './judgement.ts';
import type { Door } from './policy.ts';

/** What is kept of a judgement. Commands and variables are not: they may hold what is nobody else's business. */
export function auditEntry(task: Task, caller: Caller, door: Door, { verdict, image }: Judgement): AuditEntry {
  const { id, at, policy, rule, base, relaxed } = verdict.decision;
  return {
    id,
    at,
    door,
    caller: { id: caller.id, groups: caller.groups },
    policy,
    rule,
    reference: formatReference(task.image),
    ...(image === undefined ? {} : { digests: digestsOf(image) }),
    ...(base === undefined ? {} : { base: { name: base.name, digest: base.digest } }),
    ...(relaxed === undefined ? {} : { relaxed }),
    answer: verdict.accepted ? 'yes' : 'no',
    reasons: verdict.accepted ? (verdict.warnings ?? []) : verdict.reasons,
  };
}

function digestsOf({ indexDigest, manifestDigest, configDigest }: Image): NonNullable<AuditEntry['digests']> {
  return { ...(indexDigest === undefined ? {} : { index: indexDigest }), manifest: manifestDigest, config: configDigest };
}
