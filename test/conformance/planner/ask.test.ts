import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ask, AskUsage } from '../../../src/cli/ask.ts';
import { SystemClock } from '../../../src/clock.ts';
import { GatewayError } from '../../../src/errors.ts';
import { createApp } from '../../../src/http/app.ts';
import { createHttpServer } from '../../../src/http/server.ts';
import { createLogger } from '../../../src/logger.ts';
import { plannerSchema } from '../../../src/planner/planner-config.ts';
import { plannerRoutes } from '../../../src/planner/routes.ts';
import { uwsParts } from '../../../src/uws/parts.ts';
import { uwsRoutes } from '../../../src/uws/uws-routes.ts';
import { TestExecution } from '../../support/execution.ts';

interface Called {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function call(words: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Called> {
  let [out, err] = ['', ''];
  const code = await ask(words, { clock: new SystemClock(), out: (text) => (out += text), err: (text) => (err += text), overwrites: false, environment });
  return { code, out, err };
}

const failure = async (promise: Promise<unknown>): Promise<Error> => promise.then(() => { throw new Error('did not fail'); }, (error: unknown) => error as Error);

describe('pratique ask, against the gateway', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pratique-ask-'));
  const clock = new SystemClock();
  const jobs = new TestExecution(clock);
  let server: Server;
  let url: string;

  before(async () => {
    await jobs.start();
    server = createHttpServer((request, response) => app(request, response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
    const logger = createLogger('silent');
    const uws = uwsParts({ list: 'docker', baseUrl: url, service: jobs.execution.services.docker, watch: jobs.execution.watch, clock, logger, wait: { cap: 60, waiters: 10 }, bodyLimit: 100_000 });
    const config = plannerSchema.parse({ services: [{ name: 'hub', tasktypes: ['uri://jupyter-notebook'], servicetype: 'uri://jupyter-hub', endpoint: 'http://hub.example.org/' }] });
    const planner = plannerRoutes({ baseUrl: url, clock, logger, config, bodyLimit: 100_000, policy: jobs.policy, jobList: uws.urls.list });
    const app = createApp({ logger, clock, origin: url, routers: [planner, uwsRoutes(uws)] }).callback();
  });
  after(async () => {
    server.close();
    server.closeAllConnections();
    await jobs.remove();
    rmSync(folder, { recursive: true });
  });
  beforeEach(() => {
    jobs.policy.refusal = undefined;
    jobs.policy.outage = undefined;
  });

  it('prints a yes: where, what was judged, what it gets', async () => {
    const { code, out } = await call([url, '--image', 'registry.test/tools/one:1', '-p', 'gpu=1']);
    expect(code).to.equal(0);
    expect(out).to.match(/^YES {2}uri:\/\/docker-uws at http:.*\/uws\/docker\n/);
    expect(out).to.contain('digest    sha256:').and.contain('rule      yes').and.contain('gets      cores 1, memory 256M').and.contain('warning   taskinfo.gpu: ');
  });

  it('prints a no with its reasons, and exits with 1', async () => {
    jobs.policy.refusal = { code: 'image.base', path: 'image', text: 'layer 3 \u001b[31mdiffers', rule: 'derived' };
    const { code, out } = await call([`${url}/accepts`, '--image', 'registry.test/tools/one:1']);
    expect(code).to.equal(1);
    expect(out).to.equal('NO\n     taskinfo.image: layer 3  [31mdiffers (image.base, rule derived)\n     rule      yes\n');
  });

  it('says once where a reason belongs that says so itself', async () => {
    jobs.policy.refusal = { code: 'image.base', path: 'image', text: 'taskinfo.image is not what it seems' };
    const { out } = await call([url, '--image', 'registry.test/tools/one:1']);
    expect(out).to.contain('\n     taskinfo.image is not what it seems (image.base)\n');
  });

  it('asks for any other task, and prints the answer as it came', async () => {
    const { code, out } = await call([url, '--task', 'uri://jupyter-notebook', '--json']);
    expect(code).to.equal(0);
    expect(JSON.parse(out)).to.include({ servicetype: 'uri://jupyter-hub' });
  });

  it('sends a compose file as a document', async () => {
    writeFileSync(join(folder, 'compose.yml'), 'services: {a: {image: b}}\n');
    const { code, out } = await call([url, '--compose', join(folder, 'compose.yml')]);
    expect(code, 'there is no list for compose here').to.equal(1);
    expect(out).to.contain('tasktype.unknown');
  });

  it('fails where neither yes nor no would be true', async () => {
    jobs.policy.outage = new GatewayError('RegistryUnavailable', 'the registry does not answer');
    expect((await failure(call([url, '--image', 'registry.test/tools/one:1']))).message).to.contain('503').and.contain('the registry does not answer');
  });

  it('runs what is offered, prints its output, and fetches the results', async () => {
    jobs.engine.behave({ autoFinish: true, stdout: 'hello\n', files: { 'a/b.csv': 'x,y\n'  } });
    const target = join(folder, 'done');
    const { code, out, err } = await call([url, '--image', 'registry.test/tools/one:1', '--run', '--output', target, '--', 'echo', '--json', 'a b']);
    expect(code, err).to.equal(0);
    expect(out).to.match(/hello\n$/);
    expect(err).to.match(/^job {2}http:.*\/uws\/docker\/[0-9a-f-]+\n/).and.contain('COMPLETED');
    expect(readFileSync(join(target, 'a/b.csv'), 'utf8')).to.equal('x,y\n');
    const id = /docker\/([0-9a-f-]+)\n/.exec(err)?.[1] ?? '';
    expect((await jobs.get(id)).task).to.have.property('command').that.deep.equals(['echo', '--json', 'a b']);
    expect((await jobs.get(id)).parameters.find(({ name }) => name === 'IMAGE')?.value).to.match(/^registry\.test\/tools\/one:1@sha256:/);
  });

  it('exits with 1 when the job fails, and says why', async () => {
    jobs.engine.behave({ autoFinish: true, code: 7, stderr: 'oh dear' });
    const { code, err } = await call([url, '--image', 'registry.test/tools/one:1', '--run', '--output', join(folder, 'failed')]);
    expect(code).to.equal(1);
    expect(err).to.contain('ERROR').and.contain('exit code 7');
    expect(readFileSync(join(folder, 'failed/stderr'), 'utf8')).to.equal('oh dear');
  });

  it('says so when there is nothing that it can submit to', async () => {
    expect((await failure(call([url, '--task', 'uri://jupyter-notebook', '--run']))).message).to.contain('docker-uws');
  });

  for (const words of [[], ['not a url', '--task', 'x'], ['ftp://x', '--task', 'x'], ['http://u:p@x', '--task', 'x'], ['http://x'], ['http://x', '--task', 'x', '--image', 'y'], ['http://x', 'y', '--task', 'x'], ['http://x', '--task', 'x', '-p', 'novalue'], ['http://x', '--task', 'x', '--', 'y'], ['http://x', '--nonsense']]) {
    it(`does not understand: ${words.join(' ')}`, async () => {
      expect(await failure(call(words))).to.be.instanceOf(AskUsage);
    });
  }
});

describe('pratique ask, against planners of others', () => {
  const seen: IncomingMessage[] = [];
  let answer = '';
  let server: Server;
  let url: string;

  before(async () => {
    server = createServer((request, response) => {
      seen.push(request);
      response.end(answer);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  });
  after(() => server.close());
  beforeEach(() => seen.splice(0));

  for (const member of ['reponseword', 'responseword', 'reponsecode', 'responsecode']) {
    it(`reads ${member}, and the note's shape with several interfaces`, async () => {
      answer = `{ "${member}": "YES", "interfaces": [ { "servicetype": "uri://a", "serviceinfo": { "endpoint": "http://a/" } }, { "servicetype": "uri://b", "serviceinfo": { "endpoint": "http://b/" }, }, ], }`;
      expect(await call([url, '--task', 'uri://x'])).to.deep.include({ code: 0, out: 'YES  uri://a at http://a/\n     uri://b at http://b/\n' });
    });
  }

  it('asks below the URL, with the token to that host', async () => {
    answer = 'reponseword: "NO"';
    await call([`${url}/ep/`, '--task', 'uri://x', '-p', 'languages=md', '-p', 'resources.mincores=2'], { PRATIQUE_TOKEN: 'secret' });
    expect(seen[0]?.url).to.equal('/ep/accepts?tasktype=uri%3A%2F%2Fx&taskinfo.languages=md&resources.mincores=2');
    expect(seen[0]?.headers.authorization).to.equal('Bearer secret');
  });

  it('shows the token to nobody else', async () => {
    const others: IncomingMessage[] = [];
    const other = createServer((request, response) => {
      others.push(request);
      response.writeHead(404).end();
    });
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    answer = `{"reponseword":"YES","servicetype":"uri://docker-uws","serviceinfo":{"endpoint":"http://127.0.0.1:${String((other.address() as AddressInfo).port)}/jobs"}}`;
    await failure(call([url, '--image', 'x', '--run'], { PRATIQUE_TOKEN: 'secret' })).finally(() => other.close());
    expect(others).to.have.length(1);
    expect(others[0]?.headers).not.to.have.property('authorization');
  });

  describe('with secrets and logins', () => {
    const folder = mkdtempSync(join(tmpdir(), 'pratique-ask-'));
    const file = 'services: {a: {image: "registry.test/mine"}}\n';
    const bodies: { readonly url: string; readonly body: string }[] = [];
    const words = ['--compose', join(folder, 'compose.yml'), '--secret', `token=${join(folder, 'token')}`, '--login', `registry.test=${join(folder, 'login')}`, '--run', '--output', join(folder, 'out')];
    let site: Server;
    let at: string;
    let endpoint: string;

    before(async () => {
      writeFileSync(join(folder, 'compose.yml'), file);
      writeFileSync(join(folder, 'token'), 'hush\n');
      writeFileSync(join(folder, 'login'), 'me:open sesame\n');
      site = createServer((request, response) => {
        void text(request).then((body) => {
          bodies.push({ url: request.url ?? '', body });
          if (request.url?.startsWith('/accepts') === true) response.end(JSON.stringify({ reponseword: 'YES', servicetype: 'uri://compose-uws', serviceinfo: { endpoint, parameters: { COMPOSEFILE: 'offered', PHASE: 'RUN' } } }));
          else if (request.method === 'POST') response.writeHead(303, { location: '/jobs/1' }).end();
          else response.end('<job><phase>COMPLETED</phase><results/></job>');
        });
      });
      site.listen(0, '127.0.0.1');
      await once(site, 'listening');
      at = `http://127.0.0.1:${String((site.address() as AddressInfo).port)}`;
    });
    after(() => {
      site.close();
      rmSync(folder, { recursive: true });
    });
    beforeEach(() => {
      bodies.splice(0);
      endpoint = `${at}/jobs`;
    });

    it('the planner is told names and logins, in a body, and the job list all of them', async () => {
      expect((await call([at, ...words])).code).to.equal(0);
      const [asked, made] = bodies;
      expect(asked?.url).to.equal('/accepts');
      expect(asked?.body).to.match(/name="taskinfo\.secrets"\r\n\r\ntoken\r\n/).and.match(/name="taskinfo\.registries"\r\n\r\nregistry\.test=me:open sesame\r\n/).and.not.contain('hush');
      expect(Object.fromEntries(new URLSearchParams(made?.body))).to.deep.equal({ 'SECRET.token': 'hush\n', 'REGISTRY.registry.test': 'me:open sesame', COMPOSEFILE: 'offered', PHASE: 'RUN' });
    });

    it('a job list elsewhere is given nothing', async () => {
      endpoint = `${url}/jobs`;
      expect((await failure(call([at, ...words]))).message).to.contain(`offered is at ${url}`);
      expect(seen).to.deep.equal([]);
    });

    for (const [option, word] of [['--secret', 'token'], ['--login', '=x']] as const) {
      it(`does not understand: ${option} ${word}`, async () => {
        expect(await failure(call([at, '--image', 'x', option, word]))).to.be.instanceOf(AskUsage).with.property('message').that.contains(word);
      });
    }
  });

  it('writes no result outside its folder, whatever it is called', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pratique-ask-'));
    const job = '<job><phase>COMPLETED</phase><results><result id="../../evil" href="evil"/><result id="/etc/x" href="evil"/></results></job>';
    const list = createServer((request, response) => {
      if (request.method === 'POST') response.writeHead(303, { location: '/jobs/1' }).end();
      else if (request.url?.startsWith('/jobs/1') === true) response.end(job);
      else response.end('evil');
    });
    list.listen(0, '127.0.0.1');
    await once(list, 'listening');
    answer = `{"reponseword":"YES","servicetype":"uri://docker-uws","serviceinfo":{"endpoint":"http://127.0.0.1:${String((list.address() as AddressInfo).port)}/jobs"}}`;
    const { code } = await call([url, '--image', 'x', '--run', '--output', join(folder, 'a/b')]).finally(() => list.close());
    expect(code).to.equal(0);
    expect(readdirSync(folder, { recursive: true }).sort()).to.deep.equal(['a', 'a/b', 'a/b/%', 'a/b/%/etc', 'a/b/%/etc/x', 'a/b/%2E%2E', 'a/b/%2E%2E/%2E%2E', 'a/b/%2E%2E/%2E%2E/evil']);
    rmSync(folder, { recursive: true });
  });

  it('writes each result into a file of its own, however alike their names are', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pratique-ask-'));
    const names = ['a?b', 'a*b', 'a_b', 'a*', 'a?/x', '...', 'über.csv', 'öber.csv', '%2F', '100%'];
    const results = names.map((name) => `<result id="${name}" href="${encodeURIComponent(name)}"/>`).join('');
    const list = createServer((request, response) => {
      if (request.method === 'POST') response.writeHead(303, { location: '/jobs/1' }).end();
      else if (/^\/jobs\/1(?:\?|$)/.test(request.url ?? '')) response.end(`<job><phase>COMPLETED</phase><results>${results}</results></job>`);
      else response.end(decodeURIComponent((request.url ?? '').slice('/jobs/'.length)));
    });
    list.listen(0, '127.0.0.1');
    await once(list, 'listening');
    answer = `{"reponseword":"YES","servicetype":"uri://docker-uws","serviceinfo":{"endpoint":"http://127.0.0.1:${String((list.address() as AddressInfo).port)}/jobs"}}`;
    const { code } = await call([url, '--image', 'x', '--run', '--output', folder]).finally(() => list.close());
    expect(code).to.equal(0);
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    expect(files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'utf8')).sort()).to.deep.equal([...names].sort());
    expect(files.map(({ name }) => name)).to.include.members(['a_b', 'über.csv', 'öber.csv']);
    rmSync(folder, { recursive: true });
  });

  it('submits a compose file as it was offered, or as it was asked about', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pratique-ask-'));
    const file = 'services: {a: {image: "b", command: [x, "$WORD"]}}\n';
    writeFileSync(join(folder, 'compose.yml'), file);
    const taken: URLSearchParams[] = [];
    const list = createServer((request, response) => {
      void text(request).then((body) => {
        if (request.method === 'POST') taken.push(new URLSearchParams(body));
        if (request.method === 'POST') response.writeHead(303, { location: '/jobs/1' }).end();
        else response.end('<job><phase>COMPLETED</phase><results/></job>');
      });
    });
    list.listen(0, '127.0.0.1');
    await once(list, 'listening');
    const endpoint = `http://127.0.0.1:${String((list.address() as AddressInfo).port)}/jobs`;
    const words = [url, '--compose', join(folder, 'compose.yml'), '-p', 'variables.WORD=a b', '-p', 'service=a', '--run', '--output', join(folder, 'out')];
    answer = JSON.stringify({ reponseword: 'YES', servicetype: 'uri://compose-uws', serviceinfo: { endpoint } });
    expect((await call(words)).code).to.equal(0);
    answer = JSON.stringify({ reponseword: 'YES', interfaces: [{ servicetype: 'uri://x', serviceinfo: { endpoint: 'http://x/' } }, { servicetype: 'uri://compose-uws', serviceinfo: { endpoint, parameters: { COMPOSEFILE: 'offered', PHASE: 'RUN' } } }] });
    expect((await call(words).finally(() => list.close())).code).to.equal(0);
    expect(taken.map((form) => Object.fromEntries(form))).to.deep.equal([{ COMPOSEFILE: file, 'VAR.WORD': 'a b', SERVICE: 'a', PHASE: 'RUN' }, { COMPOSEFILE: 'offered', PHASE: 'RUN' }]);
    rmSync(folder, { recursive: true });
  });

  it('prints what would be accepted instead, and what is to be filled in', async () => {
    answer = JSON.stringify({ reponseword: 'MAYBE', reponseinfo: { reasons: [], maybe: { how: 'resubmit', parameters: [{ name: 'A' }, { name: 'B' }], template: { content: 'services:\n  a: \u001b[31m\n' } } } });
    expect((await call([url, '--task', 'uri://docker-compose'])).out).to.equal('MAYBE\n     but       resubmit\n     fill in   A, B\n\nservices:\n  a:  [31m\n');
  });

  it('does not take any web page for an answer', async () => {
    for (const page of ['<html></html>', '', '[]', '{"reponseword": false}', '{"other": "YES"}']) {
      answer = page;
      expect((await failure(call([url, '--task', 'x']))).message, page).to.match(/reponseword|not valid/);
    }
  });
});
