import { expect } from 'chai';
import { DecisionMemory } from '../../../src/policy/decision-memory.ts';
import { changesSince } from '../../../src/task/decision.ts';
import type { Task } from '../../../src/task/task.ts';
import { YesPolicy } from '../../support/execution.ts';

const ADA = { id: 'ada', groups: [] };
const SAM = { id: 'sam', groups: [] };
const TASK: Task = { type: 'container', image: { domain: 'registry.test', path: 'one', tag: '1' }, command: [], env: {} };
const { signal } = new AbortController();

describe('DecisionMemory', () => {
  it('remembers a yes for whom it was given to', async () => {
    const memory = new DecisionMemory(new YesPolicy());
    const verdict = await memory.evaluate(TASK, ADA, signal, 'accepts');
    if (!verdict.accepted) return expect.fail('refused');
    const { decision, task } = verdict;
    expect(memory.earlier(decision.id, ADA)).to.deep.equal({ id: decision.id, known: { policy: decision.policy, rule: 'yes', manifest: task.image.manifestDigest } });
    expect(memory.earlier(decision.id, SAM), 'somebody else').to.deep.equal({ id: decision.id });
    return undefined;
  });

  it('remembers no refusal, and nothing that was judged for a job', async () => {
    const judge = new YesPolicy();
    const memory = new DecisionMemory(judge);
    await memory.evaluate(TASK, ADA, signal, 'create');
    await memory.evaluate(TASK, ADA, signal, 'run');
    judge.refusal = { code: 'image.not-listed', path: 'image', text: 'no' };
    await memory.evaluate(TASK, ADA, signal);
    expect(memory.earlier('d1', ADA)).to.deep.equal({ id: 'd1' });
  });
});

describe('changesSince', () => {
  const [one, other] = [`sha256:${'1'.repeat(64)}`, `sha256:${'2'.repeat(64)}`] as const;
  const known = { policy: one, rule: 'tools', manifest: one };
  const now = { id: 'later', at: 0, policy: one, rule: 'tools' };
  for (const [what, decision, manifest, changes] of [
    ['nothing', now, one, []],
    ['the image', now, other, [`another image: it was ${one}`]],
    ['the rule', { ...now, rule: 'others' }, one, ['another rule: it was tools']],
    ['the policy', { ...now, policy: other }, one, [`another policy: it was ${one}`]],
    ['everything', { ...now, policy: other, rule: 'others' }, other, [`another image: it was ${one}`, 'another rule: it was tools', `another policy: it was ${one}`]],
  ] as const) {
    it(`tells of a change of ${what}`, () => void expect(changesSince({ id: 'x', known }, decision, manifest)).to.deep.equal(changes));
  }

  it('says where nothing is remembered', () => void expect(changesSince({ id: 'x' }, now, one)).to.have.length(1));
});
