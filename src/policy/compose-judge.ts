import type { Caller } from '../caller.ts';
import type { ComposeFile, ComposeService } from '../compose/compose-file.ts';
import { type ComposeProblem, ComposeUnreadable, type ComposeWarning, formatPath } from '../compose/compose-problem.ts';
import { readCompose, type ReadCompose } from '../compose/read-compose.ts';
import { memberAt } from '../compose/reading.ts';
import { isTemporary } from '../errors.ts';
import type { Platform } from '../image/platform.ts';
import { imagesOf, type PinnedProject } from '../task/project.ts';
import type { PinnedTask } from '../task/task.ts';
import { fileRules, imageVolumeRules } from './compose-file-rules.ts';
import { judgeKeys } from './compose-key-judge.ts';
import type { ComposeKnobs } from './compose-knobs.ts';
import { declarationRules, serviceNetworkRules } from './compose-network-rules.ts';
import { healthTest, mainServices, pinProject } from './compose-pin.ts';
import { projectRules } from './compose-project-rules.ts';
import { ComposeFindings, quoted, variableName } from './compose-refusal.ts';
import { fairShare, resourceRules, shareResources, sizeWarnings } from './compose-resource-rules.ts';
import { judgeService, type JudgeTask, type ServiceVerdict } from './compose-service-judge.ts';
import { secretRules, unusedSecrets } from './compose-secret-rules.ts';
import { serviceRules, unactedRules } from './compose-service-rules.ts';
import { volumeRules } from './compose-volume-rules.ts';
import type { ProjectQuestion } from './policy.ts';
import type { SiteDefaults } from './resource-policy.ts';
import type { ProjectReason } from './verdict.ts';

/** With what a file is judged. */
export interface ComposeBench {
  readonly knobs: ComposeKnobs;
  readonly site: SiteDefaults;
  readonly platform: Platform;
  readonly judge: JudgeTask;
}

/** All that was found of a file. */
export interface FileJudgement {
  /** Absent where the file cannot be read at all. */
  readonly read?: ReadCompose;
  /** What is wrong with the file itself. */
  readonly problems: readonly ComposeProblem[];
  /** What is wrong with its images and what they are run with. */
  readonly reasons: readonly ProjectReason[];
  readonly warnings: readonly ProjectReason[];
  /** What was judged of images, by service. */
  readonly verdicts: ReadonlyMap<string, ServiceVerdict>;
  /** Where nothing is wrong. */
  readonly project?: PinnedProject;
}

/** Judges a file whole. Throws as Policy.evaluate, unless something is wrong already: a no does not become less so by an outage. */
export async function judgeFile(question: ProjectQuestion, bench: ComposeBench, caller: Caller, signal: AbortSignal): Promise<FileJudgement> {
  let read: ReadCompose;
  try {
    read = readCompose(question.file, question.variables);
  } catch (error) {
    if (!(error instanceof ComposeUnreadable)) throw error;
    return { problems: error.problems, reasons: [], warnings: [], verdicts: new Map() };
  }
  const keys = judgeKeys(read.root, bench.knobs);
  const findings = new ComposeFindings();
  const shares = ruleFindings(read.file, bench, findings);
  const given = question.secrets ?? new Set();
  secretRules(read.file, given, findings);
  const unused = read.unused.map((name) => ({ path: [], line: 0, text: `the file does not use the variable ${quoted(name)}` }));
  if (question.service !== undefined && mainServices(read.file, question.service).length === 0) {
    findings.refuse('compose.reference', { path: ['SERVICE'], line: 0 }, 'the file runs no service of that name');
  }
  imagelessServices(read, findings);
  const before = [...read.problems, ...keys.problems, ...findings.problems];
  const tooLarge = before.some(({ code }) => code === 'compose.size');
  const verdicts = tooLarge ? new Map<string, ServiceVerdict>() : await judgeImages(read.file, shares, question, bench, caller, signal, before.length > 0);
  const tasks = acceptedTasks(verdicts);
  taskRules(read.file, tasks, bench.knobs, findings);
  const problems = [...unique([...read.problems, ...keys.problems, ...findings.problems])].sort((a, b) => a.line - b.line);
  const reasons = [...verdicts.values()].flatMap((verdict) => verdict.reasons);
  const warnings = [...[...keys.warnings, ...findings.warnings, ...unused, ...unusedSecrets(read.file, given)].map(warningReason), ...[...verdicts.values()].flatMap((verdict) => verdict.warnings)];
  if (problems.length + reasons.length > 0) return { read, problems, reasons, warnings, verdicts };
  const project = pinProject(read.file, tasks, bench.knobs, mainServices(read.file, question.service));
  return { read, problems, reasons, warnings: [...warnings, ...unusedLogins(question, project)], verdicts, project };
}

function unusedLogins({ logins }: ProjectQuestion, project: PinnedProject): readonly ProjectReason[] {
  const used = new Set(imagesOf(project).map(({ reference }) => reference.domain));
  const unused = (logins?.domains ?? []).filter((domain) => !used.has(domain));
  return unused.map((domain) => warningReason({ path: [], line: 0, text: `no image of the file is from ${domain}, for which a login was given` }));
}

/** Every rule that needs nothing but the file. */
function ruleFindings(file: ComposeFile, { knobs, site, platform }: ComposeBench, findings: ComposeFindings): ReturnType<typeof shareResources> {
  const fair = fairShare(file, site);
  declarationRules(file, findings);
  projectRules(file, knobs, findings);
  for (const service of file.services) {
    serviceRules(service, knobs, platform, findings);
    serviceNetworkRules(service, file, knobs, findings);
    volumeRules(service, file, knobs, site.maximum.memory, findings);
    fileRules(service, file, findings);
    resourceRules(service, knobs, site, fair, findings);
    if (service.command?.value.length === 0) findings.drop(service.command, 'is empty; leave it out for the command of the image');
    if (service.entrypoint?.value.length === 0) findings.drop(service.entrypoint, 'is empty; leave it out for the entrypoint of the image');
  }
  return shareResources(file, site, fair, findings);
}

/** A service whose image would be built, or is still open, was told of already. */
function imagelessServices({ root, file, problems }: ReadCompose, findings: ComposeFindings): void {
  for (const service of file.services) {
    if (service.image !== undefined || memberAt(root, 'services', service.name, 'build') !== undefined) continue;
    const path = [...service.path, 'image'];
    if (problems.some((problem) => formatPath(problem.path) === formatPath(path))) continue;
    const variable = `\${${variableName(service.name)}_IMAGE}`;
    findings.refuse('compose.image', service, 'names no image; write image: and one that this site accepts', [{ do: 'add', path, value: variable }]);
  }
}

async function judgeImages(
  file: ComposeFile, shares: ReturnType<typeof shareResources>, question: ProjectQuestion, bench: ComposeBench, caller: Caller, signal: AbortSignal, isNo: boolean,
): Promise<ReadonlyMap<string, ServiceVerdict>> {
  const judged = file.services.map(async (service): Promise<[string, ServiceVerdict]> => {
    const share = shares.get(service.name) ?? bench.site.resources;
    return [service.name, await judgeService(service, { share, pin: question.pins?.get(service.name), serves: bench.site.endpoints === true, logins: question.logins }, bench.judge, caller, signal)];
  });
  const settled = await Promise.allSettled(judged);
  const verdicts = new Map(settled.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : [])));
  const certain = isNo || [...verdicts.values()].some(({ reasons }) => reasons.length > 0);
  for (const outcome of settled) {
    if (outcome.status === 'rejected' && !(certain && !signal.aborted && isTemporary(outcome.reason))) throw outcome.reason as Error;
  }
  return verdicts;
}

function acceptedTasks(verdicts: ReadonlyMap<string, ServiceVerdict>): ReadonlyMap<string, PinnedTask> {
  return new Map([...verdicts].flatMap(([name, { verdict }]) => (verdict?.accepted === true ? [[name, verdict.task] as const] : [])));
}

/** What can be said only once the images are known. */
function taskRules(file: ComposeFile, tasks: ReadonlyMap<string, PinnedTask>, knobs: ComposeKnobs, findings: ComposeFindings): void {
  for (const service of file.services) {
    const task = tasks.get(service.name);
    if (task !== undefined && service.user !== undefined && knobs.user === 'site' && service.user.value !== task.user) {
      findings.drop(service.user, `the site runs this service as ${task.user}; leave it out`);
    }
    if (task !== undefined) {
      imageVolumeRules(service, file, task.image.config.volumes, findings);
      sizeWarnings(service, task.resources.memory, findings);
      unactedRules(service, task, findings);
    }
    for (const dependency of service.dependsOn) if (dependency.condition === 'service_healthy') healthyRule(file, dependency, tasks, findings);
  }
}

function healthyRule(file: ComposeFile, dependency: ComposeService['dependsOn'][number], tasks: ReadonlyMap<string, PinnedTask>, findings: ComposeFindings): void {
  const target = file.services.find(({ name }) => name === dependency.service);
  const task = tasks.get(dependency.service);
  if (target === undefined || task === undefined || healthTest(target.healthcheck, task) !== undefined) return;
  findings.refuse('compose.reference', dependency, `${quoted(target.name)} can never be healthy: it has no healthcheck; give it one, or wait for service_started`);
}

function warningReason({ path, line, text }: ComposeWarning): ProjectReason {
  return { code: 'compose.warning', path: formatPath(path), line, text };
}

/** What `extends` and `extends.file` say twice is told once. */
function unique(problems: readonly ComposeProblem[]): readonly ComposeProblem[] {
  const seen = new Set<string>();
  return problems.filter(({ code, path, text }) => {
    const key = JSON.stringify([code, path, text]);
    return !seen.has(key) && seen.add(key).size > 0;
  });
}
