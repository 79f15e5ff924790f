import { expect } from 'chai';
import { documentOf } from '../planner/planner-gateway.ts';
import { IdentityGateway, IMAGES, People } from './identity-gateway.ts';

const POLICY = `
rules:
  - { name: open, images: ["registry.test/open/**"], limits: { cores: 2 } }
  - { name: members, images: ["registry.test/members/**"], groups: [vespa] }
`;
const PLANNER = {
  data: [{ patterns: ['vos://vo.example/secret/*'], groups: ['vespa'] }],
  services: [
    { name: 'Hub', tasktypes: ['uri://hub'], servicetype: 'uri://hub-service', endpoint: 'https://hub.example/', groups: ['vespa'] },
    { name: 'Binder', tasktypes: ['uri://binder'], servicetype: 'uri://binder-service', endpoint: 'https://binder.example/', taskinfo: { repository: { patterns: ['https://git.example/trusted/*'] } }, resources: { cores: 3 } },
  ],
};
const people = { ada: ['vespa'] };
const compose = (image: string, more: object = {}): Readonly<Record<string, string>> => ({ tasktype: 'uri://docker-compose', 'taskinfo.composefile': JSON.stringify({ services: { web: { image, ...more } } }) });
const container = (image: string, more: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> => ({ tasktype: 'uri://docker-container', 'taskinfo.image': image, ...more });

/** All that a stranger is told who is not told why. */
const NOTHING = {
  reponseword: 'NO',
  reponseinfo: { reasons: [{ httpcode: 403, code: 'caller.anonymous', path: 'tasktype', text: 'this site does not take this from anonymous callers, nor tell them more; sign in' }] },
};

describe('strangers who are not told why (anonymous.reasons: false)', () => {
  const files = new People(people);
  const gateway = new IdentityGateway();
  before(() => gateway.start({ htpasswd: files.htpasswd, anonymous: { run: true, reasons: false } }, { policy: POLICY, planner: PLANNER, quotas: { anonymous: { jobs: 1, cores: 3 } } }));
  after(async () => {
    await gateway.stop();
    files.remove();
  });
  const ask = async (question: Readonly<Record<string, string>>, headers: Readonly<Record<string, string>> = {}): Promise<object> =>
    documentOf(await gateway.client.get(`/accepts?${new URLSearchParams({ words: 'yes,no,maybe', ...question }).toString()}`, headers));

  const refusals: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    'an image that no rule takes': container(IMAGES.unlisted),
    'an image for members': container(IMAGES.members),
    'an image that is not there': container('registry.test/open/none:1'),
    'what is no image': container('UPPER/case'),
    'more than the rule gives': container(IMAGES.open, { 'resources.mincores': '3' }),
    'more than the site gives': container(IMAGES.open, { 'resources.mincores': '100' }),
    'data for members': container(IMAGES.open, { 'taskinfo.data': 'vos://vo.example/secret/x' }),
    'data that is not reached': container(IMAGES.open, { 'taskinfo.data': 'vos://vo.example/other/x' }),
    'a compose file with an image that no rule takes': compose(IMAGES.unlisted),
    'a compose file that would be accepted after a change': compose(IMAGES.open, { privileged: true }),
    'a service for members': { tasktype: 'uri://hub' },
    'a repository that a service does not take': { tasktype: 'uri://binder', 'taskinfo.repository': 'https://git.example/other/x' },
    'more than a service gives': { tasktype: 'uri://binder', 'taskinfo.repository': 'https://git.example/trusted/x', 'resources.mincores': '4' },
    'a type that nobody takes': { tasktype: 'uri://nothing' },
  };
  for (const [what, question] of Object.entries(refusals)) {
    it(`hear NO and nothing else: ${what}`, async () => {
      expect(await ask(question)).to.deep.equal(NOTHING);
      const told = (await ask(question, { authorization: People.authorization('ada') })) as { reponseword: string; reponseinfo?: { reasons?: readonly { code: string }[] } };
      // who is known is told, or gets a yes: or nothing would have been left out
      expect(told.reponseword === 'YES' || told.reponseinfo?.reasons?.[0]?.code !== 'caller.anonymous', JSON.stringify(told)).to.equal(true);
    });
  }

  it('get YES where they may, with less than they asked for where the rule gives less, and without rule, policy and base', async () => {
    for (const more of [{}, { 'resources.maxcores': '4' }]) {
      const answer = (await ask(container(IMAGES.open, more))) as { reponseword: string; interfaces: readonly { resources: { maxcores: number } }[]; reponseinfo?: unknown };
      expect([answer.reponseword, answer.reponseinfo]).to.deep.equal(['YES', undefined]);
      if ('resources.maxcores' in more) expect(answer.interfaces.map(({ resources }) => resources.maxcores)).to.deep.equal([2, 2]);
    }
    expect(await ask(compose(IMAGES.open))).to.include({ reponseword: 'YES' }).and.not.to.have.property('reponseinfo');
  });

  it('hear no more at the creation, of a compose file neither', async () => {
    const refused = 'Refused: caller.anonymous: this site does not take this from anonymous callers, nor tell them more; sign in\n';
    for (const image of [IMAGES.unlisted, IMAGES.members, 'registry.test/open/none:1']) {
      const { status, text } = await gateway.client.post('/uws/docker', { IMAGE: image });
      expect([image, status, text]).to.deep.equal([image, 403, refused]);
    }
    const { status, text } = await gateway.client.post('/uws/compose', { COMPOSEFILE: JSON.stringify({ services: { web: { image: IMAGES.open, privileged: true } } }) });
    expect([status, text]).to.deep.equal([403, refused]);
  });

  it('read in their job which decision it was, and not by which rule; over a quota they hear NO and nothing else', async () => {
    const created = await gateway.client.post('/uws/docker', { IMAGE: IMAGES.open });
    expect(created.status).to.equal(303);
    const document = JSON.parse((await gateway.client.get(created.headers.location ?? '', { accept: 'application/json' })).text) as { jobInfo: Readonly<Record<string, unknown>> };
    expect(document.jobInfo).to.include.keys('decisionId').and.not.to.have.any.keys('rule', 'relaxed', 'baseName');
    expect(await ask(container(IMAGES.open))).to.deep.equal(NOTHING);
    expect(await ask({ tasktype: 'uri://docker-container' })).to.deep.equal(NOTHING);
  });
});

describe('strangers where a registry is away', () => {
  it('do not hear which', async () => {
    const files = new People(people);
    const gateway = new IdentityGateway();
    await gateway.start({ htpasswd: files.htpasswd, anonymous: { run: true, reasons: false } }, { policy: POLICY });
    try {
      gateway.judged.registry.takeDown('registry.test');
      const { status, text } = await gateway.client.get(`/accepts?tasktype=uri://docker-container&taskinfo.image=${IMAGES.open}`);
      expect([status, text]).to.deep.equal([503, 'Unavailable: no answer can be given at present\n']);
      const known = await gateway.client.get(`/accepts?tasktype=uri://docker-container&taskinfo.image=${IMAGES.open}`, { authorization: People.authorization('ada') });
      expect(known.text).to.include('RegistryUnavailable');
    } finally {
      await gateway.stop();
      files.remove();
    }
  });
});
