import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { GatewayError } from '../../../src/errors.ts';
import { multipart, type Sent } from '../../support/http-client.ts';
import { child, isNil, parseXml } from '../../support/uws-documents.ts';
import { expectRefused, IMAGE, LIST, type UwsGateway, uwsGateway } from './uws-gateway.ts';

const LIMIT = 10_000;

/** The parameters of a job as a client reads them. */
async function parametersOf(gateway: UwsGateway, path: string): Promise<readonly (readonly [string | undefined, string])[]> {
  const root = await parseXml((await gateway.client.get(path)).text);
  return child(root, 'uws:parameters').children.map(({ attributes, text }) => [attributes.id, text] as const);
}

/** Refused with this status, and no job was made. */
async function expectNoJob(gateway: UwsGateway, sent: Sent, status: number, naming?: string, query = ''): Promise<void> {
  const count = async (): Promise<number> => (await parseXml((await gateway.client.get('/uws/docker')).text)).children.length;
  const before = await count();
  expectRefused(await gateway.client.send('POST', `/uws/docker${query}`, sent), status, naming);
  expect(await count()).to.equal(before);
}

describe('UWS 1.1 §2.2.3.1 creation', () => {
  const gateway = uwsGateway({ bodyLimit: LIMIT });

  it('24 [M] a form is answered with 303 and the place of the job', async () => {
    const answer = await gateway.client.post('/uws/docker', { IMAGE });
    expect([answer.status, answer.text, answer.headers['content-length']]).to.deep.equal([303, '', '0']);
    expect((await gateway.client.get(answer.headers.location ?? '')).status).to.equal(200);
  });

  it('25 [P] Location is absolute, on the configured origin, whatever Host and forwarding headers say', async () => {
    const evil = { host: 'localhost:1234', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'ftp', forwarded: 'host=evil.example', 'x-forwarded-prefix': '/evil' };
    const answer = await gateway.client.post('/uws/docker', { IMAGE }, evil);
    expect(answer.headers.location).to.match(new RegExp(`^${LIST}/[0-9a-f-]+$`));
    expect((await gateway.client.get(answer.headers.location ?? '', evil)).text).to.not.include('evil').and.not.include('localhost');
  });

  it('26 [M] a new job is PENDING, not started, created now, with the default limits', async () => {
    const root = await parseXml((await gateway.client.get(await gateway.create())).text);
    expect(child(root, 'uws:phase').text).to.equal('PENDING');
    expect(isNil(child(root, 'uws:startTime')) && isNil(child(root, 'uws:endTime'))).to.equal(true);
    expect(child(root, 'uws:creationTime').text).to.equal('2026-01-01T00:00:00.000Z');
    expect(child(root, 'uws:executionDuration').text).to.equal('3600');
    expect(child(root, 'uws:destruction').text).to.equal('2026-01-08T00:00:00.000Z');
  });

  it('27 [M] its document is a job of version 1.1', async () => {
    const root = await parseXml((await gateway.client.get(await gateway.create())).text);
    expect([root.name, root.attributes['xmlns:uws'], root.attributes.version]).to.deep.equal(['uws:job', 'http://www.ivoa.net/xml/UWS/v1.0', '1.1']);
  });

  it('28 [D] urlencoded, multipart and JSON make the same job', async () => {
    const given = [['IMAGE', IMAGE], ['ARG', 'a b'], ['ARG', '+%&='], ['ENV.X', 'ü'], ['CORES', '1.5'], ['RUNID', 'r']] as const;
    const sent: Sent[] = [
      { form: given },
      multipart(given.map(([name, value]) => ({ name, value }))),
      { json: { parameters: { IMAGE, ARG: ['a b', '+%&='], 'ENV.X': 'ü', CORES: 1.5 }, runId: 'r' } },
    ];
    const documents = await Promise.all(sent.map(async (each) => {
      const answer = await gateway.client.send('POST', '/uws/docker', each);
      expect(answer.status, answer.text).to.equal(303);
      const job = JSON.parse((await gateway.client.get(answer.headers.location ?? '', { accept: 'application/json' })).text) as Record<string, unknown>;
      return { ...job, jobId: 'the same' };
    }));
    expect(documents[1]).to.deep.equal(documents[0]);
    expect(documents[2]).to.deep.equal(documents[0]);
    expect(documents[0]).to.deep.include({ runId: 'r', parameters: { IMAGE, ARG: ['a b', '+%&='], 'ENV.X': 'ü', CORES: '1.5' } });
  });

  it('29 [P] multipart as STILTS writes it: chunked, odd quoted boundary, Content-Type first', async () => {
    const boundary = '<<--stilts-->>--28a4';
    const part = (name: string, value: string): string =>
      `--${boundary}\r\nContent-Type: text/plain;charset=UTF-8\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
    const body = `${part('IMAGE', IMAGE)}${part('ENV.X', 'ü')}--${boundary}--\r\n`;
    const answer = await gateway.client.send('POST', '/uws/docker', { body, chunked: true, headers: { 'content-type': `multipart/form-data; boundary="${boundary}"` } });
    expect(answer.status, answer.text).to.equal(303);
    expect(await parametersOf(gateway, answer.headers.location ?? '')).to.deep.equal([['IMAGE', IMAGE], ['ENV.X', 'ü']]);
  });

  it('30 [P] PHASE=RUN in the body runs the job', async () => {
    const path = await gateway.create({ IMAGE, PHASE: 'RUN' });
    expect(await gateway.phase(path)).to.be.oneOf(['QUEUED', 'EXECUTING', 'COMPLETED']);
    await gateway.reaches(path, 'EXECUTING');
  });

  it('31 [S] and so does PHASE=RUN in the query', async () => {
    const answer = await gateway.client.post('/uws/docker?PHASE=RUN', { IMAGE });
    expect(await gateway.phase(gateway.client.pathOf(answer.headers.location ?? ''))).to.be.oneOf(['QUEUED', 'EXECUTING', 'COMPLETED']);
  });

  it('32 [D] RUNID is the runId; 65 characters are refused', async () => {
    const sixtyFour = '\u{1F600}'.repeat(32) + 'x'.repeat(32);
    const root = await parseXml((await gateway.client.get(await gateway.create({ IMAGE, RUNID: sixtyFour }))).text);
    expect(child(root, 'uws:runId').text).to.equal(sixtyFour);
    await expectNoJob(gateway, { form: { IMAGE, RUNID: 'x'.repeat(65) } }, 400, 'RUNID');
  });

  it('33 [R] DESTRUCTION, EXECUTIONDURATION and LIFETIME are honoured or cut', async () => {
    const limits = async (form: Readonly<Record<string, string>>): Promise<readonly string[]> => {
      const root = await parseXml((await gateway.client.get(await gateway.create({ IMAGE, ...form }))).text);
      return [child(root, 'uws:destruction').text, child(root, 'uws:executionDuration').text];
    };
    expect(await limits({ DESTRUCTION: '2026-01-02T00:00:00Z', EXECUTIONDURATION: '60' })).to.deep.equal(['2026-01-02T00:00:00.000Z', '60']);
    expect(await limits({ destruction: '2036-01-02', executionDuration: '99999999' })).to.deep.equal(['2026-01-31T00:00:00.000Z', '86400']);
    expect((await limits({ LIFETIME: 'PT5M' }))[1]).to.equal('300');
  });

  it('34 [R] control parameters are not among the parameters', async () => {
    const form = { IMAGE, PHASE: 'RUN', RUNID: 'r', DESTRUCTION: '2026-01-02T00:00:00Z', EXECUTIONDURATION: '60', RESPONSEFORMAT: 'json' };
    expect(await parametersOf(gateway, await gateway.create(form))).to.deep.equal([['IMAGE', IMAGE]]);
  });

  it('35 [D] names are taken in any letter case, values exactly', async () => {
    const value = ' blanks \t+ %41 é\u{1F600} "quotes" \'and\' <&> ]]> \r\n line ';
    expect(await parametersOf(gateway, await gateway.create({ image: IMAGE, 'eNv.Mixed': value, Arg: value }))).to.deep.equal([['IMAGE', IMAGE], ['ENV.Mixed', value], ['ARG', value]]);
  });

  it('36 [D] a single-valued parameter twice is refused', async () => {
    await expectNoJob(gateway, { form: [['IMAGE', IMAGE], ['IMAGE', IMAGE]] }, 400, 'IMAGE');
  });

  it('37 [S] a refusal of the policy is a 403 that says why', async () => {
    gateway.policy.refusal = { code: 'image.not-listed', path: 'image', text: 'no rule lists it' };
    try {
      await expectNoJob(gateway, { form: { IMAGE } }, 403, 'no rule lists it');
    } finally {
      gateway.policy.refusal = undefined;
    }
  });

  it('38 [S] an upload is listed byReference and can be read back byte for byte', async () => {
    const script = 'first line\r\n\tsecond \u0001 ü\n';
    for (const parts of [
      [{ name: 'IMAGE', value: IMAGE }, { name: 'ENV.SCRIPT', value: script, filename: 'run.sh' }],
      [{ name: 'IMAGE', value: IMAGE }, { name: 'ENV.SCRIPT', value: 'param:mine' }, { name: 'mine', value: script, filename: 'run.sh' }],
    ]) {
      const answer = await gateway.client.send('POST', '/uws/docker', multipart(parts));
      expect(answer.status, answer.text).to.equal(303);
      const root = await parseXml((await gateway.client.get(answer.headers.location ?? '')).text);
      const parameter = child(root, 'uws:parameters').children.find(({ attributes }) => attributes.id === 'ENV.SCRIPT');
      expect(parameter?.attributes.byReference).to.equal('true');
      expect(parameter?.text).to.equal(`${String(answer.headers.location)}/parameters/ENV.SCRIPT`);
      expect((await gateway.client.get(parameter?.text ?? '')).text).to.equal(script);
    }
  });

  it('39 [R] a body over the limit is a 413, with and without a length', async () => {
    const form = { IMAGE, 'ENV.X': 'x'.repeat(LIMIT) };
    for (const chunked of [false, true]) {
      await expectNoJob(gateway, { body: new URLSearchParams(form).toString(), chunked, headers: { 'content-type': 'application/x-www-form-urlencoded' } }, 413);
    }
  });

  it('40 [R] characters that XML cannot hold never make a document ill-formed', async () => {
    const path = await gateway.stored({
      phase: 'ERROR', runId: 'a\u0000b', owner: null,
      parameters: [{ name: 'ENV.X', value: 'a\u0001\ufffe\ud800' }],
      results: [{ id: 'bad\u0007name\ud800', mediaType: 'text/plain\u0000', size: 1 }],
      error: { type: 'fatal', message: '\u001b[31mred <&"\u0000' }, info: { message: '\u0000', warnings: ['\ufffe', ']]>'] },
    });
    const root = await parseXml((await gateway.client.get(path)).text);
    expect(child(root, 'uws:runId').text).to.equal('a\ufffdb');
    expect(child(child(root, 'uws:errorSummary'), 'uws:message').text).to.equal('\ufffd[31mred <&"\ufffd');
    for (const part of ['parameters', 'results']) expect((await parseXml((await gateway.client.get(`${path}/${part}`)).text)).children).to.have.length(1);
    expect((await gateway.client.get('/uws/docker')).status).to.equal(200);
  });

  it('41 [P] ids begin with nothing that uws-client eats', async () => {
    for (let i = 0; i < 20; i += 1) expect(await gateway.create()).to.match(/\/uws\/docker\/[0-9a-f-]+$/);
  });
});

describe('bad input 5.2: creation', () => {
  const gateway = uwsGateway({ bodyLimit: LIMIT });
  const refused = (title: string, sent: Sent, status: number, naming?: string, query = ''): void => {
    it(`5.2 ${title} -> ${String(status)}`, () => expectNoJob(gateway, sent, status, naming, query));
  };
  const typed = (type: string, body: string | Uint8Array = 'IMAGE=x'): Sent => ({ body, headers: { 'content-type': type } });
  const form = (pairs: NonNullable<Sent['form']>): Sent => ({ form: pairs });

  it('5.2 no body, no parameter -> 303, PENDING', async () => {
    const answer = await gateway.client.send('POST', '/uws/docker');
    expect(answer.status).to.equal(303);
    expect(await gateway.phase(gateway.client.pathOf(answer.headers.location ?? ''))).to.equal('PENDING');
  });
  it('5.2 a needed parameter missing -> 303; RUN then -> 400 and the job stays PENDING', async () => {
    const path = await gateway.create({ 'ENV.X': '1' });
    expectRefused(await gateway.client.post(`${path}/phase`, { PHASE: 'RUN' }), 400, 'IMAGE');
    expect(await gateway.phase(path)).to.equal('PENDING');
  });
  refused('a needed parameter missing, with PHASE=RUN', form({ PHASE: 'RUN' }), 400, 'IMAGE');
  refused('unknown parameter', form({ IMAGE, COMAND: 'x' }), 400, 'COMAND');
  refused('unknown parameter, naming the allowed ones', form({ IMAGE, COMAND: 'x' }), 400, 'COMMAND, ARG');
  refused('single-valued parameter twice', form([['IMAGE', IMAGE], ['IMAGE', 'other']]), 400, 'IMAGE');
  refused('the same name in different case', form([['IMAGE', IMAGE], ['image', IMAGE]]), 400, 'IMAGE');
  refused('the same name of an environment variable in different case', form([['ENV.a', '1'], ['env.A', '1']]), 400, 'ENV.A');
  refused('PHASE=ABORT', form({ IMAGE, PHASE: 'ABORT' }), 400, 'PHASE');
  refused('PHASE=bogus', form({ IMAGE, PHASE: 'bogus' }), 400, 'PHASE');
  refused('PHASE=RUN twice', form([['PHASE', 'RUN'], ['PHASE', 'RUN']]), 400, 'PHASE');
  refused('PHASE in query and body, different', form({ IMAGE, RUNID: 'a' }), 400, 'RUNID', '?RUNID=b');
  refused('RUNID of 65 characters', form({ RUNID: 'x'.repeat(65) }), 400, 'RUNID');
  for (const value of ['', 'tomorrow', '2026-02-30', '2025-01-01T00:00:00Z', '2026-01-05T00:00:00+01:00']) refused(`DESTRUCTION=${value}`, form({ DESTRUCTION: value }), 400, 'DESTRUCTION');
  for (const value of ['', 'abc', '-1', '1.5', '1e3']) refused(`EXECUTIONDURATION=${value}`, form({ EXECUTIONDURATION: value }), 400, 'EXECUTIONDURATION');
  refused('LIFETIME and EXECUTIONDURATION', form({ LIFETIME: '5m', EXECUTIONDURATION: '300' }), 400, 'LIFETIME');
  it('5.2 limits beyond the site\'s -> 303, cut', async () => {
    const path = await gateway.create({ IMAGE, DESTRUCTION: '9999-12-31', EXECUTIONDURATION: '99999999999999999999' });
    expect((await gateway.client.get(`${path}/destruction`)).text).to.equal('2026-01-31T00:00:00.000Z');
    expect((await gateway.client.get(`${path}/executionduration`)).text).to.equal('86400');
  });
  it('5.2 image not allowed -> 403 with the reason; for the time being -> 503 with Retry-After; too many -> 429', async () => {
    gateway.policy.refusal = { code: 'image.not-listed', path: 'image', text: 'ask for a listed one' };
    await expectNoJob(gateway, { form: { IMAGE } }, 403, 'ask for a listed one').finally(() => (gateway.policy.refusal = undefined));
    try {
      for (const [code, status] of [['RegistryUnavailable', 503], ['TooManyRequests', 429]] as const) {
        gateway.policy.outage = new GatewayError(code, 'not now', { headers: { 'Retry-After': '7' } });
        const answer = await gateway.client.post('/uws/docker', { IMAGE });
        expectRefused(answer, status, 'not now');
        expect(answer.headers['retry-after']).to.equal('7');
      }
    } finally {
      gateway.policy.outage = undefined;
    }
  });
  refused('text/plain', typed('text/plain'), 415);
  refused('application/octet-stream', typed('application/octet-stream'), 415);
  refused('a body without a type', { body: 'IMAGE=x' }, 415);
  refused('application/xml', typed('application/xml', '<job/>'), 415);
  refused('text/xml with an external entity', typed('text/xml', '<!DOCTYPE j [<!ENTITY x SYSTEM "file:///etc/passwd">]><j>&x;</j>'), 415);
  refused('a type that is none', typed('nonsense'), 415);
  refused('JSON that is none', typed('application/json', '{"parameters":'), 400);
  refused('JSON, wrong type at its top', typed('application/json', '[]'), 400);
  refused('JSON, a key twice', typed('application/json', '{"runId":"a","runId":"b"}'), 400, 'runId');
  refused('JSON, nested without end', typed('application/json', `${'['.repeat(2000)}${']'.repeat(2000)}`), 400);
  refused('JSON, unknown member', { json: { parameter: {} } }, 400, 'parameter');
  refused('JSON, wrong member', { json: { executionDuration: 'long' } }, 400, 'executionDuration');
  refused('JSON, unknown parameter', { json: { parameters: { IMAGE, COMAND: 'x' } } }, 400, 'COMAND');
  refused('form in another charset', typed('application/x-www-form-urlencoded; charset=iso-8859-1'), 415);
  refused('form with bytes that are not UTF-8', typed('application/x-www-form-urlencoded', Buffer.from([0x49, 0x3d, 0xff])), 400);
  refused('form with escaped bytes that are not UTF-8', typed('application/x-www-form-urlencoded', 'RUNID=%FF'), 400, 'RUNID');
  refused('form with %ZZ', typed('application/x-www-form-urlencoded', 'RUNID=%ZZ'), 400, 'RUNID');
  refused('a compressed body', { form: { IMAGE }, headers: { 'content-encoding': 'gzip' } }, 415);
  refused('NUL in a value', form({ 'ENV.X': 'a\0b' }), 400, 'ENV.X');
  refused('NUL in an upload', multipart([{ name: 'ENV.X', value: 'a\0b', filename: 'f' }]), 400, 'ENV.X');
  refused('a control character in a value', form({ 'ENV.X': 'a\u0001b' }), 400, 'ENV.X');
  refused('a control character in a name', form({ 'ENV.X\u0001': 'a' }), 400);
  refused('a control character in RUNID', form({ RUNID: '\u0001' }), 400, 'RUNID');
  refused('a body over the limit', form({ 'ENV.X': 'x'.repeat(LIMIT + 1) }), 413);
  refused('more than 500 parameters', form(Array.from({ length: 501 }, () => ['ARG', 'x'] as const)), 400);
  refused('a name too long', form({ [`ENV.${'X'.repeat(200)}`]: 'a' }), 400);
  refused('multipart without a boundary', typed('multipart/form-data', '--x--'), 400);
  refused('multipart cut off', { ...multipart([{ name: 'IMAGE', value: IMAGE }]), body: '--x-test-boundary\r\nContent-Disposition: form-data; name="IMAGE"\r\n\r\nabc' }, 400);
  refused('multipart, a part without a name', typed('multipart/form-data; boundary=b', '--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n'), 400);
  refused('two uploads of one name', multipart([{ name: 'ENV.X', value: 'a', filename: 'f' }, { name: 'ENV.X', value: 'b', filename: 'g' }]), 400, 'ENV.X');
  refused('a field and an upload of one name', multipart([{ name: 'ENV.X', value: 'a' }, { name: 'env.x', value: 'b', filename: 'g' }]), 400, 'x');
  refused('param:NAME without such a part', multipart([{ name: 'ENV.X', value: 'param:nothing' }]), 400, 'ENV.X');
  refused('param:NAME in a form', form({ 'ENV.X': 'param:nothing' }), 400, 'ENV.X');
  it('5.2 a file name that is a path -> never used', async () => {
    for (const filename of ['../../../etc/passwd', '/etc/passwd', 'a\u0007b']) {
      const answer = await gateway.client.send('POST', '/uws/docker', multipart([{ name: 'ENV.X', value: 'text', filename }]));
      expect(answer.status, answer.text).to.equal(303);
      expect((await gateway.client.get(answer.headers.location ?? '')).text).to.not.include('passwd');
    }
  });
  for (const [title, headers] of [['a wrong type', { 'content-type': 'text/plain', 'content-length': '100' }], ['too large', { 'content-type': 'application/json', 'content-length': '100000000' }]] as const) {
    it(`5.2 Expect: 100-continue with ${title} -> the final answer, nothing read`, async () => {
      const { port } = gateway.server.address() as AddressInfo;
      const [status, invited] = await new Promise<[number | undefined, boolean]>((resolve, reject) => {
        let continued = false;
        const outgoing = request({ port, host: '127.0.0.1', method: 'POST', path: '/uws/docker', headers: { ...headers, expect: '100-continue' } }, (response) => {
          resolve([response.statusCode, continued]);
          outgoing.destroy();
        });
        outgoing.on('continue', () => (continued = true));
        outgoing.on('error', reject);
        outgoing.flushHeaders();
      });
      expect([status, invited]).to.deep.equal([title === 'too large' ? 413 : 415, false]);
    });
  }
  it('5.2 Expect: 100-continue that is welcome -> invited, then 303', async () => {
    const { port } = gateway.server.address() as AddressInfo;
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const outgoing = request({ port, host: '127.0.0.1', method: 'POST', path: '/uws/docker', headers: { 'content-type': 'application/json', 'content-length': '2', expect: '100-continue' } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      outgoing.on('continue', () => outgoing.end('{}'));
      outgoing.on('error', reject);
      outgoing.flushHeaders();
    });
    expect(status).to.equal(303);
  });
  for (const name of ['__proto__', 'constructor', 'hasOwnProperty', 'toString']) {
    refused(`a parameter named ${name}`, form({ [`${name}`]: 'x' }), 400, name);
    refused(`a JSON parameter named ${name}`, typed('application/json', `{"parameters":{"${name}":"x"}}`), 400, name);
    refused(`a JSON member named ${name}`, typed('application/json', `{"${name}":"x"}`), 400, name);
  }
  it('5.2 none of these has changed what objects are', () => {
    expect(Object.keys(Object.prototype)).to.deep.equal([]);

  });
});
