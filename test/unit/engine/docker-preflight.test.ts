import { expect } from 'chai';
import { preflightLines, preflightOf, preflightRefusal } from '../../../src/engine/docker-preflight.ts';
import { lackingOf, relaxationRefusal } from '../../../src/engine/rule-needs.ts';
import { engineSchema } from '../../../src/engine/engine-config.ts';

const INFO = {
  MemoryLimit: true, SwapLimit: true, PidsLimit: true, CpuCfsQuota: true, LiveRestoreEnabled: false, CgroupVersion: '1', CgroupDriver: 'cgroupfs', InitBinary: 'docker-init',
  Driver: 'overlay2', DriverStatus: [['Backing Filesystem', 'extfs']], Runtimes: { runc: { path: 'runc' } }, DefaultRuntime: 'runc', SecurityOptions: ['name=seccomp,profile=default'], Warnings: null,
};
const VERSION = { Version: '20.10.24', ApiVersion: '1.41', Os: 'linux' };

function check(name: string, info: object = {}, section: object = {}, version: object = {}): string {
  const { checks } = preflightOf({ ...INFO, ...info }, { ...VERSION, ...version }, engineSchema.parse(section));
  const found = checks.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no check ${name}`);
  return `${found.has ? 'has' : 'lacks'}${found.needed ? ' needed' : ''}: ${found.found}`;
}

describe('preflight', () => {
  const table: readonly (readonly [string, string, object, object, object, string])[] = [
    ['a usual engine', 'engine', {}, {}, {}, 'has needed: Docker 20.10.24 on linux, API 1.41'],
    ['an engine that is too old', 'engine', {}, {}, { ApiVersion: '1.39' }, 'lacks needed: Docker 20.10.24 on linux, API 1.39'],
    ['a later major version', 'engine', {}, {}, { ApiVersion: '2.0' }, 'has needed: Docker 20.10.24 on linux, API 2.0'],
    ['another system', 'engine', {}, {}, { Os: 'windows' }, 'lacks needed: Docker 20.10.24 on windows, API 1.41'],
    ['no swap limit', 'swap-limit', { SwapLimit: false }, {}, {}, 'lacks needed: the engine has none'],
    ['no swap', 'swap-limit', { SwapLimit: false }, { hostHasNoSwap: true }, {}, 'lacks: the engine has none'],
    ['no memory limit', 'memory-limit', { MemoryLimit: false }, {}, {}, 'lacks needed: the engine has none'],
    ['no limit of processes', 'process-limit', { PidsLimit: false }, {}, {}, 'lacks needed: the engine has none'],
    ['no limit of CPU time', 'cpu-limit', { CpuCfsQuota: false }, {}, {}, 'lacks needed: the engine has none'],
    ['no docker-init', 'docker-init', { InitBinary: '' }, {}, {}, 'lacks needed: not found'],
    ['a runtime that is there', 'runtime', { Runtimes: { runc: {}, runsc: {} } }, { runtime: 'runsc' }, {}, 'has needed: runsc; the engine has runc, runsc'],
    ['a runtime that is not there', 'runtime', {}, { runtime: 'runsc' }, {}, 'lacks needed: runsc; the engine has runc'],
    ['seccomp', 'seccomp', {}, { require: ['seccomp'] }, {}, 'has needed: profile default'],
    ['seccomp that nobody has asked for', 'seccomp', {}, {}, {}, 'has needed: profile default'],
    ['no seccomp', 'seccomp', { SecurityOptions: [] }, {}, {}, 'lacks needed: none'],
    ['no seccomp where the site does without', 'seccomp', { SecurityOptions: [] }, { withoutSeccomp: true }, {}, 'lacks: none'],
    ['seccomp that filters nothing', 'seccomp', { SecurityOptions: ['name=seccomp,profile=unconfined'] }, {}, {}, 'lacks needed: profile unconfined'],
    ['AppArmor', 'mandatory-access-control', { SecurityOptions: ['name=apparmor', 'name=seccomp,profile=builtin'] }, {}, {}, 'has: apparmor'],
    ['neither AppArmor nor SELinux', 'mandatory-access-control', {}, {}, {}, 'lacks: neither AppArmor nor SELinux'],
    ['user namespaces', 'user-namespaces', { SecurityOptions: ['name=userns'] }, {}, {}, 'has: userns'],
    ['a rootless engine', 'user-namespaces', { SecurityOptions: ['name=rootless', 'name=cgroupns'] }, { require: ['user-namespaces'] }, {}, 'has needed: rootless'],
    ['an engine whose root is the host\'s', 'user-namespaces', {}, { require: ['user-namespaces'] }, {}, 'lacks needed: root of a container is root of the host'],
    ['a name that only begins like one', 'user-namespaces', { SecurityOptions: ['name=usernsX'] }, {}, {}, 'lacks: root of a container is root of the host'],
    ['cgroup v2', 'cgroup-v2', { CgroupVersion: '2', CgroupDriver: 'systemd' }, {}, {}, 'has: version 2, driver systemd'],
    ['cgroup v1', 'cgroup-v2', {}, {}, {}, 'lacks: version 1, driver cgroupfs'],
    ['a file system without quotas', 'disk-quota', {}, {}, {}, 'lacks: overlay2 on extfs'],
    ['a file system that may have quotas', 'disk-quota', { DriverStatus: [['Backing Filesystem', 'xfs']] }, {}, {}, 'has: overlay2 on xfs, if it is mounted with pquota'],
    ['a runtime for graphics processors', 'gpus', { Runtimes: { runc: {}, nvidia: {} } }, { require: ['gpus'] }, {}, 'has needed: the runtime nvidia is registered'],
    ['no runtime for graphics processors', 'gpus', {}, {}, {}, 'lacks: no runtime nvidia'],
    ['live restore', 'live-restore', { LiveRestoreEnabled: true }, {}, {}, 'has: jobs outlive a restart of the engine'],
  ];
  for (const [what, name, info, section, version, expected] of table) {
    it(`${what}: ${expected}`, () => {
      expect(check(name, info, section, version)).to.equal(expected);
    });
  }

  it('tells what rules give and the engine lacks, rule by rule', () => {
    const networks = new Map([['archives', undefined], ['broken', 'it does not run']]);
    const preflight = preflightOf({ ...INFO, Runtimes: { runc: {}, runsc: {} } }, VERSION, engineSchema.parse({}), networks);
    const table = [
      [{ runtime: 'runsc', network: 'archives', writableRoot: true }, []],
      [{ runtime: 'kata' }, ['runtime kata']],
      [{ gpus: 1 }, ['GPUs: it has no runtime nvidia']],
      [{ network: 'broken' }, ['network broken: it does not run']],
      [{ network: 'other', runtime: 'kata' }, ['runtime kata', 'network other: this site has no such profile']],
    ] as const;
    for (const [relaxed, lacking] of table) {
      expect(lackingOf(relaxed, preflight)).to.deep.equal(lacking);
      expect(relaxationRefusal(relaxed, preflight) === undefined).to.equal(lacking.length === 0);
    }
    const lines = preflightLines(preflight, [{ rule: 'gvisor', relaxed: { runtime: 'runsc' } }, { rule: 'kata', relaxed: { runtime: 'kata' } }, { rule: 'plain', relaxed: { writableRoot: true } }]);
    expect(lines.filter((line) => line.includes('rule '))).to.deep.equal([`ok      ${'rule gvisor'.padEnd(25)} runtime runsc`, `MISSING ${'rule kata'.padEnd(25)} runtime kata; its jobs are refused`]);
  });

  it('takes root in a container where it is not root of the host, or where the rule says that it may be', () => {
    const lacks = (root: 'apart' | 'host' | undefined, info: object, section: object = {}, runtime?: string): boolean => {
      const preflight = preflightOf({ ...INFO, Runtimes: { runc: {}, runsc: {}, 'kata-runtime': {}, runscape: {} }, ...info }, VERSION, engineSchema.parse(section));
      return lackingOf({ ...(root === undefined ? {} : { root }), ...(runtime === undefined ? {} : { runtime }) }, preflight).length > 0;
    };
    expect(lacks('apart', {}), 'an engine as most are').to.equal(true);
    expect(lacks('host', {}), 'where it is wanted').to.equal(false);
    expect(lacks(undefined, {}), 'who is not root').to.equal(false);
    for (const option of ['name=userns', 'name=rootless']) expect(lacks('apart', { SecurityOptions: ['name=seccomp,profile=default', option] }), option).to.equal(false);
    for (const runtime of ['runsc', 'kata-runtime']) {
      expect(lacks('apart', {}, {}, runtime), `the rule's ${runtime}`).to.equal(false);
      expect(lacks('apart', {}, { runtime }), `the site's ${runtime}`).to.equal(false);
      expect(lacks('apart', { DefaultRuntime: runtime }), `the engine's ${runtime}`).to.equal(false);
    }
    for (const runtime of ['runc', 'runscape']) expect(lacks('apart', {}, {}, runtime), runtime).to.equal(true);
    expect(lacks('apart', {}, { runtime: 'runsc' }, 'runc'), "the rule's runtime instead of the site's").to.equal(true);
    const preflight = preflightOf(INFO, VERSION, engineSchema.parse({}));
    expect(relaxationRefusal({ root: 'apart' }, preflight)).to.equal("the container engine lacks what the rule gives this container: a root that is not the host's: it has no user namespaces, and the runtime is no sandbox (runsc, kata)");
    expect(preflightLines(preflight, [{ rule: 'old', relaxed: { root: 'apart' } }]).some((line) => line.startsWith(`MISSING ${'rule old'.padEnd(25)} a root that`))).to.equal(true);
  });

  it('says everything in lines, and in one sentence why no job can run', () => {
    const fine = preflightOf(INFO, VERSION, engineSchema.parse({}));
    expect(preflightRefusal(fine)).to.equal(undefined);
    expect(preflightLines(fine).at(-1)).to.equal('The engine has everything that jobs need here.');
    const poor = preflightOf({ ...INFO, Warnings: ['WARNING: no\u001b[31m'], SwapLimit: false }, VERSION, engineSchema.parse({ require: ['user-namespaces', 'cgroup-v2'] }));
    expect(preflightRefusal(poor)).to.equal('the container engine lacks what this site requires of it: swap-limit, user-namespaces, cgroup-v2');
    const lines = preflightLines(poor);
    expect(lines.filter((line) => line.startsWith('MISSING'))).to.have.length(3);
    expect(lines.join('\n')).not.to.include('\u001b');
    expect(lines.at(-1)).to.equal('Jobs are refused: the engine lacks swap-limit, user-namespaces, cgroup-v2.');
  });

  it('cannot be misled by an engine that answers nonsense', () => {
    for (const [info, version] of [[{}, VERSION], [INFO, {}], [[], []], ['x', null]]) expect(() => preflightOf(info, version, engineSchema.parse({}))).to.throw();
  });
});
