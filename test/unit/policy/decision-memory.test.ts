import { expect } from 'chai';
import type { Digest } from '../../../src/image/digest.ts';
import { DecisionMemory } from '../../../src/policy/decision-memory.ts';
import { changesSince } from '../../../src/task/decision.ts';
import { manifestsOf, type PinnedProject } from '../../../src/task/project.ts';
import type { PinnedTask, Task } from '../../../src/task/task.ts';
import { YesPolicy } from '../../support/execution.ts';
import { PINNED_TASK as PINNED } from '../../support/jobs.ts';

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

  it('remembers a yes to a file with the image of each service', async () => {
    const memory = new DecisionMemory(new YesPolicy());
    const file = JSON.stringify({ services: { web: { image: 'registry.test/one:1' }, db: { image: 'registry.test/two:1' } } });
    const verdict = await memory.evaluateProject({ file, variables: new Map() }, ADA, signal, 'accepts');
    if (!verdict.accepted) return expect.fail('refused');
    expect(memory.earlier(verdict.decision.id, ADA).known?.manifest).to.match(/^db sha256:[0-9a-f]{64}\nweb sha256:[0-9a-f]{64}$/);
    expect(memory.earlier(verdict.decision.id, SAM), 'somebody else').to.deep.equal({ id: verdict.decision.id });
    const jobs = new DecisionMemory(new YesPolicy());
    await jobs.evaluateProject({ file, variables: new Map() }, ADA, signal, 'run');
    expect(jobs.earlier(verdict.decision.id, ADA)).to.deep.equal({ id: verdict.decision.id });
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
  const SERVICE = { replicas: 1, capabilities: [], networks: [], mounts: [], files: [], dependsOn: [], sysctls: {}, extraHosts: [], dns: [], dnsOptions: [], dnsSearch: [] };
  const containerOf = (manifestDigest: Digest): PinnedTask => ({ ...PINNED, image: { ...PINNED.image, manifestDigest } });
  for (const [what, decision, manifest, changes] of [
    ['nothing', now, one, []],
    ['the image', now, other, [`another image: it was ${one}`]],
    ['the rule', { ...now, rule: 'others' }, one, ['another rule: it was tools']],
    ['the policy', { ...now, policy: other }, one, [`another policy: it was ${one}`]],
    ['everything', { ...now, policy: other, rule: 'others' }, other, [`another image: it was ${one}`, 'another rule: it was tools', `another policy: it was ${one}`]],
  ] as const) {
    it(`tells of a change of ${what}`, () => void expect(changesSince({ id: 'x', known }, decision, containerOf(manifest))).to.deep.equal(changes));
  }

  it('says where nothing is remembered', () => void expect(changesSince({ id: 'x' }, now, containerOf(one))).to.have.length(1));

  it('compares a project service by service', () => {
    const projectOf = (images: Readonly<Record<string, Digest>>): PinnedProject => ({
      type: 'project', networks: [], volumes: [], main: [], resources: PINNED.resources,
      services: Object.entries(images).map(([name, digest]) => ({ ...SERVICE, name, task: containerOf(digest) })),
    });
    const yes = { id: 'x', known: { ...known, manifest: manifestsOf(projectOf({ web: one, db: other })) } };
    expect(changesSince(yes, now, projectOf({ db: other, web: one }))).to.deep.equal([]);
    expect(changesSince(yes, now, projectOf({ db: one, web: one }))).to.deep.equal([`another image: it was db ${other}`]);
    expect(changesSince(yes, now, projectOf({ web: one }))).to.deep.equal([`another image: it was db ${other}`]);
    expect(changesSince(yes, now, projectOf({ web: one, db: other, more: one }))).to.deep.equal(['images that were not there']);
    expect(changesSince(yes, now, containerOf(one)), 'a container, for a yes to a file').to.have.length(2);
  });
});
