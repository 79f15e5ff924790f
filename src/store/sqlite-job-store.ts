import type { Statement, Transaction } from 'better-sqlite3';
import type { Instant } from '../clock.ts';
import type { Job, JobFilter, JobListName, JobSummary, JobUpdate, PhaseChange } from '../job/job.ts';
import { mayFollow, type Phase } from '../job/phase.ts';
import { withoutLogins, withoutSealed } from '../job/secrets.ts';
import { type JobRow, fromRow, toRow } from './job-row.ts';
import type { CreationKey, EarlierCreation, JobStore, Standing } from './job-store.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import { SqliteJobList } from './sqlite-job-list.ts';
import { UsageRows } from './sqlite-usage-rows.ts';

const COLUMNS = [
  'id', 'list', 'revision', 'owner', 'run_id', 'phase', 'quote', 'creation_time', 'start_time', 'end_time', 'execution_duration',
  'destruction', 'body',
] as const;

const CREATED = [...COLUMNS, 'creation_key', 'fingerprint'] as const;

/** Behind everybody who waits; taken within the write, so that several processes share one line. */
const LAST_IN_LINE = "(SELECT COALESCE(MAX(queue_number), 0) + 1 FROM jobs WHERE deleted = 0 AND phase = 'QUEUED' AND phase IN ('QUEUED', 'EXECUTING'))";
const INSERT = `INSERT INTO jobs (${CREATED.join(', ')}, queue_number)
  VALUES (${CREATED.map((name) => `@${name}`).join(', ')}, CASE WHEN @phase = 'QUEUED' THEN ${LAST_IN_LINE} END)`;
const UPDATE = `UPDATE jobs SET ${COLUMNS.map((name) => `${name} = @${name}`).join(', ')},
  queue_number = CASE WHEN @queued THEN ${LAST_IN_LINE} ELSE queue_number END WHERE id = @id`;

/** The holder of a job, if he is alive. */
const LIVING = '(SELECT holders.holder FROM holders WHERE holders.holder = jobs.holder AND holders.until > @now)';
/** A job is free for a holder when no other living one has it: his own, that he no longer works on, are free for him too. */
const FREE = `(holder IS NULL OR holder = @holder OR ${LIVING} IS NULL)`;

/** Holders that have not been heard of for so long (milliseconds) are forgotten. */
const FORGOTTEN = 24 * 3600_000;

const BEFORE_START: ReadonlySet<Phase> = new Set(['PENDING', 'HELD', 'QUEUED'] as const);

type Change = (job: Job) => Job | undefined;

/** Jobs in one SQLite file. */
export class SqliteJobStore implements JobStore {
  readonly #database: SqliteDatabase;
  readonly #list: SqliteJobList;
  readonly #usage: UsageRows;
  readonly #insert: Statement;
  readonly #update: Statement;
  readonly #select: Statement<[string], JobRow>;
  readonly #revision: Statement<[string], { revision: number; owner: string | null }>;
  readonly #change: Transaction<(id: string, change: Change, holder: string | undefined) => Job | undefined>;
  readonly #beat: Transaction<(beat: { readonly holder: string; readonly now: Instant; readonly lease: number }) => void>;
  readonly #cache = new Map<string, Statement<[object], unknown>>();

  constructor(database: SqliteDatabase) {
    this.#database = database;
    const { connection } = database;
    this.#list = new SqliteJobList(database);
    this.#usage = new UsageRows(connection);
    this.#insert = connection.prepare(INSERT);
    this.#update = connection.prepare(UPDATE);
    this.#select = connection.prepare('SELECT * FROM jobs WHERE id = ? AND deleted = 0');
    this.#revision = connection.prepare('SELECT revision, owner FROM jobs WHERE id = ? AND deleted = 0');
    this.#change = connection.transaction((id, change, holder) => {
      const row = this.#select.get(id);
      if (row === undefined || (holder !== undefined && row.holder !== holder)) return undefined;
      const before = fromRow(row);
      const changed = change(before);
      if (changed === undefined) return undefined;
      const after = lightened({ ...changed, revision: before.revision + 1 });
      this.#usage.follow(after);
      this.#update.run({ ...toRow(after), queued: after.phase === 'QUEUED' && before.phase !== 'QUEUED' ? 1 : 0 });
      return after;
    });
    this.#beat = connection.transaction((beat) => {
      this.#prepared('INSERT INTO holders VALUES (@holder, @now + @lease, @lease) ON CONFLICT (holder) DO UPDATE SET until = @now + @lease, lease = @lease').run(beat);
      this.#prepared('UPDATE holders SET until = @now + lease WHERE until > @now + lease').run({ now: beat.now });
      this.#prepared('DELETE FROM holders WHERE until < @now - @forgotten').run({ now: beat.now, forgotten: FORGOTTEN });
    });
  }

  async create(job: Job, key?: CreationKey): Promise<EarlierCreation | undefined> {
    const row = {
      ...toRow(job),
      creation_key: key?.key ?? null,
      fingerprint: key?.fingerprint ?? null,
    };
    let earlier: EarlierCreation | undefined;
    await this.#database.write(() => {
      earlier = key === undefined ? undefined : this.#createdWith(job.list, job.owner, key.key);
      if (earlier === undefined) this.#insert.run(row);
    });
    return earlier;
  }

  async createdWith(list: JobListName, owner: string | null, key: string): Promise<EarlierCreation | undefined> {
    const earlier = this.#createdWith(list, owner, key);
    // its own creation may still wait for the disk
    if (earlier !== undefined) await this.#database.durable();
    return earlier;
  }

  async get(id: string): Promise<Job | undefined> {
    const row = this.#database.attempt(() => this.#select.get(id));
    return row === undefined ? undefined : fromRow(row);
  }

  async revision(id: string): Promise<{ readonly revision: number; readonly owner: string | null } | undefined> {
    return this.#database.attempt(() => this.#revision.get(id));
  }

  list(filter: JobFilter): AsyncIterable<JobSummary> {
    return this.#list.read(filter);
  }

  changePhase(id: string, { from, to, set }: PhaseChange, holder?: string): Promise<Job | undefined> {
    return this.#durably(id, holder, (job) => {
      if (!from.includes(job.phase)) return undefined;
      if (!mayFollow(job.phase, to)) throw new Error(`no job goes from ${job.phase} to ${to}`);
      return { ...job, ...set, phase: to };
    });
  }

  update(id: string, phases: readonly Phase[], update: JobUpdate, holder?: string): Promise<Job | undefined> {
    return this.#durably(id, holder, (job) => (phases.includes(job.phase) ? { ...job, ...update } : undefined));
  }

  async heartbeat(holder: string, now: Instant, lease: number): Promise<void> {
    this.#database.attempt(() => this.#beat.immediate({ holder, now, lease }));
  }

  async retire(holder: string): Promise<void> {
    this.#run('DELETE FROM holders WHERE holder = @holder', { holder });
  }

  async claim(id: string, holder: string, now: Instant): Promise<Job | undefined> {
    const claimed = this.#run(`UPDATE jobs SET holder = @holder WHERE id = @id AND deleted = 0 AND phase IN ('QUEUED', 'EXECUTING') AND ${FREE}`, { id, holder, now });
    return claimed === 0 ? undefined : this.get(id);
  }

  async holds(id: string, holder: string): Promise<boolean> {
    return this.#all<{ one: 1 }>('SELECT 1 AS one FROM jobs WHERE id = @id AND holder = @holder', { id, holder }).length > 0;
  }

  async askStart(id: string, holder: string): Promise<'first' | 'again' | undefined> {
    const ours = "id = @id AND holder = @holder AND deleted = 0 AND phase = 'QUEUED'";
    if (this.#run(`UPDATE jobs SET start_asked = 1 WHERE ${ours} AND start_asked = 0`, { id, holder }) > 0) {
      await this.#database.durable();
      return 'first';
    }
    return this.#all(`SELECT 1 FROM jobs WHERE ${ours}`, { id, holder }).length > 0 ? 'again' : undefined;
  }

  async startAsked(id: string): Promise<boolean> {
    return this.#all('SELECT 1 FROM jobs WHERE id = @id AND start_asked = 1', { id }).length > 0;
  }

  async release(id: string, holder: string): Promise<void> {
    this.#run('UPDATE jobs SET holder = NULL WHERE id = @id AND holder = @holder', { id, holder });
  }

  async unclaimed(holder: string, now: Instant, limit: number): Promise<readonly Job[]> {
    return this.#jobs(`phase = 'EXECUTING' AND phase IN ('QUEUED', 'EXECUTING') AND ${FREE} ORDER BY queue_number LIMIT @limit`, { holder, now, limit });
  }

  async unkept(limit: number): Promise<readonly Job[]> {
    const promised = "EXISTS (SELECT 1 FROM json_each(body, '$.results') WHERE json_extract(value, '$.size') IS NULL)";
    return this.#jobs(`phase = 'ABORTED' AND ${promised} LIMIT @limit`, { limit });
  }

  async firstInLine(holder: string, now: Instant, except: readonly string[]): Promise<readonly Job[]> {
    // a step of an index for each owner, however many jobs he has in it
    const owner = (after: string, values: object): { owner: string | null } | undefined =>
      this.#all<{ owner: string | null }>(`SELECT owner FROM jobs WHERE deleted = 0 AND phase = 'QUEUED' ${after} ORDER BY owner LIMIT 1`, values)[0];
    const first = `phase = 'QUEUED' AND owner IS @owner AND ${FREE} AND id NOT IN (SELECT value FROM json_each(@except)) ORDER BY queue_number LIMIT 1`;
    const rows: (JobRow & { readonly queue_number: number })[] = [];
    for (let at = owner('', {}); at !== undefined; at = owner(at.owner === null ? 'AND owner IS NOT NULL' : 'AND owner > @owner', at)) {
      rows.push(...this.#all<(typeof rows)[number]>(`SELECT * FROM jobs WHERE deleted = 0 AND ${first}`, { holder, now, owner: at.owner, except: JSON.stringify(except) }));
    }
    return rows.toSorted((a, b) => a.queue_number - b.queue_number).map(fromRow);
  }

  async waiting(owner: string | null | undefined): Promise<readonly Pick<Job, 'owner' | 'groups'>[]> {
    const sql = `SELECT owner, json_extract(body, '$.groups') AS groups FROM jobs WHERE deleted = 0 AND phase = 'QUEUED' ${owner === undefined ? '' : 'AND owner IS @owner'}`;
    const rows = this.#all<{ owner: string | null; groups: string }>(sql, { owner });
    return rows.map((row) => ({ owner: row.owner, groups: JSON.parse(row.groups) as readonly string[] }));
  }

  async holdings(owner: string | null | undefined): Promise<{ readonly jobs: number; readonly resultBytes: number }> {
    const of = `FROM jobs WHERE deleted = 0 AND phase <> 'ARCHIVED' ${owner === undefined ? '' : 'AND owner IS @owner'}`;
    const bytes = `SELECT SUM(json_extract(result.value, '$.size')) FROM jobs, json_each(jobs.body, '$.results') AS result ${of.slice('FROM jobs'.length)}`;
    const [found] = this.#all<{ jobs: number; bytes: number | null }>(`SELECT (SELECT COUNT(*) ${of}) AS jobs, (${bytes}) AS bytes`, owner === undefined ? {} : { owner });
    return { jobs: found?.jobs ?? 0, resultBytes: found?.bytes ?? 0 };
  }

  async due(now: Instant, limit: number): Promise<readonly Job[]> {
    return this.#jobs("destruction <= @now ORDER BY destruction LIMIT @limit", { now, limit });
  }

  async nextDestruction(): Promise<Instant | undefined> {
    const sql = 'SELECT destruction FROM jobs WHERE deleted = 0 AND destruction IS NOT NULL ORDER BY destruction LIMIT 1';
    return this.#all<{ destruction: number }>(sql, {})[0]?.destruction;
  }

  async standing(id: string, now: Instant): Promise<Standing | undefined> {
    const sql = `SELECT CASE WHEN deleted = 1 THEN 'DELETED' ELSE phase END AS phase, revision, ${LIVING} AS holder FROM jobs WHERE id = @id`;
    return this.#all<Standing>(sql, { id, now })[0];
  }

  async delete(id: string, at: Instant): Promise<boolean> {
    const sql = `UPDATE jobs SET deleted = 1, revision = revision + 1, end_time = COALESCE(end_time, @at),
      phase = CASE WHEN phase IN ('COMPLETED', 'ERROR', 'ABORTED', 'ARCHIVED') THEN phase ELSE 'ABORTED' END, body = json_set(body, '$.parameters', json('[]')) WHERE id = @id AND deleted = 0`;
    const both = this.#database.connection.transaction(() => {
      this.#usage.gone(id, at);
      return this.#prepared(sql).run({ id, at }).changes > 0;
    });
    const deleted = this.#database.attempt(() => both.immediate());
    await this.#database.durable();
    return deleted;
  }

  async deleted(limit: number): Promise<readonly string[]> {
    return this.#all<{ id: string }>('SELECT id FROM jobs WHERE deleted = 1 LIMIT @limit', { limit }).map(({ id }) => id);
  }

  async forget(id: string): Promise<void> {
    this.#run('DELETE FROM jobs WHERE id = @id AND deleted = 1', { id });
  }

  async ahead(id: string): Promise<number | undefined> {
    const own = this.#prepared<{ queue_number: number }>("SELECT queue_number FROM jobs WHERE id = @id AND deleted = 0 AND phase = 'QUEUED'").get({ id });
    if (own === undefined) return undefined;
    const sql = "SELECT COUNT(*) AS jobs FROM jobs WHERE deleted = 0 AND phase = 'QUEUED' AND phase IN ('QUEUED', 'EXECUTING') AND queue_number < @queue_number";
    return this.#prepared<{ jobs: number }>(sql).get({ queue_number: own.queue_number })?.jobs ?? 0;
  }

  /** Ids of the jobs in these phases, whosever. */
  inPhases(phases: readonly Phase[]): readonly string[] {
    const sql = 'SELECT id FROM jobs WHERE deleted = 0 AND phase IN (SELECT value FROM json_each(@phases))';
    return this.#all<{ id: string }>(sql, { phases: JSON.stringify(phases) }).map(({ id }) => id);
  }

  async count(): Promise<Readonly<Partial<Record<Phase, number>>>> {
    const rows = this.#all<{ phase: Phase; jobs: number }>('SELECT phase, COUNT(*) AS jobs FROM jobs WHERE deleted = 0 GROUP BY phase', {});
    return Object.fromEntries(rows.map(({ phase, jobs }) => [phase, jobs]));
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  #createdWith(list: JobListName, owner: string | null, key: string): EarlierCreation | undefined {
    const sql = `SELECT id AS jobId, fingerprint FROM jobs
      WHERE list = @list AND COALESCE(owner, '') = @owner AND creation_key = @key AND deleted = 0`;
    return this.#all<EarlierCreation>(sql, { list, owner: owner ?? '', key })[0];
  }

  async #durably(id: string, holder: string | undefined, change: Change): Promise<Job | undefined> {
    const job = this.#database.attempt(() => this.#change.immediate(id, change, holder));
    if (job !== undefined) await this.#database.durable();
    return job;
  }

  #jobs(where: string, values: object): readonly Job[] {
    return this.#all<JobRow>(`SELECT * FROM jobs WHERE deleted = 0 AND ${where}`, values).map(fromRow);
  }

  #all<Row>(sql: string, values: object): readonly Row[] {
    return this.#database.attempt(() => this.#prepared<Row>(sql).all(values));
  }

  #run(sql: string, values: object): number {
    return this.#database.attempt(() => this.#prepared(sql).run(values).changes);
  }

  #prepared<Row>(sql: string): Statement<[object], Row> {
    const statement = this.#cache.get(sql) ?? this.#database.connection.prepare<[object], unknown>(sql);
    this.#cache.set(sql, statement);
    return statement as Statement<[object], Row>;
  }
}

/** Secrets are for the job alone: once it has them, or is over, they are kept no longer. A project starts containers for as long as it runs. */
function lightened(job: Job): Job {
  if (BEFORE_START.has(job.phase)) return job;
  const startsMore = job.list === 'compose' && job.phase === 'EXECUTING';
  return { ...job, parameters: startsMore ? withoutLogins(job.parameters) : withoutSealed(job.parameters) };
}
