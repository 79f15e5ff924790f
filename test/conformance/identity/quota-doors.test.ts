import { expect } from 'chai';
import { FakeClock } from '../../support/fake-clock.ts';
import type { Answer } from '../../support/http-client.ts';
import { IdentityGateway, People } from './identity-gateway.ts';

const DAY = 24 * 3600;
const people = { ada: ['team'], bob: ['team'], eve: [] };
const as = (name: string): { authorization: string } => ({ authorization: People.authorization(name) });

/** An image by its digest, another one for each digit. */
const image = (digit: string): string => `registry.test/tools/one@sha256:${digit.repeat(64)}`;

/** A quota, what uses it up, and what its doors say then. */
interface Case {
  readonly quotas: unknown;
  readonly use: (site: Site) => Promise<void>;
  readonly code: string;
  /** To the creation of a job that is to run, and to RUN of one that is there. */
  readonly create: number;
  readonly run: number;
  /** Seconds until there is room again, at least and at most; absent = waiting does not help. */
  readonly again?: readonly [number, number];
}

/** One gateway with one quota. */
class Site {
  readonly clock = new FakeClock();
  readonly files = new People(people);
  readonly gateway = new IdentityGateway(this.clock);

  async open(quotas: unknown): Promise<this> {
    await this.gateway.start({ htpasswd: this.files.htpasswd }, { quotas, jobsClock: this.clock });
    return this;
  }

  async close(): Promise<void> {
    await this.gateway.stop();
    this.files.remove();
  }

  create(name: string, more: Readonly<Record<string, string>> = { PHASE: 'RUN' }): Promise<Answer> {
    return this.gateway.client.post('/uws/docker', { IMAGE: image('2'), ...more }, as(name));
  }

  /** The id of a job of ada's that runs, of the image 1. */
  async running(): Promise<string> {
    const id = idOf(await this.create('ada', { IMAGE: image('1'), PHASE: 'RUN' }));
    await this.gateway.jobs.inPhase(id, 'EXECUTING');
    return id;
  }

  async finished(stdout: string): Promise<void> {
    const id = await this.running();
    this.gateway.jobs.engine.finish(id, { stdout });
    await this.gateway.jobs.inPhase(id, 'COMPLETED');
  }

  /** A job that burns CPU for an hour on its only core, and is over. */
  async burned(): Promise<void> {
    const id = await this.running();
    this.gateway.jobs.engine.use(id, { cpuSeconds: 3600, peakMemory: 1 });
    while ((await this.gateway.jobs.usage.used(id))?.cpuSeconds !== 3600) {
      this.clock.advance(100);
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.gateway.jobs.engine.finish(id);
    await this.gateway.jobs.inPhase(id, 'COMPLETED');
  }

  /** What /accepts says to this caller: the word, then the reason's code and status, and when to ask again. */
  async accepts(name: string, query = `&taskinfo.image=${image('2')}`): Promise<{ readonly word: string; readonly code: string; readonly status: number; readonly again: number }> {
    const { text, headers } = await this.gateway.client.get(`/accepts?tasktype=uri://docker-container${query}`, as(name));
    const { reponseword, reponseinfo } = JSON.parse(text) as { reponseword: string; reponseinfo?: { reasons?: { code: string; httpcode: number }[] } };
    const [reason] = reponseinfo?.reasons ?? [];
    return { word: reponseword, code: reason?.code ?? '', status: reason?.httpcode ?? 0, again: Number(headers['retry-after'] ?? 0) };
  }
}

const idOf = (answer: Answer): string => (answer.headers.location ?? '').split('/').at(-1) ?? '';

const CASES: readonly Case[] = [
  { quotas: { owner: { queued: 1, running: 1 } }, use: async (site) => void ((await site.running()) && (await site.create('ada'))), code: 'quota.queued', create: 429, run: 429, again: [30, 30] },
  { quotas: { groups: [{ group: 'team', queued: 1, running: 1 }] }, use: async (site) => void ((await site.running()) && (await site.create('bob'))), code: 'quota.queued', create: 429, run: 429, again: [30, 30] },
  { quotas: { owner: { images: 1 } }, use: async (site) => void (await site.running()), code: 'quota.images', create: 429, run: 429, again: [DAY, DAY] },
  { quotas: { groups: [{ group: 'team', images: 1 }] }, use: async (site) => void (await site.running()), code: 'quota.images', create: 429, run: 429, again: [DAY, DAY] },
  { quotas: { owner: { cpuHours: 1 } }, use: (site) => site.burned(), code: 'quota.cpuHours', create: 429, run: 429, again: [DAY / 2, DAY] },
  { quotas: { groups: [{ group: 'team', cpuHours: 1 }] }, use: (site) => site.burned(), code: 'quota.cpuHours', create: 429, run: 429, again: [DAY / 2, DAY] },
  { quotas: { owner: { results: '1K' } }, use: (site) => site.finished('x'.repeat(1024)), code: 'quota.results', create: 403, run: 403 },
  { quotas: { groups: [{ group: 'team', results: '1K' }] }, use: (site) => site.finished('x'.repeat(1024)), code: 'quota.results', create: 403, run: 403 },
  // the one that is there may run
  { quotas: { owner: { jobs: 2 } }, use: async (site) => void (await site.running()), code: 'quota.jobs', create: 403, run: 303 },
];

describe('a caller over a quota meets the same at every door', () => {
  for (const { quotas, use, code, create, run, again } of CASES) {
    it(`${JSON.stringify(quotas)}: /accepts says no with ${code}, the creation ${String(create)}, RUN ${String(run)}`, async () => {
      const site = await new Site().open(quotas);
      try {
        const pending = idOf(await site.create('ada', {}));
        expect((await site.accepts('ada')).word).to.equal('YES');
        await use(site);
        const said = await site.accepts('ada');
        expect(said).to.include({ word: 'NO', code, status: create });
        if (again === undefined) expect(said.again).to.equal(0);
        else expect(said.again).to.be.within(...again);
        for (const [answer, status] of [[await site.create('ada'), create], [await site.gateway.client.post(`/uws/docker/${pending}/phase`, { PHASE: 'RUN' }, as('ada')), run]] as const) {
          expect(answer.status, answer.text).to.equal(status);
          if (status === 429) expect(Number(answer.headers['retry-after'])).to.be.within(...(again ?? [0, 0]));
        }
        if (run !== 303) expect((await site.gateway.jobs.store.get(pending))?.phase).to.equal('PENDING');
        // others are not in it
        expect((await site.accepts('eve')).word).to.equal('YES');
        expect((await site.create('eve')).status).to.equal(303);
      } finally {
        await site.close();
      }
    });
  }

  it('asked of no image in particular: what does not depend on it', async () => {
    const site = await new Site().open({ owner: { images: 1, cpuHours: 1 } });
    try {
      await site.running();
      expect((await site.accepts('ada', '')).word).to.equal('YES');
      await site.burned();
      expect(await site.accepts('ada', '')).to.include({ word: 'NO', code: 'quota.cpuHours' });
    } finally {
      await site.close();
    }
  });
});
