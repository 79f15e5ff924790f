import { readdirSync } from 'node:fs';
import { expect } from 'chai';
import { multipart, type Sent } from '../../support/http-client.ts';
import { documentOf, plannerGateway } from './planner-gateway.ts';

const DOCKER = 'tasktype=uri://docker-container';
const BOMB = `a: &a [x,x,x,x,x,x,x,x]\n${Array.from({ length: 30 }, (_, i) => `b${String(i)}: &b${String(i)} [${Array<string>(8).fill(i === 0 ? '*a' : `*b${String(i - 1)}`).join(',')}]`).join('\n')}\n`;

describe('Execution Planner: the task type first (note §3.5)', () => {
  const gateway = plannerGateway({ bodyLimit: 100_000 });
  const BIG = 'x'.repeat(10_000_000);
  const typed = (body: string, type: string): Sent => ({ body, headers: { 'content-type': type } });

  const hostile: readonly (readonly [string, string, string, Sent | undefined])[] = [
    ['a query that cannot be decoded', 'GET', '/accepts?tasktype=uri://other&a=%ZZ&b=%FF&taskinfo=1&taskinfo.a=2&taskinfo.a.b=3', undefined],
    ['a URL', 'GET', '/accepts?tasktype=uri://other&taskinfo.composefile=http://127.0.0.1:9/x', undefined],
    ['an image', 'GET', '/accepts?tasktype=uri://other&taskinfo.image=registry.test/tools/derived:1', undefined],
    ['a YAML bomb', 'POST', '/accepts', { body: `tasktype: uri://other\n${BOMB}` }],
    ['a broken document', 'POST', '/accepts', typed('{"tasktype": "uri://other", "taskinfo": {{{', 'application/json')],
    ['a document with tags of a program', 'POST', '/accepts', typed('tasktype: uri://other\nx: !!js/function "alert()"', 'text/yaml')],
    ['10 MB of YAML', 'POST', '/accepts', { body: `tasktype: "uri://other"\nx: ${BIG}` }],
    ['10 MB of JSON', 'POST', '/accepts', typed(`{"tasktype":"uri://other","x":"${BIG}"}`, 'application/json')],
    ['10 MB of a form', 'POST', '/accepts', typed(`tasktype=uri://other&x=${BIG}`, 'application/x-www-form-urlencoded')],
    ['10 MB in parts', 'POST', '/accepts', multipart([{ name: 'tasktype', value: 'uri://other' }, { name: 'x', value: BIG }])],
    ['10 MB after the type in the query', 'POST', '/accepts?tasktype=uri://other', typed(BIG, 'application/nonsense')],
  ];
  for (const [what, method, path, sent] of hostile) {
    it(`answers NO to an unknown type whatever follows: ${what}`, async () => {
      gateway.takeAsked();
      const answer = documentOf(await gateway.client.send(method, path, sent));
      expect(answer.reponseword).to.equal('NO');
      expect(answer.reponseinfo?.reasons?.map(({ code }) => code)).to.deep.equal(['tasktype.unknown']);
      expect(gateway.takeAsked()).to.deep.equal([]);
      expect((await gateway.ask(DOCKER)).reponseword, 'and serves the next one').to.equal('YES');
    });
  }

  it('reads what follows a type that is known: the same are malformed or too large then', async () => {
    const statuses = [];
    for (const [, method, path, sent] of hostile) {
      const known = (text: string): string => text.replace('uri://other', 'uri://docker-container');
      const body = sent?.body === undefined ? undefined : known(Buffer.from(sent.body).toString('latin1'));
      statuses.push((await gateway.client.send(method, known(path), { ...sent, ...(body === undefined ? {} : { body }) })).status);
    }
    expect(statuses).to.deep.equal([400, 200, 200, 400, 400, 400, 413, 413, 413, 413, 415]);
  });

  it('refuses a body over the limit also when its length is not declared, and closes the connection', async () => {
    const answer = await gateway.client.send('POST', '/accepts', { body: `tasktype: uri://docker-container\nx: ${'x'.repeat(100_000)}`, chunked: true });
    expect(answer.status).to.equal(413);
    expect(answer.headers.connection).to.equal('close');
  });
});

describe('Execution Planner: malformed questions', () => {
  const gateway = plannerGateway({ config: { services: [{ name: 'jupyter', tasktypes: ['uri://jupyter-notebook'], servicetype: 'uri://jupyter-hub', endpoint: 'http://jupyter.example.org/' }] } });

  for (const [what, method, path, sent] of [
    ['nothing', 'GET', '/accepts', {}],
    ['an empty type', 'GET', '/accepts?tasktype=', {}],
    ['a POST without a body', 'POST', '/accepts', {}],
    ['a document without it', 'POST', '/accepts', { body: 'taskinfo: {}' }],
    ['a form without it', 'POST', '/accepts', { form: { taskinfo: '' } }],
  ] as const) {
    it(`answers ${what} with what could be asked`, async () => {
      const answer = await gateway.client.send(method, path, sent);
      expect(answer.status).to.equal(400);
      const document = JSON.parse(answer.text) as { reponseword?: string; reponseinfo: { reasons: { code: string; text: string }[] }; services: { tasktypes: string[]; servicetypes: string[]; endpoint: string }[] };
      expect(document).not.to.have.property('reponseword');
      expect(document.reponseinfo.reasons[0]?.code).to.equal('tasktype.missing');
      expect(document.services.map(({ tasktypes }) => tasktypes[0])).to.deep.equal(['uri://docker-container', 'uri://jupyter-notebook', 'uri://codemeta']);
    });
  }

  for (const [what, status, sent] of [
    ['a body that is no mapping', 400, { body: '- tasktype' }],
    ['a body that is not UTF-8', 400, { body: Buffer.from([0x74, 0xff]) }],
    ['several documents', 400, { body: 'tasktype: uri://docker-container\n---\nx: y' }],
    ['a type that is a list', 400, { body: 'tasktype: [uri://docker-container, uri://docker-compose]' }],
    ['taskinfo that is text', 400, { body: 'tasktype: uri://docker-container\ntaskinfo: hello' }],
    ['taskinfo that is a list', 400, { body: 'tasktype: uri://docker-container\ntaskinfo: [a, b]' }],
    ['two types', 400, { form: [['tasktype', 'uri://docker-container'], ['tasktype', 'uri://jupyter-notebook']] }],
    ['multipart without a boundary', 400, { body: 'x', headers: { 'content-type': 'multipart/form-data' } }],
    ['multipart cut off', 400, { body: '--b\r\nContent-Disposition: form-data; name="tasktype"\r\n\r\nuri://docker-container', headers: { 'content-type': 'multipart/form-data; boundary=b' } }],
    ['plain text', 415, { body: 'tasktype=uri://docker-container', headers: { 'content-type': 'text/plain' } }],
    ['XML', 415, { body: '<tasktype/>', headers: { 'content-type': 'application/xml' } }],
    ['another charset', 415, { body: 'tasktype: uri://docker-container', headers: { 'content-type': 'text/yaml; charset=latin1' } }],
    ['a packed body', 415, { body: 'tasktype: uri://docker-container', headers: { 'content-encoding': 'gzip' } }],
  ] as readonly (readonly [string, number, Sent])[]) {
    it(`refuses ${what} with ${String(status)} and no word`, async () => {
      const answer = await gateway.client.send('POST', '/accepts', sent);
      expect(answer.status).to.equal(status);
      expect(answer.text).not.to.contain('reponseword');
    });
  }

  it('takes the type from the query and the rest from the body', async () => {
    const answer = await gateway.post({ body: 'taskinfo: {image: registry.test/tools/derived:1}' }, `/accepts?${DOCKER}`);
    expect(answer.reponseinfo?.decision?.rule).to.equal('derived');
    expect((await gateway.post({ body: 'tasktype: uri://docker-container' }, `/accepts?${DOCKER}&taskinfo.image=registry.test/tools/derived:1`)).reponseinfo?.decision?.rule).to.equal('derived');
  });
});

describe('Execution Planner: asking leaves no trace (note §1)', () => {
  const gateway = plannerGateway();

  it('answers a thousand questions from what it has read once', async () => {
    const query = `${DOCKER}&taskinfo.image=registry.test/tools/derived:1`;
    const before = readdirSync('.').join(' ');
    const ids = new Set<string | undefined>();
    for (let i = 0; i < 1000; i += 1) ids.add((await gateway.ask(query)).reponseinfo?.decision?.id);
    expect(ids.size, 'each answer is a decision of its own').to.equal(1000);
    expect(readdirSync('.').join(' ')).to.equal(before);
  });
});
