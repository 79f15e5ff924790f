import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { SystemClock } from '../../../src/clock.ts';
import { httpPeer } from '../../../src/planner/http-peer.ts';
import { UntrustedFetch } from '../../../src/untrusted-fetch.ts';
import { type EpAnswer, PlannerGateway, plannerGateway } from './planner-gateway.ts';

const service = (name: string): object => ({ name, tasktypes: [`uri://${name}`, 'uri://everywhere'], servicetype: `uri://${name}-service`, endpoint: `http://${name}.example.org/` });
const types = (answer: EpAnswer): readonly string[] => (answer.interfaces ?? []).map(({ servicetype }) => servicetype).sort();

describe('Execution Planner: several planners, one question', () => {
  const fetch = new UntrustedFetch(new SystemClock());
  const sites: PlannerGateway[] = [];
  const DEAD = { name: 'dead', url: 'http://127.0.0.1:1/accepts', timeout: '1s' };

  /** Three planners of one service each: the first asks the second and a dead one, the second the third, the third the first again. */
  before(async () => {
    const url = (i: number): string => `${sites[i]?.origin ?? ''}/accepts`;
    const peers = [() => [{ name: 'two', url: url(1) }, DEAD], () => [{ name: 'three', url: url(2) }], () => [{ name: 'one', url: url(0) }]];
    for (const [i, name] of ['one', 'two', 'three'].entries()) {
      sites.push(new PlannerGateway(() => ({ standAlone: true, config: { services: [service(name)], peers: peers[i]?.() }, parts: { baseUrl: `https://${name}.example.org`, askPeer: httpPeer(fetch) } })));
    }
    for (const site of sites) await site.listen();
    for (const site of sites) await site.start();
  });
  after(async () => {
    for (const site of sites) await site.stop();
    await fetch.close();
  });

  const ask = (query: string): Promise<EpAnswer> => {
    if (sites[0] === undefined) throw new Error('not started');
    return sites[0].ask(query);
  };

  it('finds the one that runs it, over another, in spite of a dead one and a loop', async () => {
    const answer = await ask('tasktype=uri://three');
    expect(answer).to.include({ reponseword: 'YES', servicetype: 'uri://three-service' });
    expect(answer.serviceinfo?.endpoint).to.equal('http://three.example.org/');
    expect(answer.reponseinfo?.warnings?.map(({ code }) => code)).to.deep.equal(['platform.unavailable']);
  });

  it('merges what they offer, each once', async () => {
    const answer = await ask('tasktype=uri://everywhere');
    expect(types(answer)).to.deep.equal(['uri://one-service', 'uri://three-service', 'uri://two-service']);
  });

  it('says no where nobody takes it, and who could not be asked', async () => {
    const answer = await ask('tasktype=uri://nobody');
    expect(answer.reponseword).to.equal('NO');
    expect(answer.reponseinfo?.reasons?.map(({ code }) => code)).to.deep.equal(['tasktype.unknown']);
    expect(answer.reponseinfo?.warnings?.map(({ text }) => text)).to.deep.equal(['the planner dead gives no answer at present']);
  });

  it('names its peers', async () => {
    const listed = JSON.parse((await sites[0]?.get('/services.json'))?.text ?? '') as { peers: string[]; services: { name: string }[] };
    expect(listed.peers).to.deep.equal([`${sites[1]?.origin ?? ''}/accepts`, DEAD.url]);
    expect(listed.services.map(({ name }) => name)).to.deep.equal(['one', 'software']);
  });
});

describe('Execution Planner: a peer of somebody else', () => {
  const fetch = new UntrustedFetch(new SystemClock());
  const seen: { readonly request: IncomingMessage; readonly body: string }[] = [];
  let answer: { status: number; text: string } = { status: 200, text: '' };
  const server: Server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk)).on('end', () => {
      seen.push({ request, body });
      response.writeHead(answer.status).end(answer.text);
    });
  });
  before(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  const gateway = plannerGateway(() => {
    const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/ep/accept`;
    return { config: { peers: [{ name: 'peer', url, tasktypes: ['uri://x', 'uri://docker-container'], timeout: '2s' }] }, parts: { askPeer: httpPeer(fetch) } };
  });
  after(async () => {
    server.close();
    await fetch.close();
  });
  beforeEach(() => seen.splice(0));
  const says = (text: unknown, status = 200): void => {
    answer = { status, text: typeof text === 'string' ? text : JSON.stringify(text) };
  };

  it('is sent the question as it was read, and no credentials', async () => {
    says({ reponseword: 'NO' });
    await gateway.ask('tasktype=uri://x&taskinfo.languages=md&taskinfo.languages=r&taskinfo.a.b=c&resources.mincores=2', { authorization: 'Bearer astronomer' });
    expect(JSON.parse(seen[0]?.body ?? '')).to.deep.equal({ tasktype: 'uri://x', taskinfo: { languages: ['md', 'r'], a: { b: 'c' } }, resources: { mincores: '2' } });
    expect(seen[0]?.request.headers).not.to.have.property('authorization');
    expect(seen[0]?.request.headers['planner-via']).to.match(/^[0-9a-f]{16}$/);
  });

  it('is not told the logins for registries that the caller has told us', async () => {
    says({ reponseword: 'NO' });
    const body = JSON.stringify({ tasktype: 'uri://x', taskinfo: { registries: { 'reg.example': 'ada:hush' }, secret: { token: 'hush' }, secrets: ['token=hush'], a: 'b' } });
    expect((await gateway.client.send('POST', '/accepts', { body: Buffer.from(body), headers: { 'content-type': 'application/json' } })).status).to.equal(200);
    expect(JSON.parse(seen[0]?.body ?? '')).to.deep.equal({ tasktype: 'uri://x', taskinfo: { a: 'b' }, resources: {} });
  });

  it('is not asked about types that it does not take, nor questions that have come through us or too many', async () => {
    says({ reponseword: 'YES', servicetype: 'uri://s', serviceinfo: { endpoint: 'http://s/' } });
    await gateway.ask('tasktype=uri://other');
    const mark = (await gateway.ask('tasktype=uri://x').then(() => seen.splice(0)))[0]?.request.headers['planner-via'] as string;
    expect((await gateway.ask('tasktype=uri://x', { 'planner-via': mark })).reponseword).to.equal('NO');
    expect((await gateway.ask('tasktype=uri://docker-container', { 'planner-via': mark })).reponseword, 'what we have said ourselves').to.equal('NO');
    expect((await gateway.ask('tasktype=uri://x', { 'planner-via': '0123456789abcdef, 0123456789abcdee, 0123456789abcded' })).reponseword).to.equal('NO');
    expect(seen).to.have.length(0);
    expect((await gateway.ask('tasktype=uri://docker-container', { 'planner-via': '0123456789abcdef' })).interfaces, 'what another asks us').to.have.length(2);
  });

  it('has its offer told with its name, in either shape', async () => {
    says({ reponseword: 'YES', servicetype: 'uri://s', serviceinfo: { endpoint: 'http://s.example.org/', languages: ['md'], deep: { 'ENV.X': 1 } } });
    expect((await gateway.ask('tasktype=uri://x')).serviceinfo).to.deep.include({ endpoint: 'http://s.example.org/', languages: ['md'], deep: { 'ENV.X': 1 } });
    says({ reponseword: 'YES', interfaces: [{ servicetype: 'uri://s', serviceinfo: { endpoint: 'http://s.example.org/' } }, { servicetype: 'uri://t', serviceinfo: { endpoint: 'http://t.example.org/' } }] });
    expect(types(await gateway.ask('tasktype=uri://x'))).to.deep.equal(['uri://s', 'uri://t']);
    expect(types(await gateway.ask('tasktype=uri://docker-container')), 'beside ours').to.deep.equal(['uri://docker-uws', 'uri://s', 'uri://t']);
  });

  it('has its reasons told with its name', async () => {
    says({ reponseword: 'NO', reponseinfo: { reasons: [{ httpcode: 403, text: 'Not authorised' }, { httpcode: 1, code: '<x>', path: 'taskinfo.a', text: 'x'.repeat(1000) }] } });
    const reasons = (await gateway.ask('tasktype=uri://x')).reponseinfo?.reasons;
    expect(reasons?.[0]).to.deep.equal({ httpcode: 403, code: 'peer.no', path: '', text: 'peer: Not authorised' });
    expect(reasons?.[1]).to.include({ httpcode: 422, code: 'peer.no', path: 'taskinfo.a' });
    expect(reasons?.[1]?.text).to.have.length(506);
  });

  it('gives nothing away that a format could not hold or a browser would run', async () => {
    says({ reponseword: 'YES', servicetype: 'uri://s', serviceinfo: { endpoint: 'http://s.example.org/', 'a b': 1, $: 1, __proto__: 1, nothing: null, a: { b: { c: { d: { e: { f: 1 } } } } } } });
    const answer = await gateway.ask('tasktype=uri://x');
    expect(Object.keys(answer.serviceinfo ?? {})).to.have.members(['endpoint', 'a', 'planner']);
    expect((await gateway.get('/accepts?tasktype=uri://x&format=xml')).status).to.equal(200);
  });

  for (const [what, text, status] of [
    ['an error', '{"reponseword":"YES"}', 503], ['a redirect', '', 302], ['what is no JSON', '<html>', 200], ['no word', '{}', 200], ['a word that there is not', '{"reponseword":"PERHAPS"}', 200],
    ['a yes without a place', '{"reponseword":"YES"}', 200], ['a place that is no web page', '{"reponseword":"YES","servicetype":"s","serviceinfo":{"endpoint":"javascript:alert(1)"}}', 200], ['a place with a password', '{"reponseword":"YES","servicetype":"s","serviceinfo":{"endpoint":"http://u:p@x/"}}', 200],
    ['a member twice', '{"reponseword":"YES","reponseword":"NO"}', 200], ['too much', `{"reponseword":"NO","x":"${'x'.repeat(2_000_000)}"}`, 200], ['too many interfaces', JSON.stringify({ reponseword: 'YES', interfaces: Array(51).fill({ servicetype: 's', serviceinfo: { endpoint: 'http://x/' } }) }), 200],
  ] as const) {
    it(`is no answer when it gives ${what}`, async () => {
      says(text, status);
      expect((await gateway.get('/accepts?tasktype=uri://x')).status, 'nobody else was asked').to.equal(503);
      const answer = await gateway.ask('tasktype=uri://docker-container');
      expect(answer.servicetype).to.equal('uri://docker-uws');
      expect(answer.reponseinfo?.warnings?.map(({ code }) => code)).to.deep.equal(['platform.unavailable']);
    });
  }
});
