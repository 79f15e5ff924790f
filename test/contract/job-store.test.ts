import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteDatabase } from '../../src/store/sqlite-database.ts';
import { SqliteJobStore } from '../../src/store/sqlite-job-store.ts';
import { jobStoreContract } from './job-store.ts';

describe('contract', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pratique-store-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  jobStoreContract('sqlite', async () => new SqliteJobStore(new SqliteDatabase(join(folder, 'jobs.db'))));
});
