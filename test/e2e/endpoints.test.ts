import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { join } from 'node:path';
import { hashSync } from 'bcryptjs';
import { expect } from 'chai';
import Docker from 'dockerode';
import { buildImage, pushImage } from '../support/oci-image.ts';
import { Site } from '../support/site.ts';

/** A WebSocket's side that returns what it is sent, without looking at it: the handshake of RFC 6455 §4.2.2 by hand. */
const ECHO = `#!/bin/sh
while read -r line; do
  line=$(printf %s "$line" | tr -d '\\r')
  [ -z "$line" ] && break
  case "$line" in [Ss]ec-[Ww]eb[Ss]ocket-[Kk]ey:*) key=\${line#*: } ;; esac
done
hash=$(printf %s "\${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11" | sha1sum | cut -c1-40 | sed 's/../\\\\x&/g')
accept=$(printf "$hash" | base64)
printf 'HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: %s\\r\\n\\r\\n' "$accept"
exec cat
`;
const DATABASE = 'touch /work/up; while :; do echo 42 stars | nc -l -p 5432; done';
const WEB = 'nc -w 5 db 5432 </dev/null > /work/page.txt; nc -ll -p 8081 -e /echo.sh & exec httpd -f -p 127.0.0.1:8080 -h /work';

const docker = new Docker();
const basic = (who: string): string => `Basic ${Buffer.from(`${who}:secret of ${who}`).toString('base64')}`;

describe('jobs that serve, on a real engine', function () {
  this.timeout(180_000);
  const site = new Site();
  let image = '';

  before(async () => {
    await site.open(`jobs: { slots: 4, lease: 1, defaultCores: 0.1, defaultMemory: 64M }
identity:
  htpasswd: { file: users }
`);
    const built = await buildImage({ base: site.base, files: { '/echo.sh': { content: ECHO, mode: 0o755 } }, config: { Cmd: ['sh'] } });
    await pushImage(site.registry.host, 'job/serves', '1', built);
    image = `${site.registry.host}/job/serves:1`;
    writeFileSync(join(site.folder, 'users'), ['ada', 'eve'].map((who) => `${who}:${hashSync(`secret of ${who}`, 4)}\n`).join(''));
    const file = join(site.folder, 'pratique.yaml');
    // the relay is the job's own image, by its id: it is there as soon as the job is
    const settings = readFileSync(file, 'utf8').replace(/engine: \{ /, `engine: { relay: "${built.config.digest}", `).replace(/base: \[busybox\] \}/, 'base: [busybox], run: { endpoints: true } }');
    writeFileSync(file, settings);
    await site.start();
  });
  afterEach(function () {
    if (this.currentTest?.state === 'failed') console.error(site.log.split('\n').slice(-12).join('\n'));
  });
  after(() => site.close());

  async function submit(list: string, parameters: Readonly<Record<string, string>>): Promise<string> {
    const response = await fetch(`${site.url}/uws/${list}`, { method: 'POST', body: new URLSearchParams({ ...parameters, PHASE: 'RUN' }), redirect: 'manual', headers: { authorization: basic('ada') } });
    expect(response.status, await response.text()).to.equal(303);
    return response.headers.get('location') ?? '';
  }

  const get = (url: string, who = 'ada'): Promise<Response> => fetch(url, { headers: { authorization: basic(who), accept: 'application/json' } });

  /** Where the job serves, once all of it does. */
  async function endpointsOf(job: string): Promise<Readonly<Record<string, string>>> {
    for (;;) {
      const answer = await get(`${job}/results/endpoints`);
      if (answer.ok) {
        const { endpoints } = (await answer.json()) as { endpoints: { service: string; port: number; ready: boolean; url: string }[] };
        if (endpoints.every(({ ready }) => ready)) return Object.fromEntries(endpoints.map(({ service, port, url }) => [`${service} ${String(port)}`, url]));
      } else {
        await answer.body?.cancel();
        const { phase, errorSummary } = (await (await get(job)).json()) as { phase: string; errorSummary: unknown };
        expect(phase, JSON.stringify(errorSummary)).to.be.oneOf(['QUEUED', 'EXECUTING']);
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  function upgrade(url: string, who: string): ReturnType<typeof request> {
    const headers = { authorization: basic(who), connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', 'sec-websocket-version': '13' };
    return request(url, { headers, agent: false }).end();
  }

  async function goneIn(job: string, urls: readonly string[]): Promise<void> {
    const deleted = await fetch(job, { method: 'DELETE', redirect: 'manual', headers: { authorization: basic('ada') } });
    expect(deleted.status).to.equal(303);
    for (const url of urls) expect((await get(url)).status).to.equal(404);
    while ((await site.remains()).length > 0) await new Promise((resolve) => setTimeout(resolve, 100));
  }

  it('a container without a network is reached by its owner alone, until it is gone', async () => {
    const job = await submit('docker', { IMAGE: image, PORT: '8080', COMMAND: "sh -c 'echo from within > /work/page.txt; exec httpd -f -p 127.0.0.1:8080 -h /work'" });
    const { 'main 8080': url = '' } = await endpointsOf(job);
    const answers = await Promise.all([1, 2, 3].map(async () => (await get(`${url}page.txt`)).text()));
    expect(answers).to.deep.equal(['from within\n', 'from within\n', 'from within\n']);
    expect((await get(`${url}page.txt`, 'eve')).status).to.equal(403);
    const label = [`pratique.gateway=${site.gatewayName}`];
    for (const { Id } of await docker.listContainers({ filters: { label } })) {
      const { HostConfig } = await docker.getContainer(Id).inspect();
      expect([HostConfig.PortBindings ?? {}, HostConfig.ReadonlyRootfs, HostConfig.CapDrop]).to.deep.equal([{}, true, ['ALL']]);
    }
    await goneIn(job, [url]);
  });

  it('is ready when somebody listens, and, with a healthcheck, when that says so', async () => {
    const web = { image, command: ['sh', '-c', 'httpd -f -p 8080 -h /work'], ports: ['8080'] };
    const services = { plain: web, unwell: { ...web, healthcheck: { test: ['CMD', 'false'], interval: '1s', retries: 100 } } };
    const job = await submit('compose', { COMPOSEFILE: JSON.stringify({ services }) });
    const states = async (): Promise<Readonly<Record<string, { ready: boolean; url: string }>>> => {
      const answer = await get(`${job}/results/endpoints`);
      if (!answer.ok) return {};
      const { endpoints } = (await answer.json()) as { endpoints: { service: string; ready: boolean; url: string }[] };
      return Object.fromEntries(endpoints.map((each) => [each.service, each]));
    };
    let now = await states();
    const listens = async (): Promise<boolean> => now['unwell'] !== undefined && (await get(now['unwell'].url)).status === 404;
    for (; now['plain']?.ready !== true || !(await listens()); now = await states()) await new Promise((resolve) => setTimeout(resolve, 200));
    expect(now['unwell']?.ready, 'listens, and is not healthy').to.equal(false);
    await goneIn(job, [now['plain']?.url ?? '']);
  });

  it('a database with a healthcheck and a web service over it: HTTP and WebSocket, refused for another owner, gone after destruction', async () => {
    const services = {
      db: { image, command: ['sh', '-c', DATABASE], healthcheck: { test: ['CMD', 'test', '-f', '/work/up'], interval: '1s', retries: 60 } },
      web: { image, command: ['sh', '-c', WEB], ports: ['8080', '8081'], depends_on: { db: { condition: 'service_healthy' } } },
    };
    const job = await submit('compose', { COMPOSEFILE: JSON.stringify({ services }) });
    const { 'web 8080': page = '', 'web 8081': socketUrl = '' } = await endpointsOf(job);
    expect(await (await get(`${page}page.txt`)).text()).to.equal('42 stars\n');
    expect((await get(`${page}page.txt`, 'eve')).status).to.equal(403);

    const [answer, socket] = (await once(upgrade(socketUrl, 'ada'), 'upgrade')) as [IncomingMessage, Duplex];
    expect(answer.headers['sec-websocket-accept']).to.equal('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
    socket.write('ping');
    expect(String((await once(socket, 'data'))[0])).to.equal('ping');
    const [refused] = (await once(upgrade(socketUrl, 'eve'), 'response')) as [IncomingMessage];
    refused.resume();
    expect(refused.statusCode).to.equal(403);

    // what is open ends with the job
    const closed = once(socket, 'close');
    socket.on('error', () => undefined).resume();
    await goneIn(job, [page, socketUrl]);
    await closed;
  });
});
