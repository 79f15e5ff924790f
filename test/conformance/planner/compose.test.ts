import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { multipart } from '../../support/http-client.ts';
import fc from 'fast-check';
import { pinnedName } from '../../../src/image/image.ts';
import { imagesOf } from '../../../src/task/project.ts';
import { parseComposeParameters } from '../../../src/task/compose-parameters.ts';
import { type EpAnswer, JOB_LIST, PlannerGateway, PUBLIC_URL } from './planner-gateway.ts';

const COMPOSE_LIST = `${PUBLIC_URL}/uws/compose`;
const POLICY = `
rules:
  - name: note
    images: ["docker.io/example/*"]
  - name: members
    images: ["registry.test/members/*"]
    groups: [astronomers]
`;
const WEB = 'docker.io/example/webapp:1.1';
const TYPE = 'uri://docker-compose';

interface MaybeAnswer {
  readonly kind: string;
  readonly how: string;
  readonly parameters: readonly { readonly name: string; readonly required: boolean; readonly secret?: boolean; readonly kind?: string }[];
  readonly changes?: readonly { readonly path: string; readonly text: string }[];
  readonly template?: { readonly mediatype: string; readonly content: string };
}

function maybeOf(answer: EpAnswer): MaybeAnswer | undefined {
  return answer.reponseinfo?.maybe as unknown as MaybeAnswer | undefined;
}

/** The bytes of a fixture, exactly, but for the length that HTTP/1.1 needs. */
async function sendRaw(port: number, request: Buffer): Promise<EpAnswer> {
  const end = request.indexOf('\n\n');
  const body = request.subarray(end + 2);
  const socket = connect(port, '127.0.0.1');
  socket.write(`${request.subarray(0, end).toString('latin1').replaceAll('\n', '\r\n')}\r\nContent-Length: ${String(body.length)}\r\nConnection: close\r\n\r\n`);
  socket.write(body);
  const answer = await text(socket);
  const [head = '', ...rest] = answer.split('\r\n\r\n');
  expect(head).to.match(/^HTTP\/1\.1 200 /);
  const payload = rest.join('\r\n\r\n');
  return JSON.parse(payload.slice(payload.indexOf('{'), payload.lastIndexOf('}') + 1)) as EpAnswer;
}

describe('Execution Planner note §4.2: compose files', () => {
  /** The images of what was answered YES. */
  const promised: (readonly string[])[] = [];
  const gateway: PlannerGateway = new PlannerGateway(() => ({ policy: POLICY, parts: { compose: { policy: gateway.site.policy, jobList: COMPOSE_LIST, promised: (work) => promised.push(imagesOf(work).map(pinnedName)) } } }));
  before(async () => {
    // the policy that judges files is the site's own, which is there once it has started
    const { registry } = gateway.site;
    for (const name of ['docker.io/example/postgres:9.2', WEB, 'registry.test/members/one:1']) registry.put(name);
    await gateway.site.start(POLICY);
    await gateway.start();
  });
  after(() => gateway.stop());

  const ask = (composefile: unknown, more: Readonly<Record<string, unknown>> = {}, path = '/accepts', headers: Readonly<Record<string, string>> = {}): Promise<EpAnswer> =>
    gateway.post({ body: JSON.stringify({ tasktype: TYPE, taskinfo: { composefile, ...more } }), headers: { 'content-type': 'application/json', ...headers } }, path);

  it('tells whoever keeps images of those that a yes names, and of no others', async () => {
    promised.splice(0);
    expect((await ask({ services: { one: { image: WEB, privileged: true } } })).reponseword).not.to.equal('YES');
    expect((await ask(undefined)).reponseword).to.equal('YES');
    expect(promised).to.deep.equal([]);
    expect((await ask({ services: { one: { image: WEB } } })).reponseword).to.equal('YES');
    expect(promised).to.have.length(1);
    expect(promised[0]?.[0]).to.match(/^docker\.io\/example\/webapp@sha256:/);
  });
  const words = (answer: EpAnswer): string => [answer.reponseword, ...(answer.reponseinfo?.reasons ?? []).map(({ code, path }) => `${code} ${path}`)].join(' | ');

  it('"can I run a compose file": yes, and where', async () => {
    const answer = await gateway.ask(`tasktype=${TYPE}`);
    expect(answer).to.deep.include({ reponseword: 'YES', servicetype: 'uri://compose-uws' });
    expect(answer.serviceinfo?.endpoint).to.equal(COMPOSE_LIST);
  });

  it("the note's own example, byte for byte: no, but with its port changed and its three variables given, yes", async () => {
    const port = Number(new URL(gateway.origin).port);
    const answer = await sendRaw(port, readFileSync('fixtures/planner/note-4.2.http'));
    expect(words(answer)).to.equal([
      'NO', ...['POSTGRES_DB', 'POSTGRES_USER', 'POSTGRES_PASSWORD'].map((name) => `compose.missing-variable services.database.environment.${name}`), 'compose.host-port services.webapp.ports[0]',
    ].join(' | '));
    const maybe = maybeOf(answer);
    expect(maybe?.kind).to.equal('change');
    expect(maybe?.parameters).to.deep.equal([{ name: 'database', required: true }, { name: 'username', required: true }, { name: 'password', required: true, secret: true }]);
    const again = await ask(maybe?.template?.content, { variables: { database: 'd', username: 'u', password: 'p$s"w\n' } });
    expect(words(again)).to.equal('YES');
    expect(again.serviceinfo?.parameters).to.deep.include({ COMPOSEFILE: maybe?.template?.content, 'VAR.password': 'p$s"w\n', PHASE: 'RUN' });
  });

  it('says NO to who knows only the note, and MAYBE to who asks for it', async () => {
    const file = `services: {web: {image: "${WEB}", container_name: x}}`;
    expect((await ask(file)).reponseword).to.equal('NO');
    expect((await ask(file, {}, '/accepts?words=yes,no,maybe')).reponseword).to.equal('MAYBE');
    expect((await ask(file, {}, '/accepts', { accept: 'application/json;profile="maybe"' })).reponseword).to.equal('MAYBE');
    expect((await ask(`services: {web: {image: "other.test/x"}}`, {}, '/accepts?words=yes,no,maybe')).reponseword).to.equal('NO');
  });

  it('takes the file as a document, as text, as members, as a part, as a field, in YAML and in JSON', async () => {
    const file = { services: { web: { image: WEB, environment: { VERSION: '1.10' }, privileged: false, cpus: 0.5 } } };
    const yaml = `services:\n  web:\n    image: ${WEB}\n`;
    expect(words(await ask(file))).to.equal('YES');
    expect(words(await ask(JSON.stringify(file)))).to.equal('YES');
    expect(words(await ask(yaml))).to.equal('YES');
    const indented = yaml.replace(/^/gm, '    ').trimEnd();
    const asYaml = (body: string): Promise<EpAnswer> => gateway.post({ body, headers: { 'content-type': 'application/yaml' } });
    expect(words(await asYaml(`tasktype: ${TYPE}\ntaskinfo:\n  composefile:\n${indented}\n`))).to.equal('YES');
    expect(words(await asYaml(`tasktype: ${TYPE}\ntaskinfo:\n  composefile: |\n${indented}\n`))).to.equal('YES');
    for (const contentType of ['text/yaml', 'application/x-yaml', 'application/json', undefined]) {
      const part = { name: 'taskinfo.composefile', value: contentType === 'application/json' ? JSON.stringify(file) : yaml, filename: 'compose.yml', ...(contentType === undefined ? {} : { contentType }) };
      expect(words(await gateway.post(multipart([{ name: 'tasktype', value: TYPE }, part]), '/accept')), contentType).to.equal('YES');
    }
    const form = new URLSearchParams({ tasktype: TYPE, 'taskinfo.composefile': yaml, 'taskinfo.variables.A': 'x', 'taskinfo.service': 'web' }).toString();
    expect(words(await gateway.post({ body: form, headers: { 'content-type': 'application/x-www-form-urlencoded' } }))).to.equal('YES');
    expect(words(await gateway.ask(form))).to.equal('YES');
  });

  it('keeps what a file says when its members came as texts', async () => {
    const answer = await ask({ services: { web: { image: WEB, environment: { V: 1.1 }, privileged: true, ports: [8080] } } });
    expect(words(answer)).to.equal('NO | compose.refused-key services.web.privileged');
    expect(maybeOf(answer)?.template?.content).to.include('"8080"').and.not.to.include('privileged');
  });

  it('a container can be run as a compose file too, with the same judgement', async () => {
    const nameOf = (each: { readonly servicetype: string; readonly serviceinfo: { readonly endpoint: string } }): string => `${each.servicetype} ${each.serviceinfo.endpoint}`;
    const both = [`uri://docker-uws ${JOB_LIST}`, `uri://compose-uws ${COMPOSE_LIST}`];
    expect((await gateway.ask('tasktype=uri://docker-container')).interfaces?.map(nameOf)).to.deep.equal(both);
    const task = { tasktype: 'uri://docker-container', taskinfo: { image: WEB, args: ['echo', '$HOME "x"', '${A:-b}', ''], env: { A: '$$', B: '#\n: x' } }, resources: { mincores: 0.5, minmemory: '256M', maxcores: 0.5, maxmemory: '256M' } };
    const answer = await gateway.post({ body: JSON.stringify(task), headers: { 'content-type': 'application/json' } });
    expect(answer.interfaces?.map(nameOf)).to.deep.equal(both);
    const { parameters } = answer.interfaces?.[1]?.serviceinfo as unknown as { readonly parameters: Readonly<Record<string, string>> };
    expect(parameters).to.have.keys('COMPOSEFILE', 'DECISION', 'EXECUTIONDURATION', 'PHASE');
    const verdict = await gateway.site.policy.evaluateProject({ file: parameters['COMPOSEFILE'] ?? '', variables: new Map() }, { id: null, groups: [] }, AbortSignal.timeout(10_000));
    const [service, ...others] = verdict.accepted ? verdict.project.services : [];
    expect(others).to.deep.equal([]);
    expect(service?.task).to.deep.include({ command: task.taskinfo.args, env: task.taskinfo.env, resources: { cores: 0.5, memory: 2 ** 28 } });
    expect(service?.task.image.reference).to.have.property('digest', answer.reponseinfo?.decision?.digest);
    expect((await gateway.ask('tasktype=uri://docker-container&taskinfo.image=other.test/x')).reponseinfo?.reasons?.map(({ code }) => code)).to.deep.equal(['image.not-listed']);
  });

  it('property: what is offered to a client gets its yes when it is asked about again, and its parameters are the job list\'s', async () => {
    const parts = ['container_name: x', 'privileged: "yes"', 'ports: ["8080:80"]', 'volumes: [./data:/data, "/:/host"]', 'environment: {A: $A, B: "${B:-b}"}', 'network_mode: host', 'restart: always', 'cpus: 99', 'build: .', 'pid: host'];
    await fc.assert(fc.asyncProperty(fc.uniqueArray(fc.constantFrom(...parts), { minLength: 1 }), async (lines) => {
      const first = await ask(`services:\n  web:\n    image: ${WEB}\n${lines.map((line) => `    ${line}\n`).join('')}`);
      if (first.reponseword === 'YES') return;
      const maybe = maybeOf(first);
      expect(maybe, JSON.stringify(first.reponseinfo?.reasons)).not.to.equal(undefined);
      const file = maybe?.template?.content ?? `services: {web: {image: "${WEB}", ${lines.join(', ')}}}`;
      const variables = Object.fromEntries((maybe?.parameters ?? []).map(({ name, kind }) => [name, kind === 'image' ? WEB : 'x']));
      const again = await ask(file, { variables });
      expect(words(again), file).to.equal('YES');
      const parameters = Object.entries(again.serviceinfo?.parameters ?? {}).flatMap(([name, value]) => (typeof value === 'string' && /^(?:COMPOSEFILE$|VAR\.|SERVICE$)/.test(name) ? [{ name, value }] : []));
      expect(parseComposeParameters(parameters)).to.deep.include({ file, variables: new Map(Object.entries(variables)) });
    }), { numRuns: 60 });
  });

  it('fetches nothing', async () => {
    expect(words(await ask('https://edin.ac/3jqocuV.yml'))).to.equal('NO | compose.url taskinfo.composefile');
    expect(words(await ask(' http://127.0.0.1/x.yml\n'))).to.equal('NO | compose.url taskinfo.composefile');
  });

  it('tells lines, and where in the question', async () => {
    const answer = await ask(`services:\n  web:\n    image: ${WEB}\n    pid: host\n`);
    expect(answer.reponseinfo?.reasons?.[0]).to.deep.include({ httpcode: 422, path: 'services.web.pid', line: 4 });
    expect(words(await ask('services: ['))).to.equal('NO | compose.unreadable taskinfo.composefile');
    expect(words(await ask(''))).to.equal('NO | compose.unreadable taskinfo.composefile');
  });

  it('offers nothing to somebody who may not', async () => {
    const file = 'services: {web: {image: "registry.test/members/one:1", container_name: x}}';
    const stranger = await ask(file, {}, '/accepts?words=yes,no,maybe');
    expect(words(stranger)).to.equal('NO | image.not-listed services.web.image | compose.refused-key services.web.container_name'.split(' | ').sort((a, b) => (a === 'NO' ? -1 : b === 'NO' ? 1 : a < b ? -1 : 1)).join(' | '));
    expect(maybeOf(stranger)).to.equal(undefined);
    expect((await ask(file, {}, '/accepts?words=yes,no,maybe', { authorization: 'Bearer astronomer' })).reponseword).to.equal('MAYBE');
  });

  it('counts what the services have together', async () => {
    const file = { services: { web: { image: WEB, cpus: 1, mem_limit: '1g' } } };
    const needs = (resources: Readonly<Record<string, unknown>>): Promise<EpAnswer> =>
      gateway.post({ body: JSON.stringify({ tasktype: TYPE, taskinfo: { composefile: file }, resources }), headers: { 'content-type': 'application/json' } });
    const fits = await needs({ mincores: 1, minmemory: '1G' });
    expect(fits.resources).to.deep.include({ maxcores: 1, maxmemory: '1G' });
    expect(words(await needs({ mincores: 2 }))).to.equal('NO | resources.cores resources.mincores');
    expect(words(await needs({ minmemory: '64G' }))).to.equal('NO | resources.memory resources.minmemory');
  });

  it('names of secrets are part of the question, and what is missing is a parameter; values are of no use here and not repeated', async () => {
    const file = { services: { web: { image: WEB, secrets: ['token'] } }, secrets: { token: { external: true } } };
    const without = await ask(file, {}, '/accepts?words=yes,no,maybe');
    expect(words(without)).to.equal('MAYBE | compose.missing-secret services.web.secrets[0]');
    expect(maybeOf(without)).to.deep.equal({
      kind: 'parameters', parameters: [{ name: 'SECRET.token', required: true, secret: true }],
      how: 'resubmit the file with the names of the secrets in taskinfo.secrets, their values only as SECRET.<NAME> of the job',
    });
    for (const secrets of ['token', ['token'], '{token}', ['token', 'token'], { 0: 'token' }]) {
      const { reponseword, serviceinfo } = await ask(file, { secrets });
      expect([reponseword, (serviceinfo as unknown as Record<string, unknown>)['secrets']], JSON.stringify(secrets)).to.deep.equal(['YES', ['SECRET.token']]);
      expect(serviceinfo?.parameters).to.have.keys('COMPOSEFILE', 'DECISION', 'EXECUTIONDURATION', 'PHASE');
    }
    expect((await ask(file, { secrets: ['token', 'other'] })).reponseinfo?.warnings?.map(({ code, text: said }) => `${code} ${said}`)).to.deep.equal(['compose.warning no service of the file gets the secret "other"']);
    const values: readonly Readonly<Record<string, unknown>>[] = [
      { secrets: { token: 'hush-1' } }, { secrets: ['token=hush-1'] }, { secrets: 'token: hush-1' }, { secrets: [{ token: 'hush-1' }] }, { SECRET: { token: 'hush-1' } }, { 'secret.token': 'hush-1' },
    ];
    for (const taskinfo of values) {
      const response = await fetch(`${gateway.origin}/accepts`, { method: 'POST', body: JSON.stringify({ tasktype: TYPE, taskinfo: { composefile: file, ...taskinfo } }), headers: { 'content-type': 'application/json' } });
      expect(response.status, JSON.stringify(taskinfo)).to.equal(400);
      expect(await response.text()).to.include('is a list of names of secrets').and.not.include('hush');
    }
  });

  it('warns of what it did not look at, and of what is not acted on', async () => {
    const answer = await ask({ services: { web: { image: WEB, pull_policy: 'build' } } }, { colour: 'blue' });
    expect(answer.reponseinfo?.warnings?.map(({ code, path }) => `${code} ${path}`)).to.deep.equal(['taskinfo.unknown taskinfo.colour', 'compose.warning services.web.pull_policy']);
  });

  it('answers in XML and YAML too', async () => {
    const file = encodeURIComponent(`services: {web: {image: "${WEB}", container_name: x}}`);
    const xml = await gateway.get(`/accepts?tasktype=${TYPE}&taskinfo.composefile=${file}`, { accept: 'application/xml' });
    expect(xml.text).to.include('<reponseword>NO</reponseword>').and.to.include('<template>');
    const yaml = await gateway.get(`/accepts?tasktype=${TYPE}&taskinfo.composefile=${file}`, { accept: 'application/yaml' });
    expect(yaml.text).to.include("reponseword: 'NO'".replaceAll("'", '"'));
  });
});
