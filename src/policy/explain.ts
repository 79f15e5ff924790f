import type { Image } from '../image/image.ts';
import { formatReference } from '../image/reference.ts';
import type { Task } from '../task/task.ts';
import { formatSize } from '../task/units.ts';
import type { Check, Judgement } from './judgement.ts';
import type { NameOutcome } from './name-rules.ts';

/** How a verdict came about, rule by rule and check by check, in lines for a terminal. */
export function explain(task: Task, { verdict, names, checks, image }: Judgement): readonly string[] {
  const { decision } = verdict;
  const lines = [
    `image     ${formatReference(task.image)}`,
    ...(image === undefined ? [] : imageLines(image)),
    `policy    ${decision.policy}`,
    'rules',
    ...names.map(nameLine),
    ...(names.some(({ outcome }) => outcome === 'decides') ? [] : ['  (none takes this image from this caller)']),
    ...(checks.length === 0 ? [] : [`checks of rule ${decision.rule}`, ...checks.flatMap(checkLines)]),
  ];
  if (!verdict.accepted) {
    return [...lines, `answer    NO (rule ${decision.rule})`, ...verdict.reasons.map(({ code, path, text }) => `  ${code}${path === 'image' ? '' : ` (${path})`}: ${text}`)];
  }
  const { resources, user } = verdict.task;
  return [
    ...lines,
    `answer    YES (rule ${decision.rule})`,
    `  would run ${verdict.task.image.manifestDigest}`,
    `  as user ${user} with ${String(resources.cores)} cores and ${formatSize(resources.memory)} of memory`,
    ...(decision.relaxed === undefined ? [] : [`  relaxed by the rule: ${decision.relaxed.join(', ')}`]),
  ];
}

function imageLines(image: Image): string[] {
  return [
    ...(image.indexDigest === undefined ? [] : [`  index     ${image.indexDigest}`]),
    `  manifest  ${image.manifestDigest}`,
    `  config    ${image.configDigest}`,
    `  layers    ${String(image.diffIds.length)}, ${formatSize(image.size)} compressed`,
  ];
}

function nameLine({ rule, outcome }: NameOutcome): string {
  const says = { 'other images': 'is for other images', 'other callers': 'is for other callers', decides: 'decides' }[outcome];
  return `  ${rule}: ${says}`;
}

function checkLines({ check, refusals, warnings, note }: Check): string[] {
  const word = refusals.length > 0 ? 'NO     ' : warnings.length > 0 ? 'warning' : 'ok     ';
  return [
    `  ${word} ${check}${note === undefined ? '' : `: ${note}`}`,
    ...[...refusals, ...warnings].map(({ code, text }) => `            ${code}: ${text}`),
  ];
}
