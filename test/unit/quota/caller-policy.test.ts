import { expect } from 'chai';
import { ANONYMOUS, type Caller } from '../../../src/caller.ts';
import { relaxationRefusal } from '../../../src/engine/rule-needs.ts';
import { CallerPolicy } from '../../../src/quota/caller-policy.ts';
import { quotaSchema } from '../../../src/quota/quota-config.ts';
import type { PinnedTask } from '../../../src/task/task.ts';
import { JudgedSite, taskFor } from '../../support/site-policy.ts';

const POLICY = `
rules:
  - { name: open, images: ["registry.test/open/**"] }
  - { name: gvisor, images: ["registry.test/gvisor/**"], run: { user: "0:0", capabilities: [SETUID, CHOWN, CHOWN], runtime: runsc, writableRoot: true, network: data } }
  - { name: gpu, images: ["registry.test/gpu/**"], run: { gpus: 2 } }
  - { name: members, images: ["registry.test/members/**"], groups: ["urn:mace:egi.eu:group:vespa#aai.egi.eu"] }
`;
const member: Caller = { id: 'egi:ada', groups: ['urn:mace:egi.eu:group:vespa:role=member#aai.egi.eu'] };
const other: Caller = { id: 'egi:bob', groups: ['urn:mace:egi.eu:group:vespa2:role=member#aai.egi.eu'] };

describe('the judge as one caller sees it', () => {
  const site = new JudgedSite();
  before(async () => {
    for (const name of ['open', 'gvisor', 'gpu', 'members']) site.registry.put(`registry.test/${name}/one:1`, { layers: ['a'] });
    await site.start(POLICY);
  });

  const policy = (quotas: unknown = {}, reasons = true): CallerPolicy => new CallerPolicy({ judge: site.policy, quotas: quotaSchema.parse(quotas), reasons });
  const answer = async (judge: CallerPolicy, image: string, caller: Caller, more: object = {}): Promise<string> => {
    const verdict = await judge.evaluate(taskFor(image, more), caller, AbortSignal.timeout(10_000), 'create');
    return verdict.accepted ? 'yes' : `${verdict.reasons.map(({ code }) => code).join(' ')}${verdict.offered === undefined ? '' : ` ${String(verdict.offered.cores)}`}`;
  };

  it('asks rules with the groups of the caller, by structure', async () => {
    expect(await answer(policy(), 'registry.test/members/one:1', member)).to.equal('yes');
    expect(await answer(policy(), 'registry.test/members/one:1', other)).to.equal('image.not-listed');
    expect(await answer(policy(), 'registry.test/members/one:1', ANONYMOUS)).to.equal('image.not-listed');
  });

  it('refuses what the engine lacks for the rule, and no other', async () => {
    const lacks = async (task: PinnedTask | undefined): Promise<string | undefined> => (task?.relaxed?.runtime === 'runsc' ? 'the engine has no runsc' : undefined);
    const judge = new CallerPolicy({ judge: site.policy, quotas: quotaSchema.parse({}), reasons: true, lacks });
    expect(await answer(judge, 'registry.test/gvisor/one:1', member)).to.equal('policy.engine 1');
    expect(await answer(judge, 'registry.test/open/one:1', member)).to.equal('yes');
  });

  it('says what the rule relaxes, each by itself, in the decision of a yes', async () => {
    const verdict = await policy().evaluate(taskFor('registry.test/gvisor/one:1'), member, AbortSignal.timeout(10_000));
    expect(verdict.accepted && verdict.task.relaxed).to.deep.equal({ writableRoot: true, capabilities: ['CHOWN', 'SETUID'], root: 'apart', network: 'data', runtime: 'runsc' });
    expect(verdict.decision.relaxed).to.deep.equal(['user 0:0', 'writable root', 'capability CHOWN', 'capability SETUID', 'network data', 'runtime runsc']);
    expect((await policy().evaluate(taskFor('registry.test/open/one:1'), member, AbortSignal.timeout(10_000))).decision).to.not.have.property('relaxed');
  });

  it('gives graphics processors to whom a rule gives them, as many as are asked for, and tells it', async () => {
    const image = 'registry.test/gpu/one:1';
    for (const [gpus, given] of [[undefined, undefined], [0, undefined], [1, 1], [2, 2]] as const) {
      const verdict = await policy().evaluate(taskFor(image, gpus === undefined ? {} : { gpus }), member, AbortSignal.timeout(10_000));
      expect(verdict.accepted && verdict.task.relaxed).to.deep.equal(given === undefined ? undefined : { gpus: given });
      expect(verdict.decision.relaxed).to.deep.equal(given === undefined ? undefined : [`GPUs ${String(given)}`]);
    }
    expect(await answer(policy(), image, member, { gpus: 3 })).to.equal('resources.gpus 4');
    expect(await answer(policy(), 'registry.test/open/one:1', member, { gpus: 1 })).to.equal('resources.gpus 4');
    const lacks = async (task: PinnedTask | undefined): Promise<string | undefined> => relaxationRefusal(task?.relaxed, { runtimes: ['runc'], networks: new Map() });
    const judge = new CallerPolicy({ judge: site.policy, quotas: quotaSchema.parse({}), reasons: true, lacks });
    expect(await answer(judge, image, member, { gpus: 1 }), 'an engine without').to.equal('policy.engine 1');
    expect(await answer(judge, image, member), 'who asks for none').to.equal('yes');
  });

  it('refuses what a quota never gives, with what it gives', async () => {
    const judge = policy({ owner: { cores: 2 }, anonymous: { cores: 0.5 } });
    expect(await answer(judge, 'registry.test/open/one:1', member, { cores: 2 })).to.equal('yes');
    expect(await answer(judge, 'registry.test/open/one:1', member, { cores: 3 })).to.equal('resources.cores 2');
    expect(await answer(judge, 'registry.test/open/one:1', ANONYMOUS, { cores: 1 })).to.equal('resources.cores 0.5');
    expect(await answer(judge, 'registry.test/open/one:1', member, { cores: 100 })).to.equal('resources.cores 2');
  });

  it('tells strangers no more than the site wants', async () => {
    expect(await answer(policy({}, false), 'registry.test/members/one:1', ANONYMOUS)).to.equal('caller.anonymous');
    expect(await answer(policy({}, false), 'registry.test/nowhere/one:1', ANONYMOUS)).to.equal('caller.anonymous');
    expect(await answer(policy({}, false), 'registry.test/open/one:1', ANONYMOUS)).to.equal('yes');
    expect(await answer(policy({}, false), 'registry.test/nowhere/one:1', other)).to.equal('image.not-listed');
    expect(await policy({}, false).general(ANONYMOUS, AbortSignal.timeout(1000))).to.deep.equal([]);
  });
});
