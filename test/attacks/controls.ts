import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import type Docker from 'dockerode';
import type { AttackSite } from './attack-site.ts';
import { ATTACKS } from './attacks.ts';
import { processesOf } from './host-watch.ts';

const MEBIBYTE = 2 ** 20;

/** What an attack came to in a container of the engine's own defaults. */
interface Free {
  readonly stdout: string;
  readonly bytes: number;
  /** Still running when it was looked at. */
  readonly running: boolean;
  readonly processes: number;
  /** Whether the container whose processes it sees, where there is one, still runs. */
  readonly other: boolean;
}

/** The same attack in a container without the sandbox. Where the defaults of the engine hold it too, with what they hold it by taken away. */
interface Trial {
  readonly user?: string;
  readonly host?: Docker.HostConfig & { readonly MaskedPaths?: readonly string[]; readonly ReadonlyPaths?: readonly string[] };
  /** In the place of the attack's own script: what would have no end, or would be done to the machine. */
  readonly script?: (own: string) => string;
  /** It sees the processes of another container, made for it. */
  readonly beside?: true;
  readonly healthcheck?: true;
  /** What is done while it runs; without, its end is waited for. */
  readonly meanwhile?: (container: Docker.Container) => Promise<void>;
  /** What it got. Throws where it got nothing: then the attack proves nothing. */
  readonly got: (free: Free) => string;
}

/** Or why it is not tried. */
export type Control = Trial | string;

/** What the engine's defaults hold attacks by, taken away; not what could end the machine, or change its kernel or clock. */
const EVERYTHING = { CapAdd: ['SYS_ADMIN', 'SYS_PTRACE', 'NET_ADMIN', 'SYS_RAWIO', 'SYS_PACCT', 'SYSLOG'], SecurityOpt: ['seccomp=unconfined', 'apparmor=unconfined'] };

/** Whatever a container without the sandbox does, the machine has to live through it. */
const BOUNDS: Docker.HostConfig = { Memory: 512 * MEBIBYTE, MemorySwap: 512 * MEBIBYTE, PidsLimit: 300, NanoCpus: 1e9, Tmpfs: { '/work': 'exec,mode=1777,size=128m', '/output': 'mode=1777,size=256m', '/tmp': 'mode=1777,size=64m' } };
const AT_MOST = 60_000;

const SOCKET = '/var/run/docker.sock';

/** The names that a script with `try` says it got, of all that it tried. */
function names({ stdout }: Free, given = ''): string {
  const got = [...stdout.matchAll(/^GOT (.*)$/gm)].map(([, name]) => name ?? '');
  const tried = got.length + (stdout.match(/^MET /gm)?.length ?? 0);
  expect(got, `what it got${given}`).to.not.deep.equal([]);
  const shown = got.length > 9 ? [...got.slice(0, 8), '…'] : got;
  return `got ${String(got.length)} of ${String(tried)}${given}: ${shown.join(', ')}`;
}

function number(name: string, stdout: string): number {
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(stdout)?.[1] ?? 0);
}

const waits = (): Promise<void> => pause(1500);
function runsOn(words: string, { running }: Free): string {
  expect(running, 'still running').to.equal(true);
  return words;
}

const fills = (pattern: string): string => `i=0; while [ $i -lt 5 ]; do dd if=/dev/zero of=${pattern}$i bs=1M count=16 2>/dev/null; i=$((i+1)); done; for f in ${pattern}*; do stat -c %s $f; done | { s=0; while read n; do s=$((s+n)); done; echo "bytes $s"; }`;
function filled({ stdout }: Free): string {
  expect(number('bytes', stdout)).to.equal(80 * MEBIBYTE);
  return '80M of 64M, and nobody stops it';
}

/** Name of an attack -> what it comes to without the sandbox. */
export const CONTROLS: Readonly<Record<string, Control>> = {
  'write outside of the folders that are given': { got: names },
  "the kernel's switches": {
    // the others are the machine's own
    script: () => 'if echo x > /proc/sys/kernel/domainname; then echo "GOT domainname"; fi',
    host: { ...EVERYTHING, ReadonlyPaths: [], MaskedPaths: [] },
    got: (free) => names(free, ' (the one that is not the whole machine\'s; with more capabilities)'),
  },
  'devices: make, and open those of the host': { got: names },
  'mounts and namespaces': { host: EVERYTHING, got: (free) => names(free, ' (with more capabilities, without seccomp)') },
  'system calls for tracing, raw sockets, modules, keys and the like': {
    host: EVERYTHING,
    got: ({ stdout }) => {
      const all = stdout.match(/^(?:GOT|MET) .*$/gm) ?? [];
      const reached = all.filter((line) => !line.endsWith('errno 1'));
      expect(all.length).to.be.greaterThan(20);
      expect(reached.length, all.join('\n')).to.be.at.least(all.length - 3);
      return `${String(reached.length)} of ${String(all.length)} are done, or are looked at and found without sense (with more capabilities, without seccomp)`;
    },
  },
  'memory of the kernel and of other processes': { host: { ...EVERYTHING, MaskedPaths: [], ReadonlyPaths: [], PidMode: 'host' }, got: (free) => {
    // which programs this machine runs is nobody's business
    const seen = (free.stdout.match(/^GOT process /gm) ?? []).length;
    expect(seen, "the host's processes").to.be.greaterThan(1);
    const others = [...free.stdout.matchAll(/^GOT (kernel|root-of-1)$/gm)].map(([, name]) => name);
    return `sees the processes of the host; got ${String(others.length)} of 2 beside (with more capabilities, and the host's processes in view)`;
  } },
  'networks: the host, the engine, the gateway, metadata, the world, names': { got: (free) => names({ ...free, stdout: free.stdout.replaceAll(/^GOT (?!169\.254\.)\d[^:\n]*:\d+$/gm, 'GOT a server on the host') }) },
  'the socket of the engine': existsSync(SOCKET) ? { host: { Binds: [`${SOCKET}:${SOCKET}`] }, got: (free) => names(free, ' (where it is mounted)') } : 'not tried: the engine of this machine has its socket elsewhere',
  'a set-user-id program of the image': { user: '65534:65534', got: names },
  'a fork bomb': { user: '65534:65534', meanwhile: waits, got: ({ processes }) => { expect(processes).to.be.greaterThan(60); return `more than 60 processes of 40`; } },
  'memory of a process': { meanwhile: waits, got: (free) => runsOn('200M of 16M, and runs on', free) },
  'memory by files in /work': { meanwhile: waits, got: (free) => runsOn('runs on', free) },
  'filling /work, /tmp, /dev/shm and a volume that the image declares': {
    script: () => 'for d in /work /tmp /dev/shm /data; do dd if=/dev/zero of=$d/x bs=1M count=12 2>/dev/null; [ $(stat -c %s $d/x) = 12582912 ] && echo "GOT $d"; done',
    got: (free) => { expect(names(free)).to.match(/^got 4 /); return '12M in each'; },
  },
  'filling the disk through /output': { script: () => fills('/output/'), got: filled },
  'filling the disk through / where the rule lets it be written': { script: () => fills('/fill-'), got: filled },
  'capabilities beyond the one that the rule gives': { got: names },
  'one file without end in /output': { script: () => 'dd if=/dev/zero of=/output/full bs=1M count=40; stat -c "bytes %s" /output/full', got: ({ stdout }) => { expect(number('bytes', stdout)).to.equal(40 * MEBIBYTE); return '40M of 16M'; } },
  'sparse files': { script: () => 'truncate -s 1024G /output/holes; stat -c "bytes %s" /output/holes', got: ({ stdout }) => { expect(number('bytes', stdout)).to.equal(2 ** 40); return 'a file of a terabyte'; } },
  'ten thousand output files': { script: (own) => `${own}; echo "files $(ls /output | wc -l)"`, got: ({ stdout }) => { expect(number('files', stdout)).to.equal(10_000); return 'ten thousand files'; } },
  'links, pipes, devices and names with newlines in /output': {
    script: (own) => `${own}; for f in h:link h:dir p:pipe c:null f:hard f:index.html d:.uws; do [ -\${f%:*} \${f#*:} ] && echo "GOT \${f#*:}"; done; [ -e "$(printf 'new\\nline')" ] && echo "GOT newline"`,
    got: (free) => { expect(names(free)).to.match(/^got 8 /); return 'all of them are there'; },
  },
  'a flood of the log': { got: ({ bytes }) => { expect(bytes).to.be.greaterThan(2.5 * MEBIBYTE); return `all ${String(bytes)} bytes are kept`; } },
  'forged log lines': "not tried: it is about the gateway's log, which is read (the job is in it, at level debug)",
  'ignoring SIGTERM': { meanwhile: async (container) => { await waits(); await container.kill({ signal: 'SIGTERM' }); await waits(); }, got: (free) => runsOn('runs on after SIGTERM', free) },
  'signals to everybody, and to the first process': { beside: true, got: ({ other }) => { expect(other, 'the other one runs').to.equal(false); return 'ends the program of another container whose processes it sees'; } },
  "the image's healthcheck and labels": { healthcheck: true, script: () => 'i=0; while [ $i -lt 200 ] && [ ! -e /output/healthcheck ]; do sleep 0.1; i=$((i+1)); done; ls /output', got: ({ stdout }) => { expect(stdout).to.include('healthcheck'); return 'the healthcheck runs'; } },
};

/** Runs every attack once where nothing holds it, some at a time; what each got, by its name. Rejects, each by itself, where one got nothing. */
export function runControls(site: AttackSite, atOnce = 3): ReadonlyMap<string, Promise<string>> {
  const runs = new Map<string, Promise<string>>();
  const lanes: Promise<unknown>[] = Array.from({ length: atOnce }, () => Promise.resolve());
  for (const [i, { name, script }] of ATTACKS.entries()) {
    const control = CONTROLS[name] ?? 'not tried';
    const lane = i % atOnce;
    const run = typeof control === 'string' ? Promise.resolve(control) : (lanes[lane] ?? Promise.resolve()).then(() => tried(site, control, script(site)));
    // whoever asks for it hears of its failure
    lanes[lane] = run.catch(() => undefined);
    runs.set(name, run);
  }
  return runs;
}

async function tried(site: AttackSite, trial: Trial, own: string): Promise<string> {
  const { docker, image } = site;
  const Labels = { 'pratique.gateway': 'control' };
  const make = (words: string, host: object): Promise<Docker.Container> => docker.createContainer({
    Image: image, User: trial.user ?? '0:0', Cmd: ['sh', '-c', words], Labels, ...(trial.healthcheck ? {} : { Healthcheck: { Test: ['NONE'] } }), HostConfig: { ...BOUNDS, ...host },
  });
  const other = trial.beside ? await make('sleep 1000; echo ended', {}) : undefined;
  await other?.start();
  const container = await make(trial.script?.(own) ?? own, { ...trial.host, ...(other === undefined ? {} : { PidMode: `container:${other.id}` }) });
  try {
    await container.start();
    await (trial.meanwhile?.(container) ?? Promise.race([container.wait(), pause(AT_MOST, undefined, { ref: false })]));
    const running = (await container.inspect()).State.Running;
    const processes = processesOf(new Set([container.id])).length;
    const said = await container.logs({ stdout: true, stderr: false });
    const others = other === undefined ? false : (await other.inspect()).State.Running;
    return trial.got({ stdout: withoutFrames(said), bytes: said.length, running, processes, other: others });
  } finally {
    await container.remove({ force: true, v: true }).catch(() => undefined);
    await other?.remove({ force: true, v: true }).catch(() => undefined);
  }
}

/** The engine puts eight bytes before each piece that a program has written. */
function withoutFrames(said: Buffer): string {
  const pieces: Buffer[] = [];
  for (let at = 0; at + 8 <= said.length; at += 8 + said.readUInt32BE(at + 4)) pieces.push(said.subarray(at + 8, at + 8 + said.readUInt32BE(at + 4)));
  return Buffer.concat(pieces).toString('utf8');
}
