import { expect } from 'chai';
import { documentOf } from '../planner/planner-gateway.ts';
import { IdentityGateway, IMAGES } from './identity-gateway.ts';

const POLICY = 'rules: [{ name: open, images: ["registry.test/open/**"] }]';
const LACKS = 'the container engine lacks what this site requires of it: seccomp';
const COMPOSE = JSON.stringify({ services: { web: { image: IMAGES.open } } });

describe('an engine that lacks what the site requires of it: one answer at every door', () => {
  let lacks: string | undefined;
  const gateway = new IdentityGateway();
  before(() => gateway.start(undefined, { policy: POLICY, lacks: async () => lacks }));
  beforeEach(() => (lacks = undefined));
  after(() => gateway.stop());

  const accepts = async (question: Readonly<Record<string, string>>): Promise<string> => {
    const { reponseword, reponseinfo } = documentOf(await gateway.client.get(`/accepts?${new URLSearchParams(question).toString()}`));
    const [reason] = reponseinfo?.reasons ?? [];
    return reason === undefined ? String(reponseword) : `${String(reponseword)} ${String(reason.httpcode)} ${reason.code}: ${reason.text}`;
  };
  const KINDS = {
    'a container': { list: 'docker', question: { tasktype: 'uri://docker-container', 'taskinfo.image': IMAGES.open }, parameters: { IMAGE: IMAGES.open } },
    'a compose file': { list: 'compose', question: { tasktype: 'uri://docker-compose', 'taskinfo.composefile': COMPOSE }, parameters: { COMPOSEFILE: COMPOSE } },
  } as const;

  for (const [what, { list, question, parameters }] of Object.entries(KINDS)) {
    it(`${what}: NO, 403, and a job that was made before ends with that reason at RUN`, async () => {
      const pending = (await gateway.client.post(`/uws/${list}`, parameters)).headers.location ?? '';
      lacks = LACKS;
      expect(await accepts(question)).to.equal(`NO 403 policy.engine: ${LACKS}`);
      for (const phase of [{}, { PHASE: 'RUN' }]) {
        const { status, text } = await gateway.client.post(`/uws/${list}`, { ...parameters, ...phase });
        expect([status, text]).to.deep.equal([403, `Refused: policy.engine: ${LACKS}\n`]);
      }
      expect((await gateway.client.post(`${pending}/phase`, { PHASE: 'RUN' })).status).to.equal(303);
      const { phase, errorSummary } = JSON.parse((await gateway.client.get(pending, { accept: 'application/json' })).text) as { phase: string; errorSummary: { message: string } };
      expect([phase, errorSummary.message]).to.deep.equal(['ERROR', `refused by the policy: ${LACKS}`]);
      expect(gateway.jobs.engine.jobs()).to.deep.equal([]);
      lacks = undefined;
      expect(await accepts(question)).to.equal('YES');
    });

    it(`${what}, any: NO as long as it lacks it`, async () => {
      lacks = LACKS;
      expect(await accepts({ tasktype: question.tasktype })).to.equal(`NO 403 policy.engine: ${LACKS}`);
      lacks = undefined;
      expect(await accepts({ tasktype: question.tasktype })).to.equal('YES');
    });
  }
});
