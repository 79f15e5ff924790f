import { PassThrough } from 'node:stream';
import { pack, type Pack } from 'tar-stream';
import type { Clock } from '../clock.ts';
import { SECRETS_FOLDER, SECRETS_SIZE } from '../task/secret-files.ts';
import type { BlankVolume } from './docker-blank-volume.ts';
import type { DockerCalls } from './docker-call.ts';
import { engineUnavailable } from './docker-errors.ts';
import { statOf } from './docker-path-stat.ts';
import { EngineRefused } from './engine.ts';

const NOT_FOUND = 404;
const CONFLICT = 409;

/** What brings one container its secrets, by its names on the engine. */
export interface SecretsPlace {
  readonly container: string;
  /** The volume in memory, and the container that is never started and only brings them there. */
  readonly secrets: string;
  /** Of both. */
  readonly labels: Readonly<Record<string, string>>;
}

/** One file of the folder. */
export interface SecretFile {
  readonly name: string;
  readonly value: string;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

export interface SecretsMount {
  readonly Type: 'volume';
  readonly Source: string;
  readonly Target: string;
  readonly ReadOnly: boolean;
  readonly VolumeOptions: { readonly NoCopy: true; readonly Labels: Readonly<Record<string, string>>; readonly DriverConfig: object };
}

/** The folder's mode before anything is in it, and when everything is: whoever sees the second sees all files. */
const EMPTY = 0o700;
const COMPLETE = 0o500;

/** Between two looks whether the files are there (milliseconds), and how long they may take. */
const LOOK = 20;
const WITHIN = 30_000;

/** A mount of the volume for secrets: a file system in memory, which the engine makes with its first user and drops with its last. */
export function secretsMount({ labels, secrets }: Omit<SecretsPlace, 'container'>, readOnly: boolean): SecretsMount {
  return {
    Type: 'volume',
    Source: secrets,
    Target: SECRETS_FOLDER,
    ReadOnly: readOnly,
    VolumeOptions: {
      NoCopy: true,
      Labels: labels,
      DriverConfig: { Name: 'local', Options: { type: 'tmpfs', device: 'tmpfs', o: `size=${String(SECRETS_SIZE)},mode=0${EMPTY.toString(8)},nosuid,nodev,noexec` } },
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
  readonly #clock: Clock;

  constructor(calls: DockerCalls, blank: BlankVolume, clock: Clock) {
    this.#calls = calls;
    this.#blank = blank;
    this.#clock = clock;
  }

  /**
   * Starts the container by `start` when its secrets are in place, and proves that it has them. `user`: uid:gid, the folder's owner.
   * The signal is heard until `start` is called. Throws EngineRefused where the container does not have them: it has been killed then.
   */
  async during(place: SecretsPlace, user: string, files: readonly SecretFile[], start: () => Promise<void>, signal?: AbortSignal): Promise<void> {
    await this.tidy(place);
    await this.#calls.ask('POST', '/containers/create', {
      query: { name: place.secrets },
      body: {
        Image: await this.#blank.image(),
        Cmd: ['never-started'],
        Labels: place.labels,
        HostConfig: { NetworkMode: 'none', Mounts: [secretsMount(place, false)] },
      },
    });
    const stop = new AbortController();
    const tar = pack();
    const body = tar.pipe(new PassThrough());
    // an archive that nobody reads to its end says so: whoever waits for it knows already
    tar.on('error', () => undefined);
    const held = this.#calls.ask('PUT', `/containers/${place.secrets}/archive`, { query: { path: '/' }, content: body, within: 0, signal: stop.signal });
    // heard where it matters: when the archive is to end
    held.catch(() => undefined);
    try {
      const until = AbortSignal.any([stop.signal, ...(signal === undefined ? [] : [signal])]);
      // an engine that refuses the archive does not read it to its end
      await Promise.race([held, Promise.all([write(tar, files, user), this.#untilThere(place, until)])]);
      await start();
      await this.mustBeThere(place);
      tar.finalize();
      await held;
    } finally {
      stop.abort();
      body.destroy();
      await this.tidy(place).catch(() => undefined);
    }
  }

  /** Proves that a container that runs has its secrets, whoever has started it. Throws EngineRefused where it has not: it has been killed then. */
  async mustBeThere(place: Pick<SecretsPlace, 'container'>): Promise<void> {
    if (await this.#complete(place)) return;
    await this.#calls.ask('POST', `/containers/${place.container}/kill`, { accept: [NOT_FOUND, CONFLICT] });
    throw new EngineRefused('the secrets of the job were lost while it was started', { temporary: true });
  }

  /** Removes what only brings the secrets; the volume belongs to the job's container. */
  async tidy({ secrets }: Pick<SecretsPlace, 'secrets'>): Promise<void> {
    await this.#calls.ask('DELETE', `/containers/${secrets}`, { query: { force: true }, accept: [NOT_FOUND, CONFLICT] });
  }

  async #untilThere(place: SecretsPlace, signal: AbortSignal): Promise<void> {
    const from = this.#clock.monotonic();
    while (!(await this.#complete(place))) {
      if (this.#clock.monotonic() - from > WITHIN) throw engineUnavailable(undefined, 'the container engine does not take the secrets of the job');
      await this.#clock.sleep(LOOK, signal);
      signal.throwIfAborted();
    }
  }

  /** As the job's own container sees it: through the same mount, which ends with its last user. */
  async #complete({ container }: Pick<SecretsPlace, 'container'>): Promise<boolean> {
    return (await statOf(this.#calls, container, `${SECRETS_FOLDER}/.`))?.permissions === COMPLETE;
  }
}

/** The files, and at last the mode of their folder. The archive stays open. */
async function write(tar: Pack, files: readonly SecretFile[], user: string): Promise<void> {
  const [uid = 0, gid = 0] = user.split(':').map(Number);
  const folder = SECRETS_FOLDER.slice(1);
  for (const { name, value, ...header } of files) await entry(tar, { ...header, name: `${folder}/${name}`, type: 'file' }, value);
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

/** The files of a single container: each for the job's user alone. */
export function ownFiles(secrets: ReadonlyMap<string, string>, user: string): readonly SecretFile[] {
  const [uid = 0, gid = 0] = user.split(':').map(Number);
  return [...secrets].map(([name, value]) => ({ name, value, uid, gid, mode: 0o400 }));
}
