import { expect } from 'chai';
import type { Job } from '../../../src/job/job.ts';
import type { Sent } from '../../support/http-client.ts';
import { documentOf } from '../planner/planner-gateway.ts';
import { IdentityGateway, IMAGES, People } from './identity-gateway.ts';

/** Callers: who they are to the site, and what they show. */
const CALLERS = {
  anonymous: {},
  'empty credentials': { authorization: 'Basic Og==' },
  'wrong password': { authorization: People.authorization('ada', 'guess') },
  'unknown user': { authorization: People.authorization('eve') },
  'broken token': { authorization: 'Bearer a.b.c' },
  owner: { authorization: People.authorization('ada') },
  'sharing group': { authorization: People.authorization('bob') },
  stranger: { authorization: People.authorization('carl') },
  operator: { authorization: People.authorization('olga') },
} as const satisfies Readonly<Record<string, Readonly<Record<string, string>>>>;
type CallerName = keyof typeof CALLERS;
const NAMES = Object.keys(CALLERS) as CallerName[];

/** Who is told 401 wherever they knock: a credential that is not good is never nobody's. */
const REFUSED: readonly CallerName[] = ['wrong password', 'unknown user', 'broken token'];

const POLICY = `
rules:
  - { name: open, images: ["registry.test/open/**"] }
  - { name: members, images: ["registry.test/members/**"], groups: [vespa] }
`;
const people = { ada: ['vespa', 'team'], bob: ['vespa', 'vespa-team', 'friends'], carl: ['vespa2', 'team2'], olga: ['operators'] };
const SECTION = { anonymous: { run: false }, operators: ['operators'] };

describe('who may do what: callers x task kinds', () => {
  /** What /accepts says: 401, or YES or NO with the first reason; and what the creation answers, run or not. */
  const expected: Readonly<Record<'anonymous may run' | 'anonymous may ask' | 'anonymous may nothing', Readonly<Record<keyof typeof IMAGES | 'general', Readonly<Partial<Record<CallerName, string>>>>>>> = {
    'anonymous may ask': {
      general: { anonymous: 'NO caller.anonymous 401', owner: 'YES 303', 'sharing group': 'YES 303', stranger: 'YES 303', operator: 'YES 303' },
      open: { anonymous: 'NO caller.anonymous 401', owner: 'YES 303', 'sharing group': 'YES 303', stranger: 'YES 303', operator: 'YES 303' },
      members: { anonymous: 'NO caller.anonymous 401', owner: 'YES 303', 'sharing group': 'YES 303', stranger: 'NO image.not-listed 403', operator: 'NO image.not-listed 403' },
      unlisted: { anonymous: 'NO caller.anonymous 401', owner: 'NO image.not-listed 403', 'sharing group': 'NO image.not-listed 403', stranger: 'NO image.not-listed 403', operator: 'NO image.not-listed 403' },
    },
    'anonymous may nothing': {
      general: { anonymous: '401 401', owner: 'YES 303' },
      open: { anonymous: '401 401', owner: 'YES 303' },
      members: { anonymous: '401 401', owner: 'YES 303', stranger: 'NO image.not-listed 403' },
      unlisted: { anonymous: '401 401', owner: 'NO image.not-listed 403' },
    },
    'anonymous may run': {
      general: { anonymous: 'YES 303', owner: 'YES 303' },
      open: { anonymous: 'YES 303', owner: 'YES 303' },
      members: { anonymous: 'NO image.not-listed 403', owner: 'YES 303', stranger: 'NO image.not-listed 403' },
      unlisted: { anonymous: 'NO image.not-listed 403', owner: 'NO image.not-listed 403' },
    },
  };
  const sections = { 'anonymous may ask': {}, 'anonymous may nothing': { ask: false }, 'anonymous may run': { run: true } } as const;

  for (const [site, anonymous] of Object.entries(sections)) {
    describe(site, () => {
      const files = new People(people);
      const gateway = new IdentityGateway();
      before(() => gateway.start({ ...SECTION, anonymous, htpasswd: files.htpasswd }, { policy: POLICY }));
      after(async () => {
        await gateway.stop();
        files.remove();
      });

      for (const [kind, table] of Object.entries(expected[site as keyof typeof expected])) {
        for (const caller of NAMES) {
          const same = caller === 'empty credentials' ? 'anonymous' : caller;
          const wanted = REFUSED.includes(caller) ? '401 401' : table[same];
          if (wanted === undefined) continue;
          it(`${kind} image, ${caller}: ${wanted}`, async () => {
            const image = kind === 'general' ? undefined : IMAGES[kind as keyof typeof IMAGES];
            const asked = gateway.judged.registry.asked.length;
            const answer = await gateway.client.get(`/accepts?tasktype=uri://docker-container${image === undefined ? '' : `&taskinfo.image=${image}`}`, CALLERS[caller]);
            const created = await gateway.client.post('/uws/docker', image === undefined ? {} : { IMAGE: image }, CALLERS[caller]);
            const said = answer.status === 200 ? documentOf(answer) : undefined;
            const word = said === undefined ? String(answer.status) : [said.reponseword, said.reponseinfo?.reasons?.[0]?.code].filter((part) => part !== undefined).join(' ');
            expect(`${word} ${String(created.status)}`).to.equal(wanted);
            for (const refused of [answer, created].filter(({ status }) => status === 401)) expect(refused.headers).to.have.property('www-authenticate');
            // who may have nothing costs no question to a registry
            if (wanted.endsWith('401')) expect(gateway.judged.registry.asked.length).to.equal(asked);
          });
        }
      }
    });
  }
});

/** One operation on a job: what is sent, the job it is sent to, and the answer for who may. */
interface Operation {
  readonly method: string;
  readonly path: string;
  readonly sent?: Sent;
  readonly job?: Partial<Job>;
  readonly ok: number;
  /** Who may beside the owner. `readers`: the groups it is shared with, and operators. */
  readonly also: 'readers' | 'operators' | 'nobody';
}

const RESULTS = [{ id: 'stdout', mediaType: 'text/plain', size: 2, digest: `sha256:${'0'.repeat(64)}` }] as const;
const OVER: Partial<Job> = { phase: 'COMPLETED', results: RESULTS, startTime: Date.UTC(2026, 0, 1), endTime: Date.UTC(2026, 0, 1) };
const form = (fields: Readonly<Record<string, string>>): Sent => ({ form: fields });
const HOUR = '2026-01-01T01:00:00Z';

/** Every route of a job; a test makes sure that none is missing. */
const OPERATIONS: readonly Operation[] = [
  { method: 'GET', path: '/:id', ok: 200, also: 'readers' },
  { method: 'HEAD', path: '/:id', ok: 200, also: 'readers' },
  { method: 'GET', path: '/:id?WAIT=1&PHASE=COMPLETED', ok: 200, also: 'readers' },
  ...['phase', 'executionduration', 'destruction', 'quote', 'owner', 'parameters', 'results', 'sharing'].map((name): Operation => ({ method: 'GET', path: `/:id/${name}`, ok: 200, also: 'readers' })),
  { method: 'GET', path: '/:id/error', job: { phase: 'ERROR', error: { type: 'fatal', message: 'no' } }, ok: 200, also: 'readers' },
  { method: 'GET', path: '/:id/parameters/:name', job: { parameters: [{ name: 'IMAGE', value: 'a' }] }, ok: 200, also: 'readers' },
  { method: 'GET', path: '/:id/results/*result', job: OVER, ok: 200, also: 'readers' },
  { method: 'GET', path: '/:id/events', job: OVER, ok: 200, also: 'readers' },
  { method: 'GET', path: '/sync/:id', job: OVER, ok: 303, also: 'readers' },
  { method: 'POST', path: '/:id', sent: form({ ACTION: 'DELETE' }), ok: 303, also: 'nobody' },
  { method: 'POST', path: '/:id', sent: form({ PHASE: 'RUN' }), ok: 303, also: 'nobody' },
  { method: 'POST', path: '/:id', sent: form({ PHASE: 'ABORT' }), ok: 303, also: 'operators' },
  { method: 'POST', path: '/:id', sent: form({ RUNID: 'x' }), ok: 303, also: 'nobody' },
  { method: 'DELETE', path: '/:id', ok: 303, also: 'nobody' },
  { method: 'POST', path: '/:id/phase', sent: form({ PHASE: 'RUN' }), ok: 303, also: 'nobody' },
  { method: 'POST', path: '/:id/phase', sent: form({ PHASE: 'ABORT', MESSAGE: 'why' }), ok: 303, also: 'operators' },
  { method: 'POST', path: '/:id/executionduration', sent: form({ EXECUTIONDURATION: '1' }), ok: 303, also: 'nobody' },
  { method: 'POST', path: '/:id/destruction', sent: form({ DESTRUCTION: HOUR }), ok: 303, also: 'nobody' },
  { method: 'POST', path: '/:id/parameters', sent: form({ RUNID: 'x' }), ok: 303, also: 'nobody' },
  { method: 'PUT', path: '/:id/parameters/:name', sent: { body: '["true"]', headers: { 'content-type': 'text/plain' } }, ok: 303, also: 'nobody' },
  { method: 'POST', path: '/:id/results/*result', job: OVER, sent: form({ LIFETIME: '1h' }), ok: 201, also: 'nobody' },
  // 404: the job is over, and that only its owner is told
  ...['GET', 'POST', 'PUT', 'DELETE'].flatMap((method) => ['', '/*rest'].map((rest): Operation => ({ method, path: `/:id/endpoints/:service/:port${rest}`, job: OVER, ok: 404, also: 'nobody' }))),
  { method: 'POST', path: '/:id/sharing', sent: form({ GROUP: 'friends' }), ok: 303, also: 'nobody' },
];

describe('who may do what: callers x endpoints of somebody\'s job', () => {
  const files = new People(people);
  const gateway = new IdentityGateway();
  before(() => gateway.start({ ...SECTION, htpasswd: files.htpasswd }));
  after(async () => {
    await gateway.stop();
    files.remove();
  });

  async function jobFor({ job = {}, path }: Operation): Promise<string> {
    const made = await gateway.stored({ owner: 'ada', groups: ['vespa'], sharedWith: ['friends'], parameters: [{ name: 'IMAGE', value: IMAGES.open }], ...job });
    if (path.includes('result') || path.includes('sync')) await gateway.jobs.results.write(made.split('/').at(-1) ?? '', 'stdout', (await import('node:stream')).Readable.from([Buffer.from('hi')]), 10);
    return made;
  }

  function statusFor(caller: CallerName, { ok, also }: Operation): number {
    if (REFUSED.includes(caller)) return 401;
    if (caller === 'owner') return ok;
    if (caller === 'operator') return also === 'nobody' ? 403 : ok;
    return caller === 'sharing group' && also === 'readers' ? ok : 403;
  }

  for (const operation of OPERATIONS) {
    const fields = operation.sent?.form === undefined ? '' : ` ${new URLSearchParams(operation.sent.form as Record<string, string>).toString()}`;
    it(`${operation.method} ${operation.path}${fields}: ${NAMES.map((caller) => String(statusFor(caller, operation))).join(' ')}`, async () => {
      const met: Record<string, number> = {};
      for (const caller of NAMES) {
        const job = await jobFor(operation);
        const id = job.split('/').at(-1) ?? '';
        const path = `/uws/docker${operation.path.replace(':id', id).replace(':name', 'COMMAND').replace('*result', 'stdout').replace(':service', 'main').replace(':port', '80').replace('*rest', 'x')}`.replace('COMMAND', operation.method === 'GET' ? 'IMAGE' : 'COMMAND');
        const before = (await gateway.jobs.store.get(id))?.revision;
        const answer = await gateway.client.send(operation.method, path, { ...operation.sent, headers: { ...operation.sent?.headers, ...CALLERS[caller] } });
        met[caller] = answer.status;
        // who is refused has changed nothing
        if (answer.status >= 400) expect((await gateway.jobs.store.get(id))?.revision, caller).to.equal(before);
        if (answer.status === 403 && operation.method !== 'HEAD') expect(answer.text).to.equal('Forbidden: the job belongs to somebody else\n');
      }
      expect(met).to.deep.equal(Object.fromEntries(NAMES.map((caller) => [caller, statusFor(caller, operation)])));
    });
  }

  it('has looked at every route that there is', () => {
    const routes = gateway.uws.flatMap(({ stack }) => stack).flatMap(({ methods, path }) => methods.filter((method) => method !== 'HEAD').map((method) => `${method} ${String(path).replace('/uws/docker', '').replace(/\?.*$/, '')}`));
    const seen = new Set(OPERATIONS.map(({ method, path }) => `${method} ${path.replace(/\?.*$/, '')}`));
    // these are no job's: the list, creation and the synchronous door
    const others = ['GET /', 'POST /', 'GET ', 'POST ', 'POST /sync'];
    expect(routes.filter((route) => !seen.has(route) && !others.includes(route))).to.deep.equal([]);
  });

  it('a job that is not there is 404 for everybody who may ask', async () => {
    for (const caller of NAMES) {
      const { status } = await gateway.client.get('/uws/docker/11111111-1111-4111-8111-111111111111', CALLERS[caller]);
      expect([caller, status]).to.deep.equal([caller, REFUSED.includes(caller) ? 401 : 404]);
    }
  });
});
