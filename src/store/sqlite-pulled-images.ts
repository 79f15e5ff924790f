import type { Instant } from '../clock.ts';
import { TERMINAL_PHASES } from '../job/phase.ts';
import type { PulledImage, PulledImages } from './pulled-images.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** The record of pulled images, in the store of the jobs. */
export class SqlitePulledImages implements PulledImages {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async pulling(name: string, at: Instant): Promise<void> {
    this.#run('INSERT INTO pulled_images VALUES (@name, @at) ON CONFLICT (name) DO UPDATE SET used = MAX(used, @at)', { name, at });
    await this.#database.durable();
  }

  async used(name: string, at: Instant): Promise<void> {
    this.#run('UPDATE pulled_images SET used = MAX(used, @at) WHERE name = @name', { name, at });
  }

  async all(): Promise<readonly PulledImage[]> {
    return this.#database.attempt(() => this.#database.connection.prepare<[], PulledImage>('SELECT name, used FROM pulled_images ORDER BY used, name').all());
  }

  async needed(names: readonly string[]): Promise<ReadonlySet<string>> {
    const sql = `
      SELECT DISTINCT image.value AS name FROM jobs, json_each(@names) AS image
      WHERE deleted = 0 AND phase NOT IN (SELECT value FROM json_each(@over)) AND instr(body, substr(image.value, instr(image.value, '@') + 1)) > 0`;
    const values = { names: JSON.stringify(names), over: JSON.stringify([...TERMINAL_PHASES]) };
    const rows = this.#database.attempt(() => this.#database.connection.prepare<object, { name: string }>(sql).all(values));
    return new Set(rows.map(({ name }) => name));
  }

  async forget(name: string): Promise<void> {
    this.#run('DELETE FROM pulled_images WHERE name = @name', { name });
  }

  #run(sql: string, values: object): void {
    this.#database.attempt(() => this.#database.connection.prepare(sql).run(values));
  }
}
