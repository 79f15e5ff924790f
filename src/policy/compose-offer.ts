import { type ComposeParameter, type ComposeProblem, type Edit, formatPath } from '../compose/compose-problem.ts';
import { secretFileOf } from '../task/secret-parameters.ts';
import { editFile } from './compose-edit.ts';
import type { FileJudgement } from './compose-judge.ts';
import type { ProjectQuestion } from './policy.ts';
import type { ProjectOffer, ProjectParameter } from './verdict.ts';

/** Corrections can bring other things to light: a volume that is now declared, a reservation above the new limit. */
const MOST_ROUNDS = 4;
/** Stands for what a client will fill in, while the corrected file is judged. */
const SAMPLE = 'sample';

/** Judges a file without leaving a record: nobody has asked for it. */
export type Rejudge = (question: ProjectQuestion) => Promise<FileJudgement>;

/**
 * The file that would be accepted in the place of one that was not, if changes and parameters are all that stands in the way: it
 * was judged like any other, with a sample for every text that is to be filled in, and nothing is wrong with it but the images that
 * are to be named. Undefined where there is none.
 */
export async function offerFor(question: ProjectQuestion, first: FileJudgement, rejudge: Rejudge): Promise<ProjectOffer | undefined> {
  const changes: ProjectOffer['changes'][number][] = [];
  let [file, judgement] = [question.file, first];
  for (let round = 1; round <= MOST_ROUNDS; round += 1) {
    const { read, problems, reasons } = judgement;
    const parameters = parametersOf(problems);
    if (read === undefined || reasons.length > 0 || parameters === undefined) return undefined;
    const wrong = problems.filter(({ code }) => code !== 'compose.missing-variable' && code !== 'compose.missing-secret');
    if (wrong.length === 0) return (await holds({ ...question, file }, parameters, rejudge)) ? { file, changes, parameters } : undefined;
    const edits: Edit[] = [];
    for (const problem of wrong) {
      if (problem.edits === undefined) return undefined;
      edits.push(...problem.edits);
      changes.push({ path: formatPath(problem.path), text: problem.text });
    }
    const edited = editFile(file, read.document, edits);
    if (edited === undefined || edited === file) return undefined;
    file = edited;
    judgement = await rejudge({ ...question, file });
  }
  return undefined;
}

/** Whether the file is accepted once its parameters are filled in. */
async function holds(question: ProjectQuestion, parameters: readonly ProjectParameter[], rejudge: Rejudge): Promise<boolean> {
  const samples = parameters.filter(({ kind }) => kind === 'text').map(({ name }) => [name, SAMPLE] as const);
  const secrets = parameters.filter(({ kind }) => kind === 'secret').map(({ name }) => secretFileOf(name));
  const filled = { ...question, variables: new Map([...question.variables, ...samples]), secrets: new Set([...(question.secrets ?? []), ...secrets]) };
  const { problems, reasons } = await rejudge(filled);
  return reasons.length === 0 && problems.every((problem) => problem.parameter?.kind === 'image');
}

/** The variables and secrets to be given; undefined where one of them is part of something that can be judged only once it is known. */
function parametersOf(problems: readonly ComposeProblem[]): readonly ProjectParameter[] | undefined {
  const byName = new Map<string, ProjectParameter>();
  for (const { parameter } of problems) {
    if (parameter === undefined) continue;
    const { name, kind, secret } = parameter;
    const known = byName.get(name);
    if (!isOfferable(kind) || (known !== undefined && known.kind !== kind)) return undefined;
    byName.set(name, { name, kind, secret });
  }
  return [...byName.values()];
}

function isOfferable(kind: ComposeParameter['kind']): kind is ProjectParameter['kind'] {
  return kind !== 'other';
}
