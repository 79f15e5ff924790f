import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { containerOptions } from '../../../src/engine/docker-container-options.ts';
import { parseContainer, runOf } from '../../../src/engine/docker-inspect.ts';
import { namesOf } from '../../../src/engine/docker-names.ts';
import { containerDifferences, seriousWarnings } from '../../../src/engine/docker-verify-container.ts';
import { engineSchema } from '../../../src/engine/engine-config.ts';
import { IMAGE, TASK } from './judged-task.ts';

type Json = Record<string, unknown>;
interface Inspected extends Json {
  readonly HostConfig: Json;
  readonly Config: Json;
  readonly State: Json;
  readonly Mounts: Json[];
}

/** What Engine 20.10 said of the container of TASK; digests put in. */
function recorded(): Inspected {
  const text = readFileSync(new URL('../../../fixtures/engine/container-20.10.json', import.meta.url), 'utf8');
  return JSON.parse(text.replaceAll('MANIFEST', IMAGE.manifestDigest).replaceAll('CONFIG', IMAGE.configDigest)) as Inspected;
}

const NAMES = namesOf('site', 'j1');
const ASKED = containerOptions(NAMES, 'site', 'j1', TASK, IMAGE.configDigest, engineSchema.parse({}));

function differences(made: object, noSwap = false): string[] {
  return containerDifferences(ASKED, parseContainer(made), noSwap);
}

function host(change: Json): Inspected {
  const made = recorded();
  return { ...made, HostConfig: { ...made.HostConfig, ...change } };
}

function config(change: Json): Inspected {
  const made = recorded();
  return { ...made, Config: { ...made.Config, ...change } };
}

describe('containerDifferences', () => {
  it('none in what Engine 20.10 makes', () => {
    expect(differences(recorded())).to.deep.equal([]);
  });

  it('an engine may write CAP_ALL, a tmpfs or an ulimit of its operator, and members that say nothing', () => {
    expect(differences(host({ CapDrop: ['CAP_ALL'], MemorySwappiness: -1, Annotations: null, StorageOpt: {}, NewLimit: 0 }))).to.deep.equal([]);
    const Ulimits = [...(recorded().HostConfig['Ulimits'] as Json[]), { Name: 'nproc', Hard: 100, Soft: 100 }];
    expect(differences(host({ Ulimits }))).to.deep.equal([]);
  });

  describe('a limit that is not the one asked for', () => {
    const cases: Json = {
      Memory: 0, MemorySwap: -1, NanoCpus: 0, PidsLimit: null, ShmSize: 2 ** 40, Ulimits: [], CapDrop: [], SecurityOpt: null, ReadonlyRootfs: false,
      NetworkMode: 'default', IpcMode: 'shareable', CgroupnsMode: 'host', Init: null, LogConfig: { Type: 'json-file', Config: {} }, Tmpfs: {}, Mounts: null,
      RestartPolicy: { Name: 'always', MaximumRetryCount: 0 }, MaskedPaths: [], ReadonlyPaths: null,
    };
    for (const [name, value] of Object.entries(cases)) {
      it(name, () => void expect(differences(host({ [name]: value }))).to.include(`HostConfig.${name}`));
    }

    it('CapDrop without ALL', () => void expect(differences(host({ CapDrop: ['NET_RAW'] }))).to.deep.equal(['HostConfig.CapDrop']));
    it('SecurityOpt with more', () => void expect(differences(host({ SecurityOpt: ['no-new-privileges', 'seccomp=unconfined'] }))).to.deep.equal(['HostConfig.SecurityOpt']));
    it('one size of a tmpfs', () => {
      const Tmpfs = { ...(recorded().HostConfig['Tmpfs'] as Json), '/tmp': 'rw,exec' };
      expect(differences(host({ Tmpfs }))).to.deep.equal(['HostConfig.Tmpfs']);
    });
    it('an ulimit twice', () => {
      const Ulimits = [...(recorded().HostConfig['Ulimits'] as Json[]), { Name: 'core', Hard: -1, Soft: -1 }];
      expect(differences(host({ Ulimits }))).to.deep.equal(['HostConfig.Ulimits']);
    });
    it('swap, unless the host has none', () => {
      expect(differences(host({ MemorySwap: -1 }))).to.deep.equal(['HostConfig.MemorySwap']);
      expect(differences(host({ MemorySwap: -1 }), true)).to.deep.equal([]);
      expect(differences(host({ MemorySwap: -1, Memory: 0 }), true)).to.deep.equal(['HostConfig.Memory']);
    });
  });

  describe('something that nobody asked for', () => {
    const cases: Json = {
      Privileged: true, Binds: ['/:/host'], CapAdd: ['SYS_ADMIN'], Devices: [{ PathOnHost: '/dev/sda' }], DeviceRequests: [{ Count: -1 }], PidMode: 'host',
      UTSMode: 'host', UsernsMode: 'host', GroupAdd: ['0'], VolumesFrom: ['x'], Links: ['x'], ExtraHosts: ['a:1'], PortBindings: { '80/tcp': [{ HostPort: '80' }] },
      PublishAllPorts: true, CgroupParent: '/', OomKillDisable: true, OomScoreAdj: -1000, Sysctls: { 'kernel.x': '1' }, AutoRemove: true, DeviceCgroupRules: ['a *:* rwm'],
      KernelMemory: 1, CpusetCpus: '0', SomethingNew: 'on',
    };
    for (const [name, value] of Object.entries(cases)) {
      it(`HostConfig.${name}`, () => void expect(differences(host({ [name]: value }))).to.deep.equal([`HostConfig.${name}`]));
    }
    for (const [name, value] of Object.entries({ Tty: true, OpenStdin: true, AttachStdout: true, Domainname: 'x', NetworkDisabled: true, MacAddress: '02:42' })) {
      it(`Config.${name}`, () => void expect(differences(config({ [name]: value }))).to.deep.equal([`Config.${name}`]));
    }
  });

  describe('a process that is another one', () => {
    const cases: Json = {
      User: '0', Image: 'sha256:other', Env: ['PATH=/bin'], Cmd: ['run'], Entrypoint: ['/bin/sh'], WorkingDir: '/', Labels: {}, StopSignal: 'SIGKILL',
      StopTimeout: 0, Hostname: 'x', Healthcheck: { Test: ['CMD', 'x'] },
    };
    for (const [name, value] of Object.entries(cases)) {
      it(`Config.${name}`, () => void expect(differences(config({ [name]: value }))).to.deep.equal([`Config.${name}`]));
    }
    it('Config.Env with one more', () => {
      expect(differences(config({ Env: [...(recorded().Config['Env'] as string[]), 'LD_PRELOAD=/x'] }))).to.deep.equal(['Config.Env']);
    });
    it('Image', () => void expect(differences({ ...recorded(), Image: 'sha256:other' })).to.deep.equal(['Image']));
    it('Path', () => void expect(differences({ ...recorded(), Path: '/bin/sh' })).to.deep.equal(['Path']));
    it('Args', () => void expect(differences({ ...recorded(), Args: [] })).to.deep.equal(['Path']));
    it('AppArmorProfile', () => void expect(differences({ ...recorded(), AppArmorProfile: 'unconfined' })).to.deep.equal(['AppArmorProfile']));
    it('a network', () => {
      expect(differences({ ...recorded(), NetworkSettings: { Networks: { none: {}, bridge: {} } } })).to.deep.equal(['NetworkSettings.Networks']);
    });
  });

  describe('a mount that is another one', () => {
    const [mount = {}] = recorded().Mounts;
    const cases: readonly (readonly [string, Json[]])[] = [
      ['none', []],
      ['an anonymous volume more', [mount, { Type: 'volume', Name: 'a'.repeat(64), Destination: '/cache', Driver: 'local', RW: true }]],
      ['a folder of the host', [{ ...mount, Type: 'bind' }]],
      ['the volume of another job', [{ ...mount, Name: 'pratique-site.j2.output' }]],
      ['at another place', [{ ...mount, Destination: '/out' }]],
      ['read-only', [{ ...mount, RW: false }]],
      ['of another driver', [{ ...mount, Driver: 'nfs' }]],
    ];
    for (const [what, Mounts] of cases) it(what, () => void expect(differences({ ...recorded(), Mounts })).to.deep.equal(['Mounts']));
  });
});

describe('seriousWarnings', () => {
  it('all, but for those about a network that jobs do not have', () => {
    const warnings = ['IPv4 forwarding is disabled. Networking will not work.', 'Your kernel does not support pids limit capabilities. PIDs limit discarded.', 'Something new'];
    expect(seriousWarnings(warnings, false)).to.deep.equal(warnings.slice(1));
  });

  it('swap counts unless the host has none', () => {
    const warning = 'Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.';
    expect(seriousWarnings([warning], false)).to.deep.equal([warning]);
    expect(seriousWarnings([warning], true)).to.deep.equal([]);
  });
});

describe('runOf', () => {
  const zero = '0001-01-01T00:00:00Z';
  const start = '2026-11-20T11:02:24.763580378Z';
  const end = '2026-11-20T11:02:25.763580378Z';
  function run(State: Json) {
    const base = { Status: 'exited', OOMKilled: false, ExitCode: 0, Error: '', StartedAt: start, FinishedAt: end };
    return runOf('j1', parseContainer({ ...recorded(), State: { ...base, ...State } }));
  }
  const startedAt = Date.parse(start);
  const finishedAt = Date.parse(end);

  it('created', () => void expect(run({ Status: 'created', StartedAt: zero, FinishedAt: zero })).to.deep.equal({ jobId: 'j1', state: 'created' }));

  for (const Status of ['running', 'paused', 'restarting']) {
    it(`${Status}: running`, () => void expect(run({ Status, FinishedAt: zero })).to.deep.equal({ jobId: 'j1', state: 'running', startedAt }));
  }

  for (const Status of ['exited', 'dead', 'removing']) {
    it(`${Status}: exited`, () => {
      expect(run({ Status, ExitCode: 137, OOMKilled: true })).to.deep.equal({ jobId: 'j1', state: 'exited', startedAt, finishedAt, exit: { code: 137, outOfMemory: true } });
    });
  }

  it('could not be started: over, with the words of the engine, cleaned, and never started', () => {
    expect(run({ Status: 'created', StartedAt: zero, FinishedAt: zero, ExitCode: 127, Error: 'error mounting "/var/lib/docker/x" to rootfs: not a directory' })).to.deep.equal({
      jobId: 'j1', state: 'exited', exit: { code: 127, outOfMemory: false, error: 'error mounting "(path)" to rootfs: not a directory' },
    });
  });

  it('never ends before it starts', () => {
    expect(run({ FinishedAt: '2026-11-20T11:02:24.762Z' })).to.include({ startedAt, finishedAt: startedAt });
  });

  it('an answer of something else is no engine', () => {
    for (const body of [undefined, null, 'hello', [], {}, { State: {} }, Buffer.from('<html>')]) {
      expect(() => parseContainer(body)).to.throw().with.property('code', 'EngineUnavailable');
    }
  });
});
