import type { Instant } from '../clock.ts';
import type { Image } from '../image/image.ts';
import { quoted } from '../image/quoted.ts';
import type { Task } from '../task/task.ts';
import { formatDuration, formatSize, parseDuration, parseSize } from '../task/units.ts';
import type { BaseSighting } from './base-sighting.ts';
import { imageEnvironment } from './environment-rules.ts';
import type { ConfigurationRule, Rule } from './rule.ts';
import type { Finding } from './verdict.ts';
import { wildcardMatches } from '../wildcard.ts';

/** How far a `created` may lie in the future before it is no clock's error (milliseconds). */
const CLOCK_SKEW = 24 * 3600 * 1000;

/**
 * What is wrong with an image's configuration under a rule; `base` is the one it is built on, `now` what ages are counted
 * from. Everything but layers and platform is the image's own claim: what it says is how it will be run, except `created`
 * and labels, which nobody has checked.
 */
export function configurationFindings(image: Image, rule: Rule, base: BaseSighting | undefined, now: Instant): readonly Finding[] {
  const { config } = rule;
  return [
    ...userFindings(image, rule),
    ...imageEnvironment(image.config.env, config.environment, base === undefined ? undefined : base.path),
    ...startFindings('entrypoint', image.config.entrypoint, config.entrypoint, base?.entrypoint),
    ...listedFindings('volumes', 'volume', image.config.volumes, config.volumes ?? 'none'),
    ...listedFindings('ports', 'port', image.config.exposedPorts, config.ports ?? 'any'),
    ...(config.healthcheck === 'none' && image.config.healthcheck.some((word) => word !== 'NONE')
      ? [finding('healthcheck', 'the image has a health check, which this rule does not allow; build it with HEALTHCHECK NONE')]
      : []),
    ...labelFindings(image.config.labels, config.labels),
    ...sizeFindings(image, config),
    ...ageFindings(image.created, config.maxAge, now),
  ];
}

/**
 * What is wrong with the words that would run: the request's, or the image's where the request gives none. An entrypoint of the
 * request's takes the image's command away with its entrypoint.
 */
export function commandFindings(image: Image, { command: asked, entrypoint }: Pick<Task, 'command' | 'entrypoint'>, rule: Rule, base: BaseSighting | undefined): readonly Finding[] {
  const { config } = rule;
  const command = asked.length > 0 || entrypoint !== undefined ? asked : image.config.command;
  const replaced = entrypoint === undefined ? [] : startFindings('entrypoint', entrypoint, config.entrypoint, base?.entrypoint).map((one) => ({ ...one, path: 'entrypoint' }));
  if (replaced.length > 0) return replaced;
  if (config.entrypointOrCommand === 'required' && (entrypoint ?? image.config.entrypoint).length + command.length === 0) {
    return [{ code: 'image.command', path: 'command', text: 'the image says nothing of what to run; give a command, or build it with CMD or ENTRYPOINT' }];
  }
  const path = asked.length > 0 ? 'command' : 'image';
  return startFindings('command', command, config.command, base?.command).map((one) => ({ ...one, path }));
}

/** `uid:gid` that a container runs as; of a rule that keeps the image's own user, only after userFindings found nothing. */
export function userFor(image: Image, rule: Rule, site: string): string {
  if (rule.user !== 'image') return rule.user ?? site;
  const [uid = '', gid = uid] = image.config.user.split(':');
  return `${uid}:${gid}`;
}

function userFindings(image: Image, { config, user }: Rule): Finding[] {
  if (config.user !== 'numeric-non-root' && user !== 'image') return [];
  // A name is looked up in the image's own /etc/passwd, where it may well be 0.
  const [uid] = /^\d{1,9}(?=(?::\d{1,9})?$)/.exec(image.config.user) ?? [];
  if (uid !== undefined && Number(uid) !== 0) return [];
  return [finding('user', `the image's user is ${quoted(image.config.user)}; build it with a numeric one that is not 0, such as USER 1000:1000`)];
}

function startFindings(
  what: 'entrypoint' | 'command',
  words: readonly string[],
  rule: ConfigurationRule['entrypoint'],
  ofBase: readonly string[] | undefined,
): Finding[] {
  const instruction = what === 'entrypoint' ? 'ENTRYPOINT' : 'CMD';
  if (rule === undefined || rule === 'any') return [];
  if (rule === 'required') return words.length > 0 ? [] : [finding(what, `the image has no ${what}; build it with ${instruction}`)];
  if (rule === 'none') return words.length === 0 ? [] : [finding(what, `the ${what} is ${shown(words)}; this rule takes images without ${instruction} only`)];
  // Without a base the image is refused for that already.
  if (rule === 'as-base' && ofBase === undefined) return [];
  const accepted = rule === 'as-base' ? [ofBase ?? []] : rule;
  if (accepted.some((one) => same(one, words))) return [];
  return [finding(what, `the ${what} is ${shown(words)}; this rule takes only ${accepted.slice(0, 3).map(shown).join(' or ')}`)];
}

function listedFindings(what: 'volumes' | 'ports', word: string, given: readonly string[], rule: 'any' | 'none' | readonly string[]): Finding[] {
  if (rule === 'any') return [];
  const extra = given.filter((one) => rule === 'none' || !rule.includes(one));
  return extra.map((one) => finding(what, `the image declares the ${word} ${quoted(one)}, which this rule does not allow; build it without`));
}

function labelFindings(labels: Readonly<Record<string, string>>, rule: ConfigurationRule['labels']): Finding[] {
  const findings: Finding[] = [];
  for (const [name, pattern] of Object.entries(rule?.required ?? {})) {
    const value = Object.hasOwn(labels, name) ? labels[name] : undefined;
    if (value !== undefined && wildcardMatches(pattern, value)) continue;
    const has = value === undefined ? 'has no label' : `has ${quoted(value)} for the label`;
    findings.push(finding('labels', `the image ${has} ${quoted(name)}; this rule needs ${quoted(pattern)} there`));
  }
  for (const name of Object.keys(labels)) {
    if (!rule?.forbidden?.some((pattern) => wildcardMatches(pattern, name))) continue;
    findings.push(finding('labels', `the image has the label ${quoted(name)}, which this rule does not allow; build it without`));
  }
  return findings;
}

function sizeFindings(image: Image, { maxSize, maxLayers, architectures }: ConfigurationRule): Finding[] {
  const findings: Finding[] = [];
  const size = maxSize === undefined ? undefined : parseSize(maxSize);
  if (size !== undefined && image.size > size) {
    findings.push(finding('size', `the image's layers have ${formatSize(image.size)}; this rule takes ${formatSize(size)} at most`));
  }
  if (maxLayers !== undefined && image.diffIds.length > maxLayers) {
    findings.push(finding('layers', `the image has ${String(image.diffIds.length)} layers; this rule takes ${String(maxLayers)} at most`));
  }
  if (architectures !== undefined && !architectures.includes(image.platform.architecture)) {
    findings.push(finding('architecture', `the image is for ${quoted(image.platform.architecture)}; this rule takes ${architectures.join(', ')}`));
  }
  return findings;
}

function ageFindings(created: Instant | undefined, maxAge: string | undefined, now: Instant): Finding[] {
  const seconds = maxAge === undefined ? undefined : parseDuration(maxAge);
  if (seconds === undefined) return [];
  if (created === undefined) return [finding('age', 'the image does not say when it was created; build it with a date')];
  if (created > now + CLOCK_SKEW) return [finding('age', 'the image says it was created in the future; build it with the true date')];
  if (now - created <= seconds * 1000) return [];
  return [finding('age', `the image says it was created on ${new Date(created).toISOString().slice(0, 10)}; this rule takes nothing older than ${formatDuration(seconds)}: build it anew`)];
}

/** `image.` and what of the image is wrong. */
type Member = 'user' | 'entrypoint' | 'command' | 'volumes' | 'ports' | 'healthcheck' | 'labels' | 'size' | 'layers' | 'architecture' | 'age';

function finding(member: Member, text: string): Finding {
  return { code: `image.${member}`, path: 'image', text };
}

function same(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((word, i) => word === other[i]);
}

function shown(words: readonly string[]): string {
  return quoted(words.join(' '));
}
