import { expect } from 'chai';
import { ANONYMOUS } from '../../../src/caller.ts';
import { SecretBox } from '../../../src/job/secret-box.ts';
import type { Job } from '../../../src/job/job.ts';
import { TestExecution } from '../../support/execution.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const FILE = `
services:
  web: {image: "registry.test/tools/one:1", secrets: [token, said]}
secrets:
  token: {external: true}
  said: {content: in the file}
`;
const VALUES = [['token', 'hush'], ['said', 'in the file']];

describe('secrets while a job runs', () => {
  let test: TestExecution;
  let box = new SecretBox(Buffer.alloc(32, 1));

  beforeEach(async () => {
    box = new SecretBox(Buffer.alloc(32, 1));
    test = new TestExecution(new FakeClock(), { get secrets() { return box; } });
    await test.start();
  });
  afterEach(() => test.remove());

  const compose = (): Promise<Job> => test.execution.services.compose.create({ parameters: [{ name: 'COMPOSEFILE', value: FILE }, { name: 'SECRET.token', value: 'hush' }], run: true }, ANONYMOUS);
  const given = (id: string): unknown[] => test.engine.secretsGiven.filter(({ jobId }) => jobId === id).map(({ call, secrets }) => [call, secrets && [...secrets]]);

  it('a project has them for its start and for whatever starts later, those of its file too; a container for its start alone', async () => {
    const { id } = await compose();
    await test.engine.whenCalled('wait', id);
    expect(given(id)).to.deep.equal([['start', VALUES], ['wait', VALUES]]);
    const single = await test.execution.services.docker.create({ parameters: [{ name: 'IMAGE', value: 'registry.test/tools/one:1' }, { name: 'SECRET.a', value: 'b' }], run: true }, ANONYMOUS);
    await test.engine.whenCalled('wait', single.id);
    expect(given(single.id)).to.deep.equal([['start', [['a', 'b']]], ['wait', undefined]]);
  });

  it('another gateway that takes the job over has them', async () => {
    const { id } = await compose();
    await test.engine.whenCalled('wait', id);
    await test.stop();
    test.engine.secretsGiven.splice(0);
    test.engine.calls.splice(0);
    await test.start();
    await test.engine.whenCalled('wait', id);
    expect(given(id)).to.deep.equal([['wait', VALUES]]);
    test.engine.finish(id);
    await test.inPhase(id, 'COMPLETED');
  });

  it('a site that has lost its key ends the job, says so, and keeps nothing of it', async () => {
    const { id } = await compose();
    await test.engine.whenCalled('wait', id);
    await test.stop();
    box = new SecretBox(Buffer.alloc(32, 2));
    await test.start();
    const { error, phase } = await test.inPhase(id, 'ERROR');
    expect([phase, error]).to.deep.equal(['ERROR', { type: 'fatal', message: 'SECRET.token can no longer be read' }]);
    await test.engine.whenCalled('remove', id);
    expect(test.engine.jobs()).to.deep.equal([]);
  });
});
