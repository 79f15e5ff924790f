import { expect } from 'chai';
import type { Job } from '../../src/job/job.ts';
import { PHASES, SUCCESSORS, mayFollow } from '../../src/job/phase.ts';
import type { JobStore } from '../../src/store/job-store.ts';
import { jobWith } from '../support/jobs.ts';

async function ids(list: AsyncIterable<{ readonly id: string }>): Promise<string[]> {
  const found: string[] = [];
  for await (const { id } of list) found.push(id);
  return found;
}

/** What every job store does. `open` gives a store on the same data each time, so that a restart can be played. */
export function jobStoreContract(name: string, open: () => Promise<JobStore>): void {
  describe(`${name}: job store`, () => {
    let store: JobStore;
    const all = { list: 'docker', owner: null } as const;

    beforeEach(async () => {
      store = await open();
    });
    afterEach(async () => {
      await store.close();
    });

    const put = async (fields: Partial<Job> = {}): Promise<Job> => {
      const job = jobWith(fields);
      await store.create(job);
      return job;
    };

    it('gives back what was created, whole, also after a restart', async () => {
      const job = await put({ runId: 'r ü <&>', parameters: [{ name: 'IMAGE', value: 'a' }, { name: 'ARG', value: '' }] });
      await store.close();
      store = await open();
      expect(await store.get(job.id)).to.deep.equal(job);
    });

    it('keeps what is sealed until the job starts, or is over, and no longer', async () => {
      const parameters = [{ name: 'IMAGE', value: 'a' }, { name: 'SECRET.x', value: '', sealed: 'c2VhbGVk' }];
      const bare = [{ name: 'IMAGE', value: 'a' }, { name: 'SECRET.x', value: '' }];
      const { id } = await put({ phase: 'PENDING', parameters });
      expect((await store.update(id, ['PENDING'], { runId: 'r' }))?.parameters).to.deep.equal(parameters);
      expect((await store.changePhase(id, { from: ['PENDING'], to: 'QUEUED' }))?.parameters).to.deep.equal(parameters);
      await store.close();
      store = await open();
      expect((await store.get(id))?.parameters).to.deep.equal(parameters);
      await store.changePhase(id, { from: ['QUEUED'], to: 'EXECUTING' });
      expect((await store.get(id))?.parameters).to.deep.equal(bare);
      const aborted = await put({ phase: 'PENDING', parameters });
      await store.changePhase(aborted.id, { from: ['PENDING'], to: 'ABORTED' });
      expect((await store.get(aborted.id))?.parameters).to.deep.equal(bare);
    });

    it('keeps what is sealed of a compose file\'s job as long as it runs, also over a restart, and no longer; but logins till it has pulled what it runs', async () => {
      const parameters = [{ name: 'COMPOSEFILE', value: 'a' }, { name: 'SECRET.x', value: '', sealed: 'c2VhbGVk' }];
      const login = { name: 'REGISTRY.r.example', value: '' };
      const bare = [{ name: 'COMPOSEFILE', value: 'a' }, { name: 'SECRET.x', value: '' }];
      for (const to of ['COMPLETED', 'ERROR', 'ABORTED'] as const) {
        const { id } = await put({ list: 'compose', phase: 'QUEUED', parameters: [...parameters, { ...login, sealed: 'c2VhbGVk' }] });
        await store.changePhase(id, { from: ['QUEUED'], to: 'EXECUTING' });
        expect((await store.update(id, ['EXECUTING'], { runId: 'r' }))?.parameters).to.deep.equal([...parameters, login]);
        await store.close();
        store = await open();
        expect((await store.get(id))?.parameters).to.deep.equal([...parameters, login]);
        await store.changePhase(id, { from: ['EXECUTING'], to });
        expect((await store.get(id))?.parameters, to).to.deep.equal([...bare, login]);
      }
    });

    it('refuses an id that is there already, and keeps the others of the same moment', async () => {
      const job = await put();
      const other = jobWith({});
      const outcomes = await Promise.allSettled([store.create(job), store.create(other)]);
      expect(outcomes.map(({ status }) => status)).to.deep.equal(['rejected', 'fulfilled']);
      expect(await store.get(other.id)).to.deep.equal(other);
    });

    for (const from of PHASES) {
      for (const to of PHASES) {
        it(`${mayFollow(from, to) ? 'moves' : 'does not move'} a job from ${from} to ${to}`, async () => {
          const job = await put({ phase: from });
          const moved = await store.changePhase(job.id, { from: [from], to }).catch(() => undefined);
          expect(moved?.phase).to.equal(SUCCESSORS[from].includes(to) ? to : undefined);
          expect((await store.get(job.id))?.phase).to.equal(moved === undefined ? from : to);
        });
      }
    }

    it('moves a job only from the phases that are named, sets the fields with it, and counts the revision up', async () => {
      const job = await put();
      expect(await store.changePhase(job.id, { from: ['QUEUED'], to: 'EXECUTING' })).to.equal(undefined);
      const moved = await store.changePhase(job.id, { from: ['PENDING'], to: 'ABORTED', set: { endTime: 7 } });
      expect(moved).to.deep.equal({ ...job, phase: 'ABORTED', endTime: 7, revision: 2 });
      expect(await store.revision(job.id)).to.deep.equal({ revision: 2, owner: null });
    });

    it('lets exactly one of many writers move a job', async () => {
      const job = await put();
      const moves = await Promise.all(Array.from({ length: 20 }, () => store.changePhase(job.id, { from: ['PENDING'], to: 'QUEUED' })));
      expect(moves.filter((moved) => moved !== undefined)).to.have.length(1);
    });

    it('updates fields only in the phases that are named', async () => {
      const job = await put();
      expect(await store.update(job.id, ['QUEUED'], { runId: 'x' })).to.equal(undefined);
      expect((await store.update(job.id, ['PENDING'], { runId: 'x' }))?.runId).to.equal('x');
    });

    describe('lists', () => {
      it('newest first, ties by id, without ARCHIVED', async () => {
        const a = await put({ creationTime: 1000, id: '00000000-0000-4000-8000-000000000001' });
        const b = await put({ creationTime: 1000, id: '00000000-0000-4000-8000-000000000002' });
        const c = await put({ creationTime: 2000 });
        await put({ creationTime: 3000, phase: 'ARCHIVED' });
        expect(await ids(store.list(all))).to.deep.equal([c.id, b.id, a.id]);
      });

      it('the union of phases, ARCHIVED when asked for, later than a moment, the last few of those', async () => {
        const made: Job[] = [];
        for (const [i, phase] of (['ERROR', 'ARCHIVED', 'COMPLETED', 'ERROR', 'PENDING'] as const).entries()) made.push(await put({ creationTime: i + 1, phase }));
        const [first, archived, completed, error] = made.map(({ id }) => id);
        expect(await ids(store.list({ ...all, phases: ['ERROR', 'ARCHIVED'] }))).to.deep.equal([error, archived, first]);
        expect(await ids(store.list({ ...all, phases: ['ERROR', 'ERROR'], after: 1 }))).to.deep.equal([error]);
        expect(await ids(store.list({ ...all, phases: ['ERROR', 'COMPLETED'], last: 2 }))).to.deep.equal([error, completed]);
      });

      it('of one owner, of the anonymous, of everybody', async () => {
        const mine = await put({ owner: 'alice', creationTime: 1 });
        const anonymous = await put({ creationTime: 2 });
        expect(await ids(store.list({ list: 'docker', owner: 'alice' }))).to.deep.equal([mine.id]);
        expect(await ids(store.list(all))).to.deep.equal([anonymous.id]);
        expect(await ids(store.list({ list: 'docker' }))).to.deep.equal([anonymous.id, mine.id]);
      });

      it('more than one page, none left out and none twice while others are created', async () => {
        const made = await Promise.all(Array.from({ length: 1100 }, (_, i) => put({ creationTime: Math.floor(i / 7) })));
        const seen: string[] = [];
        for await (const { id } of store.list(all)) {
          if (seen.push(id) === 300) await put({ creationTime: 1_000_000 });
        }
        expect(new Set(seen)).to.deep.equal(new Set(made.map(({ id }) => id)));
        expect(seen).to.have.length(1100);
      });
    });

    describe('leases', () => {
      const inLine = async (holder: string, now: number): Promise<string[]> => (await store.firstInLine(holder, now, [])).map(({ id }) => id);

      /** The whole line of one owner. */
      async function line(): Promise<string[]> {
        const seen: string[] = [];
        for (;;) {
          const [next] = await store.firstInLine('h', 0, seen);
          if (next === undefined) return seen;
          seen.push(next.id);
        }
      }

      it('gives a job to one holder, until his heartbeat is over', async () => {
        const { id } = await put({ phase: 'QUEUED' });
        await store.heartbeat('a', 0, 100);
        await store.heartbeat('b', 0, 1000);
        expect((await store.claim(id, 'a', 50))?.id).to.equal(id);
        expect(await store.claim(id, 'b', 50)).to.equal(undefined);
        expect(await inLine('b', 50)).to.deep.equal([]);
        expect(await inLine('b', 100)).to.deep.equal([id]);
        expect((await store.claim(id, 'b', 100))?.id).to.equal(id);
        expect(await Promise.all([store.holds(id, 'a'), store.holds(id, 'b')])).to.deep.equal([false, true]);
      });

      it('gives a job again to the holder who has it already: he alone knows whether he works on it', async () => {
        const { id } = await put({ phase: 'EXECUTING' });
        await store.heartbeat('a', 0, 100);
        await store.claim(id, 'a', 0);
        expect((await store.unclaimed('a', 0, 10)).map((job) => job.id)).to.deep.equal([id]);
        expect(await store.unclaimed('b', 0, 10)).to.deep.equal([]);
        expect((await store.claim(id, 'a', 0))?.id).to.equal(id);
      });

      it('tells how many are before a job in the queue', async () => {
        const base = (await store.ahead((await put({ phase: 'QUEUED' })).id)) ?? NaN;
        const second = await put({ phase: 'QUEUED' });
        const pending = await put({ phase: 'PENDING' });
        const third = await put({ phase: 'QUEUED' });
        expect([await store.ahead(second.id), await store.ahead(third.id)]).to.deep.equal([base + 1, base + 2]);
        expect([await store.ahead(pending.id), await store.ahead('nobody')]).to.deep.equal([undefined, undefined]);
        await store.changePhase(second.id, { from: ['QUEUED'], to: 'ABORTED' });
        expect([await store.ahead(second.id), await store.ahead(third.id)]).to.deep.equal([undefined, base + 1]);
        await store.delete(third.id, 1);
        expect(await store.ahead(third.id)).to.equal(undefined);
      });

      it('does not let a holder live longer than his lease when the clock is put back', async () => {
        const { id } = await put({ phase: 'EXECUTING' });
        await store.heartbeat('a', 1_000_000, 100);
        await store.claim(id, 'a', 1_000_000);
        await store.heartbeat('b', 5000, 10);
        expect(await store.claim(id, 'b', 5099)).to.equal(undefined);
        expect((await store.claim(id, 'b', 5100))?.id).to.equal(id);
      });

      it('frees every job of a holder who retires', async () => {
        const { id } = await put({ phase: 'EXECUTING' });
        await store.heartbeat('a', 0, 100);
        await store.claim(id, 'a', 0);
        await store.retire('a');
        expect((await store.claim(id, 'b', 0))?.id).to.equal(id);
      });

      it('does not let a holder write who has lost the job', async () => {
        const { id } = await put({ phase: 'QUEUED' });
        await store.heartbeat('a', 0, 100);
        await store.claim(id, 'a', 0);
        await store.heartbeat('b', 0, 1000);
        await store.claim(id, 'b', 100);
        expect(await store.changePhase(id, { from: ['QUEUED'], to: 'EXECUTING' }, 'a')).to.equal(undefined);
        expect(await store.update(id, ['QUEUED'], { runId: 'x' }, 'a')).to.equal(undefined);
        expect((await store.changePhase(id, { from: ['QUEUED'], to: 'EXECUTING' }, 'b'))?.phase).to.equal('EXECUTING');
      });

      it('remembers that a start was asked for, of the holder and in QUEUED alone', async () => {
        const { id } = await put({ phase: 'QUEUED' });
        await store.heartbeat('a', 0, 1000);
        expect(await store.askStart(id, 'a')).to.equal(undefined);
        await store.claim(id, 'a', 0);
        expect(await store.startAsked(id)).to.equal(false);
        expect([await store.askStart(id, 'a'), await store.askStart(id, 'a'), await store.askStart(id, 'b')]).to.deep.equal(['first', 'again', undefined]);
        expect(await store.startAsked(id)).to.equal(true);
        await store.changePhase(id, { from: ['QUEUED'], to: 'EXECUTING' });
        expect(await store.askStart(id, 'a')).to.equal(undefined);
      });

      it('takes a job back at once when it is released, and gives none that is not to run', async () => {
        const { id } = await put({ phase: 'QUEUED' });
        const pending = await put();
        await store.heartbeat('a', 0, 1000);
        await store.claim(id, 'a', 0);
        expect((await store.standing(id, 0))?.holder).to.equal('a');
        expect((await store.standing(id, 1000))?.holder).to.equal(null);
        await store.release(id, 'a');
        expect(await store.standing(id, 0)).to.deep.equal({ phase: 'QUEUED', revision: 1, holder: null });
        expect((await store.claim(id, 'a', 0))?.id).to.equal(id);
        expect(await store.claim(pending.id, 'a', 0)).to.equal(undefined);
      });

      it('keeps the order in which jobs were queued, whenever they were created, by whichever process', async () => {
        const early = await put({ creationTime: 1 });
        const late = await put({ creationTime: 2 });
        const other = await open();
        await store.changePhase(late.id, { from: ['PENDING'], to: 'QUEUED' });
        await other.changePhase(early.id, { from: ['PENDING'], to: 'QUEUED' });
        await other.close();
        await store.close();
        store = await open();
        const third = await put({ creationTime: 0, phase: 'QUEUED' });
        expect(await line()).to.deep.equal([late.id, early.id, third.id]);
      });

      it('tells who is first in the line of each owner, who waits longest first', async () => {
        const queued = async (owner: string | null): Promise<string> => (await put({ phase: 'QUEUED', owner })).id;
        const [bob, alice, , anonymous] = [await queued('bob'), await queued('alice'), await queued('alice'), await queued(null)];
        expect(await inLine('h', 0)).to.deep.equal([bob, alice, anonymous]);
      });
    });

    describe('deletion', () => {
      it('hides a job from everybody but the cleaner, and aborts it', async () => {
        const { id } = await put({ phase: 'EXECUTING' });
        expect(await store.delete(id, 5)).to.equal(true);
        expect(await store.get(id)).to.equal(undefined);
        expect(await ids(store.list(all))).to.deep.equal([]);
        expect(await store.changePhase(id, { from: ['EXECUTING', 'ABORTED'], to: 'COMPLETED' }).catch(() => undefined)).to.equal(undefined);
        expect(await store.deleted(10)).to.deep.equal([id]);
        expect((await store.standing(id, 0))?.phase).to.equal('DELETED');
        expect(await store.delete(id, 5)).to.equal(false);
        await store.forget(id);
        expect(await store.deleted(10)).to.deep.equal([]);
        expect(await store.standing(id, 0)).to.equal(undefined);
      });

      it('does not forget a job that is not hidden', async () => {
        const { id } = await put();
        await store.forget(id);
        expect((await store.get(id))?.id).to.equal(id);
      });

      it('tells which jobs are due, and when the next is', async () => {
        const soon = await put({ destruction: 10 });
        await put({ destruction: 20 });
        expect((await store.due(10, 5)).map(({ id }) => id)).to.deep.equal([soon.id]);
        expect(await store.nextDestruction()).to.equal(10);
        await store.delete(soon.id, 0);
        expect(await store.nextDestruction()).to.equal(20);
      });
    });

    describe('what owners have', () => {
      it('tells whose jobs wait', async () => {
        await put({ owner: 'a', groups: ['g', 'h'], phase: 'QUEUED' });
        await put({ owner: 'b', phase: 'QUEUED' });
        await put({ phase: 'QUEUED' });
        await put({ owner: 'a', phase: 'EXECUTING' });
        await store.delete((await put({ owner: 'a', phase: 'QUEUED' })).id, 0);
        expect(await store.waiting('a')).to.deep.equal([{ owner: 'a', groups: ['g', 'h'] }]);
        expect(await store.waiting(null)).to.deep.equal([{ owner: null, groups: [] }]);
        expect((await store.waiting(undefined)).map(({ owner }) => owner)).to.have.members(['a', 'b', null]);
      });

      it('counts jobs and bytes of results, of those that are still there', async () => {
        const results = [{ id: 'stdout', mediaType: 'text/plain', size: 10 }, { id: 'stderr', mediaType: 'text/plain' }];
        await put({ owner: 'a', phase: 'COMPLETED', results });
        await put({ owner: 'a', phase: 'ABORTED', results: [{ id: 'x', mediaType: 'text/plain', size: 5 }] });
        await put({ owner: 'a' });
        await put({ owner: 'a', phase: 'ARCHIVED' });
        await put({ owner: 'b', phase: 'COMPLETED', results });
        await store.delete((await put({ owner: 'a', phase: 'COMPLETED', results })).id, 0);
        expect(await store.holdings('a')).to.deep.equal({ jobs: 3, resultBytes: 15 });
        expect(await store.holdings(undefined)).to.deep.equal({ jobs: 4, resultBytes: 25 });
        expect(await store.holdings(null)).to.deep.equal({ jobs: 0, resultBytes: 0 });
      });
    });

    describe('creation keys', () => {
      const key = { key: 'k', fingerprint: `sha256:${'a'.repeat(64)}` } as const;

      it('keeps one job of many with the same key', async () => {
        const jobs = Array.from({ length: 5 }, () => jobWith({}));
        const earlier = await Promise.all(jobs.map((job) => store.create(job, key)));
        expect(earlier[0]).to.equal(undefined);
        expect(earlier.slice(1)).to.deep.equal(Array(4).fill({ jobId: jobs[0]?.id, fingerprint: key.fingerprint }));
        expect(await ids(store.list(all))).to.deep.equal([jobs[0]?.id]);
      });

      it('tells owners apart, and forgets a key with its job', async () => {
        const job = jobWith({});
        await store.create(job, key);
        expect(await store.create(jobWith({ owner: 'alice' }), key)).to.equal(undefined);
        expect((await store.createdWith('docker', null, 'k'))?.jobId).to.equal(job.id);
        await store.delete(job.id, 0);
        expect(await store.createdWith('docker', null, 'k')).to.equal(undefined);
      });
    });
  });
}
