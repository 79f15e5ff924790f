import { type ComposeFile, type ComposeService, type ServiceFile, targetOf } from '../compose/compose-file.ts';
import type { Place } from '../compose/compose-node.ts';
import type { ComposeWarning } from '../compose/compose-problem.ts';
import { canBeSecret, LONGEST_SECRET, MOST_SECRETS } from '../task/secret-parameters.ts';
import { SECRETS_FOLDER, SECRETS_SIZE } from '../task/secret-files.ts';
import { runningServices } from './compose-project-rules.ts';
import { type ComposeFindings, quoted } from './compose-refusal.ts';

/** A file directly in the folder, whose name every file system takes. */
const IN_FOLDER = new RegExp(`^${SECRETS_FOLDER}/(?!\\.{1,2}$)[A-Za-z0-9_.-]{1,100}$`);
/** What cannot be there beside the folder: itself, what is in it, and the folder that it is in. */
const COVERS = new RegExp(`^(?:/run|${SECRETS_FOLDER}(?:/.*)?)$`);
const READABLE = 0o444;
/** What a file takes of memory is a multiple of it (bytes). */
const PAGE = 4096;

/** What is wrong with the secrets of a file. `given`: names of those that come with the job. */
export function secretRules(file: ComposeFile, given: ReadonlySet<string>, findings: ComposeFindings): void {
  for (const [name, secret] of file.secrets) {
    const { content, external, elsewhere, path } = secret;
    if (content === undefined && external === undefined && !elsewhere) {
      findings.refuse('compose.form', secret, 'has no value; write content, or external: true', [{ do: 'add', path: [...path, 'external'], value: true }]);
    }
    if (external === undefined) continue;
    if (content !== undefined) findings.drop(external, 'a secret has content, or its value is given with the job; leave one of them out', 'compose.form');
    if (!canBeSecret(name)) findings.refuse('compose.form', external, `no parameter can be called SECRET.${name}; begin the name with a letter`);
  }
  const needed = neededSecrets(file);
  if (needed.size > MOST_SECRETS) findings.refuse('compose.size', { path: ['secrets'], line: 0 }, `a job is given ${String(MOST_SECRETS)} secrets at most, and services use ${String(needed.size)}`);
  for (const [name, use] of needed) {
    const parameter = { name: `SECRET.${name}`, kind: 'secret', secret: true } as const;
    if (!given.has(name)) findings.refuse('compose.missing-secret', use, `the value of the secret is missing; give it with the job, as the parameter SECRET.${name}`, undefined, parameter);
  }
  for (const service of file.services) if (hasFolder(service, file)) folderRules(service, file, findings);
}

/** A warning for each secret that was given and that no service gets. */
export function unusedSecrets(file: ComposeFile, given: ReadonlySet<string>): readonly ComposeWarning[] {
  const needed = neededSecrets(file);
  return [...given].filter((name) => !needed.has(name)).map((name) => ({ path: [], line: 0, text: `no service of the file gets the secret ${quoted(name)}` }));
}

/** Whether this secret's value comes with the job. */
export function isGiven({ kind, source }: ServiceFile, file: ComposeFile): boolean {
  return kind === 'secret' && file.secrets.get(source)?.external !== undefined;
}

/** Those of a service's secrets that it has in memory: all in the folder for secrets, where what an image has there is hidden in any case. */
export function secretsInMemory(service: ComposeService, file: ComposeFile): readonly ServiceFile[] {
  return hasFolder(service, file) ? service.files.filter(isInFolder) : [];
}

/** Whether the service has the folder in memory: the value of one comes with the job, or something is mounted above that would hide all of them. */
function hasFolder(service: ComposeService, file: ComposeFile): boolean {
  return service.files.some((use) => isGiven(use, file)) || (service.files.some(isInFolder) && service.mounts.some(({ target }) => COVERS.test(target)));
}

function isInFolder(use: ServiceFile): boolean {
  return use.kind === 'secret' && IN_FOLDER.test(targetOf(use));
}

/** The secrets whose values have to come with the job, each with the first place that asks for it. */
function neededSecrets(file: ComposeFile): ReadonlyMap<string, Place> {
  const needed = new Map<string, Place>();
  for (const use of runningServices(file).flatMap(({ files }) => files)) if (isGiven(use, file) && !needed.has(use.source)) needed.set(use.source, use);
  return needed;
}

/** What is wrong in and around the folder in memory. */
function folderRules(service: ComposeService, file: ComposeFile, findings: ComposeFindings): void {
  const targets = new Set<string>();
  const inFolder = service.files.filter((use) => isGiven(use, file) || COVERS.test(targetOf(use)));
  for (const use of inFolder) {
    const target = targetOf(use);
    if (use.kind === 'config') findings.refuse('compose.refused-value', use, `cannot be put at ${quoted(target)}, where the service has secrets in memory; give another target`);
    else if (!IN_FOLDER.test(target)) {
      findings.refuse('compose.refused-value', use, `cannot be put at ${quoted(target)}: secrets in memory (all of a service that is given one with the job) are files directly in ${SECRETS_FOLDER}; leave target out, or give a plain name`, [{ do: 'remove', path: [...use.path, 'target'] }]);
    } else if (targets.has(target)) findings.refuse('compose.refused-value', use, `the service has another secret at ${quoted(target)}; give another target`);
    if (use.mode !== undefined && (use.mode & ~READABLE) !== 0) findings.refuse('compose.refused-value', use, 'a secret in memory can be read only; give a mode such as "0440"');
    targets.add(target);
  }
  for (const mount of service.mounts) {
    if (COVERS.test(mount.target) && (mount.readOnly || mount.target !== '/run')) {
      findings.refuse('compose.volume', mount, `cannot be mounted at ${quoted(mount.target)}, where the service has its secrets in memory; give another target`);
    }
  }
  const size = inFolder.reduce((sum, { source }) => sum + Math.ceil(Buffer.byteLength(file.secrets.get(source)?.content?.value ?? 'x'.repeat(LONGEST_SECRET)) / PAGE) * PAGE, 0);
  if (size > SECRETS_SIZE) findings.refuse('compose.size', service, `its secrets in ${SECRETS_FOLDER} could be larger than ${String(SECRETS_SIZE)} bytes together`);
}
