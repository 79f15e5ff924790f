import { randomUUID } from 'node:crypto';
import type { Caller } from '../caller.ts';
import { isTemporary } from '../errors.ts';
import type { Image } from '../image/image.ts';
import { formatReference, type Reference } from '../image/reference.ts';
import { ImageUnacceptable, type Registry } from '../registry/registry.ts';
import type { Decision } from '../task/decision.ts';
import { relaxationLines, relaxationsFor } from '../task/relaxations.ts';
import type { PinnedTask, Task } from '../task/task.ts';
import type { AuditLog } from './audit-log.ts';
import { auditEntry } from './audit-entry.ts';
import type { PlatformProvider } from './base-catalogue.ts';
import { revokedByName } from './base-rules.ts';
import { commandFindings, userFor } from './configuration-rules.ts';
import { requestEnvironment } from './environment-rules.ts';
import { type Bench, ImageJudge, type ImageJudgement, type ImageJudgeParts } from './image-judge.ts';
import { type Check, checked, type Judgement } from './judgement.ts';
import { isFor, matchName, type NameMatch } from './name-rules.ts';
import type { Door, Policy } from './policy.ts';
import { NO_RULE } from './policy-schema.ts';
import { grantedResources, offeredResources, portFindings, resourceFindings, type SiteDefaults } from './resource-policy.ts';
import type { Rule } from './rule.ts';
import type { TagsSeen } from './tags-seen.ts';
import type { Finding, Reason, Verdict } from './verdict.ts';

export interface TaskPolicyParts extends ImageJudgeParts {
  readonly registry: Registry;
  readonly platform: PlatformProvider;
  readonly site: SiteDefaults;
  readonly audit: AuditLog;
  readonly tags: TagsSeen;
}

/** What is found out about a task while it is judged under its rule. */
interface Findings {
  readonly checks: Check[];
  image?: Image;
  judged?: ImageJudgement;
}

/**
 * One policy, applied: the first rule that matches by name decides, and all that it finds wrong is told together. What is
 * cheap comes first; the registry is asked only by a rule that could accept.
 */
export class TaskPolicy implements Policy {
  readonly #parts: TaskPolicyParts;
  readonly #images: ImageJudge;

  constructor(parts: TaskPolicyParts) {
    this.#parts = parts;
    this.#images = new ImageJudge(parts);
  }

  async evaluate(task: Task, caller: Caller, signal: AbortSignal, door: Door = 'accepts'): Promise<Verdict> {
    const judgement = await this.judge(task, caller, signal);
    this.#parts.audit.record(auditEntry(task, caller, door, judgement));
    return judgement.verdict;
  }

  general(caller: Caller): readonly Reason[] {
    const accepting = this.#parts.policy.rules.filter(({ deny }) => deny === undefined);
    if (accepting.some((rule) => isFor(rule, caller))) return [];
    if (accepting.length === 0) return [{ code: 'policy.accepts-nothing', path: '', text: 'this site accepts no container at present; its operators have to write a policy' }];
    return [{ code: 'caller.no-rule', path: '', text: 'this site accepts no container from this caller; sign in, or ask its operators for access' }];
  }

  /** As `evaluate`, with everything that led to the verdict, and without a record of it. */
  async judge(task: Task, caller: Caller, signal: AbortSignal): Promise<Judgement> {
    const name = matchName(this.#parts.policy.rules, task.image, caller);
    if (name.rule === undefined) return this.#refuse(name, { checks: [] }, [notListed(task.image)]);
    if (name.rule.deny !== undefined) return this.#refuse(name, { checks: [] }, [{ code: 'image.denied-by-rule', path: 'image', text: name.rule.deny }]);
    const found = await this.#examine(task, name, name.rule, signal);
    const refusals = found.checks.flatMap((check) => check.refusals);
    if (refusals.length > 0 || found.image === undefined) return this.#refuse(name, found, refusals);
    const pinned = this.#pin(task, name.rule, found.image);
    return this.#accept(name, found, pinned, relaxationLines(pinned.relaxed ?? {}, name.rule.user));
  }

  async #examine(task: Task, name: NameMatch, rule: Rule, signal: AbortSignal): Promise<Findings> {
    const { site, policy, platform } = this.#parts;
    const registry = task.logins === undefined ? this.#parts.registry : this.#parts.registry.as(task.logins);
    const found: Findings = { checks: [checked('request', [...resourceFindings(task, rule, site), ...portFindings(task, rule, site), ...requestEnvironment(task.env, rule.config.environment)])] };
    const revoked = revokedByName(task.image.digest, policy.revoked);
    if (revoked.length > 0) {
      found.checks.push(checked('revocation', revoked));
      return found;
    }
    try {
      const here = await platform(signal);
      found.image = await registry.resolve(task.image, here, signal);
      await this.#examineImage(task, name, rule, found, found.image, { registry, platform: here }, signal);
    } catch (error) {
      if (error instanceof ImageUnacceptable) found.checks.push(checked('registry', [{ code: error.code, path: 'image', text: error.message }]));
      // A no is certain already, and does not become less so by an outage.
      else if (signal.aborted || !isTemporary(error) || !found.checks.some(({ refusals }) => refusals.length > 0)) throw error;
    }
    return found;
  }

  async #examineImage(task: Task, name: NameMatch, rule: Rule, found: Findings, image: Image, bench: Bench, signal: AbortSignal): Promise<void> {
    this.#parts.tags.remember(image);
    if (name.tagClaimed) found.checks.push(checked('tag', await this.#tagFindings(task.image, image, rule, bench, signal)));
    found.judged = await this.#images.judge(image, rule, bench, signal);
    found.checks.push(...found.judged.checks);
    found.checks.push(checked('command', commandFindings(image, task, rule, found.judged.base?.sighting)));
  }

  /** The rule is for certain tags: whether this one names the digest, now or when it was judged before. */
  async #tagFindings(reference: Reference, image: Image, rule: Rule, { registry, platform }: Bench, signal: AbortSignal): Promise<readonly Finding[]> {
    if (this.#parts.tags.has(reference)) return [];
    const { domain, path, tag } = reference;
    try {
      // By way of the index, for the digest may be that of this platform's manifest alone.
      const now = await registry.resolve({ domain, path, ...(tag === undefined ? {} : { tag }) }, platform, signal);
      this.#parts.tags.remember(now);
      if (now.manifestDigest === image.manifestDigest) return [];
    } catch (error) {
      if (!(error instanceof ImageUnacceptable)) throw error;
    }
    const text = `rule ${rule.name} is for certain tags only, and the tag ${tag ?? ''} does not name ${reference.digest ?? ''}; leave the digest out, or give the one that the tag names`;
    return [{ code: 'image.tag-moved', path: 'image', text }];
  }

  #pin(task: Task, rule: Rule, image: Image): PinnedTask {
    const { site } = this.#parts;
    const relaxed = relaxationsFor(rule.relaxed, task.gpus);
    return {
      type: 'container',
      image,
      command: task.command,
      ...(task.entrypoint === undefined ? {} : { entrypoint: task.entrypoint }),
      env: task.env,
      resources: grantedResources(task, rule, site),
      user: userFor(image, rule, site.user),
      ...(relaxed === undefined ? {} : { relaxed }),
      ...(task.ports === undefined ? {} : { ports: task.ports }),
    };
  }

  #accept(name: NameMatch, found: Findings, task: PinnedTask, relaxed: readonly string[]): Judgement {
    const warnings = reasons(name, found.checks.flatMap((check) => check.warnings));
    const verdict: Verdict = { accepted: true, task, decision: { ...this.#decision(name, found), ...(relaxed.length === 0 ? {} : { relaxed }) }, ...(warnings.length === 0 ? {} : { warnings }) };
    return { verdict, names: name.outcomes, checks: found.checks, image: task.image };
  }

  #refuse(name: NameMatch, found: Findings, refusals: readonly Finding[]): Judgement {
    const verdict: Verdict = {
      accepted: false,
      reasons: reasons(name, refusals),
      decision: this.#decision(name, found),
      ...(name.rule === undefined || name.rule.deny !== undefined ? {} : { offered: offeredResources(name.rule, this.#parts.site) }),
    };
    return { verdict, names: name.outcomes, checks: found.checks, ...(found.image === undefined ? {} : { image: found.image }) };
  }

  #decision({ rule }: NameMatch, { judged }: Findings): Decision {
    const { clock, policy } = this.#parts;
    const base = judged?.base;
    return {
      id: randomUUID(),
      at: clock.now(),
      policy: policy.hash,
      rule: rule?.name ?? NO_RULE,
      ...(base === undefined
        ? {}
        : { base: { name: base.name, digest: base.sighting.manifestDigest, firstSeen: base.sighting.firstSeen, lastSeen: base.sighting.lastSeen } }),
    };
  }
}

function notListed(reference: Reference): Finding {
  const text = `no rule of this site takes ${formatReference(reference)} from this caller; use an image that the site lists, or ask its operators to list this one`;
  return { code: 'image.not-listed', path: 'image', text };
}

function reasons({ rule }: NameMatch, findings: readonly Finding[]): readonly Reason[] {
  return findings.map((finding) => (rule === undefined ? finding : { ...finding, rule: rule.name }));
}
