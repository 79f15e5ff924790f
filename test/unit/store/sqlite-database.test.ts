import { expect } from 'chai';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteDatabase } from '../../../src/store/sqlite-database.ts';
import { SqliteJobStore } from '../../../src/store/sqlite-job-store.ts';
import { jobWith } from '../../support/jobs.ts';

describe('a store whose disk takes its time', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pratique-sync-'));
  let synced: (() => void) | undefined;
  let store: SqliteJobStore;

  beforeEach(() => {
    synced = undefined;
    store = new SqliteJobStore(new SqliteDatabase(join(folder, `${randomUUID()}.db`), () => new Promise((resolve) => (synced = resolve))));
  });
  after(() => rmSync(folder, { recursive: true }));

  /** Whether it has been told before the disk has taken it; it is, afterwards. */
  async function toldEarly(call: Promise<unknown>): Promise<boolean> {
    let told = false;
    const done = call.then(() => (told = true));
    for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    const early = told;
    synced?.();
    await done;
    return early;
  }

  it('tells that a start is about to be asked for when that is on the disk: the engine may act at once', async () => {
    const job = jobWith({ phase: 'QUEUED' });
    expect(await toldEarly(store.create(job))).to.equal(false);
    await store.claim(job.id, 'a', 0);
    expect(await toldEarly(store.askStart(job.id, 'a'))).to.equal(false);
    const closed = store.close();
    synced?.();
    await closed;
  });

  it('tells of a job that was created with the same key when that is on the disk: whoever asks is told that there is one', async () => {
    const created = store.create(jobWith({}), { key: 'k', fingerprint: `sha256:${'1'.repeat(64)}` });
    while (synced === undefined) await new Promise((resolve) => setImmediate(resolve));
    const first = synced;
    const early = toldEarly(store.createdWith('docker', null, 'k'));
    setImmediate(first);
    await created;
    expect(await early).to.equal(false);
  });
});

describe('a store whose disk does not keep what is written', () => {
  it('says so once and for all: nothing is written any more, whatever later syncs say, until it is opened again', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pratique-sync-'));
    const file = join(folder, 'jobs.db');
    let error: Error | undefined;
    const database = new SqliteDatabase(file, () => (error === undefined ? Promise.resolve() : Promise.reject(error)));
    const store = new SqliteJobStore(database);
    await store.create(jobWith({}));
    const told: unknown[] = [];
    void database.failed.then((reason) => told.push(reason));
    error = new Error('EIO: i/o error, fdatasync');
    const outcome = (): Promise<unknown> => store.create(jobWith({ id: '00000000-0000-4000-8000-000000000001' })).then(() => 'done', (reason: unknown) => reason);
    expect(await outcome()).to.include({ code: 'Unavailable' });
    expect(told).to.deep.equal([error]);
    error = undefined;
    expect(await outcome()).to.include({ code: 'Unavailable' });
    await store.close();
    const again = new SqliteJobStore(new SqliteDatabase(file));
    await again.create(jobWith({}));
    await again.close();
    rmSync(folder, { recursive: true });
  });
});
