import { buffer, text } from 'node:stream/consumers';
import { expect } from 'chai';
import { EngineRefused } from '../../src/engine/engine.ts';
import type { Engine, OutputFile, OutputSkipped } from '../../src/engine/engine.ts';
import { digestOf } from '../../src/image/digest.ts';
import { type Image, pinnedName } from '../../src/image/image.ts';
import type { PinnedTask } from '../../src/task/task.ts';
import type { Behaviour } from '../support/memory-engine.ts';
import { shellTask } from './engine-image.ts';

/** What a job does: as a shell script for a real engine, as a behaviour for one in memory. They say the same. */
export interface Program {
  readonly script: string;
  readonly behaviour: Behaviour;
}

const STAYS = 'while :; do sleep 0.05; done';

export const PROGRAMS = {
  nothing: { script: 'true', behaviour: { autoFinish: true } },
  talks: {
    script: 'echo hello; echo oops >&2; exit 3',
    behaviour: { autoFinish: true, stdout: 'hello\n', stderr: 'oops\n', code: 3 },
  },
  writes: {
    script: 'mkdir -p /output/a/b; echo one > /output/a/b/1.txt; : > /output/empty; ln -s /etc/passwd /output/link',
    behaviour: {
      autoFinish: true,
      files: { 'a/b/1.txt': 'one\n', empty: '' },
      skipped: [{ path: 'link', reason: 'a symbolic link, not a regular file' }],
    },
  },
  stays: { script: `trap 'exit 143' TERM; ${STAYS}`, behaviour: {} },
  staysDeaf: { script: `trap '' TERM; ${STAYS}`, behaviour: { ignoresStop: true } },
  tells: {
    script: `mkdir /output/.uws; printf 'step 1\\nstep 2 of 3\\n' > /output/.uws/progress; trap 'exit 143' TERM; ${STAYS}`,
    behaviour: { firstFiles: { '.uws/progress': 'step 1\nstep 2 of 3\n' } },
  },
  saysTwo: {
    script: `trap 'echo two; exit 143' TERM; echo one; ${STAYS}`,
    behaviour: { firstWords: 'one\n', stdout: 'two\n' },
  },
} as const satisfies Record<string, Program>;

/** An engine under test, and the two things that a test needs of its world. */
export interface EngineSubject {
  readonly engine: Engine;
  /** An image with a shell that the engine can get. */
  readonly image: Image;
  /** Tells an engine in memory what the job will do; a real one finds out. */
  readonly prepare: (jobId: string, program: Program) => void;
  /** A task that the engine can create and cannot start. */
  readonly unstartable: (jobId: string) => PinnedTask;
  /** Removes the container, as an operator does. */
  readonly lose: (jobId: string) => Promise<void>;
}

/** What every Engine promises, with the same expectations for each. `subject` is asked in every test. */
export function engineContract(subject: () => EngineSubject): void {
  const { signal } = new AbortController();
  const used: string[] = [];
  let counter = 0;

  /** A new job of this program, created. */
  async function created(program: Program, more: Partial<PinnedTask> = {}): Promise<string> {
    const { engine, image, prepare } = subject();
    const jobId = `job${String(++counter)}`;
    used.push(jobId);
    prepare(jobId, program);
    await engine.ensureImage(image, () => undefined, signal);
    await engine.create(jobId, shellTask(image, program.script, more), signal);
    return jobId;
  }

  async function started(program: Program, more: Partial<PinnedTask> = {}): Promise<string> {
    const jobId = await created(program, more);
    await subject().engine.start(jobId, signal);
    return jobId;
  }

  async function over(program: Program): Promise<string> {
    const jobId = await started(program);
    await subject().engine.wait(jobId, signal);
    return jobId;
  }

  afterEach(async () => {
    for (const jobId of used.splice(0)) await subject().engine.remove(jobId);
  });

  describe('describe', () => {
    it('tells platform, cores and memory', async () => {
      const description = await subject().engine.describe();
      expect(description.platform.os).to.equal('linux');
      expect(description.cores).to.be.at.least(1);
      expect(description.memory).to.be.above(2 ** 20);
    });
  });

  describe('images', () => {
    it('have a size under their name with the digest, and are removed unless a container uses them', async () => {
      const { engine, image } = subject();
      const name = pinnedName(image);
      const jobId = await created(PROGRAMS.nothing);
      expect((await engine.imageSizes(signal)).get(name)).to.be.above(0);
      expect(await engine.removeImage(name, signal)).to.equal(false);
      await engine.remove(jobId);
      expect(await engine.removeImage(name, signal)).to.equal(true);
      expect((await engine.imageSizes(signal)).has(name)).to.equal(false);
      expect(await engine.hasImage(image, signal)).to.equal(false);
      expect(await engine.removeImage(name, signal), 'none there').to.equal(true);
      await engine.ensureImage(image, () => undefined, signal);
      expect(await engine.hasImage(image, signal)).to.equal(true);
    });
  });

  describe('ensureImage', () => {
    it('is done when the image is there already, without progress', async () => {
      const { engine, image } = subject();
      await engine.ensureImage(image, () => undefined, signal);
      let progress = 0;
      await engine.ensureImage(image, () => (progress += 1), signal);
      expect(progress).to.equal(0);
    });

    it('rejects with the reason of a signal that has aborted', async () => {
      const { engine, image } = subject();
      await rejects(engine.ensureImage(image, () => undefined, AbortSignal.abort(new Error('enough'))), Error, 'enough');
    });
  });

  describe('create', () => {
    it('makes a container that is not started', async () => {
      const jobId = await created(PROGRAMS.nothing);
      expect(await subject().engine.inspect(jobId)).to.deep.equal({ jobId, state: 'created' });
    });

    it('done already is done', async () => {
      const jobId = await created(PROGRAMS.nothing);
      const { engine, image } = subject();
      await engine.create(jobId, shellTask(image, PROGRAMS.nothing.script), signal);
      expect((await engine.inspect(jobId))?.state).to.equal('created');
    });

    it('leaves a running container of the job alone', async () => {
      const jobId = await started(PROGRAMS.stays);
      const { engine, image } = subject();
      await engine.create(jobId, shellTask(image, PROGRAMS.stays.script), signal);
      expect((await engine.inspect(jobId))?.state).to.equal('running');
    });

    it('refuses an image that is not there, for now, and leaves nothing', async () => {
      const { engine, image } = subject();
      const absent: Image = { ...image, manifestDigest: digestOf('absent') };
      const error = await rejects(engine.create('absent', shellTask(absent, 'true'), signal), EngineRefused);
      expect(error.temporary).to.equal(true);
      expect(await engine.list()).to.deep.equal([]);
    });

    it('rejects with the reason of a signal that has aborted, and leaves nothing', async () => {
      const { engine, image } = subject();
      await engine.ensureImage(image, () => undefined, signal);
      await rejects(engine.create('aborted', shellTask(image, 'true'), AbortSignal.abort(new Error('enough'))), Error, 'enough');
      expect(await engine.list()).to.deep.equal([]);
    });
  });

  describe('start', () => {
    it('tells when it started', async () => {
      const jobId = await created(PROGRAMS.stays);
      const run = await subject().engine.start(jobId, signal);
      expect(run).to.include({ jobId, state: 'running' });
      expect(run.startedAt).to.be.a('number');
      expect(run.exit).to.equal(undefined);
    });

    it('of a running container tells the same and starts nothing', async () => {
      const jobId = await created(PROGRAMS.stays);
      const { engine } = subject();
      const first = await engine.start(jobId, signal);
      expect(await engine.start(jobId, signal)).to.deep.equal(first);
    });

    it('never starts a container that is over', async () => {
      const jobId = await over(PROGRAMS.talks);
      const { engine } = subject();
      const run = await engine.inspect(jobId);
      expect(await engine.start(jobId, signal)).to.deep.equal(run);
      expect(await text(await engine.logs(jobId, 'stdout', { follow: false }))).to.equal('hello\n');
    });

    it('twice at once is once', async () => {
      const jobId = await created(PROGRAMS.talks);
      const { engine } = subject();
      await Promise.all([engine.start(jobId, signal), engine.start(jobId, signal), engine.start(jobId, signal)]);
      await engine.wait(jobId, signal);
      expect(await text(await engine.logs(jobId, 'stdout', { follow: false }))).to.equal('hello\n');
    });

    it('refuses what the engine cannot start, with its words, and again when asked again', async () => {
      const { engine, unstartable } = subject();
      const jobId = 'unstartable';
      used.push(jobId);
      const task = unstartable(jobId);
      await engine.ensureImage(task.image, () => undefined, signal);
      await engine.create(jobId, task, signal);
      const error = await rejects(engine.start(jobId, signal), EngineRefused);
      expect(error.temporary).to.equal(false);
      await rejects(engine.start(jobId, signal), EngineRefused);
      const run = await engine.inspect(jobId);
      expect(run?.state).to.equal('exited');
      expect(run?.startedAt).to.equal(undefined);
      expect(run?.exit?.error).to.be.a('string').that.is.not.empty;
    });

    it('refuses where there is no container', async () => {
      await rejects(subject().engine.start('nobody', signal), EngineRefused);
    });

    it('starts nothing where it is told at the last moment that it may not', async () => {
      const jobId = await created(PROGRAMS.nothing);
      const { engine } = subject();
      await rejects(engine.start(jobId, signal, undefined, { mayAct: () => Promise.reject(new Error('not yours')) }), Error, 'not yours');
      expect((await engine.inspect(jobId))?.state).to.equal('created');
    });

    it('starts the container that it has found, and none that has come in its place meanwhile', async () => {
      const jobId = await created(PROGRAMS.stays);
      const { engine, image } = subject();
      const mayAct = async (): Promise<void> => {
        expect(await engine.mayStartAgain(jobId)).to.equal(true);
        await engine.create(jobId, shellTask(image, PROGRAMS.stays.script), signal);
      };
      const late = engine.start(jobId, signal, undefined, { mayAct });
      await rejects(late, EngineRefused);
      expect((await engine.inspect(jobId))?.state).to.equal('created');
      expect((await engine.start(jobId, signal)).state).to.equal('running');
    });
  });

  describe('mayStartAgain', () => {
    it('of a container that was never started: yes, when it is gone', async () => {
      const jobId = await created(PROGRAMS.nothing);
      const { engine } = subject();
      expect(await engine.mayStartAgain(jobId)).to.equal(true);
      expect(await engine.inspect(jobId)).to.equal(undefined);
    });

    it('of one that runs: yes, and it runs on', async () => {
      const jobId = await started(PROGRAMS.stays);
      const { engine } = subject();
      expect(await engine.mayStartAgain(jobId)).to.equal(true);
      expect((await engine.inspect(jobId))?.state).to.equal('running');
    });
  });

  describe('wait', () => {
    it('tells how it ended', async () => {
      const jobId = await started(PROGRAMS.talks);
      const run = await subject().engine.wait(jobId, signal);
      expect(run).to.deep.include({ jobId, state: 'exited', exit: { code: 3, outOfMemory: false } });
      expect(run.finishedAt).to.be.at.least(run.startedAt ?? Infinity);
    });

    it('of a container that is over resolves at once with the same', async () => {
      const jobId = await over(PROGRAMS.talks);
      const { engine } = subject();
      expect(await engine.wait(jobId, signal)).to.deep.equal(await engine.inspect(jobId));
    });

    it('rejects with the reason of its signal, and the container goes on', async () => {
      const jobId = await started(PROGRAMS.stays);
      const { engine } = subject();
      const aborter = new AbortController();
      const waiting = engine.wait(jobId, aborter.signal);
      aborter.abort(new Error('time is up'));
      await rejects(waiting, Error, 'time is up');
      expect((await engine.inspect(jobId))?.state).to.equal('running');
    });

    it('refuses a container that was never started', async () => {
      await rejects(subject().engine.wait(await created(PROGRAMS.nothing), signal), EngineRefused);
    });

    it('ends when somebody removes the container under it: gone, or killed where that was seen first', async () => {
      const jobId = await started(PROGRAMS.stays);
      const { engine, lose } = subject();
      const end = engine.wait(jobId, signal).then((run) => run.exit?.code, (error: Error) => `${error.name}: ${error.message}`);
      await lose(jobId);
      expect(await end).to.be.oneOf([137, 'EngineRefused: the container of this job is gone']);
    });

    it('refuses where there is no container', async () => {
      await rejects(subject().engine.wait('nobody', signal), EngineRefused, 'gone');
    });
  });

  describe('inspect', () => {
    it('is undefined where there is no container', async () => {
      expect(await subject().engine.inspect('nobody')).to.equal(undefined);
    });
  });

  describe('stop', () => {
    it('lets a program that heeds SIGTERM end by itself', async () => {
      const jobId = await started(PROGRAMS.saysTwo);
      const { engine } = subject();
      await firstWords(engine, jobId);
      await engine.stop(jobId, 30);
      expect((await engine.inspect(jobId))?.exit?.code).to.equal(143);
    });

    it('kills one that does not when the grace is over', async () => {
      const jobId = await started(PROGRAMS.staysDeaf);
      const { engine } = subject();
      await engine.stop(jobId, 0);
      expect((await engine.inspect(jobId))?.exit?.code).to.equal(137);
    });

    it('is done where there is nothing to stop', async () => {
      const { engine } = subject();
      await engine.stop('nobody', 1);
      await engine.stop(await created(PROGRAMS.nothing), 1);
      await engine.stop(await over(PROGRAMS.talks), 1);
    });
  });

  describe('logs', () => {
    it('keeps stdout and stderr apart', async () => {
      const jobId = await over(PROGRAMS.talks);
      const { engine } = subject();
      expect(await text(await engine.logs(jobId, 'stdout', { follow: false }))).to.equal('hello\n');
      expect(await text(await engine.logs(jobId, 'stderr', { follow: false }))).to.equal('oops\n');
    });

    it('follows a running container to its end', async () => {
      const jobId = await started(PROGRAMS.saysTwo);
      const { engine } = subject();
      const log = await engine.logs(jobId, 'stdout', { follow: true });
      const chunks = log[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
      expect(String((await chunks.next()).value)).to.equal('one\n');
      await engine.stop(jobId, 30);
      expect(String((await chunks.next()).value)).to.equal('two\n');
      expect((await chunks.next()).done).to.equal(true);
    });

    it('without follow ends with what there is', async () => {
      const jobId = await started(PROGRAMS.saysTwo);
      const { engine } = subject();
      await firstWords(engine, jobId);
      expect(await text(await engine.logs(jobId, 'stdout', { follow: false }))).to.equal('one\n');
    });

    it('following one that is over ends by itself', async () => {
      expect(await text(await subject().engine.logs(await over(PROGRAMS.talks), 'stdout', { follow: true }))).to.equal('hello\n');
    });

    it('of a container that was never started are empty', async () => {
      expect(await text(await subject().engine.logs(await created(PROGRAMS.talks), 'stdout', { follow: true }))).to.equal('');
    });

    it('are destroyed when the signal aborts', async () => {
      const jobId = await started(PROGRAMS.stays);
      const aborter = new AbortController();
      const log = await subject().engine.logs(jobId, 'stdout', { follow: true, signal: aborter.signal });
      const reading = text(log);
      aborter.abort(new Error('enough'));
      await rejects(reading, Error, 'enough');
    });

    it('refuses where there is no container', async () => {
      await rejects(subject().engine.logs('nobody', 'stdout', { follow: false }), EngineRefused);
    });
  });

  describe('progress', () => {
    it('is the last line of what the job has written into its file', async () => {
      const jobId = await started(PROGRAMS.tells);
      let line = await subject().engine.progress(jobId, signal);
      while (line === undefined || line === 'step 1') line = await subject().engine.progress(jobId, signal);
      expect(line).to.equal('step 2 of 3');
    });

    it('is undefined where there is no such file, and where there is no container', async () => {
      expect(await subject().engine.progress(await started(PROGRAMS.stays), signal)).to.equal(undefined);
      expect(await subject().engine.progress('nobody', signal)).to.equal(undefined);
    });
  });

  describe('outputs', () => {
    it('are the regular files below /output; the rest is told', async () => {
      const { files, skipped } = await collect(subject().engine, await over(PROGRAMS.writes));
      expect(files).to.deep.equal({ 'a/b/1.txt': 'one\n', empty: '' });
      expect(skipped).to.deep.equal([{ path: 'link', reason: 'a symbolic link, not a regular file' }]);
    });

    it('may be left unread', async () => {
      const paths: string[] = [];
      for await (const file of subject().engine.outputs(await over(PROGRAMS.writes), signal)) paths.push(file.path);
      expect(paths.sort()).to.deep.equal(['a/b/1.txt', 'empty', 'link']);
    });

    it('are none where nothing was written', async () => {
      expect(await collect(subject().engine, await over(PROGRAMS.nothing))).to.deep.equal({ files: {}, skipped: [] });
    });

    it('refuse where there is no container', async () => {
      await rejects(collect(subject().engine, 'nobody'), EngineRefused);
    });
  });

  describe('diskUse', () => {
    it('tells what a job has below /output, and nothing of who has nothing', async () => {
      const { engine } = subject();
      const [writer, idler] = [await over(PROGRAMS.writes), await created(PROGRAMS.nothing)];
      const use = await engine.diskUse(signal);
      expect(use.get(writer)).to.be.at.least(4);
      expect(use.get(idler) ?? 0).to.equal(0);
    });
  });

  describe('usage', () => {
    it('is of running containers alone, and does not count down', async () => {
      const { engine } = subject();
      const jobId = await started(PROGRAMS.stays);
      const [first] = [...(await engine.usage(jobId, signal)).entries()];
      const [later] = [...(await engine.usage(jobId, signal)).entries()];
      expect(later?.[0]).to.equal(first?.[0]);
      expect(later?.[1].cpuSeconds).to.be.at.least(first?.[1].cpuSeconds ?? Infinity);
      expect(later?.[1].peakMemory).to.be.at.least(first?.[1].peakMemory ?? Infinity);
      for (const other of [await created(PROGRAMS.nothing), await over(PROGRAMS.nothing), 'nobody']) expect([...(await engine.usage(other, signal))]).to.deep.equal([]);
    });
  });

  describe('remove and list', () => {
    it('list has what there is, in its state', async () => {
      const states = { [await created(PROGRAMS.nothing)]: 'created', [await started(PROGRAMS.stays)]: 'running', [await over(PROGRAMS.talks)]: 'exited' };
      const runs = await subject().engine.list();
      expect(Object.fromEntries(runs.map((run) => [run.jobId, run.state]))).to.deep.equal(states);
      expect(runs.flatMap((run) => (run.state === 'exited' ? [run.exit?.code] : []))).to.deep.equal([3]);
    });

    it('removes running containers and those that are over', async () => {
      const jobs = [await started(PROGRAMS.stays), await over(PROGRAMS.writes), await created(PROGRAMS.nothing)];
      const { engine } = subject();
      for (const jobId of jobs) await engine.remove(jobId);
      expect(await engine.list()).to.deep.equal([]);
      for (const jobId of jobs) expect(await engine.inspect(jobId)).to.equal(undefined);
    });

    it('none there is done', async () => {
      await subject().engine.remove('nobody');
    });
  });

  async function firstWords(engine: Engine, jobId: string): Promise<void> {
    const log = await engine.logs(jobId, 'stdout', { follow: true });
    for await (const chunk of log) if (String(chunk) !== '') break;
  }

  async function collect(engine: Engine, jobId: string): Promise<{ files: Record<string, string>; skipped: OutputSkipped[] }> {
    const files: Record<string, string> = {};
    const skipped: OutputSkipped[] = [];
    for await (const entry of engine.outputs(jobId, signal)) {
      if (isFile(entry)) {
        const content = await buffer(entry.content);
        expect(content.length).to.equal(entry.size);
        files[entry.path] = content.toString('utf8');
      } else skipped.push(entry);
    }
    return { files, skipped };
  }
}

export function isFile(entry: OutputFile | OutputSkipped): entry is OutputFile {
  return 'content' in entry;
}

/** Fails unless `promise` rejects with such an error; resolves with it. */
export async function rejects<E extends Error>(promise: Promise<unknown>, kind: new (...args: never[]) => E, words = ''): Promise<E> {
  let error: unknown;
  try {
    await promise;
  } catch (thrown) {
    error = thrown;
  }
  expect(error).to.be.instanceOf(kind);
  expect((error as E).message).to.include(words);
  return error as E;
}
