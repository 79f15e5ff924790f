import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteDatabase } from '../../../src/store/sqlite-database.ts';
import { SqliteJobStore } from '../../../src/store/sqlite-job-store.ts';
import { jobWith } from '../../support/jobs.ts';

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
