import { expect } from 'chai';
import { containerOptions } from '../../../src/engine/docker-container-options.ts';
import { namesOf } from '../../../src/engine/docker-names.ts';
import { engineSchema } from '../../../src/engine/engine-config.ts';
import { EngineRefused } from '../../../src/engine/engine.ts';
import type { ImageConfig } from '../../../src/image/image.ts';
import type { PinnedTask } from '../../../src/task/task.ts';
import { IMAGE, TASK } from './judged-task.ts';

const SANDBOX = engineSchema.parse({});
const NAMES = namesOf('site', 'j1');

function options(task: PinnedTask = TASK, sandbox = SANDBOX) {
  return containerOptions(NAMES, 'site', 'j1', task, 'sha256:id', sandbox);
}

function ofImage(config: Partial<ImageConfig>, more: Partial<PinnedTask> = {}) {
  return options({ ...TASK, image: { ...IMAGE, config: { ...IMAGE.config, ...config } }, ...more });
}

describe('containerOptions', () => {
  it('is this and nothing else', () => {
    expect(options()).to.deep.equal({
      Hostname: 'job',
      User: '65534:65533',
      Image: 'sha256:id',
      Entrypoint: ['/bin/tool'],
      Cmd: ['run', '--fast'],
      Env: ['HOME=/work', 'PATH=/bin', 'A=task', 'B=b=c'],
      WorkingDir: '/data',
      Labels: {
        maintainer: '',
        'traefik.enable': '',
        'pratique.gateway': 'site',
        'pratique.job': 'j1',
        'pratique.role': 'job',
        'pratique.manifest': IMAGE.manifestDigest,
        'pratique.config': IMAGE.configDigest,
      },
      StopSignal: 'SIGINT',
      StopTimeout: 10,
      Healthcheck: { Test: ['NONE'] },
      HostConfig: {
        NetworkMode: 'none',
        ReadonlyRootfs: true,
        CapDrop: ['ALL'],
        SecurityOpt: ['no-new-privileges'],
        IpcMode: 'private',
        CgroupnsMode: 'private',
        RestartPolicy: { Name: 'no' },
        Init: true,
        Memory: 2 ** 30,
        MemorySwap: 2 ** 30,
        NanoCpus: 1_500_000_000,
        PidsLimit: 256,
        ShmSize: 64 * 2 ** 20,
        Ulimits: [
          { Name: 'nofile', Soft: 1024, Hard: 4096 },
          { Name: 'core', Soft: 1, Hard: 1 },
          { Name: 'fsize', Soft: 10 * 2 ** 30, Hard: 10 * 2 ** 30 },
        ],
        Tmpfs: {
          '/tmp': 'rw,nosuid,nodev,noexec,size=268435456,mode=1777',
          '/work': 'rw,nosuid,nodev,exec,size=1073741824,mode=0700,uid=65534,gid=65533',
          '/cache': 'rw,nosuid,nodev,noexec,size=268435456,mode=1777',
        },
        Mounts: [{ Type: 'volume', Source: 'pratique-site.j1.output', Target: '/output', VolumeOptions: { NoCopy: true, Labels: { 'pratique.gateway': 'site', 'pratique.job': 'j1', 'pratique.role': 'output' } } }],
        LogConfig: { Type: 'local', Config: { 'max-size': '5242880', 'max-file': '2', compress: 'false' } },
      },
    });
  });

  it('has the engine hold /output to its size where the site says so', () => {
    const { HostConfig } = options(TASK, engineSchema.parse({ outputQuota: true, outputBytes: '1G' }));
    expect(HostConfig['Mounts']).to.have.nested.property('[0].VolumeOptions.DriverConfig').that.deep.equals({ Name: 'local', Options: { size: String(2 ** 30) } });
  });

  describe('relaxations of a rule', () => {
    const plain = options();

    it('are these fields and no others', () => {
      const { HostConfig, ...rest } = options({ ...TASK, relaxed: { writableRoot: true, capabilities: ['CHOWN', 'SETUID'], runtime: 'runsc' } });
      expect(HostConfig).to.deep.equal({ ...plain.HostConfig, ReadonlyRootfs: false, CapAdd: ['CAP_CHOWN', 'CAP_SETUID'], Runtime: 'runsc' });
      expect({ ...rest, HostConfig: plain.HostConfig }).to.deep.equal(plain);
    });

    it('graphics processors are asked for by number; without them no variable of the image or the task gets any', () => {
      const { HostConfig } = options({ ...TASK, relaxed: { gpus: 2 } });
      expect(HostConfig).to.deep.equal({ ...plain.HostConfig, DeviceRequests: [{ Driver: 'nvidia', Capabilities: [['gpu', 'compute', 'utility']], Count: 2 }] });
      const spoilt = { ...TASK, env: { NVIDIA_VISIBLE_DEVICES: 'all', NVIDIA_DRIVER_CAPABILITIES: 'all', NVIDIA_MOFED: 'enabled' }, relaxed: { gpus: 2 } };
      expect(options(spoilt).Env).to.include.members(['NVIDIA_VISIBLE_DEVICES=0,1', 'NVIDIA_DRIVER_CAPABILITIES=compute,utility', 'NVIDIA_MOFED=']);
      expect(options(spoilt).Env.join()).to.not.match(/all|enabled/);
      for (const task of [{ ...TASK, env: { NVIDIA_VISIBLE_DEVICES: 'all' } }, { ...TASK, env: { CUDA_VERSION: '12' } }]) expect(options(task).Env).to.include('NVIDIA_VISIBLE_DEVICES=void');
      expect(ofImage({ env: ['NVIDIA_VISIBLE_DEVICES=all'] }).Env).to.include('NVIDIA_VISIBLE_DEVICES=void').and.not.include('NVIDIA_VISIBLE_DEVICES=all');
    });

    it('a writable root is held to the quota of the disk where there is one', () => {
      const { HostConfig } = options({ ...TASK, relaxed: { writableRoot: true } }, engineSchema.parse({ outputQuota: true, outputBytes: '1G' }));
      expect(HostConfig['StorageOpt']).to.deep.equal({ size: String(2 ** 30) });
    });

    it("a network is the job's own, resolves no other names, and is told to programs; the task's variables stay", () => {
      const task = { ...TASK, env: { A: 'task', https_proxy: 'http://mine' }, relaxed: { network: 'data' } };
      const made = containerOptions(NAMES, 'site', 'j1', task, 'sha256:id', SANDBOX, { name: 'pratique-site.j1.net', proxy: 'http://10.0.0.2:3128' });
      expect(made.HostConfig).to.deep.equal({ ...plain.HostConfig, NetworkMode: 'pratique-site.j1.net', Dns: ['127.0.0.1'] });
      expect(made.Env).to.include.members(['http_proxy=http://10.0.0.2:3128', 'HTTPS_PROXY=http://10.0.0.2:3128', 'no_proxy=localhost,127.0.0.1', 'https_proxy=http://mine']);
    });
  });

  it("takes the image's command where the task has none, and keeps the entrypoint in both cases", () => {
    const own = options({ ...TASK, command: [] });
    expect([own.Entrypoint, own.Cmd]).to.deep.equal([['/bin/tool'], ['--help']]);
  });

  it('fills in what an image may leave out', () => {
    const plain = ofImage({ workingDirectory: '', stopSignal: '', env: [], labels: {}, volumes: [] }, { env: {} });
    expect(plain).to.deep.include({ WorkingDir: '/', StopSignal: 'SIGTERM', Env: ['HOME=/work'] });
    expect(Object.keys(plain.HostConfig['Tmpfs'] as object)).to.deep.equal(['/tmp', '/work']);
  });

  it("the image's or the task's HOME wins", () => {
    expect(ofImage({ env: ['HOME=/home/app'] }, { env: {} }).Env).to.deep.equal(['HOME=/home/app']);
    expect(ofImage({ env: ['HOME=/home/app'] }, { env: { HOME: '/tmp' } }).Env).to.deep.equal(['HOME=/tmp']);
  });

  it("an image's label cannot take the place of the gateway's own", () => {
    const { Labels } = ofImage({ labels: { 'pratique.gateway': 'another', 'pratique.job': 'x', 'pratique.manifest': 'sha256:0' } });
    expect(Labels).to.deep.equal({ 'pratique.gateway': 'site', 'pratique.job': 'j1', 'pratique.role': 'job', 'pratique.manifest': IMAGE.manifestDigest, 'pratique.config': IMAGE.configDigest });
  });

  it('a command is words, whatever is in them', () => {
    const command = ['sh', '-c', 'echo "$HOME"; rm -rf /', '', '--privileged'];
    expect(options({ ...TASK, command }).Cmd).to.deep.equal(command);
  });

  it('no folder in memory is larger than the memory', () => {
    const small = options({ ...TASK, resources: { cores: 1, memory: 2 ** 20 } });
    expect(small.HostConfig['ShmSize']).to.equal(2 ** 20);
    for (const option of Object.values(small.HostConfig['Tmpfs'] as Record<string, string>)) expect(option).to.include('size=1048576');
  });

  it('names the runtime where the operator does', () => {
    expect(options(TASK, engineSchema.parse({ runtime: 'runsc' })).HostConfig['Runtime']).to.equal('runsc');
  });

  describe('refuses', () => {
    const cases: readonly (readonly [string, () => unknown])[] = [
      ['nothing to run', () => ofImage({ entrypoint: [], command: [] }, { command: [] })],
      ...['app', '0', '1000:', ':1', '1:2:3', '-1:0', '1000:staff', '99999999999:1', '4294967295:0', ' 1:1', '1:1\n'].map(
        (user) => [`user ${JSON.stringify(user)}`, () => options({ ...TASK, user })] as const,
      ),
      ...[0, -1, 0.001, NaN, Infinity].map((cores) => [`${String(cores)} cores`, () => options({ ...TASK, resources: { cores, memory: 1 } })] as const),
      ...[0, -1, 1.5, NaN, Infinity, 2 ** 60].map((memory) => [`${String(memory)} bytes`, () => options({ ...TASK, resources: { cores: 1, memory } })] as const),
      ...['/', '', 'data', '/proc', '/proc/self', '/sys/fs/cgroup', '/dev', '/dev/shm', '/output/x', '/a/../output', '/a/./b', '/a//b', '/a,size=1', '/a:b', '/a\nb', '/..', '/.'].map(
        (volume) => [`a volume at ${JSON.stringify(volume)}`, () => ofImage({ volumes: [volume] })] as const,
      ),
      ['33 volumes', () => ofImage({ volumes: Array.from({ length: 33 }, (_, i) => `/v${String(i)}`) })],
    ];
    for (const [what, make] of cases) it(what, () => void expect(make).to.throw(EngineRefused));
  });

  it('takes volumes with a slash at the end, and those that are there already', () => {
    const folders = ofImage({ volumes: ['/data/', '/tmp/', '/work', '/output/', '/var/lib/db'] }).HostConfig['Tmpfs'];
    expect(Object.keys(folders as object)).to.deep.equal(['/tmp', '/work', '/data', '/var/lib/db']);
  });
});
