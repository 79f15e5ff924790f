import { existsSync } from 'node:fs';
import Sqlite from 'better-sqlite3';
import { newestVersion } from './migrate.ts';

/** What to do about a store that cannot be read; part of every error about one. */
export const RESTORE_HINT = 'put it aside and restore a backup with `pratique restore`';

/** A copy of the store's present state, made in one read while others go on writing, and checked. Throws an Error that names the file. */
export function snapshotStore(from: string, to: string): void {
  if (!existsSync(from)) throw new Error(`there is no store ${from}`);
  const connection = open(from);
  try {
    connection.prepare('VACUUM INTO ?').run(to);
  } finally {
    connection.close();
  }
  checkStore(to);
}

/** Reads every page and every index. Throws an Error that names the file, where it is damaged or of a later program. */
export function checkStore(file: string): void {
  const connection = open(file);
  try {
    const verdict: unknown = connection.pragma('integrity_check(1)', { simple: true });
    if (verdict !== 'ok') throw new Error(`the store ${file} is damaged: ${String(verdict)}`);
    const version = connection.pragma('user_version', { simple: true }) as number;
    if (version > newestVersion) throw new Error(`the store ${file} is of version ${String(version)}, this program knows ${String(newestVersion)}: use the newer program`);
    if (version < 1) throw new Error(`${file} is no store of this program`);
  } finally {
    connection.close();
  }
}

/** Whether a process has the store open. Its WAL is written back where none has. */
export function isStoreOpen(file: string): boolean {
  const connection = new Sqlite(file, { fileMustExist: true, timeout: 200 });
  try {
    // only the one who has the file alone can leave the WAL
    return connection.pragma('journal_mode = DELETE', { simple: true }) !== 'delete';
  } catch (error) {
    if (error instanceof Sqlite.SqliteError && /^SQLITE_(BUSY|LOCKED)/.test(error.code)) return true;
    // what is no store any more is nobody's
    if (error instanceof Sqlite.SqliteError && /^SQLITE_(NOTADB|CORRUPT)/.test(error.code)) return false;
    throw error;
  } finally {
    connection.close();
  }
}

function open(file: string): Sqlite.Database {
  try {
    const connection = new Sqlite(file, { readonly: true, fileMustExist: true, timeout: 5000 });
    connection.pragma('user_version');
    return connection;
  } catch (error) {
    throw new Error(`the store ${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
