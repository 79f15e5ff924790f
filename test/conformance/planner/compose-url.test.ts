import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { httpComposeFile } from '../../../src/planner/http-compose-file.ts';
import { SystemClock } from '../../../src/clock.ts';
import { UntrustedFetch } from '../../../src/untrusted-fetch.ts';
import { type EpAnswer, PlannerGateway, PUBLIC_URL } from './planner-gateway.ts';

const POLICY = `
rules:
  - name: members
    images: ["registry.test/tools/*"]
    groups: [astronomers]
`;
const WEB = 'registry.test/tools/derived:1';
const FILE = `services:\n  web:\n    image: ${WEB}\n`;

describe('Execution Planner note §4.2: compose files by URL', () => {
  const fetch = new UntrustedFetch(new SystemClock());
  const seen: string[] = [];
  const pages: Readonly<Record<string, (response: ServerResponse) => void>> = {
    '/compose.yml': (response) => response.end(FILE),
    '/privileged.yml': (response) => response.end(`${FILE}    privileged: true\n`),
    '/missing.yml': (response) => response.writeHead(404).end('no'),
    '/large.yml': (response) => response.end('#'.repeat(300_000)),
    '/same.yml': (response) => response.writeHead(302, { location: '/compose.yml' }).end(),
    '/metadata.yml': (response) => response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data' }).end(),
    '/elsewhere.yml': (response) => response.writeHead(302, { location: 'https://example.org/compose.yml' }).end(),
  };
  const site = createServer((request: IncomingMessage, response) => {
    seen.push(request.url ?? '');
    pages[request.url ?? '']?.(response);
  });
  let host: string;
  const gateway: PlannerGateway = new PlannerGateway(() => ({
    policy: POLICY,
    parts: { compose: { policy: gateway.site.policy, jobList: `${PUBLIC_URL}/uws/compose`, fetchFile: httpComposeFile(fetch, [{ host, insecure: true, internal: true }, { host: 'localhost', insecure: true, internal: false }]) } },
  }));
  before(async () => {
    site.listen(0, '127.0.0.1');
    await once(site, 'listening');
    host = `127.0.0.1:${String((site.address() as AddressInfo).port)}`;
    await gateway.site.start(POLICY);
    await gateway.start();
  });
  after(async () => {
    await gateway.stop();
    await fetch.close();
    site.close();
    site.closeAllConnections();
  });
  beforeEach(() => seen.splice(0));

  const ask = (composefile: string, token = 'astronomer'): Promise<EpAnswer> =>
    gateway.post({ body: JSON.stringify({ tasktype: 'uri://docker-compose', taskinfo: { composefile } }), headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` } });
  const words = (answer: EpAnswer): string => [answer.reponseword, ...(answer.reponseinfo?.reasons ?? []).map(({ code, path }) => `${code} ${path}`)].join(' | ');

  it('judges the file that is there, and offers to run that text, whatever the URL says later', async () => {
    const answer = await ask(`http://${host}/compose.yml`);
    expect(words(answer)).to.equal('YES');
    expect(answer.serviceinfo?.parameters).to.deep.include({ COMPOSEFILE: FILE });
    expect(words(await ask(`http://${host}/privileged.yml`))).to.equal('NO | compose.refused-key services.web.privileged');
    expect(words(await ask(`http://${host}/same.yml`))).to.equal('YES');
  });

  for (const [what, url, text] of [
    ['a host that is not listed', 'https://example.org/compose.yml', /example\.org is not a host from which/],
    ['the same host at another port', 'http://127.0.0.1:1/compose.yml', /is not a host from which/],
    ['the metadata of a cloud', 'http://169.254.169.254/x.yml', /is not a host from which/],
    ['a listed name with a private address', 'http://localhost/compose.yml', /may not be asked/],
    ['credentials', 'http://user:secret@HOST/compose.yml', /credentials/],
    ['a redirect to the metadata of a cloud', 'http://HOST/metadata.yml', /169\.254\.169\.254 is not a host from which/],
    ['a redirect to a public host that is not listed', 'http://HOST/elsewhere.yml', /example\.org is not a host from which/],
    ['a file that is not there', 'http://HOST/missing.yml', /status 404/],
    ['a large file', 'http://HOST/large.yml', /more than 262144 bytes/],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const answer = await ask(url.replace('HOST', host));
      expect(words(answer)).to.equal('NO | compose.url taskinfo.composefile');
      expect(answer.reponseinfo?.reasons?.[0]?.text).to.match(text).and.not.to.include('secret');
    });
  }

  it('fetches nothing for who could have no file judged', async () => {
    expect(words(await ask(`http://${host}/compose.yml`, 'stranger'))).to.equal('NO | caller.no-rule tasktype');
    expect(seen).to.deep.equal([]);
  });
});
