import { expect } from 'chai';
import type { Caller } from '../../../src/caller.ts';
import type { Job } from '../../../src/job/job.ts';
import { IdentityGateway, IMAGES } from './identity-gateway.ts';

const POLICY = `
rules:
  - { name: open, images: ["registry.test/open/**"] }
  - { name: members, images: ["registry.test/members/**"], groups: [vespa] }
`;
const outside: Caller = { id: 'ada', groups: [] };
const inside: Caller = { id: 'ada', groups: ['vespa'] };

describe('groups that come and go between creation, RUN and the job\'s turn', () => {
  const gateway = new IdentityGateway();
  before(() => gateway.start(undefined, { policy: POLICY, quotas: { groups: [{ group: 'vespa', running: 0 }] } }));
  after(() => gateway.stop());

  const create = (image: string, caller: Caller): Promise<Job> => gateway.jobs.execution.services.docker.create({ parameters: [{ name: 'IMAGE', value: image }], run: false }, caller);
  const run = (id: string, caller: Caller): Promise<Job> => gateway.jobs.execution.services.docker.run(id, caller);
  const groupsOf = async (id: string): Promise<readonly string[] | undefined> => (await gateway.jobs.store.get(id))?.groups;

  it('who has lost the group that a rule is for is refused at RUN', async () => {
    const { id } = await create(IMAGES.members, inside);
    const job = await run(id, outside);
    expect(job.phase).to.equal('ERROR');
    expect(job.error?.message).to.include('no rule of this site takes').and.include('from this caller');
  });

  it('who has lost a group runs without it: its quota holds the job back no more', async () => {
    const { id } = await create(IMAGES.open, inside);
    await run(id, outside);
    expect(await groupsOf(id)).to.deep.equal([]);
    expect((await gateway.jobs.inPhase(id, 'EXECUTING')).phase).to.equal('EXECUTING');
  });

  it('who has got a group runs with it, and counts against its quota', async () => {
    const { id } = await create(IMAGES.open, outside);
    expect((await run(id, inside)).phase).to.equal('QUEUED');
    expect(await groupsOf(id)).to.deep.equal(['vespa']);
  });

  it('a change of parameters is judged with the groups of that moment, which are the job\'s then', async () => {
    const { id } = await create(IMAGES.open, outside);
    await gateway.jobs.execution.services.docker.change(id, inside, { parameters: [{ name: 'IMAGE', value: IMAGES.members }] });
    expect(await groupsOf(id)).to.deep.equal(['vespa']);
  });
});

describe('a job whose owner has got the group since', () => {
  it('is judged with it when its turn comes', async () => {
    const gateway = new IdentityGateway();
    await gateway.start(undefined, { policy: POLICY });
    try {
      const { docker } = gateway.jobs.execution.services;
      const { id } = await docker.create({ parameters: [{ name: 'IMAGE', value: IMAGES.members }], run: false }, inside);
      // as if the rule had been for everybody when the job was made
      await gateway.jobs.store.update(id, ['PENDING'], { groups: [] });
      await docker.run(id, inside);
      expect((await gateway.jobs.inPhase(id, 'EXECUTING')).phase).to.equal('EXECUTING');
    } finally {
      await gateway.stop();
    }
  });
});
