import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EngineRefused } from '../../../src/engine/engine.ts';
import { type ImageBudget, ImagePruning } from '../../../src/execution/image-pruning.ts';
import { ImagePulls } from '../../../src/execution/image-pulls.ts';
import { type Image, pinnedName } from '../../../src/image/image.ts';
import type { Phase } from '../../../src/job/phase.ts';
import { createLogger } from '../../../src/logger.ts';
import { SqliteDatabase } from '../../../src/store/sqlite-database.ts';
import { SqliteJobStore } from '../../../src/store/sqlite-job-store.ts';
import { SqlitePulledImages } from '../../../src/store/sqlite-pulled-images.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { jobWith, PINNED_TASK } from '../../support/jobs.ts';
import { TestExecution } from '../../support/execution.ts';
import { MemoryEngine } from '../../support/memory-engine.ts';

const HOUR = 3_600_000;
const { signal } = new AbortController();

function image(letter: string): Image {
  return { ...PINNED_TASK.image, manifestDigest: `sha256:${letter.repeat(64)}` };
}
const [A, B, C] = ['a', 'b', 'c'].map(image) as [Image, Image, Image];

describe('images that were pulled', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pratique-images-'));
  let clock: FakeClock;
  let engine: MemoryEngine;
  let store: SqliteJobStore;
  let images: SqlitePulledImages;
  let pulls: ImagePulls;
  let count = 0;

  beforeEach(() => {
    clock = new FakeClock();
    engine = new MemoryEngine(clock);
    const database = new SqliteDatabase(join(folder, `${String(++count)}.db`));
    store = new SqliteJobStore(database);
    images = new SqlitePulledImages(database);
    pulls = new ImagePulls({ engine, images, clock, atOnce: 3, timeout: 1800 });
  });
  afterEach(() => store.close());
  after(() => rmSync(folder, { recursive: true }));

  const use = (which: Image): Promise<void> => pulls.ensure(which, () => undefined, signal);
  const sweep = (budget: ImageBudget): Promise<void> => new ImagePruning({ engine, images, pulls, clock, logger: createLogger('silent'), budget }).sweep(signal);
  const there = async (): Promise<string[]> => [...(await engine.imageSizes(signal)).keys()].map((name) => name.charAt(name.indexOf('@sha256:') + 8)).toSorted();
  const DAY = { unused: 24 * 3600 };

  it('go when nobody has used them for long; those that somebody else brought are not touched', async () => {
    await engine.ensureImage(C, () => undefined, signal);
    await use(A);
    clock.advance(13 * HOUR);
    await use(B);
    await use(C);
    clock.advance(12 * HOUR);
    await sweep(DAY);
    expect(await there()).to.deep.equal(['b', 'c']);
    expect((await images.all()).map(({ name }) => name)).to.deep.equal([pinnedName(B)]);
    clock.advance(100 * HOUR);
    await sweep(DAY);
    expect(await there()).to.deep.equal(['c']);
  });

  it('stay for as long again when a job uses them', async () => {
    await use(A);
    clock.advance(23 * HOUR);
    await use(A);
    clock.advance(23 * HOUR);
    await sweep(DAY);
    expect(await there()).to.deep.equal(['a']);
  });

  it('go, the least recently used first, until they keep to the budget', async () => {
    for (const each of [B, A, C]) {
      await use(each);
      clock.advance(HOUR);
    }
    // 1000 bytes each
    await sweep({ ...DAY, bytes: 2999 });
    expect(await there()).to.deep.equal(['a', 'c']);
    await sweep({ ...DAY, bytes: 2000 });
    expect(await there()).to.deep.equal(['a', 'c']);
  });

  for (const phase of ['PENDING', 'QUEUED', 'EXECUTING', 'HELD'] as const satisfies readonly Phase[]) {
    it(`stay while a job is ${phase} that needs them, and count as used till then`, async () => {
      const job = jobWith({ phase, task: { ...PINNED_TASK, image: A } });
      await store.create(job);
      await use(A);
      clock.advance(100 * HOUR);
      await sweep({ ...DAY, bytes: 1 });
      expect(await there()).to.deep.equal(['a']);
      await store.changePhase(job.id, { from: [phase], to: 'ABORTED' });
      await sweep(DAY);
      expect(await there()).to.deep.equal(['a']);
      clock.advance(24 * HOUR);
      await sweep(DAY);
      expect(await there()).to.deep.equal([]);
    });
  }

  it('stay for an hour when somebody was told yes, and leave no trace of that', async () => {
    await use(A);
    clock.advance(100 * HOUR);
    expect(await pulls.isPresent(A)).to.equal(true);
    const before = await images.all();
    clock.advance(HOUR - 1);
    await sweep(DAY);
    expect(await there()).to.deep.equal(['a']);
    expect(await images.all()).to.deep.equal(before);
    clock.advance(1);
    await sweep(DAY);
    expect(await there()).to.deep.equal([]);
  });

  it('stay for the first hour of a process, which knows of nobody who was told yes before', async () => {
    await use(A);
    clock.advance(100 * HOUR);
    const pruning = new ImagePruning({ engine, images, pulls, clock, logger: createLogger('silent'), budget: DAY });
    pruning.start();
    await clock.whenSleepingUntil(clock.now() + HOUR);
    clock.advance(HOUR - 1);
    expect(await there()).to.deep.equal(['a']);
    clock.advance(1);
    await clock.whenSleepingUntil(clock.now() + HOUR / 6);
    expect(await there()).to.deep.equal([]);
    await pruning.stop();
  });

  it('stay while a container uses them, whosever', async () => {
    await use(A);
    await engine.create('x', { ...PINNED_TASK, image: A }, signal);
    clock.advance(100 * HOUR);
    await sweep(DAY);
    expect(await there()).to.deep.equal(['a']);
    await engine.remove('x');
    await sweep(DAY);
    expect(await there()).to.deep.equal([]);
  });

  it('go though one of them does not, which is told in the end', async () => {
    await use(A);
    clock.advance(1);
    await use(B);
    clock.advance(100 * HOUR);
    engine.failNext('removeImage', { error: new EngineRefused('unrecognized image ID', { temporary: true }) });
    expect(await sweep(DAY).then(() => undefined, (error: unknown) => error)).to.be.instanceOf(EngineRefused);
    expect(await there()).to.deep.equal(['a']);
    await sweep(DAY);
    expect(await there()).to.deep.equal([]);
  });

  it('are known before they are pulled, and forgotten when somebody else has removed them', async () => {
    engine.failNext('ensureImage');
    await use(A).catch(() => undefined);
    expect((await images.all()).map(({ name }) => name)).to.deep.equal([pinnedName(A)]);
    await sweep(DAY);
    expect(await images.all()).to.deep.equal([]);
  });
});

describe('images of work that somebody was told yes of', () => {
  it('stay for an hour, each of them', async () => {
    const clock = new FakeClock();
    const test = new TestExecution(clock, { imageBudget: { unused: 1 } });
    await test.start();
    const name = pinnedName(PINNED_TASK.image);
    await test.engine.ensureImage(PINNED_TASK.image, () => undefined, signal);
    await test.images.pulling(name, clock.now());
    const sweep = async (pause: number): Promise<readonly string[]> => {
      await clock.whenSleepingUntil(clock.now() + pause);
      clock.advance(pause);
      await clock.whenSleepingUntil(clock.now() + HOUR / 6);
      return [...(await test.engine.imageSizes(signal)).keys()];
    };
    test.execution.promised(PINNED_TASK);
    clock.advance(1);
    test.execution.promised(PINNED_TASK);
    expect(await sweep(HOUR - 1)).to.deep.equal([name]);
    expect(await sweep(HOUR / 6)).to.deep.equal([]);
    await test.remove();
  });
});

describe('pulls', () => {
  const clock = new FakeClock();
  let engine: MemoryEngine;
  let pulls: ImagePulls;
  const folder = mkdtempSync(join(tmpdir(), 'pratique-pulls-'));
  const database = new SqliteDatabase(join(folder, 'jobs.db'));

  beforeEach(() => {
    engine = new MemoryEngine(clock);
    pulls = new ImagePulls({ engine, images: new SqlitePulledImages(database), clock, atOnce: 2, timeout: 60 });
  });
  after(async () => {
    await database.close();
    rmSync(folder, { recursive: true });
  });

  const made = (): number => engine.calls.filter(({ call }) => call === 'ensureImage').length;
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) await new Promise((turn) => setImmediate(turn));
  };

  it('of one image are one, for everybody who waits, and each is told how far it is', async () => {
    const release = engine.holdPulls();
    const news: unknown[][] = [[], []];
    const both = news.map((heard) => pulls.ensure(A, (each) => heard.push(each), signal));
    await until(() => news.every((heard) => heard.length > 0));
    release();
    await Promise.all(both);
    expect(made()).to.equal(1);
    expect(news[0]).to.deep.equal(engine.pullProgress);
    expect(news[1]).to.deep.equal(engine.pullProgress);
  });

  it('of one image by another right are another, for one\'s login may fail where the site\'s does not', async () => {
    const release = engine.holdPulls();
    const [ada, bob] = ['ada', 'bob'].map((username) => ({ username, password: 'p' }));
    const all = [undefined, ada, ada, bob].map((login) => pulls.ensure(A, () => undefined, signal, login));
    await until(() => made() === 2);
    expect(pulls.holds(pinnedName(A))).to.equal(true);
    release();
    await Promise.all(all);
    expect(made()).to.equal(3);
    expect(pulls.holds(pinnedName(A))).to.equal(false);
  });

  it('of one image from another place are another: what that registry says, or keeps back, is not for others', async () => {
    const from = (path: string): Image => ({ ...A, reference: { ...A.reference, path } });
    const elsewhere: Pick<MemoryEngine, 'hasImage' | 'ensureImage'> = {
      hasImage: async () => false,
      ensureImage: async ({ reference }) => {
        if (reference.path === 'mean/copy') throw new EngineRefused('denied');
      },
    };
    const both = new ImagePulls({ engine: elsewhere, images: new SqlitePulledImages(database), clock, atOnce: 2, timeout: 60 });
    const outcomes = await Promise.allSettled(['mean/copy', 'tools/one'].map((path) => both.ensure(from(path), () => undefined, signal)));
    expect(outcomes.map(({ status }) => status)).to.deep.equal(['rejected', 'fulfilled']);
  });

  it('are as many at once as may be; others are told that they wait, and come when one is over', async () => {
    const release = engine.holdPulls();
    const news: unknown[] = [];
    const all = [A, B, C].map((each) => pulls.ensure(each, (heard) => each === C && news.push(heard), signal));
    await until(() => made() === 2 && news.length > 0);
    expect(news).to.deep.equal(['waiting']);
    release();
    await Promise.all(all);
    expect(made()).to.equal(3);
  });

  it('end when nobody waits for them any more, and not before', async () => {
    engine.holdPulls();
    const [first, second] = [new AbortController(), new AbortController()];
    const waiting = [first, second].map((each) => pulls.ensure(A, () => undefined, each.signal).then(() => 'there', () => 'left'));
    await engine.whenCalled('ensureImage');
    first.abort();
    expect(await waiting[0]).to.equal('left');
    expect(pulls.holds(pinnedName(A))).to.equal(true);
    second.abort();
    expect(await waiting[1]).to.equal('left');
    expect(pulls.holds(pinnedName(A))).to.equal(false);
  });

  it('end after their time, as something that may go better next time; the next in line has its turn', async () => {
    engine.holdPulls();
    const outcome = pulls.ensure(A, () => undefined, signal).then(() => undefined, (error: unknown) => error);
    await clock.whenSleepingUntil(clock.now() + 60_000);
    clock.advance(60_000);
    expect(await outcome).to.include({ temporary: true });
    expect(String(await outcome)).to.contain('within 60 s');
    expect(pulls.holds(pinnedName(A))).to.equal(false);
  });
});
