import { expect } from 'chai';
import { offered, plannerGateway } from './planner-gateway.ts';

const A = 'tasktype=uri://docker-container';
const DERIVED = `${A}&taskinfo.image=registry.test/tools/derived:1`;
const GPU = `${A}&taskinfo.image=registry.test/gpu/one:1`;
const SMALL = `${A}&taskinfo.image=registry.test/small/one:1`;

/** The note's own request (§5), within what this site has. */
const NOTE = `tasktype: uri://docker-container
taskinfo:
  image: registry.test/tools/derived:1
resources:
  mincores: 2
  maxcores: 3
  minmemory: 2G
  maxmemory: 3G
  minduration: 5m
  maxduration: 10m
`;

describe('Execution Planner: resources (note §5)', () => {
  const gateway = plannerGateway();

  it('gives what the task can use, and says so in the parameters too', async () => {
    const answer = await gateway.post({ body: NOTE });
    expect(answer.resources).to.deep.equal({ mincores: 3, maxcores: 3, minmemory: '3G', maxmemory: '3G', minduration: '10m', maxduration: '10m' });
    expect(offered(answer)).to.include({ CORES: '3', MEMORY: '3G', EXECUTIONDURATION: '600' });
  });

  const granted = [
    ['min alone', `${DERIVED}&resources.mincores=2&resources.minmemory=1G`, { CORES: '2', MEMORY: '1G' }],
    ['min below what everybody gets', `${DERIVED}&resources.mincores=0.5&resources.minmemory=1M`, { CORES: '1', MEMORY: '512M' }],
    ['max above the site: capped', `${DERIVED}&resources.maxcores=64&resources.maxmemory=1T`, { CORES: '4', MEMORY: '4G' }],
    ['max above the rule: capped', `${SMALL}&resources.maxcores=64&resources.maxmemory=64G`, { CORES: '2', MEMORY: '1G' }],
    ['max above the rule with a min below it', `${SMALL}&resources.mincores=1&resources.maxcores=3`, { CORES: '2' }],
    ['graphics processors', `${GPU}&resources.mingpus=1`, { GPUS: '1' }],
    ['graphics processors up to what the rule gives', `${GPU}&resources.mingpus=1&resources.maxgpus=3`, { GPUS: '2' }],
    ['a bare size counts gigabytes', `${DERIVED}&resources.maxmemory=1`, { MEMORY: '1G' }],
    ['minduration above the default', `${DERIVED}&resources.minduration=PT2H`, { EXECUTIONDURATION: '7200' }],
    ['maxduration above the site: capped', `${DERIVED}&resources.maxduration=P7D`, { EXECUTIONDURATION: '86400' }],
  ] as const;
  for (const [what, query, parameters] of granted) {
    it(`grants: ${what}`, async () => {
      const answer = await gateway.ask(query);
      expect(answer.reponseword).to.equal('YES');
      expect(offered(answer)).to.include(parameters);
    });
  }

  const refused = [
    ['more cores than the site has', `${DERIVED}&resources.mincores=8`, 'resources.cores', 'resources.mincores', { maxcores: 4 }],
    ['8G on a 4G site', `${DERIVED}&resources.minmemory=8G`, 'resources.memory', 'resources.minmemory', { maxmemory: '4G' }],
    ['more than the rule gives', `${SMALL}&resources.mincores=3`, 'resources.cores', 'resources.mincores', { maxcores: 2, maxmemory: '1G' }],
    ['longer than any job may run', `${DERIVED}&resources.minduration=2d`, 'resources.duration', 'resources.minduration', { maxduration: '1d' }],
    ['disk that nobody promises', `${DERIVED}&resources.minstore=8G`, 'resources.store', 'resources.minstore', {}],
    ['more graphics processors than the rule gives', `${GPU}&resources.mingpus=3`, 'resources.gpus', 'resources.mingpus', { maxgpus: 2 }],
    ['graphics processors where the rule gives none', `${DERIVED}&resources.mingpus=1`, 'resources.gpus', 'resources.mingpus', {}],
    ['more graphics processors than any rule gives', `${A}&resources.mingpus=5`, 'resources.gpus', 'resources.mingpus', { maxgpus: 4 }],
    ['8G on a 4G site, for any container', `${A}&resources.minmemory=8G`, 'resources.memory', 'resources.minmemory', { maxmemory: '4G' }],
    ['to start in time where nobody can tell', `${DERIVED}&resources.maxstartup=60s`, 'resources.startup', 'resources.maxstartup', {}],
  ] as const;
  for (const [what, query, code, path, resources] of refused) {
    it(`refuses ${what}, and says what there is`, async () => {
      const answer = await gateway.ask(query);
      expect(answer.reponseword).to.equal('NO');
      expect(answer.reponseinfo?.reasons?.map((reason) => reason.code)).to.deep.equal([code]);
      expect(answer.reponseinfo?.reasons?.[0]?.path).to.equal(path);
      if (Object.keys(resources).length > 0) expect(answer.resources).to.include(resources);
    });
  }

  it('asks no registry when the site cannot give as much anyway', async () => {
    gateway.takeAsked();
    await gateway.ask(`${DERIVED}&resources.mincores=8`);
    expect(gateway.takeAsked()).to.deep.equal([]);
  });

  for (const [what, resources] of [
    ['min above max', 'resources.mincores=3&resources.maxcores=2'],
    ['a size that is none', 'resources.minmemory=much'],
    ['months', 'resources.maxduration=P1M'],
    ['years', 'resources.maxduration=P1Y'],
    ['no cores', 'resources.mincores=0'],
    ['half a graphics processor', 'resources.mingpus=0.5'],
    ['two values', 'resources.mincores=1&resources.mincores=2'],
  ] as const) {
    it(`calls ${what} malformed`, async () => {
      const answer = await gateway.get(`/accepts?${A}&${resources}`);
      expect(answer.status).to.equal(400);
      expect(answer.text).to.contain('resources.');
    });
  }

  it('answers durations in the style of the question, ISO 8601 where it has none', async () => {
    expect((await gateway.ask(`${DERIVED}&resources.maxduration=10m`)).resources).to.include({ maxduration: '10m' });
    expect((await gateway.ask(`${DERIVED}&resources.maxduration=PT10M`)).resources).to.include({ maxduration: 'PT10M' });
  });

  it('says what it cannot do as it is meant', async () => {
    const { reponseinfo } = await gateway.ask(`${DERIVED}&resources.maxstore=1G&resources.minstartup=5s`);
    expect(reponseinfo?.warnings?.map(({ path }) => path)).to.deep.equal(['resources.maxstore', 'resources.minstartup']);
  });
});

describe('Execution Planner: start-up (note §5) and maybe (slides)', () => {
  const gateway = plannerGateway({ parts: { estimateStartup: () => Promise.resolve({ min: 30, max: 120 }) } });

  it('tells when the task could start', async () => {
    expect((await gateway.ask(DERIVED)).resources).to.include({ minstartup: 'PT30S', maxstartup: 'PT2M' });
    expect((await gateway.ask(`${DERIVED}&resources.maxstartup=5m`)).reponseword).to.equal('YES');
  });

  it('says no, and when, where that is too late', async () => {
    const answer = await gateway.ask(`${DERIVED}&resources.maxstartup=60s`);
    expect(answer.reponseword).to.equal('NO');
    expect(answer.resources).to.deep.equal({ minstartup: '30s', maxstartup: '2m' });
    expect(answer.reponseinfo?.maybe).to.include({ kind: 'time', seconds: 120 });
  });

  it('says MAYBE to those only who know the word', async () => {
    const late = `${DERIVED}&resources.maxstartup=60s`;
    expect((await gateway.ask(`${late}&words=yes,no,maybe`)).reponseword).to.equal('MAYBE');
    expect((await gateway.ask(late, { accept: 'application/json;profile="maybe"' })).reponseword).to.equal('MAYBE');
    expect((await gateway.ask(late, { accept: 'application/json;profile="other"' })).reponseword).to.equal('NO');
    expect((await gateway.ask(`${A}&taskinfo.image=elsewhere.test/x&words=yes,no,maybe`)).reponseword, 'no change of time helps').to.equal('NO');
  });

  it('keeps its word: asked for what it said, it says yes', async () => {
    const answer = await gateway.ask(`${DERIVED}&resources.maxstartup=60s`);
    expect((await gateway.ask(`${DERIVED}&resources.maxstartup=${String(answer.resources?.maxstartup)}`)).reponseword).to.equal('YES');
  });
});
