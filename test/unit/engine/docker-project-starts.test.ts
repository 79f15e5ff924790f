import { expect } from 'chai';
import type { Clock } from '../../../src/clock.ts';
import { DockerProjects } from '../../../src/engine/docker-projects.ts';
import { engineSchema } from '../../../src/engine/engine-config.ts';
import { type Answer, ScriptedDocker, stat } from './scripted-docker.ts';

const JOB = 'c-j1';
const BRINGS = '/containers/pratique-site.p.c-j1.secrets-1';
const HELPER = 'POST /containers/create?name=pratique-site.p.c-j1.secrets-1';
const DONE: Answer = { status: 204, json: null };
/** The mode of the folder: before anything is in it, and when everything is. */
const EMPTY = stat(0o700);
const COMPLETE = stat(0o500);

/** Of a service that has run for long, or of one with a secret whose turn has come; `name` as it is now. */
function container(service: 'first' | 'later', state: 'created' | 'running', name: string = service): Answer {
  const plan = { service, replica: 1, of: 2, index: service === 'first' ? 0 : 1, main: service === 'later', level: 0, needs: [], ...(service === 'first' ? {} : { secrets: [{ name: 'token', file: 'token', uid: 5, gid: 6, mode: 0o400 }] }) };
  return {
    json: {
      Id: service, Name: `/${name}`, Image: 'x', Path: 'x', Args: [], HostConfig: {}, Mounts: [],
      State: { Status: state, ExitCode: 0, Error: '', StartedAt: state === 'running' ? '2026-01-01T00:00:00Z' : '0001-01-01T00:00:00Z', FinishedAt: '0001-01-01T00:00:00Z' },
      Config: { User: '5:6', Labels: { 'pratique.plan': JSON.stringify(plan) } },
    },
  };
}

/** Time stands still: a sleep ends when nobody wants it any more. */
class StillClock implements Clock {
  now(): number {
    return 0;
  }
  monotonic(): number {
    return 0;
  }
  sleep(_: number, until?: AbortSignal): Promise<void> {
    return until?.aborted === true ? Promise.resolve() : new Promise((resolve) => until?.addEventListener('abort', () => resolve(), { once: true }));
  }
}

describe('starts of containers with secrets', () => {
  const secrets = new Map([['token', 'hush']]);
  let docker: ScriptedDocker;
  let projects: DockerProjects;
  let stop: AbortController;

  beforeEach(async () => {
    stop = new AbortController();
    docker = await ScriptedDocker.start();
    projects = new DockerProjects({ config: engineSchema.parse({ host: docker.host }), gateway: 'site', clock: new StillClock() });
    docker
      .on('GET /containers/json', { json: [{ Id: 'first', Labels: {} }, { Id: 'later', Labels: {} }] })
      .on('GET /containers/first/json', container('first', 'running'))
      .on('GET /containers/later/json', container('later', 'created'))
      .on('POST /containers/first/wait', 'hang')
      .on('GET /images/pratique/blank-volume:1/json', { json: { Id: 'sha256:blank', RootFS: { Type: 'layers', Layers: ['sha256:334575025dcb31bf0c3fa12a946b2ca5af0e58444541cc68d208958930267fd8'] } } })
      .on(HELPER, { status: 201, json: { Id: 'h', Warnings: [] } })
      .on(`DELETE ${BRINGS}`, DONE)
      .on(`PUT ${BRINGS}/archive`, { json: null })
      .on('HEAD /containers/later/archive', COMPLETE)
      .on('POST /containers/later/rename', DONE)
      .on('POST /containers/later/start', DONE)
      .on('GET /info', { json: { SystemTime: '2026-01-01T00:00:00.5Z' } })
      .on('GET /events', { raw: (response) => response.end('{"Action":"create","Actor":{"ID":"later"}}\n') });
  });
  afterEach(async () => {
    stop.abort(new Error('over'));
    await projects.close();
    await docker.stop();
  });

  /** Resolves when the call has been made `times`. */
  async function made(call: string, times = 1): Promise<void> {
    while (docker.made(call).length < times) await new Promise((resolve) => setImmediate(resolve));
  }

  it('the archive has the file as the project says, its folder for the service\'s user; the container is started once it is there', async () => {
    // seen, named, and looked at before and after its secrets are there
    docker.on('GET /containers/later/json', ...Array.from({ length: 4 }, () => container('later', 'created')), container('later', 'running'));
    docker.on('POST /containers/later/wait', 'hang');
    const waiting = projects.wait(JOB, stop.signal, { secrets }).catch(() => undefined);
    await made('POST /containers/later/wait');
    stop.abort(new Error('over'));
    await waiting;
    const [helper] = docker.made(HELPER);
    expect(helper?.body).to.have.nested.property('Labels.pratique\\.role', 'secrets');
    expect(docker.made('POST /containers/later/start')).to.have.length(1);
    const tar = String(docker.made(`PUT ${BRINGS}/archive`)[0]?.body);
    expect(tar).to.include('run/secrets/token').and.to.match(/token\x00+000400 \x00000005 \x00000006 \x00/).and.to.match(/run\/secrets\/\x00+000500 \x00000005 \x00000006 \x00/).and.to.include('hush');
  });

  for (const [when, looks, brought] of [['before', 2, 0], ['after', 3, 1]] as const) {
    it(`one that is held ${when} its secrets are there is left alone`, async () => {
      docker.on('GET /containers/later/json', ...Array.from({ length: looks }, () => container('later', 'created')), container('later', 'created', 'later.held'));
      const waiting = projects.wait(JOB, stop.signal, { secrets }).catch(() => undefined);
      await made('POST /containers/first/wait');
      stop.abort(new Error('over'));
      await waiting;
      expect(docker.made(HELPER)).to.have.length(brought);
      expect(docker.made('POST /containers/later/start')).to.deep.equal([]);
    });
  }

  for (const end of ['stop', 'remove'] as const) {
    it(`${end} waits until nothing is brought any more`, async () => {
      docker.on('HEAD /containers/later/archive', EMPTY).on(`DELETE ${BRINGS}`, DONE);
      const waiting = projects.wait(JOB, stop.signal, { secrets }).catch(() => undefined);
      await made('HEAD /containers/later/archive');
      docker.on('GET /containers/json', { json: [] }).on('GET /images/json', { json: [] }).on('GET /networks', { json: [] }).on('GET /volumes', { json: { Volumes: [] } });
      const ending = end === 'stop' ? projects.stop(JOB, 1) : projects.remove(JOB);
      const order = ending.then(() => docker.calls.length);
      // time enough to do whatever does not wait
      for (let turn = 0; turn < 200; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      stop.abort(new Error('over'));
      const last = await order;
      await waiting;
      const tidied = docker.calls.findLastIndex(({ call }) => call === `DELETE ${BRINGS}`);
      expect(docker.calls.slice(tidied).some(({ call }) => call === 'GET /containers/json'), 'looks once more afterwards').to.equal(true);
      expect(tidied).to.be.lessThan(last);
      expect(docker.made('POST /containers/later/start')).to.deep.equal([]);
    });
  }
});
