import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { expect } from 'chai';
import type { Caller } from '../../../src/caller.ts';
import { parseReference } from '../../../src/image/reference.ts';
import type { Job, JobListName } from '../../../src/job/job.ts';
import { type PinnedProject, projectJobId } from '../../../src/task/project.ts';
import type { PinnedTask } from '../../../src/task/task.ts';
import type { Sent } from '../../support/http-client.ts';
import { taskFor } from '../../support/site-policy.ts';
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
const REFUSED = ['wrong password', 'unknown user', 'broken token'] as const satisfies readonly CallerName[];

function isRefused(caller: CallerName): caller is (typeof REFUSED)[number] {
  return REFUSED.some((each) => each === caller);
}

const POLICY = `
rules:
  - { name: open, images: ["registry.test/open/**"] }
  - { name: members, images: ["registry.test/members/**"], groups: [vespa] }
`;
const people = { ada: ['vespa', 'team'], bob: ['vespa', 'vespa-team', 'friends'], carl: ['vespa2', 'team2'], olga: ['operators'] };
/** Whose jobs theirs are; the others are nobody. */
const OWNERS: Readonly<Partial<Record<CallerName, keyof typeof people>>> = { owner: 'ada', 'sharing group': 'bob', stranger: 'carl', operator: 'olga' };
const SECTION = { anonymous: { run: false }, operators: ['operators'] };

/** Task kinds: an image that some may run, in a container and in a compose file; `general` = no task in particular. */
type Kind = 'general' | keyof typeof IMAGES;
const KINDS = ['general', 'open', 'members', 'unlisted'] as const satisfies readonly Kind[];
const SITES = { 'anonymous may ask': {}, 'anonymous may nothing': { ask: false }, 'anonymous may run': { run: true } } as const;
type SiteName = keyof typeof SITES;

const NOT_LISTED = 'NO image.not-listed 403 ERROR';
const ALL_YES = { anonymous: 'NO caller.anonymous 401 401', owner: 'YES 303 QUEUED', 'sharing group': 'YES 303 QUEUED', stranger: 'YES 303 QUEUED', operator: 'YES 303 QUEUED' };
const MEMBERS = { ...ALL_YES, stranger: NOT_LISTED, operator: NOT_LISTED };
const NOBODY = { ...MEMBERS, owner: NOT_LISTED, 'sharing group': NOT_LISTED };
/** A job that has nothing to run cannot be run by anybody, which is found first. */
const GENERAL = { anonymous: 'NO caller.anonymous 401 400', owner: 'YES 303 400', 'sharing group': 'YES 303 400', stranger: 'YES 303 400', operator: 'YES 303 400' };

/** What /accepts says: 401, or YES or NO with the first reason; what the creation answers; and 401, 400 or the phase after RUN of a job that was made before. The same for both kinds of job. */
const EXPECTED: Readonly<Record<SiteName, Readonly<Record<Kind, Readonly<Record<Exclude<CallerName, 'empty credentials' | (typeof REFUSED)[number]>, string>>>>>> = {
  'anonymous may ask': { general: GENERAL, open: ALL_YES, members: MEMBERS, unlisted: NOBODY },
  'anonymous may nothing': {
    general: { ...GENERAL, anonymous: '401 401 400' },
    open: { ...ALL_YES, anonymous: '401 401 401' },
    members: { ...MEMBERS, anonymous: '401 401 401' },
    unlisted: { ...NOBODY, anonymous: '401 401 401' },
  },
  'anonymous may run': {
    general: { ...GENERAL, anonymous: 'YES 303 400' },
    open: { ...ALL_YES, anonymous: 'YES 303 QUEUED' },
    members: { ...MEMBERS, anonymous: NOT_LISTED },
    unlisted: { ...NOBODY, anonymous: NOT_LISTED },
  },
};

function wantedFor(site: SiteName, kind: Kind, caller: CallerName): string {
  if (isRefused(caller)) return '401 401 401';
  return EXPECTED[site][kind][caller === 'empty credentials' ? 'anonymous' : caller];
}

const composeFile = (image: string): string => JSON.stringify({ services: { main: { image } } });

/** The question and the parameters of a task of this kind. */
function taskOf(list: JobListName, kind: Kind): { readonly question: Readonly<Record<string, string>>; readonly parameters: Readonly<Record<string, string>> } {
  const tasktype = `uri://docker-${list === 'docker' ? 'container' : 'compose'}`;
  if (kind === 'general') return { question: { tasktype }, parameters: {} };
  if (list === 'docker') return { question: { tasktype, 'taskinfo.image': IMAGES[kind] }, parameters: { IMAGE: IMAGES[kind] } };
  return { question: { tasktype, 'taskinfo.composefile': composeFile(IMAGES[kind]) }, parameters: { COMPOSEFILE: composeFile(IMAGES[kind]) } };
}

/** A job of the caller's own, made when its image was still accepted; the path of its resource. */
async function pendingJob(gateway: IdentityGateway, list: JobListName, kind: Kind, caller: CallerName): Promise<string> {
  const name = OWNERS[caller];
  const member: Caller = { id: 'x', groups: ['vespa'] };
  const signal = AbortSignal.timeout(10_000);
  const parameters = Object.entries(taskOf(list, kind).parameters).map(([parameter, value]) => ({ name: parameter, value }));
  const fields = { id: list === 'docker' ? randomUUID() : projectJobId(randomUUID()), list, owner: name ?? null, groups: name === undefined ? [] : people[name], parameters };
  if (kind === 'general') return gateway.stored({ ...fields, task: null });
  const judged = IMAGES[kind === 'unlisted' ? 'open' : kind];
  const image = (pinned: PinnedTask): PinnedTask => ({ ...pinned, image: { ...pinned.image, reference: parseReference(IMAGES[kind]) } });
  const { policy } = gateway.judged;
  if (list === 'docker') {
    const verdict = await policy.evaluate(taskFor(judged), member, signal);
    if (!verdict.accepted) throw new Error('no task');
    return gateway.stored({ ...fields, task: image(verdict.task) });
  }
  const verdict = await policy.evaluateProject({ file: composeFile(judged), variables: new Map() }, member, signal);
  if (!verdict.accepted) throw new Error('no project');
  return gateway.stored({ ...fields, task: { ...verdict.project, services: verdict.project.services.map((service) => ({ ...service, task: image(service.task) })) } });
}

for (const list of ['docker', 'compose'] as const) {
  describe(`who may do what: callers x task kinds, /accepts x creation x RUN (${list})`, () => {
    for (const [site, anonymous] of Object.entries(SITES) as [SiteName, (typeof SITES)[SiteName]][]) {
      describe(site, () => {
        const files = new People(people);
        const gateway = new IdentityGateway();
        before(() => gateway.start({ ...SECTION, anonymous, htpasswd: files.htpasswd }, { policy: POLICY, offer: async () => ({ slots: 0, cores: 100, memory: 2 ** 40 }) }));
        after(async () => {
          await gateway.stop();
          files.remove();
        });

        for (const kind of KINDS) {
          for (const caller of NAMES) {
            const wanted = wantedFor(site, kind, caller);
            it(`${kind}, ${caller}: ${wanted}`, async () => {
              const { question, parameters } = taskOf(list, kind);
              const pending = await pendingJob(gateway, list, kind, caller);
              const asked = gateway.judged.registry.asked.length;
              const answer = await gateway.client.get(`/accepts?${new URLSearchParams(question).toString()}`, CALLERS[caller]);
              const created = await gateway.client.post(`/uws/${list}`, parameters, CALLERS[caller]);
              const told = answer.status === 200 ? documentOf(answer) : undefined;
              const word = told === undefined ? String(answer.status) : [told.reponseword, told.reponseinfo?.reasons?.[0]?.code].filter((part) => part !== undefined).join(' ');
              const run = await gateway.client.post(`${pending}/phase`, { PHASE: 'RUN' }, CALLERS[caller]);
              // who may have nothing costs no question to a registry
              if (created.status === 401) expect(gateway.judged.registry.asked.length).to.equal(asked);
              const after = run.status === 303 ? (await gateway.jobs.store.get(pending.split('/').at(-1) ?? ''))?.phase : String(run.status);
              expect(`${word} ${String(created.status)} ${String(after)}`).to.equal(wanted);
              for (const refused of [answer, created, run].filter(({ status }) => status === 401)) expect(refused.headers).to.have.property('www-authenticate');
            });
          }
        }
      });
    }
  });
}

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
/** Those who come to a job: with a link to its result `stdout`, too. */
type Visitor = CallerName | 'signed link';
const VISITORS: readonly Visitor[] = [...NAMES, 'signed link'];
/** Of the file that `composeFile` writes. */
const PROJECT: PinnedProject = { type: 'project', services: [], networks: [], volumes: [], main: [], resources: { cores: 1, memory: 2 ** 28 } };
const form = (fields: Readonly<Record<string, string>>): Sent => ({ form: fields });
const HOUR = '2026-01-01T01:00:00Z';

/** Every route of a job; a test makes sure that none is missing. */
const OPERATIONS: readonly Operation[] = [
  { method: 'GET', path: '/:id', ok: 200, also: 'readers' },
  { method: 'HEAD', path: '/:id', ok: 200, also: 'readers' },
  { method: 'GET', path: '/:id?WAIT=1&PHASE=COMPLETED', ok: 200, also: 'readers' },
  ...['phase', 'executionduration', 'destruction', 'quote', 'owner', 'parameters', 'results', 'sharing'].map((name): Operation => ({ method: 'GET', path: `/:id/${name}`, ok: 200, also: 'readers' })),
  { method: 'GET', path: '/:id/error', job: { phase: 'ERROR', error: { type: 'fatal', message: 'no' } }, ok: 200, also: 'readers' },
  { method: 'GET', path: '/:id/parameters/:name', ok: 200, also: 'readers' },
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

/** What is of a list and of no job: for callers in the order of NAMES, those with a credential that is not good left out, for they are 401. */
const WHOLE: readonly { readonly method: string; readonly path: string; readonly form?: boolean; readonly met: Readonly<Record<'anonymous' | 'known' | 'operator', number>> }[] = [
  { method: 'GET', path: '/', met: { anonymous: 200, known: 200, operator: 200 } },
  { method: 'GET', path: '/?OWNER=*', met: { anonymous: 403, known: 403, operator: 200 } },
  { method: 'POST', path: '/', form: true, met: { anonymous: 401, known: 303, operator: 303 } },
  { method: 'POST', path: '/sync', form: true, met: { anonymous: 401, known: 303, operator: 303 } },
];

for (const list of ['docker', 'compose'] as const) {
  describe(`who may do what: callers x endpoints (${list})`, () => {
    const files = new People(people);
    const gateway = new IdentityGateway();
    before(() => gateway.start({ ...SECTION, htpasswd: files.htpasswd }));
    after(async () => {
      await gateway.stop();
      files.remove();
    });
    const [parameter, value] = list === 'docker' ? ['IMAGE', IMAGES.open] : ['COMPOSEFILE', composeFile(IMAGES.open)];

    async function jobFor({ job = {}, path }: Operation): Promise<string> {
      const id = list === 'docker' ? randomUUID() : projectJobId(randomUUID());
      const made = await gateway.stored({ id, list, owner: 'ada', groups: ['vespa'], sharedWith: ['friends'], parameters: [{ name: parameter, value }], ...(list === 'docker' ? {} : { task: PROJECT }), ...job });
      if (path.includes('result') || path.includes('sync')) await gateway.jobs.results.write(id, 'stdout', Readable.from([Buffer.from('hi')]), 10);
      return made;
    }

    function statusFor(caller: Visitor, { ok, also, method, path }: Operation): number {
      if (caller === 'signed link') return method === 'GET' && path === '/:id/results/*result' ? ok : 403;
      if (isRefused(caller)) return 401;
      if (caller === 'owner') return ok;
      if (caller === 'operator') return also === 'nobody' ? 403 : ok;
      return caller === 'sharing group' && also === 'readers' ? ok : 403;
    }

    for (const operation of OPERATIONS) {
      const fields = operation.sent?.form === undefined ? '' : ` ${new URLSearchParams(operation.sent.form as Record<string, string>).toString()}`;
      it(`${operation.method} ${operation.path}${fields}: ${VISITORS.map((caller) => String(statusFor(caller, operation))).join(' ')}`, async () => {
        const met: Record<string, number> = {};
        for (const caller of VISITORS) {
          const job = await jobFor(operation);
          const id = job.split('/').at(-1) ?? '';
          const named = operation.path.replace(':id', id).replace(':name', operation.method === 'GET' ? parameter : list === 'docker' ? 'COMMAND' : 'VAR.X').replace('*result', 'stdout').replace(':service', 'main').replace(':port', '80').replace('*rest', 'x');
          const expires = gateway.jobs.clock.now() + 3_600_000;
          const link = caller === 'signed link' ? `${named.includes('?') ? '&' : '?'}expires=${String(expires / 1000)}&signature=${gateway.links.sign(id, 'stdout', expires)}` : '';
          const before = (await gateway.jobs.store.get(id))?.revision;
          const answer = await gateway.client.send(operation.method, `/uws/${list}${named}${link}`, { ...operation.sent, headers: { ...operation.sent?.headers, ...(caller === 'signed link' ? {} : CALLERS[caller]) } });
          met[caller] = answer.status;
          // who is refused has changed nothing
          if (answer.status >= 400) expect((await gateway.jobs.store.get(id))?.revision, caller).to.equal(before);
          if (answer.status === 403 && operation.method !== 'HEAD') expect(answer.text).to.equal('Forbidden: the job belongs to somebody else\n');
        }
        expect(met).to.deep.equal(Object.fromEntries(VISITORS.map((caller) => [caller, statusFor(caller, operation)])));
      });
    }

    for (const { method, path, form: hasForm, met } of WHOLE) {
      it(`${method} ${path}: ${String(met.anonymous)} for who is nobody, ${String(met.known)} for who is known, ${String(met.operator)} for operators`, async () => {
        for (const caller of NAMES) {
          const wanted = isRefused(caller) ? 401 : met[caller === 'operator' ? 'operator' : OWNERS[caller] === undefined ? 'anonymous' : 'known'];
          const { status } = await gateway.client.send(method, `/uws/${list}${path.replace(/^\/(?=$|\?)/, '')}`, { ...(hasForm === true ? form({ [parameter]: value }) : {}), headers: CALLERS[caller] });
          expect([caller, status]).to.deep.equal([caller, wanted]);
        }
      });
    }

    it('has looked at every route that there is', () => {
      const prefix = `/uws/${list}`;
      const routes = gateway.uws.flatMap(({ stack }) => stack).filter(({ path }) => String(path).startsWith(prefix)).flatMap(({ methods, path }) => methods.filter((method) => method !== 'HEAD').map((method) => `${method} ${String(path).slice(prefix.length).replace(/^\/?$/, '/')}`));
      const seen = new Set([...OPERATIONS, ...WHOLE].map(({ method, path }) => `${method} ${path.replace(/\?.*$/, '')}`));
      expect(routes).to.include(`GET /:id`);
      expect(routes.filter((route) => !seen.has(route))).to.deep.equal([]);
    });

    it('a job that is not there is 404 for everybody who may ask', async () => {
      for (const caller of NAMES) {
        const { status } = await gateway.client.get(`/uws/${list}/${list === 'docker' ? '' : 'c-'}11111111-1111-4111-8111-111111111111`, CALLERS[caller]);
        expect([caller, status]).to.deep.equal([caller, isRefused(caller) ? 401 : 404]);
      }
    });

    it('what the gateway says of itself is for everybody whose credentials are good', async () => {
      for (const caller of NAMES) {
        for (const path of ['/services.json', '/capabilities', '/availability', '/openapi.json', `/jobtypes/${list}`]) expect([caller, path, (await gateway.client.get(path, CALLERS[caller])).status]).to.deep.equal([caller, path, isRefused(caller) ? 401 : 200]);
      }
    });
  });
}
