import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statfsSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import Docker from 'dockerode';
import { namePrefix } from '../../src/engine/docker-names.ts';
import { formatSize } from '../../src/task/units.ts';

/** Bytes that others may take of the engine's disk meanwhile; an attack that gets through takes more. */
export const NOISE = 128 * 2 ** 20;

/** What becomes of a job's things takes a moment after its record says that it is over: looked at again so often, a tenth of a second apart. */
const LOOKS = 100;

/** What the engine and its host were like at one moment. */
export interface HostState {
  /** Everything on the engine that is not another gateway's: its kind and name -> what it was like. */
  readonly things: ReadonlyMap<string, string>;
  /** Bytes that the engine has on its disk, without volumes, which are told by their names. */
  readonly used: number;
}

/** What is otherwise than before. */
export interface HostChange {
  /** Each thing that is there, is gone, or still runs, in words; empty = the host is as it was. */
  readonly differences: readonly string[];
  /** Containers of the gateway that have begun meanwhile: with none, nothing was looked for. */
  readonly started: number;
  /** The same measures when there is nothing to complain of. */
  readonly summary: string;
}

interface Labelled {
  readonly Labels?: Readonly<Record<string, string>> | null | undefined;
}

/** The label of what belongs to somebody else and is to be untouched afterwards. */
export function bystanderOf(gateway: string): string {
  return `bystander-of-${gateway}`;
}

/**
 * Looks at an engine and the host that it is on. A thing without a label counts, for what a job leaves by accident (an anonymous volume) has none;
 * only what carries the label of another gateway is somebody else's. Processes are found by the ids of the gateway's containers, each of which
 * the engine tells when it begins.
 */
export class HostWatch {
  readonly #docker: Docker;
  readonly #gateway: string;
  readonly #url: string;
  /** Ids of containers of the gateway. */
  readonly #ids = new Set<string>();
  #events: Readable | undefined;
  #root = '/';
  #started = 0;

  /** `url`: where the gateway of this name answers. */
  constructor(gateway: string, url: string, docker = new Docker()) {
    this.#docker = docker;
    this.#gateway = gateway;
    this.#url = url;
  }

  /** From now on containers of the gateway are noted. */
  async open(): Promise<void> {
    const { DockerRootDir } = (await this.#docker.info()) as { DockerRootDir: string };
    if (existsSync(DockerRootDir)) this.#root = DockerRootDir;
    this.#events = (await this.#docker.getEvents({ filters: { type: ['container'], event: ['create', 'start'] } })) as Readable;
    let rest = '';
    this.#events.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString('utf8')).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#note(JSON.parse(line) as { Action: string; Actor: { ID: string; Attributes: Record<string, string> } });
    });
  }

  close(): void {
    this.#events?.destroy();
  }

  #note({ Action, Actor: { ID, Attributes } }: { readonly Action: string; readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> } }): void {
    if (Attributes['pratique.gateway'] === bystanderOf(this.#gateway) || this.#isOthers({ Labels: Attributes }) || Attributes['pratique.gateway'] === undefined) return;
    this.#ids.add(ID);
    if (Action === 'start') this.#started += 1;
  }

  /** Once what the jobs before have had is gone. Throws where it does not go. */
  async before(looks = LOOKS): Promise<HostState> {
    for (let look = 1; ; look += 1) {
      const things = await this.#things();
      const left = [...things.keys()].filter((name) => name.includes(` ${namePrefix(this.#gateway)}`) || name.includes(` /${namePrefix(this.#gateway)}`));
      if (left.length === 0) {
        this.#started = 0;
        this.#ids.clear();
        return { things, used: this.#used() };
      }
      if (look >= looks) throw new Error(`left by the jobs before: ${left.join(', ')}`);
      await pause(100);
    }
  }

  /** Waits a while for what is on its way out. */
  async after(before: HostState, looks = LOOKS): Promise<HostChange> {
    let differences = await this.#differences(before);
    for (let look = 1; look < looks && differences.length > 0; look += 1) {
      await pause(100);
      differences = await this.#differences(before);
    }
    const used = this.#used() - before.used;
    const mebibytes = Math.round(used / 2 ** 20);
    const size = mebibytes === 0 ? 'as full as before' : `${mebibytes < 0 ? '-' : '+'}${formatSize(Math.abs(mebibytes) * 2 ** 20)}`;
    const ids = this.#ids.size;
    this.#ids.clear();
    return { differences, started: this.#started, summary: `${String(before.things.size)} things of the engine before and after; no process of ${String(ids)} containers (${String(this.#started)} ran); disk ${size}; the gateway answers` };
  }

  async #differences({ things, used: before }: HostState): Promise<readonly string[]> {
    const now = await this.#things();
    const used = this.#used() - before;
    return [
      ...[...now].filter(([name]) => !things.has(name)).map(([name, state]) => `new: ${name} (${state})`),
      ...[...things].filter(([name, state]) => now.get(name) !== state).map(([name, state]) => `${name} was ${state}, is ${now.get(name) ?? 'gone'}`),
      ...processesOf(this.#ids).map((line) => `process ${line}`),
      ...groupsOf(this.#ids).map((path) => `control group ${path}`),
      ...(used > NOISE ? [`${formatSize(used)} more on the engine's disk`] : []),
      ...(await this.#gatewayTrouble()),
    ];
  }

  async #things(): Promise<ReadonlyMap<string, string>> {
    const [containers, { Volumes }, networks] = await Promise.all([this.#docker.listContainers({ all: true }), this.#docker.listVolumes(), this.#docker.listNetworks()]);
    const ours = <T extends Labelled>(list: readonly T[]): readonly T[] => list.filter((thing) => !this.#isOthers(thing));
    return new Map([
      ...ours(containers).map(({ Names, Id, State }) => [`container ${Names.join() || Id}`, State] as const),
      ...ours(Volumes).map(({ Name }) => [`volume ${Name}`, 'there'] as const),
      ...ours(networks).map(({ Name }) => [`network ${Name}`, 'there'] as const),
    ]);
  }

  #isOthers({ Labels }: Labelled): boolean {
    const gateway = Labels?.['pratique.gateway'];
    return gateway !== undefined && ![this.#gateway, `${this.#gateway}.p`, bystanderOf(this.#gateway)].includes(gateway);
  }

  /** Only root may look into the engine's folder; for others it is the whole disk, which every program of the machine writes to. */
  #used(): number {
    if (process.getuid?.() === 0 && this.#root !== '/') {
      // what goes away while it counts is complained of, and no matter
      const kibibytes = parseInt(spawnSync('du', ['-skx', '--exclude=volumes', this.#root], { encoding: 'utf8' }).stdout, 10);
      if (!Number.isNaN(kibibytes)) return kibibytes * 1024;
    }
    const { blocks, bfree, bsize } = statfsSync(this.#root);
    return (blocks - bfree) * bsize;
  }

  async #gatewayTrouble(): Promise<readonly string[]> {
    const status = await fetch(`${this.#url}/availability`, { signal: AbortSignal.timeout(5000) }).then((response) => response.status, (error: unknown) => String(error));
    return status === 200 ? [] : [`the gateway does not answer: ${String(status)}`];
  }
}

/** Processes of this host in the control group of one of these containers, or that keep one (the engine's shims name it in their words). */
export function processesOf(ids: ReadonlySet<string>): readonly string[] {
  if (ids.size === 0) return [];
  const list = [...ids];
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    const words = textOf(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
    const groups = textOf(`/proc/${pid}/cgroup`);
    return list.some((id) => groups.includes(id) || words.includes(id)) ? [`${pid} (${words.slice(0, 80)})`] : [];
  });
}

/** Where engines keep the groups of containers, by version and driver. */
const GROUPS = ['/sys/fs/cgroup/docker/ID', '/sys/fs/cgroup/system.slice/docker-ID.scope', '/sys/fs/cgroup/memory/docker/ID', '/sys/fs/cgroup/pids/docker/ID', '/sys/fs/cgroup/memory/system.slice/docker-ID.scope'];

function groupsOf(ids: ReadonlySet<string>): readonly string[] {
  return [...ids].flatMap((id) => GROUPS.map((path) => path.replace('ID', id)).filter((path) => existsSync(path)));
}

/** '' when it is gone. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
