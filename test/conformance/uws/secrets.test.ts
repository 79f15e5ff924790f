import { expect } from 'chai';
import { SCHEMAS, schemaErrors } from '../../support/uws-schema.ts';
import { multipart } from '../../support/http-client.ts';
import { child, parseXml } from '../../support/uws-documents.ts';
import { expectRefused, IMAGE, uwsGateway } from './uws-gateway.ts';

const VALUE = 'hush-7f3a';

describe('SECRET.<NAME>', () => {
  const gateway = uwsGateway({});
  const send = multipart([{ name: 'IMAGE', value: IMAGE }, { name: 'secret.token', value: VALUE, filename: 't' }]);

  it('is shown by its name alone, in every form, however it was given', async () => {
    const answers = [
      await gateway.client.post('/uws/docker', { IMAGE, 'SECRET.token': VALUE }),
      await gateway.client.send('POST', '/uws/docker', { json: { parameters: { IMAGE, 'SECRET.token': VALUE } } }),
      await gateway.client.send('POST', '/uws/docker', send),
    ];
    for (const { headers, status } of answers) {
      expect(status).to.equal(303);
      const job = gateway.client.pathOf(headers.location ?? '');
      const xml = (await gateway.client.get(job)).text;
      const [, secret] = child(await parseXml(xml), 'uws:parameters').children;
      expect([secret?.attributes.id, secret?.attributes.isPost, secret?.text]).to.deep.equal(['SECRET.token', 'true', '']);
      if (SCHEMAS !== undefined) expect(await schemaErrors([xml])).to.equal('');
      const json = (await gateway.client.get(job, { accept: 'application/json' })).text;
      expect((JSON.parse(json) as { parameters: object }).parameters).to.deep.equal({ IMAGE, 'SECRET.token': { secret: true } });
      const texts = [xml, json];
      for (const accept of ['text/html', 'application/xml', 'application/json']) {
        for (const path of ['', '/parameters', '/parameters/SECRET.token']) texts.push((await gateway.client.get(`${job}${path}`, { accept })).text);
      }
      for (const text of texts) expect(text).to.not.include(VALUE).and.not.include('sealed');
    }
  });

  it('is shown no more where it is a login for a registry, of which the judge alone is told', async () => {
    const LOGIN = `ada:${VALUE}`;
    const answer = await gateway.client.post('/uws/docker', { IMAGE, 'registry.REGISTRY.test': LOGIN });
    expect(answer.status).to.equal(303);
    const job = gateway.client.pathOf(answer.headers.location ?? '');
    const name = 'REGISTRY.registry.test';
    const json = (await gateway.client.get(job, { accept: 'application/json' })).text;
    expect((JSON.parse(json) as { parameters: object }).parameters).to.deep.equal({ IMAGE, [name]: { secret: true } });
    // the judge is asked with it again when something else changes, at RUN, and when the job's turn comes
    expect((await gateway.client.post(`${job}/parameters`, { CORES: '2' })).status).to.equal(303);
    expect((await gateway.client.post(`${job}/phase`, { PHASE: 'RUN' })).status).to.equal(303);
    await gateway.engine.whenCalled('ensureImage');
    expect(gateway.policy.logins).to.deep.equal([LOGIN, LOGIN, LOGIN, LOGIN]);
    expect(gateway.engine.logins).to.deep.equal([LOGIN]);
    for (const path of ['', '/parameters', `/parameters/${name}`]) {
      for (const accept of ['text/html', 'application/xml', 'application/json']) expect((await gateway.client.get(`${job}${path}`, { accept })).text).to.not.include(VALUE).and.not.include('sealed');
    }
    for (const [where, parameters] of [[`/uws/docker?${name}=${LOGIN}`, { IMAGE }], ['/uws/docker', { IMAGE: 'other.test/x:1', [name]: LOGIN }], ['/uws/docker', { IMAGE, [name]: VALUE }]] as const) {
      const refused = await gateway.client.post(where, parameters);
      expectRefused(refused, 400, 'REGISTRY');
      expect(refused.text).to.not.include(VALUE);
    }
  });

  it('is taken as it is, is replaced while the job is PENDING, and comes neither in a URL nor too often', async () => {
    const job = await gateway.create();
    expect((await gateway.client.post(`${job}/parameters`, { 'SECRET.a': `param:${VALUE}` })).status).to.equal(303);
    expect((await gateway.client.post(`${job}/parameters`, { 'SECRET.a': '\u0001' })).status).to.equal(303);
    const refused = [
      await gateway.client.post(`${job}/parameters?SECRET.a=${VALUE}`, { RUNID: 'r' }),
      await gateway.client.post(`${job}/parameters`, { 'SECRET.a/b': VALUE }),
      await gateway.client.post(`${job}/parameters`, { 'SECRET.': VALUE }),
      await gateway.client.post('/uws/docker', [['IMAGE', IMAGE], ['SECRET.a', VALUE], ['secret.A', VALUE]]),
      await gateway.client.post('/uws/docker', [['IMAGE', IMAGE], ...Array.from({ length: 17 }, (_, n) => [`SECRET.s${String(n)}`, VALUE] as const)]),
      await gateway.client.post('/uws/docker', { IMAGE, 'SECRET.a': VALUE.repeat(4_000) }),
    ];
    for (const answer of refused) {
      expectRefused(answer, 400, 'SECRET');
      expect(answer.text).to.not.include(VALUE);
    }
  });
});
