import { execFile } from 'node:child_process';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { hashSync } from 'bcryptjs';
import { expect } from 'chai';
import { AUDIENCE, OidcIssuer, SHAPES } from '../conformance/identity/oidc-issuer.ts';
import { Site } from '../support/site.ts';

const run = promisify(execFile);

/** pyvo finds out by itself where it has to show the password it was given. */
const PYVO = `
import sys
from pyvo.auth import AuthSession
from pyvo.io.vosi import parse_capabilities
import io
url, job = sys.argv[1], sys.argv[2]
session = AuthSession()
session.credentials.set_password('ada', 'secret')
session.update_from_capabilities(parse_capabilities(io.BytesIO(session.get(url + '/capabilities').content)))
for asked in (url + '/uws/docker', job, job + '/results/stdout'):
    answer = session.get(asked)
    print(answer.status_code, answer.headers.get('X-VO-Authenticated'))
print(AuthSession().get(job).status_code)
`;

describe('a site whose callers are known, on a real engine, with a real OpenID provider', () => {
  const site = new Site();
  let issuer: OidcIssuer;
  let image = '';

  before(async () => {
    issuer = await OidcIssuer.start();
    writeFileSync(join(site.folder, 'users'), `ada:${hashSync('secret', 4)}\n`);
    writeFileSync(join(site.folder, 'groups'), `staff: ada\n`);
    await site.open(`jobs: { slots: 4, lease: 1, defaultCores: 0.1, defaultMemory: 64M }
quotas: { owner: { jobs: 3 } }
identity:
  issuers:
    - { name: egi, issuer: "${issuer.url}", audience: ["${AUDIENCE}"], insecure: true, internal: true, groups: { accept: ["urn:mace:egi.eu:group:*#aai.egi.eu"] } }
  htpasswd: { file: users, groups: groups }
  operators: [staff]
`);
    image = await site.push('hello', 'echo hello');
    await site.start();
  });
  after(async () => {
    await site.close();
    await issuer.stop();
  });

  const basic = `Basic ${Buffer.from('ada:secret').toString('base64')}`;
  const as = (authorization: string | undefined): { headers: Record<string, string> } => ({ headers: authorization === undefined ? {} : { authorization } });
  const submit = (authorization: string | undefined, fields: Record<string, string> = {}): Promise<Response> =>
    fetch(`${site.url}/uws/docker`, { method: 'POST', body: new URLSearchParams({ IMAGE: image, PHASE: 'RUN', ...fields }), redirect: 'manual', ...as(authorization) });

  async function completed(authorization: string): Promise<string> {
    const job = (await submit(authorization)).headers.get('location') ?? '';
    for (let phase = 'QUEUED'; phase !== 'COMPLETED'; ) {
      await (await fetch(`${job}?WAIT=20&PHASE=${phase}`, as(authorization))).text();
      phase = await (await fetch(`${job}/phase`, as(authorization))).text();
      if (phase === 'ERROR') throw new Error(await (await fetch(`${job}/error`, as(authorization))).text());
    }
    return job;
  }

  it('runs the job of a token\'s bearer, and shows it to nobody else', async () => {
    const token = `Bearer ${await issuer.token('eve', SHAPES.egi, { audience: AUDIENCE })}`;
    const other = `Bearer ${await issuer.token('mallory', SHAPES.egi, { audience: AUDIENCE })}`;
    const job = await completed(token);
    const [own, foreign, nobody, operator] = await Promise.all([token, other, undefined, basic].map((authorization) => fetch(`${job}/results/stdout`, as(authorization))));
    expect([own?.status, await own?.text(), own?.headers.get('x-vo-authenticated')]).to.deep.equal([200, 'hello\n', 'egi:eve']);
    expect([foreign?.status, nobody?.status, operator?.status]).to.deep.equal([403, 403, 200]);
  });

  it('refuses strangers a job before anything is asked of a registry, and says how to log in', async () => {
    const response = await submit(undefined);
    expect([response.status, await response.text()]).to.deep.equal([401, 'Unauthenticated: anonymous callers may have no jobs at this site; sign in\n']);
    expect(response.headers.get('www-authenticate')).to.match(/^Bearer .*, ivoa_bearer .*, Basic /);
    const answer = (await (await fetch(`${site.url}/accepts?tasktype=uri://docker-container&taskinfo.image=${image}`)).json()) as { reponseword: string };
    expect(answer.reponseword).to.equal('NO');
  });

  it('gives a link that opens one result, also after a restart', async () => {
    const job = await completed(basic);
    const link = await (await fetch(`${job}/results/stdout`, { method: 'POST', body: new URLSearchParams({ LIFETIME: '1h' }), ...as(basic) })).text();
    expect(await (await fetch(link)).text()).to.equal('hello\n');
    expect(statSync(join(site.folder, 'data', 'link-key')).mode & 0o777).to.equal(0o600);
    expect(await site.end('SIGTERM')).to.equal(0);
    await site.start();
    expect(await (await fetch(link)).text()).to.equal('hello\n');
    expect((await fetch(link.replace('stdout', 'stderr'))).status).to.equal(403);
  });

  it('is used by pyvo with a password, which it shows where the capabilities say so', async function pyvo() {
    const job = await completed(basic);
    const { stdout } = await run('/usr/bin/python3', ['-c', PYVO, site.url, job], { timeout: 60_000 });
    expect(stdout.trim().split('\n')).to.deep.equal(['200 ada', '200 ada', '200 ada', '403']);
  });

  it('keeps to its quotas', async () => {
    const token = `Bearer ${await issuer.token('greedy', SHAPES.egi, { audience: AUDIENCE })}`;
    const statuses = [];
    for (let i = 0; i < 4; i += 1) statuses.push((await submit(token, { PHASE: 'RUN' })).status);
    expect(statuses).to.deep.equal([303, 303, 303, 403]);
  });

  it('logs no token, no password and no link', () => {
    expect(site.log).not.to.match(/eyJ|secret|signature=/);
    expect(site.log).to.include('request');
  });

});
