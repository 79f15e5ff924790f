import { expect } from 'chai';
import { SystemClock } from '../../../src/clock.ts';
import { DockerProjects } from '../../../src/engine/docker-projects.ts';
import { engineSchema } from '../../../src/engine/engine-config.ts';
import { type PinnedService, projectJobId } from '../../../src/task/project.ts';
import { IMAGE, TASK } from './judged-task.ts';
import { ScriptedDocker } from './scripted-docker.ts';

const { signal } = new AbortController();
const JOB = projectJobId('j1');
const SEEN = {
  Id: IMAGE.configDigest, Os: 'linux', Architecture: 'amd64', RootFS: { Type: 'layers', Layers: IMAGE.diffIds },
  Config: {
    User: 'app', Env: IMAGE.config.env, Entrypoint: IMAGE.config.entrypoint, Cmd: IMAGE.config.command, WorkingDir: '/data', Volumes: { '/cache': {}, '/tmp': {} },
    ExposedPorts: { '80/tcp': {} }, Labels: IMAGE.config.labels, StopSignal: 'SIGINT', Healthcheck: { Test: ['CMD', 'curl'] },
  },
};

describe('DockerProjects, with an engine that misbehaves', () => {
  let docker: ScriptedDocker;
  let engine: DockerProjects;

  beforeEach(async () => {
    docker = await ScriptedDocker.start();
    engine = new DockerProjects({ config: engineSchema.parse({ host: docker.host }), gateway: 'site', clock: new SystemClock() });
  });
  afterEach(async () => {
    await engine.close();
    await docker.stop();
  });

  it('a full disk: an outage, in the engine\'s words, and what was made is removed', async () => {
    docker
      .on(`GET /images/registry.example/team/tool@${IMAGE.manifestDigest}/json`, { json: SEEN })
      .on('POST /networks/create', { status: 500, json: { message: 'mkdir /var/lib/docker/network/x: no space left on device' } })
      .on('GET /containers/json', { json: [] })
      .on('GET /images/json', { json: [] })
      .on('GET /networks', { json: [{ Id: 'n1', Labels: {} }] }, { json: [] })
      .on('GET /volumes', { json: { Volumes: [] } })
      .on('DELETE /networks/n1', { status: 204, json: null });
    const service: PinnedService = { name: 'one', task: TASK, replicas: 1, capabilities: [], networks: [], mounts: [], files: [], dependsOn: [], sysctls: {}, extraHosts: [], dns: [], dnsOptions: [], dnsSearch: [] };
    const error: unknown = await engine.create(JOB, { type: 'project', services: [service], networks: ['default'], volumes: [], main: ['one'], resources: TASK.resources }, signal).catch((each: unknown) => each);
    expect(error).to.include({ code: 'EngineUnavailable' }).and.have.property('message').that.equals('the engine refused to create the project: mkdir (path): no space left on device');
    expect(docker.made('DELETE /networks/n1')).to.have.length(1);
  });
});
