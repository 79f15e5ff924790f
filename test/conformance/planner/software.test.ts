import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { multipart } from '../../support/http-client.ts';
import { type EpAnswer, offered, plannerGateway } from './planner-gateway.ts';

const FULL = readFileSync(new URL('../../../fixtures/planner/codemeta/container.json', import.meta.url), 'utf8');
const BINDER = { name: 'binder', tasktypes: ['uri://binder-notebook'], servicetype: 'uri://binder-hub', endpoint: 'http://binder.example.org/', taskinfo: { repository: { required: true, patterns: ['https://github.com/*'] } } };
const codes = (answer: EpAnswer): readonly string[] => (answer.reponseinfo?.reasons ?? []).map(({ code, path }) => `${code} ${path}`);

describe('Execution Planner: software descriptions (codemeta.json)', () => {
  const gateway = plannerGateway({ config: { services: [BINDER] } });
  const ask = (codemeta: unknown, resources: object = {}): Promise<EpAnswer> => gateway.post({ json: { tasktype: 'uri://codemeta', taskinfo: { codemeta }, resources } });

  it('says how to run it: by its image here, by its repository there, with what it asks for', async () => {
    const answer = await ask(JSON.parse(FULL));
    expect(answer.interfaces?.map(({ servicetype }) => servicetype)).to.deep.equal(['uri://docker-uws', 'uri://binder-hub']);
    expect(answer.interfaces?.[0]?.serviceinfo).to.deep.include({ tasktype: 'uri://docker-container', image: 'registry.test/tools/derived:1' });
    expect(answer.interfaces?.[0]?.serviceinfo).to.have.nested.property('parameters.CORES', '2');
    expect(answer.interfaces?.[0]?.serviceinfo).to.have.nested.property('parameters.MEMORY', '2G');
    expect(answer.interfaces?.[1]?.serviceinfo).to.include({ tasktype: 'uri://binder-notebook', repository: 'https://github.com/example/cutouts' });
  });

  it('takes the document as a part, as text, and as members', async () => {
    const part = multipart([{ name: 'tasktype', value: 'uri://codemeta' }, { name: 'taskinfo.codemeta', value: FULL, filename: 'codemeta.json', type: 'application/json' }]);
    for (const answer of [await gateway.post(part), await ask(FULL), await ask(JSON.parse(FULL))]) expect(answer.reponseword).to.equal('YES');
  });

  it('lets the question ask for more than the description', async () => {
    const answer = await ask({ downloadUrl: 'docker://registry.test/tools/derived:1', memoryRequirements: '64GB' }, { maxmemory: '1G' });
    expect(offered(answer).MEMORY).to.equal('1G');
  });

  it('offers the other where one says no', async () => {
    const answer = await ask({ downloadUrl: 'docker://registry.test/tools/lookalike:1', codeRepository: 'https://github.com/a/b' });
    expect(answer).to.include({ reponseword: 'YES', servicetype: 'uri://binder-hub' });
  });

  for (const [what, description, reasons] of [
    ['nothing that can be run', { name: 'x' }, ['software.no-way taskinfo.codemeta']],
    ['a repository that nobody builds', { codeRepository: 'https://gitlab.example.org/a/b' }, ['taskinfo.not-accepted taskinfo.codemeta']],
    ['an image that the policy refuses', { installUrl: 'https://hub.docker.com/r/evil/miner' }, ['image.not-listed taskinfo.codemeta']],
    ['another operating system', { codeRepository: 'https://github.com/a/b', operatingSystem: 'Windows 10, Windows 11' }, ['software.operating-system taskinfo.codemeta.operatingSystem']],
    ['a graphics processor', { codeRepository: 'https://github.com/a/b', processorRequirements: 'NVIDIA Tesla T4' }, ['software.gpu taskinfo.codemeta.processorRequirements']],
    ['more memory than there is', { downloadUrl: 'docker://registry.test/tools/derived:1', memoryRequirements: ['64 GB RAM'] }, ['resources.memory resources.minmemory']],
    ['a description by URL', 'https://example.org/codemeta.json', ['software.url taskinfo.codemeta']],
  ] as const) {
    it(`says no, and which requirement, for ${what}`, async () => {
      const answer = await ask(description);
      expect(answer.reponseword).to.equal('NO');
      expect(codes(answer)).to.deep.equal(reasons);
    });
  }

  it('says what it cannot tell', async () => {
    const answer = await ask({ codeRepository: 'https://github.com/a/b', memoryRequirements: 'depends on the data', storageRequirements: 'None', processorRequirements: 'x86_64' });
    expect(answer.reponseword).to.equal('YES');
    expect(answer.reponseinfo?.warnings?.map(({ code, path }) => `${code} ${path}`)).to.deep.equal(['software.cannot-tell taskinfo.codemeta.memoryRequirements']);
  });

  it('calls a description malformed that is no document, or gives a key twice', async () => {
    for (const codemeta of ['{"name": "x",, }', '{"name": "x", "name": "y"}', '', '[1]']) {
      expect((await gateway.client.send('POST', '/accepts', { json: { tasktype: 'uri://codemeta', taskinfo: { codemeta } } })).status, codemeta).to.equal(400);
    }
  });

  it('is not fooled by members that are called like ours', async () => {
    expect(codes(await ask({ httpcode: 200, word: 'YES', __proto__: {} }))).to.deep.equal(['software.no-way taskinfo.codemeta']);
  });
});
