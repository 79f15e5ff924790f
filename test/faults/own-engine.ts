import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import Docker from 'dockerode';
import { fill } from './full-disk.ts';
import { Spells } from './weather.ts';

/** Stands before runc and keeps the one count that nobody can talk out of: what was really started. */
const RUNTIME = (log: string): string => `#!/bin/sh
for word in "$@"; do
  [ "$previous" = --bundle ] && bundle=$word
  case "$word" in create|start) [ -z "$verb" ] && verb=$word ;; esac
  previous=$word
done
case "$verb" in
  create) echo "create $previous $(grep -o '"MARK=[^"]*"' "$bundle/config.json" | head -n 1)" >> ${log} ;;
  start)
    echo "start $previous" >> ${log}
    runc "$@"
    code=$?
    [ $code = 0 ] || echo "failed $previous" >> ${log}
    exit $code ;;
esac
exec runc "$@"
`;

/** Bytes of the file system that holds images, containers and volumes: some times what a campaign needs at once. */
const DISK = 768 * 2 ** 20;

/** What an engine of one's own has beside runc. */
export interface EngineExtras {
  /** Further runtimes: name -> the program. */
  readonly runtimes?: Readonly<Record<string, string>>;
  /** A folder in which the engine looks for programs first. */
  readonly programs?: string;
}

/** A Docker Engine of the harness's own, which it may stop and kill; nobody else's is touched. Needs root. */
export class OwnEngine {
  readonly folder = mkdtempSync(join(tmpdir(), 'pratique-faults-engine-'));
  readonly socket = join(this.folder, 'docker.sock');
  readonly docker = new Docker({ socketPath: this.socket });
  readonly #runs = join(this.folder, 'runs.log');
  /** Of its own, for with none an engine takes away the one that the machine's engine has. Nothing is ever attached to it. */
  readonly #bridge = `pqf${randomBytes(4).toString('hex')}`;
  #process: ChildProcess | undefined;
  readonly #away = new Spells();
  readonly #full = new Spells();
  /** What it has said when it did not start any more, until the database of its networks was removed. */
  readonly mended: string[] = [];
  /** Whether its data is on a file system of its own, which can be filled. */
  smallDisk = false;
  readonly #extras: EngineExtras;

  constructor(extras: EngineExtras = {}) {
    this.#extras = extras;
    const runtime = join(this.folder, 'runtime.sh');
    writeFileSync(runtime, RUNTIME(this.#runs), { mode: 0o755 });
    writeFileSync(this.#runs, '');
    mkdirSync(this.#data);
    try {
      // overlay2 takes a tmpfs below it since Linux 4.9
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${String(DISK)},mode=711`, 'pratique-faults', this.#data], { stdio: 'pipe' });
      this.smallDisk = true;
    } catch {
      // not permitted here: the campaign goes without
    }
    const net = randomBytes(1)[0] ?? 0;
    for (const words of [['link', 'add', this.#bridge, 'type', 'bridge'], ['addr', 'add', `169.254.${String(net)}.1/30`, 'dev', this.#bridge], ['link', 'set', this.#bridge, 'up']]) {
      execFileSync('busybox', ['ip', ...words], { stdio: 'pipe' });
    }
  }

  get #data(): string {
    return join(this.folder, 'data');
  }

  get alive(): boolean {
    return this.#process !== undefined && this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Starts it, with live-restore (containers survive its end) or without; resolves when it answers. */
  async start(liveRestore: boolean): Promise<void> {
    // its containerd looks up every shim that its predecessor left, the dead ones too, and may be too late for it the first time
    for (let attempt = 1; !(await this.#starts(liveRestore)); attempt += 1) {
      if (attempt === 3) this.#mend();
      if (attempt === 5) throw new Error(`the harness's engine did not start:\n${this.log()}`);
    }
  }

  /** What its operators do: an engine that went down over a network may not start any more for what it has kept of it (moby/moby 45057). */
  #mend(): void {
    const [words = ''] = this.log().split('\n').filter((line) => /^(?:panic|fatal error|unexpected fault)/.test(line));
    if (!/bbolt|boltdb|libnetwork/.test(this.log())) return;
    rmSync(join(this.#data, 'network', 'files', 'local-kv.db'), { force: true });
    this.mended.push(words);
  }

  async #starts(liveRestore: boolean): Promise<boolean> {
    if (this.alive) return true;
    rmSync(join(this.folder, 'docker.pid'), { force: true });
    const log = openSync(join(this.folder, 'dockerd.log'), 'a');
    const { runtimes = {}, programs } = this.#extras;
    const runtime = ['--add-runtime', `counted=${join(this.folder, 'runtime.sh')}`, '--default-runtime', 'counted', ...Object.entries(runtimes).flatMap(([name, program]) => ['--add-runtime', `${name}=${program}`])];
    const env = programs === undefined ? process.env : { ...process.env, PATH: `${programs}:${process.env['PATH'] ?? ''}` };
    const places = ['--data-root', this.#data, '--exec-root', join(this.folder, 'exec'), '--pidfile', join(this.folder, 'docker.pid'), '-H', `unix://${this.socket}`];
    const child = spawn('dockerd', [...places, `--bridge=${this.#bridge}`, '--iptables=false', '--ip-forward=false', '--ip-masq=false', ...runtime, ...(liveRestore ? ['--live-restore'] : [])], { stdio: ['ignore', log, log], detached: true, env });
    closeSync(log);
    this.#process = child;
    for (let i = 0; i < 600 && this.alive; i += 1) {
      if (await this.docker.ping().then(() => true, () => false)) {
        this.#away.end();
        return true;
      }
      await pause(100);
    }
    await this.#endContainerd();
    return false;
  }

  /** Ends it: SIGTERM as an upgrade does, or SIGKILL. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#process;
    if (child === undefined || !this.alive) return;
    const exited = once(child, 'exit');
    this.#away.begin();
    child.kill('SIGCONT');
    child.kill(signal);
    await exited;
    await this.#endContainerd();
  }

  /** An engine does not always take its containerd with it, and a half-dead one keeps the next from starting. */
  async #endContainerd(): Promise<void> {
    for (const pid of this.#leftProcesses()) if (/^\S*containerd\0/.test(commandOf(pid))) process.kill(pid, 'SIGKILL');
    await pause(50);
  }

  /** It stands still, and answers nobody. */
  freeze(frozen: boolean): void {
    if (!this.alive) return;
    this.#process?.kill(frozen ? 'SIGSTOP' : 'SIGCONT');
    // what a program says meanwhile may be lost: when it ends, the engine gives its log two seconds by the clock
    if (frozen) this.#away.begin();
    else this.#away.end();
  }

  /** Fills its disk to the last byte; resolves with what frees it again. */
  fillDisk(): () => void {
    this.#full.begin();
    const free = fill(join(this.#data, 'ballast'));
    return () => {
      free();
      this.#full.end();
    };
  }

  /** How often each mark's program was started. */
  runs(): ReadonlyMap<string, number> {
    const marks = new Map<string, string>();
    const count = new Map<string, number>();
    const add = (id: string, change: number): void => {
      const mark = marks.get(id);
      if (mark !== undefined) count.set(mark, (count.get(mark) ?? 0) + change);
    };
    for (const line of readFileSync(this.#runs, 'utf8').split('\n')) {
      const [verb, id = '', mark = ''] = line.split(' ');
      if (verb === 'create') marks.set(id, mark.replace(/^"MARK=|"$/g, ''));
      if (verb === 'start') add(id, 1);
      if (verb === 'failed') add(id, -1);
    }
    return count;
  }

  /** Containers, volumes and networks but those of the engine itself, and images that were made for a job. */
  async remains(): Promise<readonly string[]> {
    const containers = await this.docker.listContainers({ all: true });
    const { Volumes } = await this.docker.listVolumes();
    const images = await this.docker.listImages({ all: true, filters: { label: ['pratique.job'] } });
    const networks = (await this.docker.listNetworks()).filter(({ Name }) => !['none', 'host', 'bridge'].includes(Name));
    return [...containers.map(({ Names, State }) => `container ${Names.join()} (${State})`), ...Volumes.map(({ Name }) => `volume ${Name}`), ...networks.map(({ Name }) => `network ${Name}`), ...images.map(({ Id }) => `image ${Id}`)];
  }

  /** Whether it was away, or about to go or just back, between these instants. */
  wasAway(from: number, until: number): boolean {
    return this.#away.within(from, until);
  }

  /** Whether its disk was full, or just before or after, between these instants. */
  wasFull(from: number, until: number): boolean {
    return this.#full.within(from, until);
  }

  /** What the engine itself says to the removal of something that is left. */
  async whyLeft(name: string): Promise<string> {
    const [kind, id = ''] = name.split(' ');
    if (kind !== 'volume') return '';
    const volume = this.docker.getVolume(id);
    const seen = await volume.inspect().then((said) => JSON.stringify(said), String);
    return `inspected: ${seen}; removed: ${await volume.remove().then(() => 'yes', String)}; again: ${await volume.inspect().then((said) => JSON.stringify(said), String)}`;
  }

  /** The end of what it says; where it has died of itself, from its last words on. */
  log(): string {
    const file = join(this.folder, 'dockerd.log');
    const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
    const last = lines.findLastIndex((line) => /^(?:panic|fatal error|unexpected fault)/.test(line));
    return (last === -1 ? lines.slice(-6) : lines.slice(last - 2, last + 40)).join('\n');
  }

  /** Removes everything of it, its containers' processes and mounts included. */
  async dispose(): Promise<void> {
    if (this.alive) {
      this.freeze(false);
      for (const { Id } of await this.docker.listContainers({ all: true }).catch(() => [])) await this.docker.getContainer(Id).remove({ force: true, v: true }).catch(() => undefined);
      await Promise.race([this.end('SIGTERM'), pause(20_000, undefined, { ref: false })]);
      await this.end('SIGKILL');
    }
    for (const pid of this.#leftProcesses()) process.kill(pid, 'SIGKILL');
    await pause(200);
    for (const mount of readFileSync('/proc/mounts', 'utf8').split('\n').map((line) => line.split(' ')[1] ?? '').filter((place) => place.startsWith(`${this.folder}/`)).reverse()) {
      execFileSync('umount', ['-l', mount]);
    }
    execFileSync('busybox', ['ip', 'link', 'del', this.#bridge], { stdio: 'pipe' });
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Processes that name this engine's own folder: its containerd, its shims. */
  #leftProcesses(): number[] {
    return readdirSync('/proc').map(Number).filter((pid) => {
      if (Number.isNaN(pid) || pid === process.pid) return false;
      return commandOf(pid).includes(`${this.folder}/`);
    });
  }
}

/** The words of a process, each with a NUL behind it; '' when it is gone. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
