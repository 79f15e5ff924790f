import { expect } from 'chai';
import type { ServerResponse } from 'node:http';
import { DockerProjects } from '../../../src/engine/docker-projects.ts';
import { engineSchema } from '../../../src/engine/engine-config.ts';
import { EngineRefused } from '../../../src/engine/engine.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import type { PinnedProject } from '../../../src/task/project.ts';
import { IMAGE, TASK } from './judged-task.ts';
import { type Answer, ScriptedDocker } from './scripted-docker.ts';
import { type ScriptedContainer, ScriptedProject } from './scripted-project.ts';

const JOB = 'c-1';
const { signal } = new AbortController();
const CREATED: Answer = { status: 201, json: { Id: 'x', Warnings: [] } };
const DONE: Answer = { status: 204, json: null };
const AFTER_DB = [{ service: 'db', condition: 'service_completed_successfully' }];

async function failure(work: Promise<unknown>): Promise<Error> {
  const outcome = await work.then(() => undefined, (error: unknown) => error);
  if (outcome instanceof Error) return outcome;
  throw new Error('it did not fail');
}

describe('DockerProjects, with an engine that misbehaves', () => {
  let docker: ScriptedDocker;
  let clock: FakeClock;
  let projects: DockerProjects;

  beforeEach(async () => {
    docker = await ScriptedDocker.start();
    clock = new FakeClock();
    projects = new DockerProjects({ config: engineSchema.parse({ host: docker.host }), gateway: 'site', clock });
  });
  afterEach(async () => {
    await projects.close();
    await docker.stop();
  });

  /** What the recovery table is asked with, and what a start after an earlier one rests on. */
  async function story(): Promise<{ readonly inspect: string | undefined; readonly list: readonly string[]; readonly mayStartAgain: boolean }> {
    const [inspect, list] = [await projects.inspect(JOB), await projects.list()];
    return { inspect: inspect?.state, list: list.map(({ jobId, state }) => `${jobId} ${state}`), mayStartAgain: await projects.mayStartAgain(JOB) };
  }

  describe('what is there of a project', () => {
    it('one container gone after others have run: nobody knows how it ended, nothing is started, and nothing is made anew', async () => {
      const project = new ScriptedProject(docker, [{ service: 'db' }, { service: 'web', needs: AFTER_DB }]);
      project.of('db').began();
      project.of('db').ended();
      project.lose('web');
      expect(await story()).to.deep.equal({ inspect: undefined, list: [`${JOB} created`], mayStartAgain: false });
      expect(await failure(projects.wait(JOB, signal))).to.be.instanceOf(EngineRefused);
      expect(await failure(projects.start(JOB, signal))).to.be.instanceOf(EngineRefused);
      docker.on(IMAGE_CALL, SEEN);
      await projects.create(JOB, projectOf({}), signal);
      expect(docker.made('POST /containers/create')).to.deep.equal([]);
      await projects.remove(JOB);
      expect(project.done()).to.deep.equal(['remove db']);
    });

    it('made in part: it is created, and may be completed and started', async () => {
      new ScriptedProject(docker, [{ service: 'db' }], 2);
      expect(await story()).to.deep.equal({ inspect: 'created', list: [`${JOB} created`], mayStartAgain: true });
    });

    it('made in part, and the engine has been down since: it may not be started', async () => {
      const project = new ScriptedProject(docker, [{ service: 'db' }], 2);
      project.of('db').remembered = false;
      expect(await story()).to.deep.equal({ inspect: 'created', list: [`${JOB} created`], mayStartAgain: false });
    });

    it('a volume alone, without its labels: it is found by its name and removed, and no other job\'s is', async () => {
      const project = new ScriptedProject(docker, []);
      const ours = ['pratique-site.p.c-1.vol-0', 'pratique-site.p.c-1.0-1.output'];
      const others = ['pratique-site.p.c-10.vol-0', 'pratique-site.p.c-2.0-1.anon-0', 'pratique-site.j1.output', 'my-pratique-site.p.c-3.vol-0', 'pratique-sitexp.c-4.vol-0'];
      project.volumes = [...ours, ...others];
      for (const name of project.volumes) docker.on(`DELETE /volumes/${name}`, { raw: (response) => { project.volumes = project.volumes.filter((each) => each !== name); response.writeHead(204).end(); } });
      expect((await projects.list()).map(({ jobId, state }) => `${jobId} ${state}`)).to.have.members(['c-1 created', 'c-10 created', 'c-2 created']);
      await projects.remove(JOB);
      expect(project.volumes).to.deep.equal(others);
    });
  });

  describe('a container that was about to be started when the engine was killed', () => {
    /** `db` has ended; `web` was to be started, and for all that the engine says never was. */
    function killed(): ScriptedProject {
      const project = new ScriptedProject(docker, [{ service: 'db' }, { service: 'web', needs: AFTER_DB }]);
      project.of('db').began();
      project.of('db').ended();
      project.of('web').name += '.asked';
      project.of('web').onStart = (web) => { web.began(); web.ended(); };
      return project;
    }

    it('is lost: it may have run, and is not started again', async () => {
      const project = killed();
      project.of('web').remembered = false;
      expect(await story()).to.deep.equal({ inspect: undefined, list: [`${JOB} created`], mayStartAgain: false });
      expect(await failure(projects.wait(JOB, signal))).to.be.instanceOf(EngineRefused);
      expect(project.done()).to.deep.equal([]);
    });

    it('is started where the engine has been up since: only the gateway was killed', async () => {
      const project = killed();
      expect(await story()).to.deep.equal({ inspect: 'running', list: [`${JOB} running`], mayStartAgain: true });
      expect((await projects.wait(JOB, signal)).exit?.code).to.equal(0);
      // named anew, so that the engine remembers it from now on
      expect(project.done()).to.deep.equal(['rename web .asked-2', 'start web']);
    });

    it('is not lost when it was held: nobody will start it', async () => {
      const project = killed();
      project.of('web').name += '.held';
      project.of('web').remembered = false;
      expect((await projects.inspect(JOB))?.state).to.equal('exited');
    });

    it('is lost also as one of the first, which are started at once', async () => {
      const project = new ScriptedProject(docker, [{ service: 'db' }, { service: 'web' }]);
      project.of('db').began();
      project.of('web').remembered = false;
      expect(await story()).to.deep.equal({ inspect: undefined, list: [`${JOB} created`], mayStartAgain: false });
      expect(await failure(projects.wait(JOB, signal))).to.be.instanceOf(EngineRefused);
      expect(project.done()).to.deep.equal([]);
    });
  });

  describe('wait', () => {
    it("tells that memory was short, by the kernel's word that came after the end, of the service alone whose end it was", async () => {
      for (const [service, outOfMemory] of [['web', true], ['db', false]] as const) {
        const project = new ScriptedProject(docker, [{ service: 'db' }, { service: 'web' }]);
        for (const each of project.containers) {
          each.began();
          each.ended(137);
        }
        project.of(service).outOfMemory = true;
        expect((await projects.wait(JOB, signal)).exit, service).to.deep.equal({ code: 137, outOfMemory });
      }
    });

    it('writes into the name what it is about to start before it does', async () => {
      const project = new ScriptedProject(docker, [{ service: 'db' }, { service: 'web', needs: AFTER_DB }]);
      project.of('db').began();
      project.of('db').ended();
      project.of('web').onStart = (web) => { web.began(); web.ended(); };
      await projects.wait(JOB, signal);
      expect(project.done()).to.deep.equal(['rename web .asked', 'start web']);
    });

    /** A service that has failed and has one restart left. */
    function failed(): ScriptedProject {
      const project = new ScriptedProject(docker, [{ service: 'web', restart: { always: false, most: 1 } }]);
      const web = project.of('web');
      web.name += '.asked';
      web.began();
      web.ended(1);
      web.onStart = () => { web.began(2); web.ended(5); };
      return project;
    }

    const web = (project: ScriptedProject): ScriptedContainer => project.of('web');

    it('counts a restart before it makes it: whoever dies in between has made one fewer, never one more', async () => {
      const project = failed();
      docker.on('POST /containers/web-id/start', 'hang up');
      const waiting = failure(projects.wait(JOB, signal));
      await clock.whenSleepingUntil(clock.now() + 100);
      clock.advance(100);
      expect(await waiting).to.have.property('code', 'EngineUnavailable');
      expect(project.done()).to.deep.equal(['rename web .asked.again-1-rs', 'start web']);
      const { exit } = await projects.wait(JOB, signal);
      expect(exit, 'it has had its one restart, and nobody knows whether it ran').to.deep.include({ code: -1, temporary: true }).and.have.property('error').that.contains('whether it ran is not known');
      expect(project.done()).to.have.length(2);
      web(project).began(2);
      web(project).ended(5);
      expect((await projects.wait(JOB, signal)).exit?.code, 'it has run').to.equal(5);
    });

    it('makes a restart that was written down, and never asked for', async () => {
      const project = failed();
      let asked = 0;
      const mayAct = async (): Promise<void> => {
        if ((asked += 1) === 2) throw new Error('not now');
      };
      const waiting = failure(projects.wait(JOB, signal, { mayAct }));
      await clock.whenSleepingUntil(clock.now() + 100);
      clock.advance(100);
      expect((await waiting).message).to.equal('not now');
      const again = projects.wait(JOB, signal);
      await clock.whenSleepingUntil(clock.now() + 100);
      clock.advance(100);
      expect((await again).exit?.code).to.equal(5);
      expect(project.done()).to.deep.equal(['rename web .asked.again-1-rs', 'start web']);
    });

    it('keeps a hold that somebody sets while it counts', async () => {
      const project = failed();
      const web = project.of('web');
      const mayAct = async (): Promise<void> => {
        if (!web.name.endsWith('.held')) web.name += '.held';
      };
      const waiting = projects.wait(JOB, signal, { mayAct });
      await clock.whenSleepingUntil(clock.now() + 100);
      clock.advance(100);
      expect((await waiting).exit?.code).to.equal(5);
      expect(project.done()).to.deep.equal(['rename web .asked.again-1-rs.held', 'start web']);
    });

    it('does not take a project for over whose last restart is counted and on its way', async () => {
      const project = failed();
      const web = project.of('web');
      let answer: () => void = () => undefined;
      const asked = new Promise<void>((resolve) => {
        docker.on('POST /containers/web-id/start', { raw: (response) => { answer = () => { web.onStart(web); response.writeHead(204).end(); }; resolve(); } });
      });
      const waiting = projects.wait(JOB, signal);
      await clock.whenSleepingUntil(clock.now() + 100);
      clock.advance(100);
      await asked;
      expect(project.of('web').name).to.match(/again-1-rs$/);
      expect((await projects.inspect(JOB))?.state).to.equal('running');
      answer();
      expect((await waiting).exit?.code).to.equal(5);
    });

    it('starts nothing a second time that another wait, given up since, has on its way', async () => {
      const project = new ScriptedProject(docker, [{ service: 'db' }, { service: 'web', needs: AFTER_DB }]);
      const web = project.of('web');
      project.of('db').began();
      project.of('db').ended();
      let answer: () => void = () => undefined;
      const asked = new Promise<void>((resolve) => {
        docker.on('POST /containers/web-id/start', { raw: (response) => { answer = () => { web.began(); web.ended(); response.writeHead(204).end(); }; resolve(); } });
      });
      const given = new AbortController();
      const first = failure(projects.wait(JOB, given.signal));
      await asked;
      given.abort(new Error('the job has changed'));
      const looked = docker.made('GET /containers/web-id/json').length;
      const second = projects.wait(JOB, signal);
      // it has been told that web was never started
      while (docker.made('GET /containers/web-id/json').length === looked) await new Promise((resolve) => setImmediate(resolve));
      answer();
      expect((await second).exit?.code).to.equal(0);
      await first;
      expect(docker.made('POST /containers/web-id/start')).to.have.length(1);
    });

    describe('of a start to which the engine says no', () => {
      /** `keeps`: with the container, as it does unless it fails before. */
      function refuses(container: ScriptedContainer, words: string, keeps: boolean): void {
        const no = (response: ServerResponse): void => {
          if (keeps) Object.assign(container, { error: words, code: container.code === 0 ? 128 : container.code });
          response.writeHead(500, { 'content-type': 'application/json' }).end(JSON.stringify({ message: words }));
        };
        docker.on(`POST /containers/${container.id}/start`, { raw: no });
      }

      const TEMPORARY = 'failed to create task: task already exists';
      const FINAL = 'not a directory';

      for (const keeps of [true, false]) {
        const how = keeps ? 'and keeps the reason' : 'and forgets the reason';

        it(`${how}: a restart for want of something temporary is no run, and the job's end is not its exit before`, async () => {
          const project = failed();
          refuses(project.of('web'), TEMPORARY, keeps);
          const waiting = projects.wait(JOB, signal);
          await clock.whenSleepingUntil(clock.now() + 100);
          clock.advance(100);
          expect((await waiting).exit).to.deep.equal({ code: -1, outOfMemory: false, error: `service web could not be started once more: ${TEMPORARY}`, temporary: true });
          expect(project.done()).to.deep.equal(['rename web .asked.again-1-rs', 'start web']);
        });

        it(`${how}: a later service's first start likewise`, async () => {
          const project = new ScriptedProject(docker, [{ service: 'db' }, { service: 'web', needs: AFTER_DB }]);
          project.of('db').began();
          project.of('db').ended();
          refuses(project.of('web'), TEMPORARY, keeps);
          expect((await projects.wait(JOB, signal)).exit).to.deep.equal({ code: -1, outOfMemory: false, error: `service web could not be started: ${TEMPORARY}`, temporary: true });
          expect(project.done()).to.deep.equal(['rename web .asked', 'start web']);
        });

        it(`${how}: for want of anything else it is final`, async () => {
          const project = failed();
          refuses(project.of('web'), FINAL, keeps);
          const waiting = projects.wait(JOB, signal);
          await clock.whenSleepingUntil(clock.now() + 100);
          clock.advance(100);
          expect((await waiting).exit).to.deep.equal({ code: -1, outOfMemory: false, error: `service web could not be started once more: ${FINAL}` });
        });

        for (const [words, temporary] of [[TEMPORARY, true], [FINAL, false]] as const) {
          it(`${how}: one of the project's first (${words})`, async () => {
            const project = new ScriptedProject(docker, [{ service: 'web' }]);
            refuses(project.of('web'), words, keeps);
            for (const time of ['once', 'again']) expect(await failure(projects.start(JOB, signal)), time).to.include({ name: 'EngineRefused', temporary });
          });
        }
      }

      it('an earlier one, of a service that was started once more since, is nothing', async () => {
        const project = failed();
        const web = project.of('web');
        web.name += '.again-1';
        web.ended(7);
        expect((await projects.wait(JOB, signal)).exit).to.deep.equal({ code: 7, outOfMemory: false });
      });
    });

    describe('of somebody who may act no more', () => {
      const mayAct = (): Promise<void> => Promise.reject(new Error('the lease is lost'));

      it('starts nothing, and nothing once more', async () => {
        const project = new ScriptedProject(docker, [{ service: 'db' }, { service: 'web', needs: AFTER_DB }]);
        project.of('db').began();
        project.of('db').ended();
        expect((await failure(projects.wait(JOB, signal, { mayAct }))).message).to.equal('the lease is lost');
        expect(project.done()).to.deep.equal([]);
      });

      it('stops nothing when the main service is over', async () => {
        const project = new ScriptedProject(docker, [{ service: 'db' }, { service: 'web' }]);
        project.of('db').began();
        project.of('web').began();
        project.of('web').ended();
        expect((await failure(projects.wait(JOB, signal, { mayAct }))).message).to.equal('the lease is lost');
        expect(project.done()).to.deep.equal([]);
      });

      it('is asked again between the mark and the start', async () => {
        const project = new ScriptedProject(docker, [{ service: 'db' }, { service: 'web', needs: AFTER_DB }]);
        project.of('db').began();
        project.of('db').ended();
        project.of('web').onStart = (web) => { web.began(); web.ended(); };
        const until = async (): Promise<void> => {
          if (project.of('web').name.endsWith('.asked')) throw new Error('the lease is lost');
        };
        await projects.wait(JOB, signal, { mayAct: until }).catch(() => undefined);
        expect(project.done()).to.deep.equal(['rename web .asked']);
      });

      it('starts no project', async () => {
        const project = new ScriptedProject(docker, [{ service: 'web' }]);
        expect((await failure(projects.start(JOB, signal, new Map(), { mayAct }))).message).to.equal('the lease is lost');
        expect(project.done()).to.deep.equal([]);
      });
    });
  });

  describe('stop', () => {
    it('of a project of which nothing runs at that moment: that it was told to is known to whoever looks later', async () => {
      const project = new ScriptedProject(docker, [{ service: 'web', restart: { always: false, most: 1 } }]);
      project.of('web').began();
      project.of('web').ended(7);
      expect((await projects.inspect(JOB))?.state).to.equal('running');
      await projects.stop(JOB, 0);
      expect((await projects.inspect(JOB))?.exit).to.deep.equal({ code: 7, outOfMemory: false, stopped: true });
    });

    it('of one that waits for another service: likewise', async () => {
      const project = new ScriptedProject(docker, [{ service: 'db' }, { service: 'web', needs: AFTER_DB }]);
      project.of('db').began();
      project.of('db').ended();
      await projects.stop(JOB, 0);
      expect((await projects.inspect(JOB))?.exit).to.include({ code: -1, stopped: true });
    });

    it('of one that was over already is nothing', async () => {
      const project = new ScriptedProject(docker, [{ service: 'web', restart: { always: false, most: 1 } }]);
      project.of('web').began();
      project.of('web').ended();
      await projects.stop(JOB, 0);
      expect((await projects.inspect(JOB))?.exit).to.deep.equal({ code: 0, outOfMemory: false });
    });
  });

  describe('create', () => {
    const FILES = 'pratique-site.p.c-1.files-0';
    const BLANK_TAG = 'GET /images/pratique/blank-volume:1/json';

    beforeEach(() => {
      docker
        .on('GET /containers/json', { json: [] })
        .on(IMAGE_CALL, SEEN)
        .on(BLANK_TAG, { json: { Id: 'sha256:blank', RootFS: { Type: 'layers', Layers: [BLANK_LAYER] } } })
        .on('POST /containers/create', CREATED);
    });

    it('removes nothing where it fails: what is there may be a successor\'s, who has tidied meanwhile', async () => {
      docker.on('PUT /containers/pratique-site.p.c-1.vol-0.blank/archive', { status: 404, json: { message: 'No such container' } });
      const withVolume = projectOf({ volumes: ['data'] });
      expect(await failure(projects.create(JOB, withVolume, signal))).to.be.instanceOf(EngineRefused);
      expect(docker.calls.filter(({ call }) => call.startsWith('DELETE')).map(({ call }) => call)).to.deep.equal([]);
    });

    it('files that an engine takes while it goes down are not taken for written', async () => {
      const { services, ...project } = projectOf({});
      const file = { path: '/words', content: 'x', uid: 0, gid: 0, mode: 0o444 };
      docker
        .on('GET /images/json', { json: [] })
        .on('GET /_ping', { json: 'OK' })
        .on(`PUT /containers/${FILES}/archive`, { raw: (response) => {
          docker.goDown();
          response.end();
        } })
        .on('POST /commit', { status: 201, json: { Id: 'sha256:files' } })
        .on('GET /networks', { json: [] })
        .on('GET /volumes', { json: { Volumes: null } });
      // connections that are kept serve an engine's last calls
      await projects.list();
      expect(await failure(projects.create(JOB, { ...project, services: services.map((service) => ({ ...service, files: [file] })) }, signal))).to.have.property('code', 'EngineUnavailable');
      expect(docker.made('POST /commit')).to.deep.equal([]);
    });

    it('makes nothing for somebody who may act no more', async () => {
      const mayAct = (): Promise<void> => Promise.reject(new Error('the lease is lost'));
      await failure(projects.create(JOB, projectOf({}), signal, { mayAct }));
      expect(docker.made('POST /containers/create')).to.deep.equal([]);
    });

    const HALF = 'pratique-site.p.c-1.0-1';
    const MAKING = `POST /containers/create?name=${HALF}`;
    /** What a killed engine may have kept of a container: its name, and little else. */
    const half = (State: object = { Status: 'created', ExitCode: 0 }): Answer => ({ json: { Id: 'half', Name: `/${HALF}`, Image: IMAGE.configDigest, State, Config: {}, HostConfig: {}, Mounts: [] } });

    const anew = { mayMakeAnew: async () => true };

    it('a container half-kept from an earlier try is made anew at once, but once only: then it is a temporary failure', async () => {
      docker.on(MAKING, { status: 409, json: { message: 'in use' } }).on(`GET /containers/${HALF}/json`, half()).on('DELETE /containers/half', DONE);
      docker.on(`DELETE /containers/${HALF}.blank`, DONE);
      expect(await failure(projects.create(JOB, projectOf({}), signal, anew))).to.include({ name: 'EngineRefused', temporary: true });
      expect(docker.made(MAKING)).to.have.length(2);
      const removed = docker.made('DELETE /containers/half');
      expect(removed).to.have.length(1);
      expect(removed[0]?.query.get('force'), 'one that runs stays').to.equal(null);
    });

    it('but stays where it was started', async () => {
      const started = { Status: 'running', ExitCode: 0, StartedAt: '2026-01-01T00:00:00Z' };
      docker.on(MAKING, { status: 409, json: { message: 'in use' } }).on(`GET /containers/${HALF}/json`, half(started)).on('DELETE /containers/half', DONE);
      docker.on(`DELETE /containers/${HALF}.blank`, DONE);
      expect(await failure(projects.create(JOB, projectOf({}), signal, anew))).to.include({ name: 'EngineRefused', temporary: true });
      expect(docker.made('DELETE /containers/half')).to.deep.equal([]);
    });

    it('and where a start was asked for: it may be all that tells whether the program ran', async () => {
      docker.on(MAKING, { status: 409, json: { message: 'in use' } }).on(`GET /containers/${HALF}/json`, half()).on('DELETE /containers/half', DONE);
      docker.on(`DELETE /containers/${HALF}.blank`, DONE);
      expect(await failure(projects.create(JOB, projectOf({}), signal, { mayMakeAnew: async () => false }))).to.include({ name: 'EngineRefused', temporary: true });
      expect(docker.made('DELETE /containers/half')).to.deep.equal([]);
    });

    it('on a full disk is an outage, in the engine\'s words: the job waits for room, and what is there stays', async () => {
      docker.on(MAKING, { status: 500, json: { message: 'mkdir /var/lib/docker/overlay2/x: no space left on device' } }).on(`DELETE /containers/${HALF}.blank`, DONE);
      const error = await failure(projects.create(JOB, projectOf({}), signal));
      expect(error).to.include({ code: 'EngineUnavailable' }).and.have.property('message').that.equals('the engine refused to create the project: mkdir (path): no space left on device');
      expect(docker.calls.filter(({ call }) => call.startsWith('DELETE ') && !call.endsWith('.blank'))).to.deep.equal([]);
    });

    it('one that was made now, and is not as asked for, is a final failure', async () => {
      docker.on(`GET /containers/${HALF}/json`, half()).on('DELETE /containers/half', DONE).on(`DELETE /containers/${HALF}.blank`, DONE);
      expect(await failure(projects.create(JOB, projectOf({}), signal))).to.include({ name: 'EngineRefused', temporary: false });
      expect(docker.made('DELETE /containers/half')).to.deep.equal([]);
    });
  });
});

const IMAGE_CALL = `GET /images/registry.example/team/tool@${IMAGE.manifestDigest}/json`;
const SEEN: Answer = {
  json: {
    Id: IMAGE.configDigest, Os: 'linux', Architecture: 'amd64', RootFS: { Type: 'layers', Layers: IMAGE.diffIds },
    Config: {
      User: 'app', Env: IMAGE.config.env, Entrypoint: IMAGE.config.entrypoint, Cmd: IMAGE.config.command, WorkingDir: '/data', Volumes: { '/cache': {}, '/tmp': {} },
      ExposedPorts: { '80/tcp': {} }, Labels: IMAGE.config.labels, StopSignal: 'SIGINT', Healthcheck: { Test: ['CMD', 'curl'] },
    },
  },
};
/** Of the folder `output`, mode 1777, in an ustar archive. */
const BLANK_LAYER = 'sha256:334575025dcb31bf0c3fa12a946b2ca5af0e58444541cc68d208958930267fd8';

/** A project of one service. */
function projectOf({ volumes = [] }: { readonly volumes?: readonly string[] }): PinnedProject {
  const service = {
    name: 'web', task: TASK, replicas: 1, capabilities: [], networks: [], files: [], dependsOn: [], dns: [], dnsOptions: [], dnsSearch: [], extraHosts: [], sysctls: {},
    mounts: volumes.map((volume) => ({ kind: 'volume' as const, volume, target: '/data', readOnly: false })),
  };
  return { type: 'project', services: [service], networks: [], volumes, main: ['web'], resources: TASK.resources };
}
