import type { ComposeFile, ComposeService, ServiceMount } from '../compose/compose-file.ts';
import type { Edit, Written } from '../compose/compose-problem.ts';
import { formatSize } from '../task/units.ts';
import type { ComposeKnobs } from './compose-knobs.ts';
import { type ComposeFindings, quoted, variableName } from './compose-refusal.ts';

/** A path that means what it says: absolute, no empty, `.` or `..` parts, nothing that a mount's own syntax uses. */
export const CLEAN_PATH = /^(?:\/(?!\.{1,2}(?:\/|$))[^/\p{C}\p{Zl}\p{Zp},:;"'\\$]{1,255}){1,16}$/u;
/** Below these the sandbox relies on what the engine puts there. */
export const NO_MOUNTS = /^\/(?:proc|sys|dev)(?:\/|$)/;
/** Files that the engine writes for each container, and the key that says what is in them. */
export const ENGINE_FILES: ReadonlyMap<string, string> = new Map([['/etc/hosts', 'extra_hosts'], ['/etc/hostname', 'hostname'], ['/etc/resolv.conf', 'dns_search and dns_opt']]);
/** Folders of the host that no program should be given a copy of either. */
const SYSTEM = /^(?:[A-Za-z]:)?[\\/](?:$|(?:proc|sys|dev|etc|boot|root|run|lib|lib64|usr|bin|sbin|var\/run|var\/lib\/docker)(?:\/|$))|^~\/?$|docker\.sock|^\\\\|\/\.\.?\/|^\.\.?\/?$/;
/** A file, by its name: what it holds can be given as a config. */
const FILE = /^[^/]*[^/.][^/]*\.[A-Za-z][A-Za-z0-9]{0,9}$/;
const HARMLESS_OPTIONS: ReadonlySet<string> = new Set(['nocopy', 'cached', 'delegated', 'consistent']);
const HARMLESS_TMPFS_OPTIONS: ReadonlySet<string> = new Set(['noexec', 'nosuid', 'nodev']);
const PERMISSIONS = 0o1777;
const OUTPUT = '/output';
/** Folders that no image has anything in, by what the sandbox puts there. */
const EMPTY = /^\/(?:tmp|work|output)(?:\/|$)/;

/** What is wrong with the mounts of one service. `mostMemory`: bytes that a tmpfs can have at most. */
export function volumeRules(service: ComposeService, file: ComposeFile, knobs: ComposeKnobs, mostMemory: number, findings: ComposeFindings): void {
  for (const mount of service.mounts) {
    targetRule(mount, findings);
    if (mount.type === 'tmpfs') memoryRule(mount, service, findings);
    if (mount.type === 'tmpfs') tmpfsRule(mount, mostMemory, findings);
    else if (mount.type === 'volume') volumeRule(mount, file, knobs, findings);
    else if (mount.type === 'bind') findings.refuse('compose.bind-mount', mount, bindText(mount), bindEdits(service, mount));
    else findings.drop(mount, `a mount of type ${mount.type} reaches beyond the job; use a named volume`, 'compose.volume');
  }
}

function targetRule(mount: ServiceMount, findings: ComposeFindings): void {
  if (CLEAN_PATH.test(mount.target) && !NO_MOUNTS.test(mount.target)) return;
  findings.refuse('compose.volume', mount, `cannot be mounted at ${quoted(mount.target)}; give an absolute path, not below /proc, /sys or /dev`);
}

/** What is written to memory is gone with the container. */
function memoryRule(mount: ServiceMount, { mounts }: ComposeService, findings: ComposeFindings): void {
  const { target } = mount;
  if (mounts.some((other) => other !== mount && other.target === target)) findings.drop(mount, `the service mounts a volume at ${quoted(target)} too; leave one of them out`, 'compose.volume');
  else if (target === OUTPUT) findings.drop(mount, 'what services write to /output is their result, which memory would not keep; leave it out', 'compose.volume');
  else if (target.startsWith(`${OUTPUT}/`)) findings.warn(mount, `is memory: what is written to ${quoted(target)} is not collected`);
}

function tmpfsRule(mount: ServiceMount, mostMemory: number, findings: ComposeFindings): void {
  const strange = mount.options.filter((option) => !HARMLESS_TMPFS_OPTIONS.has(option));
  const plain: Edit[] = [{ do: 'set', path: mount.path, value: mount.target }];
  if (strange.length > 0) findings.refuse('compose.refused-value', mount, `the option ${quoted(strange[0] ?? '')} of a tmpfs is not taken; give size and mode only`, plain);
  if (mount.source !== '') findings.drop(mount, 'a tmpfs has no source');
  if (mount.size !== undefined && !(mount.size > 0 && mount.size <= mostMemory)) {
    findings.refuse('compose.refused-value', mount, `a tmpfs can have ${formatSize(mostMemory)} at most, since it is memory`, plain);
  }
  if (mount.mode !== undefined && (mount.mode & ~PERMISSIONS) !== 0) findings.refuse('compose.refused-value', mount, 'the mode of a tmpfs has permission bits only', plain);
}

function volumeRule(mount: ServiceMount, file: ComposeFile, knobs: ComposeKnobs, findings: ComposeFindings): void {
  const strange = mount.options.find((option) => !HARMLESS_OPTIONS.has(option));
  const rewritten: Edit[] = [{ do: 'set', path: mount.path, value: shortSyntax(mount.source, mount) }];
  if (strange !== undefined) findings.refuse('compose.volume', mount, `the option ${quoted(strange)} reaches the host's own files; leave it out`, rewritten);
  const isShared = file.volumes.get(mount.source)?.external !== undefined;
  if (!isShared && !mount.options.includes('nocopy') && !EMPTY.test(mount.target)) {
    findings.warn(mount, `begins empty: what the image has at ${quoted(mount.target)} is not copied into it; say nocopy where that is meant`);
  }
  if (mount.source === '') return;
  const volume = file.volumes.get(mount.source);
  if (volume === undefined) {
    const named = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/.test(mount.source);
    const text = `${quoted(mount.source)} is no volume of the file; declare it under volumes`;
    findings.refuse('compose.reference', mount, text, named ? [{ do: 'add', path: ['volumes', mount.source], value: null }] : undefined);
  } else if (volume.external !== undefined && knobs.volumes.includes(volume.external.value) && !mount.readOnly) {
    findings.refuse('compose.volume', mount, 'shared data can be mounted read-only; write :ro behind it', [{ do: 'set', path: mount.path, value: `${shortSyntax(mount.source, mount)}:ro` }]);
  }
}

function bindText({ source, target }: ServiceMount): string {
  if (/docker\.sock/.test(source)) return 'the socket of the engine gives the host away; leave it out';
  const what = `${quoted(source)} is a path of the host, which no job sees`;
  if (SYSTEM.test(source)) return `${what}; leave it out`;
  const key = ENGINE_FILES.get(target);
  if (key !== undefined) return `${what}; the engine writes ${target}: use ${key}`;
  const at = CLEAN_PATH.test(target) ? target : '/data';
  if (FILE.test(baseName(source))) return `${what}; for a file write a config with content, and its target ${at}`;
  return `${what}; use a named volume, such as "${nameFor(source, target)}:${at}", which begins empty`;
}

/** A folder becomes a named volume, a file a config whose content is a variable of the request; what is the system's goes. */
function bindEdits(service: ComposeService, mount: ServiceMount): readonly Edit[] {
  const name = nameFor(mount.source, mount.target);
  const removed: Edit = { do: 'remove', path: mount.path };
  if (SYSTEM.test(mount.source) || !CLEAN_PATH.test(mount.target) || ENGINE_FILES.has(mount.target)) return [removed];
  if (!FILE.test(baseName(mount.source))) {
    return [{ do: 'set', path: mount.path, value: shortSyntax(name, mount) + (mount.readOnly ? ':ro' : '') }, { do: 'add', path: ['volumes', name], value: null }];
  }
  const use: Written = { source: name, target: mount.target };
  // where the service stands in the file, not the one that extends it
  const owner = mount.path.slice(0, 2);
  return [
    removed,
    { do: 'append', path: owner.length === 2 ? [...owner, 'configs'] : ['services', service.name, 'configs'], value: use },
    { do: 'add', path: ['configs', name], value: { content: `\${${variableName(name)}}` } },
  ];
}

/** By the whole path: the same folder in two services is one volume, two files of one name are two configs. */
function nameFor(source: string, target: string): string {
  const base = partsOf(source).join('_') || partsOf(target).join('_');
  const name = base.replace(/[^A-Za-z0-9_.-]/g, '').replace(/^[^A-Za-z0-9]+/, '').slice(0, 60).toLowerCase();
  if (name === '' || ['__proto__', 'constructor', 'prototype'].includes(name)) return 'data';
  // `x:/data` is a path of Windows to Compose
  return name.length === 1 ? `volume_${name}` : name;
}

function baseName(path: string): string {
  return partsOf(path).at(-1) ?? '';
}

function partsOf(path: string): readonly string[] {
  return path.split(/[\\/]/).filter((part) => !['', '.', '..', '~'].includes(part));
}

function shortSyntax(source: string, { target }: ServiceMount): string {
  return source === '' ? target : `${source}:${target}`;
}
