import { expect } from 'chai';
import { closeSync, mkdtempSync, mkdirSync, openSync, readFileSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { SystemClock } from '../../../src/clock.ts';
import { loadConfig } from '../../../src/config.ts';
import { startGateway } from '../../../src/gateway.ts';
import { createLogger } from '../../../src/logger.ts';
import { backup } from '../../../src/store/backup.ts';
import type { Phase } from '../../../src/job/phase.ts';
import { FileResultStore } from '../../../src/store/file-result-store.ts';
import { refuseHalfRestored, tidyRestores } from '../../../src/store/interrupted-restore.ts';
import { restore } from '../../../src/store/restore.ts';
import { SqliteDatabase } from '../../../src/store/sqlite-database.ts';
import { SqliteJobStore } from '../../../src/store/sqlite-job-store.ts';
import { readUsage } from '../../../src/store/sqlite-usage-report.ts';
import { SqliteUsageStore } from '../../../src/store/sqlite-usage-store.ts';
import { jobWith } from '../../support/jobs.ts';

const STARTED = Date.UTC(2026, 0, 2);

describe('backup and restore', () => {
  let folder: string;
  let data: string;
  let archive: string;
  let database: SqliteDatabase;
  let store: SqliteJobStore;
  const kept = jobWith({});

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'pratique-backup-'));
    data = join(folder, 'data');
    archive = join(folder, 'backup.tar');
    database = new SqliteDatabase(join(data, 'jobs.db'));
    store = new SqliteJobStore(database);
    await store.create(kept);
    await new FileResultStore(join(data, 'results')).write(kept.id, 'a/b', Readable.from([Buffer.alloc(200_000, 'x')]), 1e6);
    writeFileSync(join(data, 'link-key'), 'key');
    mkdirSync(join(data, 'registry'));
  });
  afterEach(async () => {
    await store.close().catch(() => undefined);
    rmSync(folder, { recursive: true });
  });

  const message = (work: Promise<unknown>): Promise<string> => work.then(() => 'done', (error: unknown) => (error instanceof Error ? error.message : String(error)));

  it('keeps jobs, key and results of a store in use, and nothing else; they are there again elsewhere', async () => {
    expect(await backup(data, archive, { results: true })).to.equal(1);
    expect(statSync(archive).mode & 0o777).to.equal(0o600);
    const later = jobWith({});
    await store.create({ ...later, id: '00000000-0000-4000-8000-00000000ffff' });
    const elsewhere = join(folder, 'elsewhere');
    expect(await restore(elsewhere, archive, { replace: false, keepQueue: false })).to.deep.equal({ ended: 0 });
    expect(readdirSync(elsewhere).toSorted()).to.deep.equal(['jobs.db', 'link-key', 'results']);
    expect(readFileSync(join(elsewhere, 'link-key'), 'utf8')).to.equal('key');
    const again = new SqliteJobStore(new SqliteDatabase(join(elsewhere, 'jobs.db')));
    expect((await again.get(kept.id))?.id).to.equal(kept.id);
    expect(await again.get('00000000-0000-4000-8000-00000000ffff')).to.equal(undefined);
    await again.close();
    const content = await new FileResultStore(join(elsewhere, 'results')).read(kept.id, 'a/b');
    expect(content && (await text(content))).to.have.length(200_000);
    expect(readdirSync(folder).toSorted()).to.deep.equal(['backup.tar', 'data', 'elsewhere']);
  });

  it('never touches a store in use; one that is not is moved aside when told to', async () => {
    await backup(data, archive, { results: false });
    expect(await message(restore(data, archive, { replace: true, keepQueue: false }))).to.contain('in use').and.to.contain('jobs.db');
    await store.close();
    expect(await message(restore(data, archive, { replace: false, keepQueue: false }))).to.contain('--replace');
    const { aside } = await restore(data, archive, { replace: true, keepQueue: false });
    expect(readdirSync(aside ?? '')).to.include.members(['jobs.db', 'link-key', 'results']);
    expect(readdirSync(data)).to.include.members(['jobs.db', 'link-key', 'registry']).and.not.to.include('results');
    store = new SqliteJobStore(new SqliteDatabase(join(data, 'jobs.db')));
    expect((await store.get(kept.id))?.id).to.equal(kept.id);
  });

  describe('a restore that was killed', () => {
    /** As it leaves the folder: the old store aside, of the new one the results moved in already. */
    async function killed(): Promise<string> {
      await backup(data, archive, { results: true });
      await store.close();
      const aside = join(data, 'before-restore-abc');
      mkdirSync(aside);
      for (const name of readdirSync(data).filter((each) => each !== 'registry' && each !== 'before-restore-abc')) renameSync(join(data, name), join(aside, name));
      mkdirSync(join(data, '.restore-xyz'));
      writeFileSync(join(data, '.restore-xyz', 'jobs.db'), 'x');
      mkdirSync(join(data, 'results', 'other'), { recursive: true });
      writeFileSync(join(data, 'results', 'other', 'file'), 'x');
      return aside;
    }

    it('keeps the gateway from making a store of its own: nothing is touched, and it says what to do', async () => {
      const aside = await killed();
      const said = await message(startGateway(await loadConfig(undefined, { PRATIQUE_DATA: data }), new SystemClock(), createLogger('silent')));
      expect(said).to.contain('interrupted').and.to.contain('pratique restore').and.to.contain(aside).and.to.contain('.restore-xyz');
      expect(readdirSync(data).toSorted()).to.deep.equal(['.restore-xyz', 'before-restore-abc', 'registry', 'results']);
    });

    it('can be made again: what the first has put there is moved aside', async () => {
      await killed();
      const { aside } = await restore(data, archive, { replace: false, keepQueue: false });
      expect(readdirSync(aside ?? '')).to.deep.equal(['results']);
      expect(readdirSync(join(data, 'results'))).to.deep.equal([kept.id]);
      await refuseHalfRestored(data);
      store = new SqliteJobStore(new SqliteDatabase(join(data, 'jobs.db')));
      expect((await store.get(kept.id))?.id).to.equal(kept.id);
      await tidyRestores(data);
      expect(readdirSync(data).filter((name) => name.startsWith('.'))).to.deep.equal([]);
    });

    it('is nothing to a folder that has a store, or none of a restore', async () => {
      await refuseHalfRestored(data);
      await refuseHalfRestored(join(folder, 'nowhere'));
      mkdirSync(join(data, '.restore-xyz'));
      await refuseHalfRestored(data);
    });
  });

  it('what a killed backup has left is removed by a later one, what one leaves that is under way is not', async () => {
    for (const name of ['old', 'new']) {
      mkdirSync(join(folder, `.pratique-backup-${name}`));
      writeFileSync(join(folder, `.pratique-backup-${name}`, 'archive'), 'x');
    }
    const past = Date.now() / 1000 - 3601;
    for (const name of ['archive', '']) utimesSync(join(folder, '.pratique-backup-old', name), past, past);
    utimesSync(join(folder, '.pratique-backup-new'), past, past);
    await backup(data, archive, { results: true });
    expect(readdirSync(folder).toSorted()).to.deep.equal(['.pratique-backup-new', 'backup.tar', 'data']);
  });

  for (const [keepQueue, queued] of [
    [false, 'ERROR'],
    [true, 'QUEUED'],
  ] as const) {
    it(`a job that was EXECUTING has ended, one that was QUEUED is ${queued} with${keepQueue ? '' : 'out'} --keep-queue, others are as they were`, async () => {
      const ids = ['PENDING', 'QUEUED', 'EXECUTING', 'COMPLETED'].map((phase, at) => ({ phase: phase as Phase, id: `00000000-0000-4000-8000-00000000000${String(at)}` }));
      for (const { id, phase } of ids) await store.create({ ...jobWith({ phase, startTime: phase === 'EXECUTING' ? STARTED : null }), id });
      const executing = ids[2]?.id ?? '';
      await store.update(executing, ['EXECUTING'], { runId: 'measured' });
      await new SqliteUsageStore(database).keep(executing, { one: { last: { cpuSeconds: 1, peakMemory: 1 }, before: { cpuSeconds: 0, peakMemory: 0 } } }, STARTED + 1000);
      await backup(data, archive, { results: true });
      const elsewhere = join(folder, 'elsewhere');
      expect((await restore(elsewhere, archive, { replace: false, keepQueue })).ended).to.equal(keepQueue ? 1 : 2);
      const again = new SqliteJobStore(new SqliteDatabase(join(elsewhere, 'jobs.db')));
      const jobs = await Promise.all(ids.map(({ id }) => again.get(id)));
      expect(jobs.map((job) => job?.phase)).to.deep.equal(['PENDING', queued, 'ERROR', 'COMPLETED']);
      expect(jobs[2]?.error?.message).to.contain('restored from a backup');
      await again.close();
      // how much it used since is not known, and nobody is charged for it
      expect([...readUsage(join(elsewhere, 'jobs.db'), 0)].map(({ jobId, endTime }) => ({ jobId, endTime }))).to.deep.equal([{ jobId: executing, endTime: STARTED + 1000 }]);
    });
  }

  for (const [what, spoil] of [
    ['cut off', (bytes: Buffer): Buffer => bytes.subarray(0, bytes.length / 2)],
    ['changed', (bytes: Buffer): Buffer => Buffer.from(bytes).fill('y', bytes.indexOf('xxxxxxxx'), bytes.indexOf('xxxxxxxx') + 4)],
    ['something else', (): Buffer => Buffer.alloc(4096, 'z')],
  ] as const) {
    it(`refuses an archive that was ${what}, and changes nothing`, async () => {
      await backup(data, archive, { results: true });
      writeFileSync(archive, spoil(readFileSync(archive)));
      const elsewhere = join(folder, 'elsewhere');
      expect(await message(restore(elsewhere, archive, { replace: false, keepQueue: false }))).not.to.equal('done');
      expect(readdirSync(elsewhere)).to.deep.equal([]);
    });
  }

  it('a damaged store is told of by name at the start, and is not backed up', async () => {
    await store.close();
    const file = join(data, 'jobs.db');
    const handle = openSync(file, 'r+');
    writeSync(handle, Buffer.alloc(100, 7), 0, 100, 0);
    closeSync(handle);
    expect(() => new SqliteDatabase(file)).to.throw(`the store ${file} is damaged`).with.property('message').that.contains('pratique restore');
    expect(await message(backup(data, archive, { results: true }))).to.contain(file);
    expect(readdirSync(folder)).to.deep.equal(['data']);
  });
});
