import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { SystemClock } from '../../../src/clock.ts';
import { httpProbe } from '../../../src/planner/http-probe.ts';
import { UntrustedFetch } from '../../../src/untrusted-fetch.ts';
import { plannerGateway } from './planner-gateway.ts';

const BINDER = {
  name: 'binder', tasktypes: ['uri://binder-notebook'], servicetype: 'uri://binder-hub', endpoint: 'http://binder.example.org/',
  taskinfo: { repository: { required: true, patterns: ['https://github.com/*', 'https://gitlab.com/*/astro-*'] } },
  info: { version: '1.0' },
};
const SIZED = { name: 'sized', tasktypes: ['uri://sized'], servicetype: 'uri://s', endpoint: 'http://s.example.org/', resources: { cores: 8, memory: '16G', startup: '60s' } };
const MEMBERS = { name: 'members', tasktypes: ['uri://members'], servicetype: 'uri://m', endpoint: 'http://m.example.org/', groups: ['astronomers', 'admins'], taskinfo: { secret: { oneOf: ['x'] } } };

describe('Execution Planner: platforms of others (note §4.3, §8.1)', () => {
  const gateway = plannerGateway({ standAlone: true, config: { services: [BINDER, SIZED, MEMBERS] } });

  it('runs nothing itself where it stands alone', async () => {
    expect((await gateway.ask('tasktype=uri://docker-container')).reponseword).to.equal('NO');
  });

  it('says yes with what the configuration adds to serviceinfo', async () => {
    const answer = await gateway.ask('tasktype=uri://binder-notebook&taskinfo.repository=https://github.com/a,b/c');
    expect(answer.serviceinfo).to.deep.equal({ endpoint: 'http://binder.example.org/', version: '1.0' });
    expect(answer.reponseinfo).to.equal(undefined);
  });

  for (const [what, query, code] of [
    ['a member that it needs is missing', '', 'taskinfo.missing'],
    ['a member is empty', '&taskinfo.repository=', 'taskinfo.not-accepted'],
    ['no pattern matches', '&taskinfo.repository=https://evil.example.org/github.com/x', 'taskinfo.not-accepted'],
    ['one of several matches no pattern', '&taskinfo.repository=https://github.com/x&taskinfo.repository=https://gitlab.com/x/y', 'taskinfo.not-accepted'],
  ] as const) {
    it(`says no, and why, where ${what}`, async () => {
      const answer = await gateway.ask(`tasktype=uri://binder-notebook${query}`);
      expect(answer.reponseword).to.equal('NO');
      expect(answer.reponseinfo?.reasons?.[0]).to.include({ httpcode: 422, code, path: 'taskinfo.repository' });
    });
  }

  it('tells of members that no rule looks at', async () => {
    const answer = await gateway.ask('tasktype=uri://binder-notebook&taskinfo.repository=https://github.com/x&taskinfo.branch=main&resources.mincores=2&resources.maxcores=8');
    expect(answer.reponseword).to.equal('YES');
    expect(answer.reponseinfo?.warnings?.map(({ path }) => path)).to.deep.equal(['taskinfo.branch', 'resources.mincores', 'resources.maxcores']);
  });

  it('compares resources where the configuration names them', async () => {
    expect((await gateway.ask('tasktype=uri://sized&resources.mincores=8&resources.minmemory=16G&resources.maxstartup=60s')).reponseword).to.equal('YES');
    for (const [query, path] of [['resources.mincores=9', 'resources.mincores'], ['resources.minmemory=17G', 'resources.minmemory'], ['resources.maxstartup=59s', 'resources.maxstartup'], ['resources.minstore=1G', 'resources.minstore']] as const) {
      const answer = await gateway.ask(`tasktype=uri://sized&${query}`);
      expect(answer.reponseword, query).to.equal('NO');
      expect(answer.reponseinfo?.reasons?.map((reason) => reason.path)).to.deep.equal([path]);
      expect(answer.resources).to.include({ maxcores: 8, maxmemory: '16G' });
    }
  });

  it('takes members of a group only, and tells strangers nothing else (note §7)', async () => {
    expect((await gateway.ask('tasktype=uri://members', { authorization: 'Bearer astronomer' })).reponseword).to.equal('YES');
    for (const headers of [{}, { authorization: 'Bearer stranger' }] as Record<string, string>[]) {
      const answer = await gateway.ask('tasktype=uri://members&taskinfo.secret=y', headers);
      expect(answer.reponseword).to.equal('NO');
      expect(answer.reponseinfo?.reasons?.map(({ httpcode, code }) => `${String(httpcode)} ${code}`)).to.deep.equal(['403 caller.group']);
      expect(JSON.stringify(answer)).not.to.match(/astronomers|secret/);
    }
  });
});

describe('Execution Planner: health of platforms', () => {
  const fetch = new UntrustedFetch(new SystemClock());
  let status = 200;
  let asked = 0;
  const health: Server = createServer((_request, response) => {
    asked += 1;
    response.writeHead(status).end('x');
  });
  before(async () => {
    health.listen(0, '127.0.0.1');
    await once(health, 'listening');
  });
  const gateway = plannerGateway(() => {
    const { port } = health.address() as AddressInfo;
    const service = { name: 'alive', tasktypes: ['uri://alive'], servicetype: 'uri://a', endpoint: 'http://alive.example.org/', health: { url: `http://127.0.0.1:${String(port)}/health`, every: '30s' } };
    const gone = { ...service, name: 'gone', tasktypes: ['uri://gone'], health: { url: 'http://127.0.0.1:1/', timeout: '1s' } };
    return { config: { services: [service, gone] }, parts: { probe: httpProbe(fetch) } };
  });
  after(async () => {
    health.close();
    await fetch.close();
  });

  it('offers what answers, and asks once within its time however many ask', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => gateway.ask('tasktype=uri://alive')));
    expect(new Set(answers.map(({ reponseword }) => reponseword))).to.deep.equal(new Set(['YES']));
    expect(asked).to.equal(1);
  });

  it('looks again after its time, and does not offer what fails', async () => {
    status = 500;
    expect((await gateway.ask('tasktype=uri://alive')).reponseword).to.equal('YES');
    gateway.site.clock.advance(30_000);
    const answer = await gateway.ask('tasktype=uri://alive');
    expect(answer.reponseword).to.equal('NO');
    expect(answer.reponseinfo?.reasons?.[0]).to.include({ httpcode: 503, code: 'service.unavailable' });
  });

  it('takes a login page for a sign of life', async () => {
    status = 401;
    gateway.site.clock.advance(30_000);
    expect((await gateway.ask('tasktype=uri://alive')).reponseword).to.equal('YES');
  });

  it('does not offer what does not answer', async () => {
    expect((await gateway.ask('tasktype=uri://gone')).reponseword).to.equal('NO');
  });
});

describe('Execution Planner: our own list and others together (note §4.4)', () => {
  const portainer = { name: 'portainer', tasktypes: ['uri://docker-container'], servicetype: 'uri://portainer-service', endpoint: 'http://portainer.example.org/' };
  const gateway = plannerGateway({ config: { services: [portainer] } });
  const DERIVED = 'tasktype=uri://docker-container&taskinfo.image=registry.test/tools/derived:1';

  it('lists both, ours with what it grants', async () => {
    const answer = await gateway.ask(DERIVED);
    expect(answer).not.to.have.any.keys('servicetype', 'serviceinfo', 'resources');
    expect(answer.interfaces?.map(({ servicetype }) => servicetype)).to.deep.equal(['uri://docker-uws', 'uri://portainer-service']);
    expect(answer.interfaces?.[0]).to.have.nested.property('resources.maxcores', 1);
    expect(answer.reponseinfo?.warnings?.map(({ text }) => text)).to.deep.equal(['was not looked at for portainer']);
  });

  it('offers the other alone where ours says no', async () => {
    const answer = await gateway.ask('tasktype=uri://docker-container&taskinfo.image=registry.test/tools/lookalike:1');
    expect(answer).to.include({ reponseword: 'YES', servicetype: 'uri://portainer-service' });
    expect(answer.reponseinfo?.decision, 'a yes of others is no decision of ours').to.equal(undefined);
  });

  it('offers the other, and says so, where ours cannot tell', async () => {
    gateway.site.registry.takeDown('registry.test');
    const answer = await gateway.ask(DERIVED);
    gateway.site.registry.bringUp();
    expect(answer.servicetype).to.equal('uri://portainer-service');
    expect(answer.reponseinfo?.warnings?.map(({ code }) => code)).to.include('platform.unavailable');
  });

  it('calls a malformed question malformed, whoever would have said yes', async () => {
    expect((await gateway.get(`/accepts?${DERIVED}&taskinfo.command=%22`)).status).to.equal(400);
  });
});
