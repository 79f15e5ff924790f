import { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { DockerCalls } from './docker-call.ts';
import { DockerStatusError } from './docker-errors.ts';
import { parseContainer } from './docker-inspect.ts';
import { demultiplexed } from './docker-logs.ts';
import { EngineRefused } from './engine.ts';

const NOT_FOUND = 404;
const CONFLICT = 409;
const NOT_MODIFIED = 304;

/** Connections of one job at once; each is a process of the relay. */
const CONNECTIONS = 64;
const MEBIBYTE = 2 ** 20;

/** One running container that is to be reached, and what its relay is called. */
export interface Reached {
  readonly jobId: string;
  /** Name or id of the job's own container. */
  readonly container: string;
  readonly relay: string;
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * The way into a job: for each container that serves, one that shares its network namespace, and nothing else, and does nothing but be
 * there. Each connection is one `nc` in it, spoken to through the engine. So the job keeps its network (none, its profile, its
 * project's), no port of the host is opened, and there is no other way in.
 */
export class JobRelays {
  readonly #calls: DockerCalls;
  readonly #image: string | undefined;
  readonly #opening = new Map<string, { readonly jobId: string; readonly done: Promise<string> }>();

  /** `image`: by digest or id, present on the engine; absent = no job can be reached. */
  constructor(calls: DockerCalls, image: string | undefined) {
    this.#calls = calls;
    this.#image = image;
  }

  /** A connection to a port of the container's own loopback. It ends at once where nobody listens. Throws EngineRefused where it does not run. */
  async connect(reached: Reached, port: number, signal: AbortSignal): Promise<Duplex> {
    const socket = await this.#run(await this.#open(reached), ['nc', '127.0.0.1', String(port)], signal);
    return new RelayConnection(socket);
  }

  /** The ports of the container on which somebody listens, for its loopback or for all. Throws as `connect`. */
  async listening(reached: Reached, signal: AbortSignal): Promise<ReadonlySet<number>> {
    const socket = await this.#run(await this.#open(reached), ['cat', '/proc/net/tcp', '/proc/net/tcp6'], signal);
    return listeningPorts(await text(demultiplexed(socket, 'stdout')));
  }

  /** Resolves when none of the job's relays is being made; true = one was. */
  async settled(jobId: string): Promise<boolean> {
    const opening = [...this.#opening.values()].filter((each) => each.jobId === jobId);
    await Promise.allSettled(opening.map(({ done }) => done));
    return opening.length > 0;
  }

  /** To be called when the job's own container is gone. None there = done. */
  async remove(relay: string): Promise<void> {
    const { status } = await this.#calls.ask('DELETE', `/containers/${relay}`, { query: { force: true, v: true }, accept: [NOT_FOUND, CONFLICT] });
    if (status === CONFLICT) await this.#calls.ask('POST', `/containers/${relay}/wait`, { query: { condition: 'removed' }, accept: [NOT_FOUND] });
  }

  async #run(relay: string, words: readonly string[], signal: AbortSignal): Promise<Duplex> {
    signal.throwIfAborted();
    const exec = { AttachStdin: true, AttachStdout: true, AttachStderr: false, Tty: false, Cmd: words };
    const { body } = await this.#calls.ask('POST', `/containers/${relay}/exec`, { body: exec, signal });
    return this.#calls.hijack(`/exec/${idOf(body)}/start`, { Detach: false, Tty: false }, signal);
  }

  /** The relay's name; made once for all who come at the same time. */
  #open(reached: Reached): Promise<string> {
    const begun = this.#opening.get(reached.relay);
    if (begun !== undefined) return begun.done;
    const done = this.#start(reached).finally(() => this.#opening.delete(reached.relay));
    this.#opening.set(reached.relay, { jobId: reached.jobId, done });
    return done;
  }

  async #start({ container, relay, labels }: Reached): Promise<string> {
    if (this.#image === undefined) throw new EngineRefused('this site has no relay (engine.relay), without which no job can be reached');
    const job = await this.#calls.ask('GET', `/containers/${container}/json`, { accept: [NOT_FOUND] });
    const made = job.body === undefined ? undefined : parseContainer(job.body);
    if (made?.State.Status !== 'running') throw new EngineRefused('the container of this job does not run', { temporary: true });
    const there = await this.#calls.ask('GET', `/containers/${relay}/json`, { accept: [NOT_FOUND] });
    if (there.body !== undefined) {
      const { State } = parseContainer(there.body);
      // a container that was started once more has a namespace of its own again, which an older relay does not share
      if (State.Status === 'running' && Date.parse(State.StartedAt) >= Date.parse(made.State.StartedAt)) return relay;
      await this.remove(relay);
    }
    try {
      await this.#calls.ask('POST', '/containers/create', { query: { name: relay }, body: relayOptions(this.#image, made.Id, labels), accept: [CONFLICT] });
      await this.#calls.ask('POST', `/containers/${relay}/start`, { accept: [NOT_MODIFIED] });
    } catch (error) {
      if (error instanceof DockerStatusError) await this.remove(relay);
      throw error;
    }
    return relay;
  }
}

/** Local ports of sockets in state 0A (LISTEN) that answer to 127.0.0.1, as the kernel tells them: proc(5), /proc/net/tcp. */
export function listeningPorts(table: string): ReadonlySet<number> {
  const reachable = /^\s*\d+: (?:0100007F|0{8}|0{32}|0{16}FFFF00000100007F):([0-9A-F]{4}) \S+ 0A /gm;
  return new Set([...table.matchAll(reachable)].map(([, port]) => Number.parseInt(port ?? '', 16)));
}

/** Everything that is set; nothing of it comes from a request. */
function relayOptions(image: string, job: string, labels: Readonly<Record<string, string>>): object {
  return {
    Image: image,
    User: '65534:65534',
    Entrypoint: ['sleep'],
    Cmd: ['2147483647'],
    WorkingDir: '/',
    Env: [],
    Labels: labels,
    Healthcheck: { Test: ['NONE'] },
    HostConfig: {
      NetworkMode: `container:${job}`,
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      IpcMode: 'private',
      CgroupnsMode: 'private',
      RestartPolicy: { Name: 'no' },
      Init: true,
      Memory: 64 * MEBIBYTE,
      PidsLimit: CONNECTIONS + 4,
      LogConfig: { Type: 'none', Config: {} },
    },
  };
}

function idOf(body: unknown): string {
  const id: unknown = typeof body === 'object' && body !== null && 'Id' in body ? body.Id : undefined;
  if (typeof id === 'string' && /^[0-9a-f]{64}$/.test(id)) return id;
  throw new EngineRefused('the engine gave no connection', { temporary: true });
}

/** What the process in the relay reads and writes. */
class RelayConnection extends Duplex {
  readonly #socket: Duplex;
  readonly #said: AsyncGenerator<Uint8Array>;

  constructor(socket: Duplex) {
    super();
    this.#socket = socket;
    this.#said = demultiplexed(socket, 'stdout');
    socket.on('error', () => this.destroy());
  }

  override _read(): void {
    this.#said.next().then(({ done, value }) => this.push(done === true ? null : value), () => this.destroy());
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, encoding, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(() => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}
