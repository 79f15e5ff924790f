import { z } from 'zod';
import type { Caller } from '../caller.ts';
import { GatewayError } from '../errors.ts';
import { parseReference } from '../image/reference.ts';
import type { Task } from '../task/task.ts';
import { parseSize } from '../task/units.ts';
import { PolicyInvalid } from './policy-file.ts';
import type { Verdict } from './verdict.ts';

const expectation = z.strictObject({
  image: z.string().refine(isReference, 'is not an image reference'),
  answer: z.enum(['yes', 'no']),
  rule: z.string().optional().meta({ description: 'Name of the rule that must decide; "none" = no rule does.' }),
  reasons: z.array(z.string()).min(1).optional().meta({ description: 'Codes that must be among the reasons of a no.' }),
  base: z.string().optional().meta({ description: 'Name of the base that must be found.' }),
  caller: z.strictObject({ id: z.string().optional(), groups: z.array(z.string()).optional() }).optional(),
  command: z.array(z.string()).optional(),
  env: z.record(z.string(), z.string()).optional(),
  cores: z.number().positive().optional(),
  memory: z.string().refine((text) => parseSize(text) !== undefined, 'must be a size such as 2G').optional(),
});

const expectations = z.strictObject({ expect: z.array(expectation).min(1).max(10_000) });

/** What operators expect of their policy: one question and its answer. */
export type Expectation = z.infer<typeof expectation>;

export interface ExpectationResult {
  readonly expectation: Expectation;
  readonly met: boolean;
  /** One line: what was expected and what came. */
  readonly text: string;
}

/** The expectations in a value that was read from a file written beside the policy. Throws PolicyInvalid. */
export function parseExpectations(value: unknown): readonly Expectation[] {
  const parsed = expectations.safeParse(value);
  if (parsed.success) return parsed.data.expect;
  throw new PolicyInvalid(parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message })));
}

/** Asks `judge` each question in order. What cannot be judged at present is not met: neither answer would be true. */
export async function testExpectations(
  list: readonly Expectation[],
  judge: (task: Task, caller: Caller, signal: AbortSignal) => Promise<Verdict>,
  signal: AbortSignal,
): Promise<readonly ExpectationResult[]> {
  const results: ExpectationResult[] = [];
  for (const one of list) {
    try {
      results.push(compare(one, await judge(taskOf(one), callerOf(one), signal)));
    } catch (error) {
      if (signal.aborted || !(error instanceof GatewayError)) throw error;
      results.push({ expectation: one, met: false, text: `FAILED  ${one.image}: cannot be judged: ${error.message}` });
    }
  }
  return results;
}

function compare(one: Expectation, verdict: Verdict): ExpectationResult {
  const { rule, base } = verdict.decision;
  const codes = verdict.accepted ? [] : verdict.reasons.map(({ code }) => code);
  const answer = verdict.accepted ? 'yes' : 'no';
  const met =
    answer === one.answer &&
    (one.rule === undefined || one.rule === rule) &&
    (one.base === undefined || one.base === base?.name) &&
    (one.reasons ?? []).every((code) => codes.includes(code));
  const came = `${answer} by rule ${rule}${base === undefined ? '' : ` on base ${base.name}`}${codes.length === 0 ? '' : ` (${codes.join(', ')})`}`;
  if (met) return { expectation: one, met, text: `ok      ${one.image}: ${came}` };
  const wanted = [one.answer, one.rule && `by rule ${one.rule}`, one.base && `on base ${one.base}`, one.reasons && `(${one.reasons.join(', ')})`];
  return { expectation: one, met, text: `FAILED  ${one.image}: expected ${wanted.filter(Boolean).join(' ')}, got ${came}` };
}

function taskOf({ image, command, env, cores, memory }: Expectation): Task {
  const bytes = memory === undefined ? undefined : parseSize(memory);
  return {
    type: 'container',
    image: parseReference(image),
    command: command ?? [],
    env: env ?? {},
    ...(cores === undefined ? {} : { cores }),
    ...(bytes === undefined ? {} : { memory: bytes }),
  };
}

function callerOf({ caller }: Expectation): Caller {
  return { id: caller?.id ?? null, groups: caller?.groups ?? [] };
}

function isReference(text: string): boolean {
  try {
    parseReference(text);
    return true;
  } catch {
    return false;
  }
}
