import { closeSync, fdatasync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import Sqlite, { type Database } from 'better-sqlite3';
import { GatewayError } from '../errors.ts';
import { migrate } from './migrate.ts';
import { RESTORE_HINT } from './sqlite-snapshot.ts';

const sync = promisify(fdatasync);

interface Write {
  readonly work: () => void;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/** What SQLite says when it is the disk or another process that is at fault, and nothing has been changed. */
const OUTAGE = /^SQLITE_(FULL|IOERR|BUSY|LOCKED|CANTOPEN|NOMEM)/;

/** Bytes that the WAL keeps when a long reader has made it grow. */
const WAL_KEPT = 64 * 2 ** 20;

/**
 * One SQLite file in WAL mode with group commit. `synchronous = NORMAL` leaves a commit in the operating system's hands: it
 * survives the death of the process at once. `durable()` then syncs the WAL off the main thread, once for everybody who has
 * committed by then, so that it survives the machine's too, without a sync of its own for each writer. Writers that come
 * in the same turn of the event loop share one transaction (`write`): four times fewer pages to write.
 */
export class SqliteDatabase {
  readonly connection: Database;
  /** Resolves with the reason when a sync has failed: this process can write nothing any more, and the next one can. */
  readonly failed: Promise<unknown>;
  #fail: (reason: unknown) => void = () => undefined;
  readonly #sync: (file: number) => Promise<void>;
  readonly #wal: number;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #writes: Write[] = [];
  #broken: unknown;

  /** Opens or makes the file, checks it and brings its schema up to date. Throws when it is damaged or of a later version. `syncFile`: fdatasync. */
  constructor(file: string, syncFile = sync) {
    this.#sync = syncFile;
    this.failed = new Promise((resolve) => (this.#fail = resolve));
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    this.connection = named(file, () => opened(file));
    this.#wal = openSync(`${file}-wal`, 'r+');
    syncDirectory(dirname(file));
  }

  /** A name that only this store has, for labels on the engine: containers of another store are never taken for its own. */
  get gateway(): string {
    const fact = this.connection.prepare<[], { value: string }>("SELECT value FROM facts WHERE name = 'gateway'").get();
    if (fact === undefined) throw new Error('the store has no name');
    return fact.value;
  }

  /** Does `work` (statements only). Throws Unavailable where the disk is full or fails, or others do not let go of the file. */
  attempt<T>(work: () => T): T {
    if (this.#broken !== undefined) throw unavailable(this.#broken);
    try {
      return work();
    } catch (error) {
      throw error instanceof Sqlite.SqliteError && OUTAGE.test(error.code) ? unavailable(error) : error;
    }
  }

  /**
   * Resolves when everything committed before the call is on the disk. After a sync has failed nobody knows what is there, and
   * the system may call the next one a success: nothing is written any more until a restart reads what the disk really has.
   */
  durable(): Promise<void> {
    if (this.#broken !== undefined) return Promise.reject(unavailable(this.#broken));
    if (this.#running === undefined) {
      this.#running = this.#sync(this.#wal)
        .catch((error: unknown) => {
          this.#broken = error;
          this.#fail(error);
          throw unavailable(error);
        })
        .finally(() => {
          this.#running = undefined;
        });
      return this.#running;
    }
    // the sync under way may have begun before our commit: wait for the one after it, together with all who come meanwhile
    this.#next ??= this.#running.catch(() => undefined).then(() => {
      this.#next = undefined;
      return this.durable();
    });
    return this.#next;
  }

  /** Does `work` (statements only) in a transaction shared with the others of this turn; durable when it resolves. */
  write(work: () => void): Promise<void> {
    return new Promise((done, failed) => {
      if (this.#writes.push({ work, done, failed }) === 1) setImmediate(() => this.#commit());
    });
  }

  #commit(): void {
    const writes = this.#writes;
    this.#writes = [];
    const together = this.connection.transaction(() => {
      for (const { work } of writes) work();
    });
    try {
      this.attempt(() => together.immediate());
    } catch {
      // one of them failed and took the others with it: each for itself
      for (const write of writes) this.#alone(write);
      return;
    }
    this.durable().then(
      () => writes.forEach(({ done }) => done()),
      (error: unknown) => writes.forEach(({ failed }) => failed(error)),
    );
  }

  #alone({ work, done, failed }: Write): void {
    try {
      this.attempt(() => this.connection.transaction(work).immediate());
    } catch (error) {
      failed(error);
      return;
    }
    this.durable().then(done, failed);
  }

  async close(): Promise<void> {
    if (this.#writes.length > 0) this.#commit();
    await this.durable().catch(() => undefined);
    closeSync(this.#wal);
    this.connection.close();
  }
}

function opened(file: string): Database {
  const connection = new Sqlite(file, { timeout: 5000 });
  connection.pragma('journal_mode = WAL');
  connection.pragma('synchronous = NORMAL');
  connection.pragma('foreign_keys = ON');
  connection.pragma(`journal_size_limit = ${String(WAL_KEPT)}`);
  const verdict = connection.pragma('quick_check(1)', { simple: true });
  if (verdict !== 'ok') throw new Error(`the store ${file} is damaged: ${String(verdict)}; ${RESTORE_HINT}`);
  migrate(connection);
  // a write makes sure that the WAL exists before it is opened beside SQLite's own handle (which takes no locks on that file)
  connection.exec("INSERT OR REPLACE INTO facts VALUES ('opened', datetime('now'))");
  return connection;
}

/** Throws an Error that names the file where it is no store, or damaged, or the disk has no room for what opening it writes. */
function named<T>(file: string, open: () => T): T {
  try {
    return open();
  } catch (error) {
    if (!(error instanceof Sqlite.SqliteError)) throw error;
    if (/^SQLITE_(?:NOTADB|CORRUPT)/.test(error.code)) throw new Error(`the store ${file} is damaged: ${error.message}; ${RESTORE_HINT}`, { cause: error });
    const full = /^SQLITE_(?:FULL|IOERR)/.test(error.code) ? '; its disk fails, or is full' : '';
    throw new Error(`the store ${file} cannot be opened: ${error.message}${full}`, { cause: error });
  }
}

function unavailable(cause: unknown): GatewayError {
  return new GatewayError('Unavailable', 'the job store cannot be used at present', { cause });
}

function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
