import { type ComposeFile, type ComposeService, type ServiceFile, targetOf } from '../compose/compose-file.ts';
import { type ComposeFindings, quoted } from './compose-refusal.ts';
import { secretsInMemory } from './compose-secret-rules.ts';
import { CLEAN_PATH, ENGINE_FILES, NO_MOUNTS } from './compose-volume-rules.ts';

/** Folders that every container has of its own. */
const FOLDERS: readonly string[] = ['/tmp', '/work', '/output'];
const READ_AND_EXECUTE = 0o555;

/**
 * What is wrong with the configs and secrets of one service. They become files of its image, so whatever is mounted at or above them
 * would hide them, and the service would run without them.
 */
export function fileRules(service: ComposeService, file: ComposeFile, findings: ComposeFindings): void {
  for (const use of service.files) fileRule(use, file, findings);
  const folders = [...FOLDERS, ...service.mounts.map(({ target }) => target)];
  hidingRule(service, file, folders, findings);
  const files = inImage(service, file);
  for (const [i, use] of files.entries()) {
    const other = files.slice(0, i).find((before) => contains(targetOf(before), targetOf(use)) || contains(targetOf(use), targetOf(before)));
    if (other !== undefined) findings.refuse('compose.refused-value', use, `cannot be put at ${quoted(targetOf(use))}, since the service has another file at ${quoted(targetOf(other))}; give another target`);
  }
}

/** What the image declares as its volumes are empty folders of the container's: files there would be hidden too. */
export function imageVolumeRules(service: ComposeService, file: ComposeFile, volumes: readonly string[], findings: ComposeFindings): void {
  hidingRule(service, file, volumes.map((path) => path.replace(/\/+$/, '')), findings);
}

function fileRule(use: ServiceFile, file: ComposeFile, findings: ComposeFindings): void {
  const place = `${use.kind}s`;
  if (!(use.kind === 'config' ? file.configs : file.secrets).has(use.source)) {
    findings.refuse('compose.reference', use, `${quoted(use.source)} is no ${use.kind} of the file; declare it under ${place}, with its content${use.kind === 'secret' ? ' or external: true' : ''}`);
  }
  const target = targetOf(use);
  if (!CLEAN_PATH.test(target) || NO_MOUNTS.test(target)) findings.refuse('compose.refused-value', use, `cannot be put at ${quoted(target)}; give an absolute path`);
  const key = ENGINE_FILES.get(target);
  if (key !== undefined) findings.drop(use, `would be hidden at ${quoted(target)}, which the engine writes; use ${key}`);
  if ([use.uid, use.gid].some((id) => id !== undefined && !(id >= 0 && id < 2 ** 31))) findings.refuse('compose.refused-value', use, 'uid and gid are numbers from 0');
  if (use.mode !== undefined && (use.mode & ~READ_AND_EXECUTE) !== 0) findings.refuse('compose.refused-value', use, `a ${use.kind} can be read and executed only; give a mode such as "0440"`);
}

function hidingRule(service: ComposeService, file: ComposeFile, folders: readonly string[], findings: ComposeFindings): void {
  for (const use of inImage(service, file)) {
    const target = targetOf(use);
    const folder = folders.find((each) => contains(each, target));
    if (folder !== undefined) findings.refuse('compose.refused-value', use, `would be hidden at ${quoted(target)}, since the container has a folder of its own at ${quoted(folder)}; give a target outside of it`);
  }
}

/** Those that are not in memory, in a folder that lies above all others. */
function inImage(service: ComposeService, file: ComposeFile): readonly ServiceFile[] {
  const inMemory = secretsInMemory(service, file);
  return service.files.filter((use) => !inMemory.includes(use));
}

function contains(folder: string, path: string): boolean {
  return `${path}/`.startsWith(`${folder}/`);
}
