import { expect } from 'chai';
import { SCHEMAS, schemaErrors } from '../../support/uws-schema.ts';
import { type Answer, multipart, type Sent } from '../../support/http-client.ts';
import { child, parseXml } from '../../support/uws-documents.ts';
import { expectRefused, IMAGE, uwsGateway } from './uws-gateway.ts';

const VALUE = 'hush-7f3a';

describe('SECRET.<NAME> of containers', () => {
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

const COMPOSEFILE = `services: {web: {image: "${IMAGE}", secrets: [token]}}\nsecrets: {token: {external: true}}\n`;

describe('SECRET.<NAME> of compose files', () => {
  const gateway = uwsGateway({});
  const post = (form: Sent['form']): Promise<Answer> => gateway.client.post('/uws/compose', form);

  it('is shown by its name alone, in every form, however it was given, while the job runs and afterwards', async () => {
    const answers = [
      await post({ COMPOSEFILE, 'SECRET.token': VALUE, PHASE: 'RUN' }),
      await gateway.client.send('POST', '/uws/compose', { json: { parameters: { COMPOSEFILE, 'SECRET.token': VALUE }, phase: 'RUN' } }),
      await gateway.client.send('POST', '/uws/compose', multipart([{ name: 'COMPOSEFILE', value: COMPOSEFILE }, { name: 'PHASE', value: 'RUN' }, { name: 'secret.token', value: VALUE, filename: 't' }])),
    ];
    for (const { headers, status, text } of answers) {
      expect(status, text).to.equal(303);
      const job = gateway.client.pathOf(headers.location ?? '');
      const id = job.slice(job.lastIndexOf('/') + 1);
      await gateway.jobs.inPhase(id, 'EXECUTING');
      expect(JSON.stringify(await gateway.jobs.store.get(id))).to.include('sealed').and.not.include(VALUE);
      const texts: string[] = [];
      const look = async (): Promise<void> => {
        for (const accept of ['text/html', 'application/xml', 'application/json']) {
          for (const path of ['', '/parameters', '/parameters/SECRET.token', '/results', '/error']) texts.push((await gateway.client.get(`${job}${path}`, { accept })).text);
        }
      };
      await look();
      gateway.engine.finish(id);
      await gateway.jobs.inPhase(id, 'COMPLETED');
      await look();
      const json = (await gateway.client.get(job, { accept: 'application/json' })).text;
      expect((JSON.parse(json) as { parameters: Record<string, unknown> }).parameters['SECRET.token']).to.deep.equal({ secret: true });
      const xml = (await gateway.client.get(job)).text;
      if (SCHEMAS !== undefined) expect(await schemaErrors([xml])).to.equal('');
      for (const shown of texts) expect(shown).to.not.include(VALUE).and.not.include('sealed');
      expect(JSON.stringify(await gateway.jobs.store.get(id))).to.not.include('sealed');
    }
  });

  it('is required where a service gets it, may be given later, and comes neither in a URL nor too often, too long or twice', async () => {
    const many = Array.from({ length: 17 }, (_, n) => [`SECRET.s${String(n)}`, VALUE] as const);
    const refused = [
      await post({ COMPOSEFILE }),
      await gateway.client.post(`/uws/compose?SECRET.token=${VALUE}`, { COMPOSEFILE }),
      await post({ COMPOSEFILE, 'SECRET.to/ken': VALUE }),
      await post([['COMPOSEFILE', COMPOSEFILE], ['SECRET.token', VALUE], ['secret.TOKEN', VALUE]]),
      await post([['COMPOSEFILE', COMPOSEFILE], ...many]),
      await post({ COMPOSEFILE, 'SECRET.token': VALUE.repeat(4_000) }),
    ];
    for (const [i, answer] of refused.entries()) {
      expectRefused(answer, i === 0 ? 403 : 400, 'SECRET');
      expect(answer.text).to.not.include(VALUE);
    }
    const later = await post({ 'SECRET.token': VALUE });
    expect(later.status).to.equal(303);
    const job = gateway.client.pathOf(later.headers.location ?? '');
    expect((await gateway.client.post(`${job}/parameters`, { COMPOSEFILE })).status).to.equal(303);
    expect((await gateway.client.post(`${job}/parameters`, { 'SECRET.token': `${VALUE}2` })).status).to.equal(303);
    await gateway.client.post(`${job}/phase`, { PHASE: 'RUN' });
    const id = job.slice(job.lastIndexOf('/') + 1);
    await gateway.engine.whenCalled('wait', id);
    expect(gateway.engine.secretsGiven.filter((each) => each.jobId === id).map(({ call, secrets }) => [call, ...(secrets ?? [])])).to.deep.equal([
      ['start', ['token', `${VALUE}2`]], ['wait', ['token', `${VALUE}2`]],
    ]);
  });

  it('is in the description of the list, as what nobody is shown', async () => {
    const { inputs, schema } = JSON.parse((await gateway.client.get('/jobtypes/compose')).text) as { inputs: Record<string, unknown>; schema: { properties: { parameters: { patternProperties: Record<string, { writeOnly?: boolean }> } } } };
    expect(inputs).to.have.property('SECRET.<NAME>');
    const secrets = Object.entries(schema.properties.parameters.patternProperties).filter(([pattern]) => pattern.startsWith('^SECRET'));
    expect(secrets.map(([, { writeOnly }]) => writeOnly)).to.deep.equal([true]);
  });
});
