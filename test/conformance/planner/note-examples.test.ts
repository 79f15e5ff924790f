import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { load } from 'js-yaml';
import type { Sent } from '../../support/http-client.ts';
import { documentOf, type EpAnswer, PlannerGateway } from './planner-gateway.ts';

/** One example of the note: a question to a planner that knows these services, and what the note answers. */
interface Example {
  readonly section: string;
  readonly title: string;
  readonly services: readonly string[];
  readonly docker?: boolean;
  readonly query?: string;
  readonly json?: unknown;
  /** A whole request as the note prints it. */
  readonly multipart?: string;
  readonly authorization?: string;
  readonly answer: EpAnswer;
}

const fixture = (name: string): string => readFileSync(new URL(`../../../fixtures/planner/${name}`, import.meta.url), 'utf8');
const EXAMPLES = JSON.parse(fixture('examples.json')) as readonly Example[];

const SHIPPED = (load(readFileSync(new URL('../../../examples/planner-services.yaml', import.meta.url), 'utf8')) as { planner: { services: Record<string, unknown>[] } }).planner.services;
const PORTAINER = SHIPPED.find(({ name }) => name === 'portainer');
/** The services of the examples: those that are shipped, and the two more of §4.4 and §7. */
const SERVICES: readonly Record<string, unknown>[] = [
  ...SHIPPED,
  { ...PORTAINER, name: 'portainer-members', groups: ['astronomers'] },
  { name: 'compose-uws', tasktypes: ['uri://docker-container'], servicetype: 'uri://compose-uws', endpoint: 'http://uws.example.org/compose' },
  { name: 'docker-uws', tasktypes: ['uri://docker-container'], servicetype: 'uri://docker-uws', endpoint: 'http://uws.example.org/docker' },
];

/** A request as printed: header lines, an empty line, the body. */
function printed(name: string, eol: string): Sent & { readonly path: string } {
  const text = fixture(name);
  const end = text.indexOf('\n\n');
  const [first = '', ...headers] = text.slice(0, end).split('\n');
  return {
    path: first.split(' ')[1] ?? '',
    body: text.slice(end + 2).replace(/\n$/, '').replaceAll('\n', eol),
    headers: Object.fromEntries(headers.map((line) => line.split(/:\s*(.*)/s).slice(0, 2) as [string, string]).filter(([header]) => header !== 'Host')),
  };
}

/** Every member that the note gives, as the note gives it; of texts, the beginning. */
function expectToSay(actual: unknown, expected: unknown, path = 'answer'): void {
  if (Array.isArray(expected)) {
    expect(actual, path).to.be.an('array').with.length(expected.length);
    expected.forEach((item, i) => expectToSay((actual as unknown[])[i], item, `${path}[${String(i)}]`));
  } else if (typeof expected === 'object' && expected !== null) {
    for (const [name, value] of Object.entries(expected)) expectToSay((actual as Record<string, unknown> | undefined)?.[name], value, `${path}.${name}`);
  } else if (path.endsWith('.text')) expect(actual, path).to.be.a('string').that.satisfies((text: string) => text.startsWith(String(expected)));
  else expect(actual, path).to.equal(expected);
}

describe('Execution Planner note', () => {
  for (const example of EXAMPLES) {
    describe(`§${example.section} ${example.title}`, () => {
      const gateway = new PlannerGateway({ config: { services: SERVICES.filter(({ name }) => example.services.includes(name as string)) }, standAlone: example.docker !== true });
      before(() => gateway.start());
      after(() => gateway.stop());

      const headers: Record<string, string> = example.authorization === undefined ? {} : { authorization: example.authorization };
      const asked: (readonly [string, () => Promise<EpAnswer>])[] = [];
      const { query, json, multipart } = example;
      if (query !== undefined) asked.push(['by GET', () => gateway.ask(query, headers)]);
      if (query !== undefined) asked.push(['by POST as a form', () => gateway.post({ body: query, headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' } })]);
      if (json !== undefined) asked.push(['by POST as JSON', () => gateway.post({ json, headers })]);
      if (json !== undefined) asked.push(['by POST as YAML without a type', () => gateway.post({ body: JSON.stringify(json), headers }, '/accept')]);
      if (multipart !== undefined) {
        for (const [how, eol] of [['LF', '\n'], ['CRLF', '\r\n']] as const) {
          const { path, ...sent } = printed(multipart, eol);
          asked.push([`by POST as printed, with ${how}`, () => gateway.post(sent, path)]);
        }
      }
      for (const [how, ask] of asked) {
        it(`answers ${example.answer.reponseword ?? ''} ${how}`, async () => {
          const answer = await ask();
          expectToSay(answer, example.answer);
          if (example.answer.interfaces !== undefined) expect(answer).not.to.have.any.keys('servicetype', 'serviceinfo');
          if (example.answer.servicetype !== undefined) expect(answer.interfaces, 'a single interface is told both ways').to.have.length(1);
        });
      }
    });
  }

  it('is in these fixtures with every section that has an example', () => {
    expect(new Set(EXAMPLES.map(({ section }) => section))).to.deep.equal(new Set(['3.1', '3.2', '3.3', '3.4', '3.5', '4.1', '4.2', '4.3', '4.4', '7', '9.1']));
  });

  it('is asked through HEAD too', async () => {
    const gateway = new PlannerGateway({ config: { services: SERVICES.slice(0, 1) } });
    await gateway.start();
    try {
      const answer = await gateway.client.send('HEAD', '/accepts?tasktype=uri://jupyter-notebook');
      expect(answer).to.include({ status: 200, text: '' });
      expect(documentOf(await gateway.get('/accepts/?tasktype=uri://jupyter-notebook')).reponseword).to.equal('YES');
    } finally {
      await gateway.stop();
    }
  });
});
