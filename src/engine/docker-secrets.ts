import { PassThrough } from 'node:stream';
import { pack, type Pack } from 'tar-stream';
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import type { PinnedTask } from '../task/task.ts';
import type { BlankVolume } from './docker-blank-volume.ts';
import type { DockerCalls } from './docker-call.ts';
import { engineUnavailable } from './docker-errors.ts';
import { parse } from './docker-inspect.ts';
import { labelsOf, type JobNames } from './docker-names.ts';
import { EngineRefused } from './engine.ts';

const NOT_FOUND = 404;
const CONFLICT = 409;

/** Where a container finds its secrets. */
export const SECRETS_FOLDER = '/run/secrets';

/** Bytes in memory: more than all secrets of a job may have, each file being whole pages. */
const SIZE = 1024 * 1024;

/** The folder's mode before anything is in it, and when everything is: whoever sees the second sees all files. */
const EMPTY = 0o700;
const COMPLETE = 0o500;
const PERMISSIONS = 0o777;

/** Between two looks whether the files are there (milliseconds), and how long they may take. */
const LOOK = 20;
const WITHIN = 30_000;

/** A mount of the volume for secrets: a file system in memory, which the engine makes with its first user and drops with its last. */
export function secretsMount(gateway: string, jobId: string, names: JobNames, readOnly: boolean): object {
  return {
    Type: 'volume',
    Source: names.secrets,
    Target: SECRETS_FOLDER,
    ReadOnly: readOnly,
    VolumeOptions: {
      NoCopy: true,
      Labels: labelsOf(gateway, jobId, 'secrets'),
      DriverConfig: { Name: 'local', Options: { type: 'tmpfs', device: 'tmpfs', o: `size=${String(SIZE)},mode=0${EMPTY.toString(8)},nosuid,nodev,noexec` } },
    },
  };
}

/**
 * Brings secrets to a container before its program is there. The engine unpacks an archive only into what is mounted, and mounts
 * the volume for as long as somebody uses it. So the archive goes to another container, which is never started, and is kept
 * open: the volume stays mounted, the job's container starts on it, and only then the archive ends. No value passes the disk of
 * the engine, a label, a command line or an environment.
 */
export class SecretDelivery {
  readonly #calls: DockerCalls;
  readonly #blank: BlankVolume;
  readonly #gateway: string;
  readonly #clock: Clock;

  constructor(calls: DockerCalls, blank: BlankVolume, gateway: string, clock: Clock) {
    this.#calls = calls;
    this.#blank = blank;
    this.#gateway = gateway;
    this.#clock = clock;
  }

  /**
   * Starts the container by `start` when its secrets are in place, and proves that it has them. Throws EngineRefused where
   * it does not: it has been killed then.
   */
  async during(jobId: string, names: JobNames, user: string, secrets: ReadonlyMap<string, string>, start: () => Promise<void>): Promise<void> {
    await this.tidy(names);
    await this.#calls.ask('POST', '/containers/create', {
      query: { name: names.secrets },
      body: {
        Image: await this.#blank.image(),
        Cmd: ['never-started'],
        Labels: labelsOf(this.#gateway, jobId, 'secrets'),
        HostConfig: { NetworkMode: 'none', Mounts: [secretsMount(this.#gateway, jobId, names, false)] },
      },
    });
    const stop = new AbortController();
    const tar = pack();
    const body = tar.pipe(new PassThrough());
    const held = this.#calls.ask('PUT', `/containers/${names.secrets}/archive`, { query: { path: '/' }, content: body, within: 0, signal: stop.signal });
    // heard where it matters: when the archive is to end
    held.catch(() => undefined);
    try {
      await write(tar, secrets, user);
      await this.#untilThere(names);
      await start();
      await this.mustBeThere(names);
      tar.finalize();
      await held;
    } finally {
      stop.abort();
      body.destroy();
      await this.tidy(names).catch(() => undefined);
    }
  }

  /** Proves that a container that runs has its secrets, whoever has started it. Throws EngineRefused where it has not: it has been killed then. */
  async mustBeThere(names: JobNames): Promise<void> {
    if (await this.#complete(names)) return;
    await this.#calls.ask('POST', `/containers/${names.container}/kill`, { accept: [NOT_FOUND, CONFLICT] });
    throw new EngineRefused('the secrets of the job were lost while it was started', { temporary: true });
  }

  /** Removes what only brings the secrets; the volume belongs to the job's container. */
  async tidy(names: JobNames): Promise<void> {
    await this.#calls.ask('DELETE', `/containers/${names.secrets}`, { query: { force: true }, accept: [NOT_FOUND, CONFLICT] });
  }

  async #untilThere(names: JobNames): Promise<void> {
    const from = this.#clock.monotonic();
    while (!(await this.#complete(names))) {
      if (this.#clock.monotonic() - from > WITHIN) throw engineUnavailable(undefined, 'the container engine does not take the secrets of the job');
      await this.#clock.sleep(LOOK);
    }
  }

  /** As the job's own container sees it: through the same mount, which ends with its last user. */
  async #complete(names: JobNames): Promise<boolean> {
    const response = await this.#calls.open('HEAD', `/containers/${names.container}/archive`, { query: { path: `${SECRETS_FOLDER}/.` } });
    response.resume();
    const header = response.headers['x-docker-container-path-stat'];
    if (typeof header !== 'string') return false;
    return (parse(statSchema, JSON.parse(Buffer.from(header, 'base64').toString('utf8'))).mode & PERMISSIONS) === COMPLETE;
  }
}

const statSchema = z.object({ mode: z.number() });

/** The files, for their user alone, and at last the mode of their folder. The archive stays open. */
async function write(tar: Pack, secrets: ReadonlyMap<string, string>, user: PinnedTask['user']): Promise<void> {
  const [uid = 0, gid = 0] = user.split(':').map(Number);
  const folder = SECRETS_FOLDER.slice(1);
  for (const [name, value] of secrets) await entry(tar, { name: `${folder}/${name}`, type: 'file', mode: 0o400, uid, gid }, value);
  await entry(tar, { name: `${folder}/`, type: 'directory', mode: COMPLETE, uid, gid }, '');
}

function entry(tar: Pack, header: Parameters<Pack['entry']>[0], value: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error?: Error | null): void => (error ? reject(error) : resolve());
    if (header.type === 'directory') {
      tar.entry(header, done);
      return;
    }
    tar.entry(header, value, done);
  });
}
