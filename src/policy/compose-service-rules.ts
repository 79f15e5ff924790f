import { constants } from 'node:os';
import type { ComposeService, Said } from '../compose/compose-file.ts';
import { formatPlatform, normalisePlatform, type Platform, samePlatform } from '../image/platform.ts';
import type { PinnedTask } from '../task/task.ts';
import type { ComposeKnobs } from './compose-knobs.ts';
import { type ComposeFindings, quoted } from './compose-refusal.ts';
import { MOST_RESTARTS, restartOf } from './compose-restart.ts';
import { CLEAN_PATH } from './compose-volume-rules.ts';

/** RFC 1123, with the underscore that Compose takes. */
const HOST_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$/;
const DOMAIN = /^(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?)*$/;
const USER = /^[1-9]\d{0,8}:\d{1,9}$/;
/** Labels that programs on the host act on. */
const ACTED_ON = /^(?:com\.docker\.|io\.docker\.|org\.dockerproject\.|org\.opencontainers\.|traefik\.|com\.centurylinklabs\.|autoheal|ofelia\.|pratique\.|desktop\.|caddy)/i;
const MOST_LABELS = 100;
const LONGEST_LABEL = 4096;

/** Least and most; milliseconds, and failures in a row. A health check is a process that runs for as long as the job does. */
export const HEALTH_LIMITS = { interval: [1000, 3_600_000], timeout: [1000, 600_000], startPeriod: [0, 3_600_000], retries: [0, 100] } as const;
/** Milliseconds between the signal to stop and the end by force. */
const LONGEST_GRACE = 60_000;

/** What is wrong with a service but for its mounts, networks and resources. `platform` is the site's. */
export function serviceRules(service: ComposeService, knobs: ComposeKnobs, platform: Platform, findings: ComposeFindings): void {
  capabilityRules(service, knobs, findings);
  for (const option of service.securityOptions) {
    if (!/^no-new-privileges(?:[:=]true)?$/i.test(option.value)) findings.drop(option, `${quoted(option.value)} lifts a protection; only no-new-privileges:true is taken`);
  }
  only(service.cgroup, ['private'], findings);
  only(service.ipc, ['private', 'shareable', 'none'], findings);
  only(service.pid, [], findings);
  identityRules(service, knobs, platform, findings);
  labelRules(service, findings);
  healthRules(service, findings);
  restartRule(service, findings);
  stopRules(service, findings);
  for (const place of service.gpus) findings.drop(place, 'this site gives no devices to compose files; leave it out');
}

/** Warns of what a service says and what every container here is otherwise. `task`: as judged. */
export function unactedRules({ init, ipc, readOnly, stdinOpen, tty }: ComposeService, { relaxed }: PinnedTask, findings: ComposeFindings): void {
  const unacted = (said: Said<unknown> | undefined, why: string): void => {
    if (said !== undefined) findings.warn(said, `is not acted on: ${why}`);
  };
  if (readOnly?.value === false && relaxed?.writableRoot !== true) unacted(readOnly, 'the root file system can be written only where the rule of the image says so; write to /tmp, /work, /output or a volume');
  if (init?.value === false) unacted(init, 'every service has an init, and is not process 1');
  if (ipc?.value === 'none') unacted(ipc, 'every service has shared memory of its own');
  if (tty?.value === true) unacted(tty, 'there is no terminal');
  if (stdinOpen?.value === true) unacted(stdinOpen, 'nobody is there to type: what reads its input comes to the end of it at once');
}

function capabilityRules(service: ComposeService, knobs: ComposeKnobs, findings: ComposeFindings): void {
  const allowed: readonly string[] = knobs.capabilities;
  for (const capability of service.capabilitiesAdded) {
    if (allowed.includes(capabilityName(capability.value))) continue;
    const listed = allowed.length === 0 ? 'this site gives none' : `this site gives ${allowed.join(', ')}`;
    findings.drop(capability, `the capability ${quoted(capability.value)} is not given to jobs; ${listed}`);
  }
  for (const capability of service.capabilitiesDropped) {
    if (!/^[A-Z_]{1,40}$/.test(capabilityName(capability.value))) findings.drop(capability, `${quoted(capability.value)} is no capability`);
  }
}

/** `CAP_NET_RAW`, `net_raw` and `NET_RAW` are one. */
export function capabilityName(text: string): string {
  return text.toUpperCase().replace(/^CAP_/, '');
}

function only(said: Said<string> | undefined, values: readonly string[], findings: ComposeFindings): void {
  if (said === undefined || values.includes(said.value)) return;
  const instead = values.length === 0 ? 'leave it out' : `leave it out, or write ${values.join(' or ')}`;
  findings.drop(said, `${quoted(said.value)} would share what belongs to the host or to another container; ${instead}`);
}

function identityRules(service: ComposeService, knobs: ComposeKnobs, platform: Platform, findings: ComposeFindings): void {
  const { workingDirectory, user, hostname, domainName, platform: asked } = service;
  if (workingDirectory !== undefined && workingDirectory.value !== '/' && !CLEAN_PATH.test(workingDirectory.value)) {
    findings.drop(workingDirectory, `${quoted(workingDirectory.value)} is no absolute path`);
  }
  // With the knob at "site", who a container runs as is known once its image was judged; what may never be is known now.
  if (user !== undefined && !USER.test(user.value)) {
    const instead = knobs.user === 'numeric' ? 'write uid:gid in numbers, such as "1000:1000"' : 'leave it out: the site gives every service its user';
    findings.drop(user, `${quoted(user.value)} is root, or a name that may mean root; ${instead}`);
  }
  if (hostname !== undefined && !HOST_NAME.test(hostname.value)) findings.drop(hostname, `${quoted(hostname.value)} is no host name`);
  if (domainName !== undefined && !DOMAIN.test(domainName.value)) findings.drop(domainName, `${quoted(domainName.value)} is no domain name`);
  if (asked !== undefined && !samePlatform(platformOf(asked.value), platform)) {
    findings.drop(asked, `${quoted(asked.value)} is not what this site runs, which is ${formatPlatform(platform)}; leave it out`);
  }
}

function platformOf(text: string): Platform {
  const [os = '', architecture = '', variant = '', ...more] = text.split('/');
  return normalisePlatform(more.length > 0 ? {} : { os, architecture, variant });
}

function labelRules(service: ComposeService, findings: ComposeFindings): void {
  for (const [name, said] of service.labels) {
    if (ACTED_ON.test(name)) findings.drop(said, `other programs on the host act on the label ${quoted(name)}; leave it out`);
    else if (name.length + (said.value ?? '').length > LONGEST_LABEL) findings.drop(said, `a label has ${String(LONGEST_LABEL)} characters at most`);
  }
  if (service.labels.size > MOST_LABELS) findings.refuse('compose.size', service, `a service has ${String(MOST_LABELS)} labels at most`);
}

function healthRules({ healthcheck }: ComposeService, findings: ComposeFindings): void {
  if (healthcheck === undefined) return;
  const { interval, timeout, startPeriod, retries } = healthcheck;
  const within = (said: Said<number> | undefined, least: number, most: number, unit: string, factor: number): void => {
    if (said === undefined || (said.value >= least && said.value <= most)) return;
    const nearest = said.value < least ? least : most;
    const shown = (value: number): string => `${String(value / factor)}${unit}`;
    findings.refuse('compose.refused-value', said, `must be from ${shown(least)} to ${shown(most)}`, [{ do: 'set', path: said.path, value: unit === '' ? nearest : shown(nearest) }]);
  };
  within(interval, ...HEALTH_LIMITS.interval, 's', 1000);
  within(timeout, ...HEALTH_LIMITS.timeout, 's', 1000);
  within(startPeriod, ...HEALTH_LIMITS.startPeriod, 's', 1000);
  within(retries, ...HEALTH_LIMITS.retries, '', 1);
}

function restartRule({ restart }: ComposeService, findings: ComposeFindings): void {
  if (restart === undefined || restart.value === 'no') return;
  const said = restartOf(restart.value);
  if (said === undefined) {
    findings.drop(restart, `${quoted(restart.value)} is no restart policy; write "no", always, unless-stopped or on-failure`);
  } else if (said.most > MOST_RESTARTS) {
    const most = `on-failure:${String(MOST_RESTARTS)}`;
    findings.refuse('compose.refused-value', restart, `must be ${most} at most`, [{ do: 'set', path: restart.path, value: most }]);
  }
}

function stopRules({ stopSignal, stopGracePeriod }: ComposeService, findings: ComposeFindings): void {
  if (stopSignal !== undefined && !isSignal(stopSignal.value)) findings.drop(stopSignal, `${quoted(stopSignal.value)} is no signal; write one such as SIGTERM`);
  if (stopGracePeriod !== undefined && stopGracePeriod.value > LONGEST_GRACE) {
    const most = `${String(LONGEST_GRACE / 1000)}s`;
    findings.refuse('compose.refused-value', stopGracePeriod, `must be ${most} at most`, [{ do: 'set', path: stopGracePeriod.path, value: most }]);
  }
}

/** By name, with or without SIG, or by number. */
function isSignal(text: string): boolean {
  if (/^\d{1,2}$/.test(text)) return Number(text) >= 1 && Number(text) <= 64;
  const name = text.toUpperCase();
  return Object.hasOwn(constants.signals, name) || Object.hasOwn(constants.signals, `SIG${name}`);
}
