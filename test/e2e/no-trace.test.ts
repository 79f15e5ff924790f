import { expect } from 'chai';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import Docker from 'dockerode';
import { Site } from '../support/site.ts';

const QUESTIONS = 10_000;
const AT_ONCE = 8;

/** What an operator looks at: the decisions that were given, in the order in which they were; that is what it is for. */
const AUDIT = 'audit.jsonl';

const docker = new Docker();

describe('asking leaves no trace', () => {
  const site = new Site();
  let image = '';

  before(async () => {
    await site.open();
    image = await site.push('asked', 'true');
    await site.start();
  });
  after(() => site.close());

  /** Rows of every table, images and other things of the engine, and files with what is in them. */
  async function world(): Promise<Record<string, unknown>> {
    const data = join(site.folder, 'data');
    const store = new Sqlite(join(data, 'jobs.db'), { readonly: true });
    const tables = store.prepare<[], { name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
    // the heartbeat of the process that runs is no question's
    const rows = Object.fromEntries(tables.filter(({ name }) => name !== 'holders').map(({ name }) => [name, store.prepare(`SELECT * FROM "${name}"`).all()]));
    store.close();
    const files = readdirSync(data, { recursive: true, encoding: 'utf8' }).filter((name) => statSync(join(data, name)).isFile()).sort();
    const kept = files.filter((name) => name !== AUDIT && !name.startsWith('jobs.db'));
    return {
      rows,
      // decisions are recorded, in the background
      files: files.filter((name) => name !== AUDIT),
      contents: kept.map((name) => createHash('sha256').update(readFileSync(join(data, name))).digest('hex')),
      images: (await docker.listImages({ all: true })).filter(({ RepoDigests }) => RepoDigests?.some((name) => name.startsWith(site.registry.host))).map(({ Id }) => Id),
      remains: await site.remains(),
    };
  }

  it(`ten thousand questions: rows, images, files are the same before and after`, async function () {
    this.timeout(180_000);
    const questions = [
      'tasktype=uri://docker-container',
      `tasktype=uri://docker-container&taskinfo.image=${image}`,
      `tasktype=uri://docker-container&taskinfo.image=${site.registry.host}/base/busybox:1`,
      'tasktype=uri://docker-container&taskinfo.image=registry.example.org/not/listed:1',
      'tasktype=uri://something-else&taskinfo.image=x',
      'tasktype=uri://docker-compose&taskinfo.composefile=services:%20{}',
    ];
    const words = new Set<string>();
    const ask = async (query: string): Promise<void> => {
      const answer = (await (await fetch(`${site.url}/accepts?${query}`)).json()) as { reponseword: string };
      words.add(answer.reponseword);
    };
    // what is read of a registry is kept: the first question of each kind reads it
    for (const query of questions) await ask(query);
    const before = await world();
    let asked = 0;
    const asking = async (): Promise<void> => {
      for (; asked < QUESTIONS; ) await ask(questions[(asked += 1) % questions.length] ?? '');
    };
    await Promise.all(Array.from({ length: AT_ONCE }, asking));
    expect(await world()).to.deep.equal(before);
    expect([...words].sort()).to.deep.equal(['NO', 'YES']);
  });
});
