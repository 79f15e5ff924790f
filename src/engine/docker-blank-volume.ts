import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import type { Instant } from '../clock.ts';
import { digestOf, type Digest } from '../image/digest.ts';
import type { DockerCalls } from './docker-call.ts';
import { cleaned, DockerStatusError, engineUnavailable } from './docker-errors.ts';
import { parseImage } from './docker-inspect.ts';
import { LABELS, labelsOf, type DockerNames } from './docker-names.ts';
import { statOf } from './docker-path-stat.ts';
import { EngineRefused } from './engine.ts';

const REPOSITORY = 'pratique/blank-volume';
const TAG = '1';

/** The instant of the empty folder: whoever finds another one finds a folder that was written to. Before any real clock's time. */
const BLANK_INSTANT: Instant = 1_000_000_000_000;

const NO_SUCH = 404;
const CONFLICT = 409;

/**
 * Prepares output volumes. A fresh volume belongs to root and a job is not root; but a container that is created from an
 * image hands the owner, mode and time of the image's folder on to an empty volume, without ever being started. So there is
 * an image of one folder that everybody may write to, made here byte by byte, imported once and known by its layer's digest.
 */
export class BlankVolume {
  readonly #calls: DockerCalls;
  readonly #gateway: string;
  #image: Promise<string> | undefined;

  constructor(calls: DockerCalls, gateway: string) {
    this.#calls = calls;
    this.#gateway = gateway;
  }

  /**
   * Makes the job's output volume, writable for every user, with a container that stays behind until `tidy`. Repeating it is
   * harmless: a volume that holds something stays as it is. A container that an earlier try has left is made anew, for an engine that went
   * down over it may not have come as far as the volume. `quota`: options of the volume that limit it. Throws EngineRefused or EngineUnavailable.
   */
  async prepare(jobId: string, names: DockerNames, quota: object = {}): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const image = await this.#present();
      const { status } = await this.#calls.ask('POST', '/containers/create', {
        query: { name: names.blank },
        accept: [NO_SUCH, CONFLICT],
        body: {
          Image: image,
          Cmd: ['never-started'],
          Labels: labelsOf(this.#gateway, jobId, 'blank'),
          HostConfig: {
            NetworkMode: 'none',
            Mounts: [{ Type: 'volume', Source: names.output, Target: '/output', VolumeOptions: { Labels: labelsOf(this.#gateway, jobId, 'output'), ...quota } }],
          },
        },
      });
      if (status !== NO_SUCH && status !== CONFLICT) return;
      if (attempt === 3) throw new EngineRefused(`the engine does not ${status === NO_SUCH ? 'keep the image for output volumes' : 'let go of a container that has prepared an output volume'}`, { temporary: true });
      if (status === CONFLICT) await this.tidy(names);
      // somebody has pruned the image: once more with a new one
      else this.#image = undefined;
    }
  }

  /** The id of an image in which nothing can run. Throws EngineRefused or EngineUnavailable. */
  image(): Promise<string> {
    return this.#present();
  }

  /** Removes what `prepare` left behind beside the volume. */
  async tidy(names: DockerNames): Promise<void> {
    const { status } = await this.#calls.ask('DELETE', `/containers/${names.blank}`, { query: { force: true }, accept: [NO_SUCH, CONFLICT] });
    // somebody else is removing it at this moment
    if (status === CONFLICT) await this.#calls.ask('POST', `/containers/${names.blank}/wait`, { query: { condition: 'removed' }, accept: [NO_SUCH] });
  }

  /** The id of the image, which is imported where it is missing; one import however many ask. */
  #present(): Promise<string> {
    this.#image ??= this.#find().catch((error: unknown) => {
      this.#image = undefined;
      throw error;
    });
    return this.#image;
  }

  async #find(): Promise<string> {
    const tar = await blankTar();
    return (await this.#inspect(digestOf(tar))) ?? (await this.#import(tar));
  }

  /** By what it is made of: a name alone could be anybody's. */
  async #inspect(layer: Digest): Promise<string | undefined> {
    const { body } = await this.#calls.ask('GET', `/images/${REPOSITORY}:${TAG}/json`, { accept: [NO_SUCH] });
    if (body === undefined) return undefined;
    const image = parseImage(body);
    return image.RootFS.Layers.length === 1 && image.RootFS.Layers[0] === layer ? image.Id : undefined;
  }

  async #import(tar: Buffer): Promise<string> {
    const response = await this.#calls.open('POST', '/images/create', {
      query: { fromSrc: '-', repo: REPOSITORY, tag: TAG, changes: `LABEL ${LABELS.role}=blank-volume` },
      tar,
    });
    const said = await buffer(response).catch((error: unknown) => {
      throw engineUnavailable(error);
    });
    const id = await this.#inspect(digestOf(tar));
    if (id !== undefined) return id;
    throw new EngineRefused(`the engine did not import the image for output volumes: ${cleaned(said.toString('utf8'))}`);
  }
}

/** The one layer: a folder `output` with mode 1777. The same bytes always. */
async function blankTar(): Promise<Buffer> {
  const tar = pack();
  tar.entry({ name: 'output/', type: 'directory', mode: 0o1777, uid: 0, gid: 0, mtime: new Date(BLANK_INSTANT) });
  tar.finalize();
  return buffer(tar);
}

/**
 * Whether nothing was ever written to the container's /output. An engine in trouble fails without a word here, for a HEAD has none: false
 * then, and whoever reads the content is told why. Throws as statOf for everything else.
 */
export async function hasBlankOutput(calls: DockerCalls, container: string, signal: AbortSignal): Promise<boolean> {
  const stat = await statOf(calls, container, '/output', signal).catch((error: unknown) => {
    if (error instanceof DockerStatusError && error.status >= 500) return undefined;
    throw error;
  });
  return stat?.modified === BLANK_INSTANT;
}
