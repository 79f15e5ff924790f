import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { load } from 'js-yaml';
import { parseStringPromise } from 'xml2js';
import { multipart, type Sent } from '../../support/http-client.ts';
import { plannerGateway } from './planner-gateway.ts';

const SERVICES = [
  { name: 'zeppelin', tasktypes: ['uri://zeppelin-notebook'], servicetype: 'uri://zeppelin-service', endpoint: 'http://zeppelin.example.org/?a=b&c=<d>', taskinfo: { languages: { oneOf: ['md', 'python'] } }, info: { interactive: true, seats: 12, admins: ['NO', 'yes'] } },
  { name: 'portainer', tasktypes: ['uri://docker-container'], servicetype: 'uri://portainer-service', endpoint: 'http://portainer.example.org/' },
];
const QUESTIONS: readonly (readonly [string, Sent])[] = [
  ['NO', { form: { tasktype: 'uri://other' } }],
  ['NO with text that no format likes', { form: { tasktype: 'uri://docker-container', 'taskinfo.image': '<&>"\u0001 \u2028:' } }],
  ['YES, one interface', { form: { tasktype: 'uri://zeppelin-notebook', 'taskinfo.languages': 'md', 'taskinfo.<x>': 'y' } }],
  ['YES, several interfaces', { form: { tasktype: 'uri://docker-container', 'taskinfo.image': 'registry.test/tools/derived:1', 'taskinfo.command.0': 'NO', 'taskinfo.command.1': 'yes', 'taskinfo.env.A': '~', 'resources.maxcores': '1.5' } }],
  ['no type', { form: {} }],
];

/** Without what changes from answer to answer. */
function stable(text: string): string {
  return text.replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'ID');
}

/** What XML can tell of a document: every value as text, lists as they are. */
function texts(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(texts);
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, texts(member)]));
  return String(value).replace('\u0001', '\ufffd');
}

/** XML as read by somebody else, lists told by their items' names. */
function listed(value: unknown, name = ''): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value as Record<string, unknown[]>).filter(([member]) => member !== '$');
  const [only] = members;
  const isList = members.length === 1 && only !== undefined && (only[0] === 'item' || ['interfaces', 'reasons', 'warnings', 'languages', 'services', 'tasktypes', 'servicetypes'].includes(name));
  if (isList) return only[1].map((item) => listed(item));
  return Object.fromEntries(members.map(([member, [content]]) => [member, listed(content, member)]));
}

describe('Execution Planner: response formats (note §9.2)', () => {
  const gateway = plannerGateway({ config: { services: SERVICES } });
  const ask = (sent: Sent, accept: string, query = ''): Promise<{ status: number; text: string; type: string }> =>
    gateway.client.send('POST', `/accepts${query}`, { ...sent, headers: { ...sent.headers, accept } }).then(({ status, text, headers }) => ({ status, text: stable(text), type: headers['content-type'] ?? '' }));

  for (const [what, sent] of QUESTIONS) {
    it(`says the same in JSON, YAML and XML: ${what}`, async () => {
      const json = await ask(sent, 'application/json');
      const yaml = await ask(sent, 'application/yaml');
      const xml = await ask(sent, 'application/xml');
      expect([json.type, yaml.type, xml.type]).to.deep.equal(['application/json; charset=utf-8', 'application/yaml; charset=utf-8', 'application/xml; charset=utf-8']);
      const document = JSON.parse(json.text) as Record<string, unknown>;
      expect(load(yaml.text)).to.deep.equal(document);
      const { answer } = (await parseStringPromise(xml.text)) as { answer: unknown };
      expect(listed(answer)).to.deep.equal(texts(document));
      expect(xml.text).to.contain('xmlns="https://pratique.dev/ns/planner/1.0"');
    });
  }

  it('is read the same by PyYAML, in which a bare NO is false, and by xmllint against the schema', async function () {
    this.timeout(60_000);
    const folder = mkdtempSync(join(tmpdir(), 'pratique-formats-'));
    try {
      for (const [i, [, sent]] of QUESTIONS.entries()) {
        const [json, yaml, xml] = [(await ask(sent, 'application/json')).text, (await ask(sent, 'application/yaml')).text, (await ask(sent, 'application/xml')).text];
        const script = 'import json,sys,yaml; print(json.dumps(yaml.safe_load(sys.stdin.buffer.read())))';
        const python = spawnSync('/usr/bin/python3', ['-c', script], { input: yaml, encoding: 'utf8' });
        expect(python.status, python.stderr).to.equal(0);
        expect(JSON.parse(python.stdout)).to.deep.equal(JSON.parse(json));
        writeFileSync(join(folder, `${String(i)}.xml`), xml);
      }
      const schema = fileURLToPath(new URL('../../../docs/planner.xsd', import.meta.url));
      const lint = spawnSync('xmllint', ['--nonet', '--noout', '--schema', schema, ...QUESTIONS.map((_, i) => join(folder, `${String(i)}.xml`))], { encoding: 'utf8' });
      expect(lint.error, 'xmllint (libxml2-utils) is needed').to.equal(undefined);
      expect(lint.status, lint.stderr).to.equal(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  const NO: Sent = { form: { tasktype: 'uri://other' } };
  for (const [accept, format] of [
    ['*/*', 'json'], ['', 'json'], ['image/png', 'json'], ['text/html', 'json'], ['application/xml;q=0.5, application/json;q=0.4', 'xml'], ['text/yaml', 'yaml'], ['application/x-yaml, */*;q=0.1', 'yaml'],
    ['application/json;q=0.2, application/yaml;q=0.3, text/xml;q=0.1', 'yaml'], ['text/*', 'yaml'], ['nonsense;;q=', 'json'], ['application/xml, application/json', 'json'],
  ] as const) {
    it(`prefers ${format} for Accept: ${JSON.stringify(accept)}`, async () => {
      expect((await ask(NO, accept)).type).to.contain(format);
    });
  }

  for (const [query, format] of [['?format=yaml', 'yaml'], ['?RESPONSEFORMAT=application/xml', 'xml'], ['?responseformat=text/xml', 'xml'], ['?FORMAT=JSON', 'json'], ['?format=application/x-yaml', 'yaml']] as const) {
    it(`lets ${query} override Accept`, async () => {
      expect((await ask(NO, 'application/json', query)).type).to.contain(format);
    });
  }

  it('refuses a format that there is not, and never answers 406', async () => {
    expect((await ask(NO, '*/*', '?format=votable')).status).to.equal(400);
  });

  it('takes each format in with each format out', async () => {
    const question = { tasktype: 'uri://docker-container', taskinfo: { image: 'registry.test/tools/lookalike:1' } };
    const inputs: readonly Sent[] = [
      { json: question }, { body: `tasktype: ${question.tasktype}\ntaskinfo:\n  image: ${question.taskinfo.image}\n`, headers: { 'content-type': 'application/yaml' } },
      { form: { tasktype: question.tasktype, 'taskinfo.image': question.taskinfo.image } }, multipart([{ name: 'tasktype', value: question.tasktype }, { name: 'taskinfo.image', value: question.taskinfo.image }]),
    ];
    for (const accept of ['application/json', 'application/yaml', 'application/xml']) {
      const answers = new Set<string>();
      for (const sent of inputs) answers.add((await ask(sent, accept)).text);
      expect([...answers], accept).to.have.length(1);
    }
  });

  it('may be kept by no cache, and says what it varies by', async () => {
    const { headers } = await gateway.get('/accepts?tasktype=uri://other');
    expect(headers['cache-control']).to.equal('no-store');
    expect(headers.vary).to.contain('Accept');
  });
});
