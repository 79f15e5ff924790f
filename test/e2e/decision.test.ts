import { expect } from 'chai';
import { Site } from '../support/site.ts';

interface Offer {
  readonly reponseinfo: { readonly decision: { readonly id: string; readonly digest: string } };
  readonly interfaces: readonly { readonly servicetype: string; readonly serviceinfo: { readonly endpoint: string; readonly method: string; readonly parameters: Record<string, string> } }[];
}

describe('a job that follows a yes', () => {
  const site = new Site();
  let image = '';

  before(async () => {
    await site.open();
    image = await site.push('said', 'echo one; echo "$(cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max)"');
    await site.start();
  });
  after(() => site.close());

  const ask = async (query = ''): Promise<Offer> =>
    (await (await fetch(`${site.url}/accepts?tasktype=uri://docker-container&taskinfo.image=${image}${query}`)).json()) as Offer;
  const infoOf = async (parameters: Record<string, string>): Promise<Readonly<Record<string, unknown>>> => {
    const { phase, jobInfo } = await site.ended(await site.submit({ PHASE: 'RUN', ...parameters }));
    expect(phase).to.equal('COMPLETED');
    return jobInfo ?? {};
  };

  it('done as it was said, the job gets exactly what was granted, names the decision, and nothing has changed', async () => {
    const answer = await ask('&resources.maxmemory=96M&resources.maxcores=0.5');
    const { decision } = answer.reponseinfo;
    const offer = answer.interfaces.find(({ servicetype }) => servicetype === 'uri://docker-uws');
    if (offer === undefined) throw new Error('docker-uws is not offered');
    const { endpoint, method, parameters } = offer.serviceinfo;
    expect(parameters).to.include({ MEMORY: '96M', CORES: '0.5', DECISION: decision.id });
    const response = await fetch(endpoint, { method, body: new URLSearchParams(parameters), redirect: 'manual' });
    expect(response.status).to.equal(303);
    const job = response.headers.get('location') ?? '';
    const { phase, jobInfo } = await site.ended(job);
    expect(phase).to.equal('COMPLETED');
    expect(jobInfo).to.include({ followsDecision: decision.id, imageDigest: decision.digest }).and.not.to.have.property('changedSinceDecision');
    expect(await site.result(job, 'stdout'), 'the limit that the kernel holds it to').to.equal(`one\n${String(96 * 2 ** 20)}\n`);
  });

  it('a compose file likewise: the job names the decision, and says which service has another image', async () => {
    const file = JSON.stringify({ services: { web: { image, command: 'sh -c true' }, side: { image: await site.push('side', 'true'), command: 'sh -c true' } } });
    const body = new URLSearchParams({ tasktype: 'uri://docker-compose', 'taskinfo.composefile': file });
    const [offer] = ((await (await fetch(`${site.url}/accepts`, { method: 'POST', body })).json()) as Offer).interfaces;
    if (offer === undefined) throw new Error('no interface is offered');
    const { endpoint, parameters } = offer.serviceinfo;
    const run = async (): Promise<Readonly<Record<string, unknown>>> => (await site.ended((await fetch(endpoint, { method: 'POST', body: new URLSearchParams(parameters), redirect: 'manual' })).headers.get('location') ?? '')).jobInfo ?? {};
    expect(await run()).to.include({ followsDecision: parameters['DECISION'] }).and.not.to.have.property('changedSinceDecision');
    await site.push('side', 'echo other');
    expect((await run())['changedSinceDecision']).to.satisfy((changes: readonly string[]) => changes.length === 1 && /^another image: it was side sha256:[0-9a-f]{64}$/.test(changes[0] ?? ''));
  });

  it('says that nothing can be compared where the decision is not known here', async () => {
    const id = '00000000-0000-4000-8000-000000000000';
    expect(await infoOf({ IMAGE: image, DECISION: id })).to.deep.include({ followsDecision: id, changedSinceDecision: ['that decision is not remembered here: nothing can be compared'] });
    expect((await site.post('/uws/docker', { IMAGE: image, DECISION: 'yesterday\'s' })).status).to.equal(400);
  });

  it('says what has changed since: the tag was moved, and another image runs', async () => {
    const { decision } = (await ask()).reponseinfo;
    await site.push('said', 'echo two');
    const info = await infoOf({ IMAGE: image, DECISION: decision.id });
    expect(info['imageDigest']).not.to.equal(decision.digest);
    expect(info).to.deep.include({ followsDecision: decision.id, changedSinceDecision: [`another image: it was ${decision.digest}`] });
    // and what was said, by its digest, still runs
    expect(await infoOf({ IMAGE: `${image}@${decision.digest}`, DECISION: decision.id })).to.include({ imageDigest: decision.digest }).and.not.to.have.property('changedSinceDecision');
  });
});
