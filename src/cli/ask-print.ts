import type { Branch } from '../planner/question.ts';
import { branchAt, branchesAt, type OfferedInterface, type PlannerAnswer, textAt } from './ask-planner.ts';
import { printable } from './ask-session.ts';

/** An answer for a person; ends with a line end. */
export function printAnswer(answer: PlannerAnswer): string {
  const { info, interfaces, resources, word } = answer;
  const decision = branchAt(info, 'decision');
  const base = branchAt(decision, 'base');
  const maybe = branchAt(info, 'maybe');
  const template = textAt(branchAt(maybe, 'template'), 'content');
  const lines = [
    interfaces.length === 0 ? word : `${word}  ${interfaces.map(where).join('\n     ')}`,
    ...branchesAt(info, 'reasons').map(reason),
    ...labelled('digest', textAt(decision, 'digest')),
    ...labelled('built on', textAt(base, 'name') === undefined ? undefined : `${textAt(base, 'name') ?? ''} (${textAt(base, 'digest') ?? ''})`),
    ...labelled('rule', textAt(decision, 'rule')),
    ...labelled(answer.yes ? 'gets' : 'there is', amounts(Object.keys(resources).length > 0 ? resources : (interfaces[0]?.resources ?? resources))),
    ...labelled('but', textAt(maybe, 'how')),
    ...labelled('fill in', branchesAt(maybe, 'parameters').map((parameter) => textAt(parameter, 'name') ?? '').join(', ')),
    ...branchesAt(info, 'warnings').map((warning) => `     warning   ${placed(warning)}`),
    ...(template === undefined ? [] : ['', template.replace(/\n+$/, '')]),
  ];
  return lines.map((line) => `${line.split('\n').map(printable).join('\n')}\n`).join('');
}

function where({ servicetype, serviceinfo }: OfferedInterface): string {
  return `${servicetype} at ${textAt(serviceinfo, 'endpoint') ?? '(no endpoint)'}`;
}

function reason(branch: Branch): string {
  const by = [textAt(branch, 'code'), textAt(branch, 'rule') === undefined ? undefined : `rule ${textAt(branch, 'rule') ?? ''}`].filter((part) => part !== undefined);
  return `     ${placed(branch)}${by.length === 0 ? '' : ` (${by.join(', ')})`}`;
}

/** The text after its path, which many begin with themselves. */
function placed(branch: Branch): string {
  const [path, text] = [textAt(branch, 'path') ?? '', textAt(branch, 'text') ?? ''];
  return path === '' || text.startsWith(path) ? text : `${path}: ${text}`;
}

function labelled(label: string, text: string | undefined): readonly string[] {
  return text === undefined || text === '' ? [] : [`     ${label.padEnd(10)}${text}`];
}

/** `cores 1, memory 512M, startup PT30S to PT2M`. */
function amounts(resources: Branch): string {
  return ['cores', 'memory', 'store', 'startup', 'duration']
    .flatMap((kind) => {
      const [min, max] = [textAt(resources, `min${kind}`), textAt(resources, `max${kind}`)];
      if (min === undefined && max === undefined) return [];
      if (min === undefined) return [`${kind} up to ${max ?? ''}`];
      return [`${kind} ${max === undefined || max === min ? min : `${min} to ${max}`}`];
    })
    .join(', ');
}
