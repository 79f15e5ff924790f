import { expect } from 'chai';
import { ProjectNames } from '../../../src/engine/docker-project-names.ts';
import { serviceOptions } from '../../../src/engine/docker-project-options.ts';
import { engineSchema } from '../../../src/engine/engine-config.ts';
import type { PinnedProject, PinnedService } from '../../../src/task/project.ts';
import { TASK } from './judged-task.ts';

const SANDBOX = engineSchema.parse({});
const SERVICE: PinnedService = {
  name: 'web', task: TASK, replicas: 1, capabilities: [], networks: [{ network: 'default', aliases: [] }], mounts: [], files: [], dependsOn: [],
  sysctls: {}, extraHosts: [], dns: [], dnsOptions: [], dnsSearch: [],
};

/** The options of every container of these services. */
function optionsOf(...services: readonly Partial<PinnedService>[]) {
  const project: PinnedProject = { type: 'project', services: services.map((service) => ({ ...SERVICE, ...service })), networks: ['default'], volumes: ['vol'], main: ['web'], resources: TASK.resources };
  const names = new ProjectNames('site', 'c-1');
  return names.containers(project).map((container) => serviceOptions(container, project, names, 'sha256:id', SANDBOX, 'c-1'));
}

const hostnames = (...services: readonly Partial<PinnedService>[]): readonly string[] => optionsOf(...services).map(({ Hostname }) => Hostname);

/** Services, and what their containers call themselves, which the engine makes a name in their networks. */
const HOSTNAMES: readonly (readonly [what: string, services: readonly Partial<PinnedService>[], names: readonly string[]])[] = [
  ['one container has the name of its service', [{}], ['web']],
  ['what the file says', [{ hostname: 'here', replicas: 2 }], ['here', 'here']],
  ['each of several has one of its own', [{ replicas: 3 }], ['web-1', 'web-2', 'web-3']],
  ['and never that of another service', [{ replicas: 2 }, { name: 'web-2' }], ['web-1', 'web-2x', 'web-2']],
  ['nor an alias, nor another hostname', [{ replicas: 2, networks: [{ network: 'default', aliases: ['WEB-1'] }] }, { name: 'db', hostname: 'web-2' }], ['web-1x', 'web-2x', 'web-2']],
  ['a name that is no host name is replaced, by none of another service', [{ name: 'my_db' }, { name: 'job' }, { name: 'a.b' }], ['job-1', 'job', 'job-3']],
  ['a long name is still one', [{ name: 'n'.repeat(63), replicas: 1 }, { name: 'm'.repeat(63), replicas: 2 }], ['n'.repeat(63), `${'m'.repeat(50)}-1`, `${'m'.repeat(50)}-2`]],
];

describe('serviceOptions', () => {
  for (const [what, services, names] of HOSTNAMES) it(`hostnames: ${what}`, () => expect(hostnames(...services)).to.deep.equal(names));

  it('names addresses without a network too: its own loopback is there', () => {
    expect(optionsOf({ networks: [], extraHosts: ['me:127.0.0.1'] })[0]?.HostConfig).to.deep.include({ NetworkMode: 'none', ExtraHosts: ['me:127.0.0.1'] });
  });

  it('has memory and volumes read-only where the file says so', () => {
    const [options] = optionsOf({ mounts: [{ kind: 'tmpfs', target: '/ro', readOnly: true }, { kind: 'tmpfs', target: '/rw' }, { kind: 'anonymous', target: '/seen', readOnly: true }, { kind: 'volume', volume: 'vol', target: '/vol', readOnly: false }] });
    const { Tmpfs, Mounts } = options?.HostConfig as { readonly Tmpfs: Readonly<Record<string, string>>; readonly Mounts: readonly { readonly Target: string; readonly ReadOnly?: boolean }[] };
    expect([Tmpfs['/ro'], Tmpfs['/rw']].map((said) => said?.slice(0, 3))).to.deep.equal(['ro,', 'rw,']);
    expect(Mounts.map(({ Target, ReadOnly }) => `${Target} ${String(ReadOnly ?? false)}`)).to.deep.equal(['/output false', '/seen true', '/vol false']);
  });

  it('has shared memory as the site gives it where the file says 0, as Compose does', () => {
    expect(optionsOf({ sharedMemory: 0 })[0]?.HostConfig['ShmSize']).to.equal(SANDBOX.sharedMemory);
  });
});
