import { readFileSync } from 'node:fs';
import { buffer, text } from 'node:stream/consumers';
import { expect } from 'chai';
import { pack } from 'tar-stream';
import type { Clock } from '../../../src/clock.ts';
import { SystemClock } from '../../../src/clock.ts';
import { DockerEngine } from '../../../src/engine/docker-engine.ts';
import type { PullCredentials } from '../../../src/engine/docker-pull.ts';
import { engineSchema } from '../../../src/engine/engine-config.ts';
import { EngineRefused } from '../../../src/engine/engine.ts';
import type { PullProgress } from '../../../src/engine/engine.ts';
import { GatewayError } from '../../../src/errors.ts';
import { digestOf as digest } from '../../../src/image/digest.ts';
import { IMAGE, TASK } from './judged-task.ts';
import { ScriptedDocker, type Answer, stat } from './scripted-docker.ts';

const { signal } = new AbortController();
/** Of the container in the fixture. */
const CONTAINER_ID = 'a'.repeat(64);
const CONTAINER = '/containers/pratique-site.j1';
/** As it is called where no other of its name may be meant. */
const BY_ID = `/containers/${CONTAINER_ID}`;
const BLANK = '/containers/pratique-site.j1.blank';
const VOLUME = '/volumes/pratique-site.j1.output';
const IMAGE_PATH = `/images/registry.example/team/tool@${IMAGE.manifestDigest}/json`;
const CREATE = 'POST /containers/create?name=pratique-site.j1';
const CREATE_BLANK = 'POST /containers/create?name=pratique-site.j1.blank';
/** Of the folder `output`, mode 1777, in an ustar archive: the same on every machine, or engines would collect images. */
const BLANK_LAYER = 'sha256:334575025dcb31bf0c3fa12a946b2ca5af0e58444541cc68d208958930267fd8';
const DONE: Answer = { status: 204, json: null };
const NONE: Answer = { status: 404, json: { message: 'No such thing' } };
const TAKEN: Answer = { status: 409, json: { message: 'Conflict. The container name is already in use' } };

const SEEN = {
  Id: IMAGE.configDigest, Os: 'linux', Architecture: 'amd64', RootFS: { Type: 'layers', Layers: IMAGE.diffIds },
  Config: {
    User: 'app', Env: IMAGE.config.env, Entrypoint: IMAGE.config.entrypoint, Cmd: IMAGE.config.command, WorkingDir: '/data', Volumes: { '/cache': {}, '/tmp': {} },
    ExposedPorts: { '80/tcp': {} }, Labels: IMAGE.config.labels, StopSignal: 'SIGINT', Healthcheck: { Test: ['CMD', 'curl'] },
  },
};

interface Inspected {
  readonly State: Record<string, unknown>;
  readonly HostConfig: Record<string, unknown>;
}

/** What the engine says of TASK's container, with another state or another HostConfig. */
function container(State: Record<string, unknown> = {}, HostConfig: Record<string, unknown> = {}): Answer {
  const fixture = readFileSync(new URL('../../../fixtures/engine/container-20.10.json', import.meta.url), 'utf8');
  const made = JSON.parse(fixture.replaceAll('MANIFEST', IMAGE.manifestDigest).replaceAll('CONFIG', IMAGE.configDigest)) as Inspected;
  return { json: { ...made, State: { ...made.State, ...State }, HostConfig: { ...made.HostConfig, ...HostConfig } } };
}

const RUNNING = container({ Status: 'running', StartedAt: '2026-01-01T00:00:00Z' });
const EXITED = container({ Status: 'exited', StartedAt: '2026-01-01T00:00:00Z', FinishedAt: '2026-01-01T00:00:01Z', ExitCode: 3 });

/** A clock whose sleeps end when the test says so. */
class HandClock implements Clock {
  readonly #sleeps: { readonly milliseconds: number; readonly wake: () => void }[] = [];
  now(): number {
    return 0;
  }
  monotonic(): number {
    return 0;
  }
  sleep(milliseconds: number, until?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#sleeps.push({ milliseconds, wake: resolve });
      until?.addEventListener('abort', () => resolve(), { once: true });
    });
  }
  pass(milliseconds: number): void {
    for (const sleep of this.#sleeps) if (sleep.milliseconds <= milliseconds) sleep.wake();
  }
}

describe('DockerEngine, with an engine that misbehaves', () => {
  let docker: ScriptedDocker;
  let engine: DockerEngine;

  function engineOf(settings: Record<string, unknown> = {}, more: { readonly clock?: Clock; readonly credentials?: PullCredentials } = {}): DockerEngine {
    return new DockerEngine({ config: engineSchema.parse({ host: docker.host, ...settings }), gateway: 'site', clock: new SystemClock(), ...more });
  }

  beforeEach(async () => {
    docker = await ScriptedDocker.start();
    engine = engineOf();
  });

  afterEach(async () => {
    await engine.close();
    await docker.stop();
  });

  /** Answers so that a creation goes well; a test then spoils one of them. */
  function creationGoesWell(): void {
    docker
      .on(`GET ${IMAGE_PATH}`, { json: SEEN })
      .on('GET /images/pratique/blank-volume:1/json', NONE, {
        raw: (response) => {
          // The layer's digest is what the engine says it unpacked: that of the bytes it was sent.
          response.end(JSON.stringify({ Id: 'sha256:blank', RootFS: { Type: 'layers', Layers: [layerOfImport()] } }));
        },
      })
      .on('POST /images/create', { json: { status: 'sha256:blank' } })
      .on(CREATE_BLANK, { status: 201, json: { Id: 'b', Warnings: [] } })
      .on(CREATE, { status: 201, json: { Id: 'x', Warnings: [] } })
      .on(`DELETE ${BLANK}`, DONE)
      .on(`GET ${CONTAINER}/json`, container())
      .on(`DELETE ${CONTAINER}`, DONE)
      .on(`DELETE ${VOLUME}`, DONE);
  }

  /** digestOf the tar that was imported, of which the fake server keeps the text only: it is all ASCII. */
  function layerOfImport(): string {
    const [made] = docker.made('POST /images/create');
    return made ? digest(String(made.body)) : 'sha256:none';
  }

  describe('outputs', () => {
    /** What is below a volume that was unmounted: the folder, and nothing in it. */
    const unmounted = async (): Promise<Buffer> => {
      const tar = pack();
      tar.entry({ name: 'output/', type: 'directory' });
      tar.finalize();
      return buffer(tar);
    };

    it('of an engine without room is read when there is some, and not left out', async () => {
      // the answer to a HEAD has no words
      docker.on(`HEAD ${CONTAINER}/archive`, { status: 500, json: null }).on(`GET ${CONTAINER}/archive`, { status: 500, json: { message: 'mkdir /var/lib/docker/x: no space left on device' } });
      expect(await failure(engine.outputs('j1', signal)[Symbol.asyncIterator]().next())).to.have.property('code', 'EngineUnavailable');
    });

    beforeEach(async () => {
      const bytes = await unmounted();
      docker
        .on(`HEAD ${CONTAINER}/archive`, { json: null })
        .on('GET /_ping', { json: 'OK' })
        .on(`GET ${CONTAINER}/archive`, { raw: (response) => void response.end(bytes) }, { raw: (response) => {
          docker.goDown();
          response.end(bytes);
        } });
    });

    it('an archive that an engine gives while it goes down is not taken for the whole', async () => {
      const read = (): Promise<unknown> => engine.outputs('j1', new AbortController().signal)[Symbol.asyncIterator]().next();
      expect(await read()).to.include({ done: true });
      const error: unknown = await read().catch((each: unknown) => each);
      expect(error).to.include({ code: 'EngineUnavailable' });
    });
  });

  describe('create', () => {
    it('imports the blank image once, prepares the volume, and asks for the container by id', async () => {
      creationGoesWell();
      await engine.create('j1', TASK, signal);
      await engine.create('j1', TASK, signal);
      expect(docker.made('POST /images/create')).to.have.length(1);
      expect(layerOfImport()).to.equal(BLANK_LAYER);
      const [blank] = docker.made(CREATE_BLANK);
      const [job] = docker.made(CREATE);
      expect(blank?.body).to.deep.include({ Image: 'sha256:blank' });
      expect(job?.body).to.deep.include({ Image: IMAGE.configDigest, User: '65534:65533' });
      expect(docker.made(`DELETE ${CONTAINER}`)).to.deep.equal([]);
    });

    async function refused(words: string, temporary = false): Promise<void> {
      const error = await failure(engine.create('j1', TASK, signal));
      expect(error).to.be.instanceOf(EngineRefused).and.to.have.property('temporary', temporary);
      expect(error.message).to.include(words);
    }

    it('a warning about a limit: refused, and everything removed', async () => {
      creationGoesWell();
      docker.on(CREATE, { status: 201, json: { Id: 'x', Warnings: ['Your kernel does not support pids limit capabilities'] } });
      await refused('pids limit');
      expect(docker.made(`DELETE ${CONTAINER}`)).to.have.length(1);
      expect(docker.made(`DELETE ${VOLUME}`)).to.have.length(1);
    });

    it('a limit that was not kept: refused, and everything removed', async () => {
      creationGoesWell();
      docker.on(`GET ${CONTAINER}/json`, container({}, { Memory: 0, PidsLimit: null }));
      await refused('HostConfig.Memory, HostConfig.PidsLimit');
      expect(docker.made(`DELETE ${CONTAINER}`)).to.have.length(1);
      expect(docker.made(`DELETE ${VOLUME}`)).to.have.length(1);
    });

    it('never asks a second time with less', async () => {
      creationGoesWell();
      docker.on(CREATE, { status: 400, json: { message: 'Range of CPUs is from 0.01 to 1.00' } });
      await refused('Range of CPUs');
      expect(docker.made(CREATE)).to.have.length(1);
      expect(docker.made(`DELETE ${CONTAINER}`), 'there may be one of before').to.deep.equal([]);
      expect(docker.made(`DELETE ${VOLUME}`)).to.have.length(1);
    });

    it('a full disk: an outage, in the engine\'s words, and what was made is removed', async () => {
      creationGoesWell();
      docker.on(CREATE, { status: 500, json: { message: 'mkdir /var/lib/docker/overlay2/x: no space left on device' } });
      const error = await failure(engine.create('j1', TASK, signal));
      expect(error).to.include({ code: 'EngineUnavailable' });
      expect(error.message).to.equal('the engine refused to create the container: mkdir (path): no space left on device');
      expect(docker.made(`DELETE ${VOLUME}`)).to.have.length(1);
    });

    it('another container of that name, or what a killed engine has kept of ours: refused, and left alone', async () => {
      creationGoesWell();
      docker
        .on(CREATE, { status: 409, json: { message: 'Conflict' } })
        .on(`GET ${CONTAINER}/json`, container({}, { Privileged: true }))
        .on(`DELETE ${VOLUME}`, { status: 409, json: { message: 'volume is in use' } });
      await refused('HostConfig.Privileged', true);
      expect(docker.made(`DELETE ${CONTAINER}`)).to.deep.equal([]);
    });

    describe('what a killed engine has kept half-made, under the name that it was to have', () => {
      const HALF = 'DELETE /containers/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa';
      const half = (state: Record<string, unknown> = {}): Answer => container(state, { Privileged: true });
      const anew = { secrets: false, mayMakeAnew: async () => true };

      beforeEach(() => {
        creationGoesWell();
        docker.on(CREATE, { status: 409, json: { message: 'Conflict' } }, { status: 201, json: { Id: 'x', Warnings: null } }).on(`GET ${CONTAINER}/json`, half(), container()).on(HALF, { status: 204, json: null });
      });

      it('is made anew at once', async () => {
        await engine.create('j1', TASK, signal, anew);
        expect(docker.made(CREATE)).to.have.length(2);
        expect(docker.made(HALF).map(({ query }) => query.get('force')), 'one that runs stays').to.deep.equal([null]);
      });

      it('but once only', async () => {
        docker.on(CREATE, { status: 409, json: { message: 'Conflict' } }).on(`GET ${CONTAINER}/json`, half()).on(`DELETE ${VOLUME}`, { status: 409, json: { message: 'volume is in use' } });
        const error = await failure(engine.create('j1', TASK, signal, anew));
        expect(error).to.include({ name: 'EngineRefused', temporary: true });
        expect(docker.made(HALF)).to.have.length(1);
      });

      for (const [name, options, state] of [
        ['of which a start was asked for: it may be all that tells whether the program ran', { ...anew, mayMakeAnew: async () => false }, {}],
        ['by somebody who does not say whether', { secrets: false }, {}],
        ['and runs', anew, { Status: 'running', StartedAt: '2026-01-01T00:00:00Z' }],
      ] as const) {
        it(`stays, ${name}`, async () => {
          docker.on(`GET ${CONTAINER}/json`, half(state)).on(`DELETE ${VOLUME}`, { status: 409, json: { message: 'volume is in use' } });
          expect(await failure(engine.create('j1', TASK, signal, options))).to.include({ name: 'EngineRefused', temporary: true });
          expect(docker.made(HALF)).to.deep.equal([]);
        });
      }

      it('stays for somebody who may act no more', async () => {
        const error = await failure(engine.create('j1', TASK, signal, { ...anew, mayAct: () => Promise.reject(new Error('the lease is lost')) }));
        expect(error.message).to.equal('the lease is lost');
        expect(docker.made(HALF)).to.deep.equal([]);
      });
    });

    it('an image that was removed in between: refused for now, and looked for again', async () => {
      creationGoesWell();
      docker.on(CREATE, NONE, { status: 201, json: { Id: 'x', Warnings: null } });
      const error = await failure(engine.create('j1', TASK, signal));
      expect(error).to.include({ name: 'EngineRefused', temporary: true });
      await engine.create('j1', TASK, signal);
      expect(docker.made(`GET ${IMAGE_PATH}`)).to.have.length(2);
    });

    it('the blank image was removed in between: imported again', async () => {
      creationGoesWell();
      docker.on(CREATE_BLANK, NONE, { status: 201, json: { Id: 'x', Warnings: [] } });
      await engine.create('j1', TASK, signal);
      expect(docker.made(CREATE_BLANK)).to.have.length(2);
    });

    it('a container that prepared the volume and is left of an earlier try is made anew: its engine may have gone down before it came to the volume', async () => {
      creationGoesWell();
      docker.on(CREATE_BLANK, TAKEN, { status: 201, json: { Id: 'b', Warnings: [] } });
      await engine.create('j1', TASK, signal);
      expect(docker.made(CREATE_BLANK)).to.have.length(2);
      expect(docker.made(`DELETE ${BLANK}`)).to.have.length(1);
    });

    it('a container that prepared the volume and does not go: refused for now', async () => {
      creationGoesWell();
      docker.on(CREATE_BLANK, TAKEN);
      await refused('does not let go', true);
      expect(docker.made(CREATE_BLANK)).to.have.length(3);
    });

    it('a blank image that is not ours is not used', async () => {
      creationGoesWell();
      docker.on('GET /images/pratique/blank-volume:1/json', { json: { Id: 'sha256:evil', RootFS: { Type: 'layers', Layers: ['sha256:evil'] } } });
      await refused('did not import');
      expect(docker.made(CREATE_BLANK)).to.deep.equal([]);
      expect(docker.made(`DELETE ${CONTAINER}`)).to.have.length(1);
    });

    it('an image that the engine sees otherwise: refused before anything is made', async () => {
      creationGoesWell();
      docker.on(`GET ${IMAGE_PATH}`, { json: { ...SEEN, Config: { ...SEEN.Config, User: '0' } } });
      await refused('config.User');
      expect(docker.made('POST /containers/create')).to.deep.equal([]);
    });

    it('a judgement that changed is compared again, though the image was seen', async () => {
      creationGoesWell();
      await engine.create('j1', TASK, signal);
      const error = await failure(engine.create('j1', { ...TASK, image: { ...IMAGE, config: { ...IMAGE.config, user: '' } } }, signal));
      expect(error.message).to.include('config.User');
    });

    it('an outage in the middle leaves everything as it is', async () => {
      creationGoesWell();
      docker.on(CREATE, 'hang up');
      expect(await failure(engine.create('j1', TASK, signal))).to.have.property('code', 'EngineUnavailable');
      expect(docker.made(`DELETE ${CONTAINER}`)).to.deep.equal([]);
    });

    it('no swap limit: refused, unless the operator says that there is no swap', async () => {
      const unlimited = { status: 201, json: { Id: 'x', Warnings: ['Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.'] } };
      creationGoesWell();
      docker.on(CREATE, unlimited).on(`GET ${CONTAINER}/json`, container({}, { MemorySwap: -1 }));
      await refused('swap');
      await engine.close();
      engine = engineOf({ hostHasNoSwap: true });
      await engine.create('j1', TASK, signal);
    });
  });

  describe('start', () => {
    it('starts what is created, once, whoever asks meanwhile', async () => {
      docker.on(`GET ${CONTAINER}/json`, container(), RUNNING).on(`POST ${BY_ID}/start`, DONE);
      const runs = await Promise.all([engine.start('j1', signal), engine.start('j1', signal)]);
      expect(runs.map((run) => run.state)).to.deep.equal(['running', 'running']);
      expect(docker.made(`POST ${BY_ID}/start`)).to.have.length(1);
    });

    it('removes what prepared the volume while the job runs, and a failure of that is nobody\'s', async () => {
      docker.on(`GET ${CONTAINER}/json`, container(), RUNNING).on(`POST ${BY_ID}/start`, DONE).on(`DELETE ${BLANK}`, 'hang up');
      await engine.start('j1', signal);
      await engine.close();
      expect(docker.made(`DELETE ${BLANK}`)).to.have.length(1);
    });

    for (const [what, answer] of [['running', RUNNING], ['over', EXITED]] as const) {
      it(`asks for nothing where it is ${what}`, async () => {
        docker.on(`GET ${CONTAINER}/json`, answer);
        await engine.start('j1', signal);
        expect(docker.made(`POST ${BY_ID}/start`)).to.deep.equal([]);
      });
    }

    it('asks once more whether it may before it does', async () => {
      docker.on(`GET ${CONTAINER}/json`, container()).on(`POST ${CONTAINER}/start`, DONE);
      const mayAct = (): Promise<void> => Promise.reject(new Error('the lease is lost'));
      expect((await failure(engine.start('j1', signal, new Map(), { mayAct }))).message).to.equal('the lease is lost');
      expect(docker.made(`POST ${CONTAINER}/start`)).to.deep.equal([]);
    });

    it('304: it runs already', async () => {
      docker.on(`GET ${CONTAINER}/json`, container(), RUNNING).on(`POST ${BY_ID}/start`, { status: 304, json: null });
      expect((await engine.start('j1', signal)).state).to.equal('running');
    });

    for (const words of ["error while mounting volume '/data/volumes/v/_data': get v: database not open", 'transport is closing: unavailable', 'failed to update store for object type *libnetwork.endpoint: open : no such file']) {
      it(`a start that fails, for an engine that is going down says "${words}", may succeed for another job`, async () => {
        docker.on(`GET ${CONTAINER}/json`, container()).on(`POST ${BY_ID}/start`, { status: 500, json: { message: words } });
        expect(await failure(engine.start('j1', signal))).to.include({ name: 'EngineRefused', temporary: true });
      });
    }

    it('asks whether it may when nothing else is left to do, and starts nothing where not', async () => {
      docker.on(`GET ${CONTAINER}/json`, container()).on(`POST ${BY_ID}/start`, DONE);
      const before: string[] = [];
      const mayAct = async (): Promise<void> => {
        before.push(...docker.calls.map(({ call }) => call));
        throw new Error('somebody else has the job');
      };
      const error = await failure(engine.start('j1', signal, new Map(), { mayAct }));
      expect(error.message).to.equal('somebody else has the job');
      expect(before).to.deep.equal([`GET ${CONTAINER}/json`]);
      expect(docker.made(`POST ${BY_ID}/start`)).to.deep.equal([]);
    });

    it('one that was replaced meanwhile is not found, and the new one of its name is left alone', async () => {
      docker.on(`GET ${CONTAINER}/json`, container()).on(`POST ${BY_ID}/start`, NONE).on(`POST ${CONTAINER}/start`, DONE);
      expect(await failure(engine.start('j1', signal))).to.be.instanceOf(EngineRefused);
      expect(docker.made(`POST ${CONTAINER}/start`)).to.deep.equal([]);
    });

    describe('of a job with secrets that somebody else has started', () => {
      const secrets = new Map([['token', 'x']]);
      // the two highest bits are Go's, of a folder
      const cases = [
        { name: 'running with them: as it is', state: RUNNING, mode: 0o20000000500, killed: 0 },
        { name: 'running without them: killed, and refused', state: RUNNING, mode: 0o20000000700, killed: 1, message: 'lost while it was started' },
        { name: 'over: refused, for nobody knows whether it had them', state: EXITED, mode: 0o20000000500, killed: 0, message: 'is not known' },
      ];
      for (const { name, state, mode, killed, message } of cases) {
        it(name, async () => {
          docker.on(`GET ${CONTAINER}/json`, state).on(`HEAD ${CONTAINER}/archive`, stat(mode)).on(`POST ${CONTAINER}/kill`, DONE);
          const outcome: unknown = await engine.start('j1', signal, secrets).catch((error: unknown) => error);
          if (message === undefined) expect(outcome).to.include({ state: 'running' });
          else expect(outcome).to.include({ name: 'EngineRefused', temporary: true }).and.have.property('message').that.contains(message);
          expect(docker.made(`POST ${CONTAINER}/kill`)).to.have.length(killed);
        });
      }
    });

    it('an engine that does not take the secrets is not asked to start, and not waited for', async () => {
      creationGoesWell();
      docker
        .on('POST /containers/create', { status: 201, json: { Id: 's', Warnings: [] } })
        .on('DELETE /containers/pratique-site.j1.secrets', DONE)
        .on('PUT /containers/pratique-site.j1.secrets/archive', 'no at once')
        .on(`HEAD ${CONTAINER}/archive`, stat(0o700));
      const stands = engineOf({}, { clock: new HandClock() });
      const error = await failure(stands.start('j1', signal, new Map([['token', 'hush'.repeat(100_000)]])));
      expect(error.message).to.include('no space left on device');
      expect(docker.made(`POST ${BY_ID}/start`)).to.deep.equal([]);
      expect(docker.made('DELETE /containers/pratique-site.j1.secrets')).to.have.length(2);
      await stands.close();
    });

    it('a start that fails is final, its words cleaned', async () => {
      docker.on(`GET ${CONTAINER}/json`, container()).on(`POST ${BY_ID}/start`, {
        status: 500, json: { message: 'OCI runtime create failed: mount through procfd: /var/lib/docker/overlay2/1/merged: not a directory' },
      });
      const error = await failure(engine.start('j1', signal));
      expect(error).to.include({ name: 'EngineRefused', temporary: false });
      expect(error.message).to.equal('the engine refused to start the container: OCI runtime create failed: mount through procfd: (path): not a directory');
    });
  });

  describe('mayStartAgain', () => {
    const created = `{"Type":"container","Action":"create","Actor":{"ID":"${CONTAINER_ID}"}}\n`;
    const started = created.replace('create', 'start');
    const cases = [
      { name: 'yes, of a container whose making the engine remembers, which is removed', state: container(), events: [created], answer: true, removals: 1 },
      { name: 'no, of one that it has forgotten', state: container(), events: [''], answer: false, removals: 0 },
      { name: 'no, of one that had the same name', state: container(), events: [created.replace(CONTAINER_ID, 'another')], answer: false, removals: 0 },
      { name: 'no, of one that was started all the same', state: container(), events: [created + started], answer: false, removals: 0 },
      { name: 'no, of one that was started, and over, before it was removed', state: container(), events: [created, created + started], answer: false, removals: 1 },
      { name: 'yes, of one that was started at this moment: it is left as it is', state: container(), events: [created], removed: { status: 409, json: { message: 'You cannot remove a running container' } }, answer: true, removals: 1 },
      { name: 'yes, of one that runs: starting it does nothing', state: RUNNING, events: [''], answer: true, removals: 0 },
      { name: 'yes, of one that is not there', state: NONE, events: [''], answer: true, removals: 0 },
    ];
    for (const { name, state, events, removed = DONE, answer, removals } of cases) {
      it(name, async () => {
        docker
          .on(`GET ${CONTAINER}/json`, state)
          .on('GET /info', { json: { SystemTime: '2026-01-01T00:00:00.5Z' } })
          .on('GET /events', ...events.map((each): Answer => ({ raw: (response) => void response.end(each) })))
          .on(`DELETE ${BY_ID}`, removed);
        expect(await engine.mayStartAgain('j1')).to.equal(answer);
        expect(docker.made(`DELETE ${BY_ID}`).map(({ query }) => query.has('force'))).to.deep.equal(Array.from({ length: removals }, () => false));
        for (const { query } of docker.made('GET /events')) expect(query.get('until')).to.equal('1767225600.5');
      });
    }
  });

  describe('wait', () => {
    it('goes on when the answer is long in coming', async () => {
      const clock = new HandClock();
      await engine.close();
      engine = engineOf({}, { clock });
      docker.on(`POST ${CONTAINER}/wait`, 'hang', { json: { StatusCode: 3 } }).on(`GET ${CONTAINER}/json`, RUNNING, EXITED);
      const waiting = engine.wait('j1', signal);
      await until(() => docker.made(`POST ${CONTAINER}/wait`).length === 1);
      clock.pass(300_000);
      expect((await waiting).exit).to.deep.equal({ code: 3, outOfMemory: false });
      expect(docker.made(`POST ${CONTAINER}/wait`)).to.have.length(2);
    });

    describe("the kernel's word that came after the end, which the engine only tells as an event", () => {
      const oom = JSON.stringify({ Action: 'oom', Actor: { ID: CONTAINER_ID } });
      for (const [events, outOfMemory] of [[oom, true], ['', false], [oom.replace(CONTAINER_ID, 'another'), false]] as const) {
        it(`${events === '' ? 'nothing' : events}: ${outOfMemory ? '' : 'not '}out of memory`, async () => {
          docker
            .on(`POST ${CONTAINER}/wait`, { json: { StatusCode: 137 } })
            .on(`GET ${CONTAINER}/json`, container({ Status: 'exited', StartedAt: '2026-01-01T00:00:00Z', FinishedAt: '2026-01-01T00:00:01Z', ExitCode: 137 }))
            .on('GET /info', { json: { SystemTime: '2026-01-01T00:00:00.5Z' } })
            .on('GET /events', { raw: (response) => void response.end(events) });
          expect((await engine.wait('j1', signal)).exit).to.deep.equal({ code: 137, outOfMemory });
          // what comes a second after it still counts
          expect(docker.made('GET /events')[0]?.query.get('until')).to.equal('1767225601.5');
        });
      }
    });

    it('an engine that goes away: EngineUnavailable', async () => {
      docker.on(`POST ${CONTAINER}/wait`, 'hang up');
      expect(await failure(engine.wait('j1', signal))).to.have.property('code', 'EngineUnavailable');
    });

    it('the signal closes the connection', async () => {
      docker.on(`POST ${CONTAINER}/wait`, 'hang');
      const aborter = new AbortController();
      const waiting = failure(engine.wait('j1', aborter.signal));
      await until(() => docker.calls.length === 1);
      aborter.abort(new Error('enough'));
      expect((await waiting).message).to.equal('enough');
    });
  });

  describe('remove', () => {
    it('waits for a removal that is under way, and unties the volume from the container that prepared it', async () => {
      docker
        .on(`DELETE ${CONTAINER}`, { status: 409, json: { message: 'removal is already in progress' } })
        .on(`POST ${CONTAINER}/wait`, { json: { StatusCode: 0 } })
        .on(`DELETE ${VOLUME}`, { status: 409, json: { message: 'volume is in use' } }, DONE)
        .on(`DELETE ${BLANK}`, DONE);
      await engine.remove('j1');
      expect(docker.made(`POST ${CONTAINER}/wait`)[0]?.query.get('condition')).to.equal('removed');
      expect(docker.made(`DELETE ${BLANK}`)).to.have.length(1);
      expect(docker.made(`DELETE ${VOLUME}`)).to.have.length(2);
    });

    it('what stays is told', async () => {
      docker.on(`DELETE ${CONTAINER}`, { status: 500, json: { message: 'driver failed' } });
      expect(await failure(engine.remove('j1'))).to.include({ name: 'EngineRefused', temporary: true });
    });
  });

  describe('list', () => {
    it('tells a volume without its container as created, by its name, and passes over what is no job id', async () => {
      docker
        .on('GET /containers/json', { json: [{ Id: 'a', Labels: { 'pratique.job': 'j1' } }, { Id: 'b', Labels: { 'pratique.job': '../x' } }, { Id: 'c', Labels: null }] })
        .on('GET /volumes', { json: { Volumes: [{ Name: 'pratique-site.left.output', Labels: null }, { Name: 'pratique-site.j1.output', Labels: {} }, { Name: 'pratique-site.p.j2.output' }, { Name: 'x' }] } })
        .on('GET /networks', { json: [] })
        .on(`GET ${CONTAINER}/json`, EXITED);
      const runs = await engine.list();
      expect(runs.map(({ jobId, state }) => [jobId, state]).sort()).to.deep.equal([['j1', 'exited'], ['left', 'created']]);
      expect(docker.made('GET /containers/json')[0]?.query.get('filters')).to.equal('{"label":["pratique.gateway=site"]}');
      expect(docker.made('GET /volumes')[0]?.query.get('filters')).to.equal('{"name":["pratique-site."]}');
    });

    describe('with an engine that is stuck', () => {
      const OTHER = '/containers/pratique-site.j2';
      const standing = async (info: Answer | 'hang'): Promise<unknown> => {
        const clock = new HandClock();
        await engine.close();
        engine = engineOf({ answerWithin: 7 }, { clock });
        docker
          .on('GET /containers/json', { json: ['j1', 'j2'].map((job) => ({ Id: job, Labels: { 'pratique.job': job } })) })
          .on('GET /volumes', { json: { Volumes: null } })
          .on('GET /networks', { json: [] })
          .on('GET /info', info)
          .on(`GET ${CONTAINER}/json`, 'hang')
          .on(`GET ${OTHER}/json`, EXITED);
        const inspected = new Set<string>();
        const inspect = engine.inspect.bind(engine);
        engine.inspect = (jobId, ...more) => inspect(jobId, ...more).finally(() => inspected.add(jobId));
        const listing = engine.list().catch((error: unknown) => error);
        await until(() => docker.made(`GET ${CONTAINER}/json`).length === 1 && inspected.has('j2'));
        clock.pass(8_000);
        if (info === 'hang') await until(() => docker.made('GET /info').length === 1);
        clock.pass(8_000);
        return listing;
      };

      it('with one container alone: that job is unknown, and the others are told', async () => {
        const runs = (await standing({ json: { SystemTime: '2026-01-01T00:00:00Z' } })) as readonly { readonly jobId: string; readonly state: string }[];
        expect(Object.fromEntries(runs.map(({ jobId, state }) => [jobId, state]))).to.deep.equal({ j1: 'unknown', j2: 'exited' });
      });

      it('with everything: an outage, of which nothing is told', async () => {
        expect(await standing('hang')).to.have.property('code', 'EngineUnavailable');
      });
    });

    it('no volumes at all is null in old engines', async () => {
      docker.on('GET /containers/json', { json: [] }).on('GET /volumes', { json: { Volumes: null } }).on('GET /networks', { json: [] });
      expect(await engine.list()).to.deep.equal([]);
    });
  });

  describe('ensureImage', () => {
    const events: PullProgress[] = [];
    const pulled = (...lines: readonly unknown[]): Answer => ({ raw: (response) => response.end(lines.map((line) => `${JSON.stringify(line)}\r\n`).join('')) });
    const ensure = (): Promise<void> => engine.ensureImage(IMAGE, (progress) => events.push(progress), signal);
    beforeEach(() => events.splice(0));

    it('pulls by digest what is not there, and sums the progress', async () => {
      docker.on(`GET ${IMAGE_PATH}`, NONE, { json: SEEN }).on('POST /images/create', pulled(
        { status: 'Pulling from team/tool', id: 'sha256:x' },
        { status: 'Already exists', id: 'a', progressDetail: {} },
        { status: 'Downloading', id: 'b', progressDetail: { current: 10, total: 100 } },
        { status: 'Downloading', id: 'c', progressDetail: { current: 5, total: 50 } },
        { status: 'Extracting', id: 'c', progressDetail: { current: 1, total: 50 } },
        { status: 'Download complete', id: 'b', progressDetail: {} },
        { status: 'Pull complete', id: 'b', progressDetail: {} },
        { status: 'Digest: sha256:x' },
      ));
      await ensure();
      const [call] = docker.made('POST /images/create');
      expect(call?.query.get('fromImage')).to.equal('registry.example/team/tool');
      expect(call?.query.get('tag')).to.equal(IMAGE.manifestDigest);
      expect(call?.headers['x-registry-auth']).to.equal(undefined);
      expect(events).to.deep.equal([{ current: 10, total: 100 }, { current: 15, total: 150 }, { current: 105, total: 150 }]);
    });

    it("sends the registry's credentials, and only its own", async () => {
      await engine.close();
      engine = engineOf({}, { credentials: (domain) => (domain === 'registry.example' ? { username: 'u', password: 'p?>' } : undefined) });
      docker.on(`GET ${IMAGE_PATH}`, NONE, { json: SEEN }).on('POST /images/create', pulled({ status: 'done' }));
      await ensure();
      const header = String(docker.made('POST /images/create')[0]?.headers['x-registry-auth']);
      expect(JSON.parse(Buffer.from(header, 'base64url').toString('utf8'))).to.deep.equal({ username: 'u', password: 'p?>', serveraddress: 'registry.example' });
    });

    it("sends the job's own login instead, and tells nobody what a registry repeats of it", async () => {
      await engine.close();
      engine = engineOf({}, { credentials: () => ({ username: 'site', password: 'p' }) });
      const login = { username: 'ada', password: 'hush-7f3a' };
      const repeated = `denied: ada:hush-7f3a is Basic ${Buffer.from('ada:hush-7f3a').toString('base64')}`;
      docker.on(`GET ${IMAGE_PATH}`, NONE).on('POST /images/create', pulled({ error: repeated }), { status: 500, json: { message: repeated } });
      for (let i = 0; i < 2; i += 1) {
        const told = await failure(engine.ensureImage(IMAGE, () => undefined, signal, login));
        expect(told.message).to.equal('the engine could not pull the image: denied: ada:… is Basic …');
        expect(told.cause).to.equal(undefined);
      }
      const header = String(docker.made('POST /images/create')[0]?.headers['x-registry-auth']);
      expect(JSON.parse(Buffer.from(header, 'base64url').toString('utf8'))).to.deep.equal({ ...login, serveraddress: 'registry.example' });
    });

    const failures: readonly (readonly [what: string, line: unknown, temporary: boolean])[] = [
      ['an error line', { error: 'layers from manifest don\'t match image configuration' }, false],
      ['an error detail', { errorDetail: { code: 1, message: 'manifest unknown' } }, false],
      ['an error without words', { errorDetail: {} }, false],
      ['an error of another kind', { error: { code: 1 } }, false],
      ['too many requests', { error: 'toomanyrequests: You have reached your pull rate limit' }, true],
      ['a lost connection', { error: 'read tcp 10.0.0.1:1->10.0.0.2:443: connection reset by peer' }, true],
      ['a timeout', { error: 'net/http: TLS handshake timeout' }, true],
      ['bytes that were changed on their way', { error: 'manifest verification failed for digest sha256:0' }, true],
      ['a layer that was changed on its way', { error: 'filesystem layer verification failed for digest sha256:0' }, true],
    ];
    for (const [what, line, temporary] of failures) {
      it(`${what} after 200 is a failure`, async () => {
        docker.on(`GET ${IMAGE_PATH}`, NONE, { json: SEEN }).on('POST /images/create', pulled({ status: 'Pulling' }, line, { status: 'more' }));
        expect(await failure(ensure())).to.include({ name: 'EngineRefused', temporary });
      });
    }

    it('a full disk is an outage, in the engine\'s words: the job waits for room', async () => {
      docker.on(`GET ${IMAGE_PATH}`, NONE, { json: SEEN }).on('POST /images/create', pulled({ status: 'Pulling' }, { error: 'failed to register layer: write /bin/a: no space left on device' }));
      expect(await failure(ensure())).to.include({ code: 'EngineUnavailable' }).and.have.property('message').that.matches(/could not pull the image.*no space left/);
    });

    it('a status is a failure', async () => {
      docker.on(`GET ${IMAGE_PATH}`, NONE).on('POST /images/create', { status: 404, json: { message: 'manifest for x not found: manifest unknown' } });
      expect(await failure(ensure())).to.include({ name: 'EngineRefused', temporary: false });
    });

    it('a pull after which nothing is there is a failure', async () => {
      docker.on(`GET ${IMAGE_PATH}`, NONE).on('POST /images/create', pulled({ status: 'done' }));
      expect(await failure(ensure())).to.include({ name: 'EngineRefused', temporary: true });
    });

    for (const [what, answer] of [
      ['no JSON', { raw: (response) => response.end('<html>\n') }],
      ['an endless line', { raw: (response) => response.end(`{"status":"${'x'.repeat(2 ** 21)}`) }],
      ['cut', { raw: (response) => void response.write('{"status":"a"}\n', () => response.destroy()) }],
    ] as readonly (readonly [string, Answer])[]) {
      it(`${what}: the engine is not understood`, async () => {
        docker.on(`GET ${IMAGE_PATH}`, NONE, { json: SEEN }).on('POST /images/create', answer);
        expect(await failure(ensure())).to.have.property('code', 'EngineUnavailable');
      });
    }

    it('the signal ends a pull that hangs', async () => {
      docker.on(`GET ${IMAGE_PATH}`, NONE).on('POST /images/create', { raw: (response) => void response.write('{"status":"Pulling"}\n') });
      const aborter = new AbortController();
      const pulling = failure(engine.ensureImage(IMAGE, () => undefined, aborter.signal));
      await until(() => docker.made('POST /images/create').length === 1);
      aborter.abort(new Error('enough'));
      expect((await pulling).message).to.equal('enough');
    });
  });

  describe('an engine that is not there', () => {
    const calls: Readonly<Record<string, () => Promise<unknown>>> = {
      describe: () => engine.describe(),
      ensureImage: () => engine.ensureImage(IMAGE, () => undefined, signal),
      create: () => engine.create('j1', TASK, signal),
      start: () => engine.start('j1', signal),
      wait: () => engine.wait('j1', signal),
      inspect: () => engine.inspect('j1'),
      stop: () => engine.stop('j1', 1),
      logs: () => engine.logs('j1', 'stdout', { follow: false }),
      outputs: () => engine.outputs('j1', signal)[Symbol.asyncIterator]().next(),
      remove: () => engine.remove('j1'),
      list: () => engine.list(),
    };
    for (const [name, call] of Object.entries(calls)) {
      it(`${name}: EngineUnavailable, and no word of where it is`, async () => {
        await engine.close();
        engine = engineOf({ host: 'unix:///nonexistent/docker.sock' });
        const error = await failure(call());
        expect(error).to.be.instanceOf(GatewayError).with.property('code', 'EngineUnavailable');
        expect(error.message).to.not.include('nonexistent');
      });
    }

    for (const [name, call] of Object.entries(calls).filter(([each]) => each !== 'wait')) {
      it(`${name}: one that takes calls and never answers is late`, async () => {
        const clock = new HandClock();
        await engine.close();
        engine = engineOf({ answerWithin: 7 }, { clock });
        for (const path of ['GET /info', 'GET /version', `GET ${IMAGE_PATH}`, `GET ${CONTAINER}/json`, `POST ${CONTAINER}/stop`, `GET ${CONTAINER}/logs`, `HEAD ${CONTAINER}/archive`, `DELETE ${CONTAINER}`, 'GET /containers/json', 'GET /volumes', 'GET /networks']) docker.on(path, 'hang');
        const failing = failure(call());
        await until(() => docker.calls.length > 0);
        clock.pass(8_000);
        expect(await failing).to.include({ code: 'EngineUnavailable' }).and.have.property('message').that.matches(/did not answer within [78] s/);
      });
    }
  });

  describe('describe', () => {
    const info = { NCPU: 8, MemTotal: 2 ** 34, MemoryLimit: true, SwapLimit: true, PidsLimit: true, CpuCfsQuota: true, InitBinary: 'docker-init', SecurityOptions: ['name=seccomp,profile=default'], Warnings: null };
    const version = { Version: '20.10', Os: 'linux', Arch: 'amd64' };

    it('tells what the engine is', async () => {
      docker.on('GET /info', { json: info }).on('GET /version', { json: version });
      expect(await engine.describe()).to.deep.equal({
        name: 'docker', version: '20.10', platform: { os: 'linux', architecture: 'amd64', variant: '' }, cores: 8, memory: 2 ** 34, warnings: [],
      });
    });

    it('and what it cannot do', async () => {
      const poor = { ...info, MemoryLimit: false, SwapLimit: false, PidsLimit: false, CpuCfsQuota: false, InitBinary: '', SecurityOptions: null, Warnings: ['WARNING: x'] };
      docker.on('GET /info', { json: poor }).on('GET /version', { json: version });
      expect((await engine.describe()).warnings).to.have.length(7);
    });
  });

  it('asks the engine of its configuration, whatever DOCKER_HOST says', async () => {
    const before = process.env['DOCKER_HOST'];
    process.env['DOCKER_HOST'] = 'tcp://127.0.0.1:1';
    try {
      await engine.close();
      engine = engineOf();
      docker.on(`GET ${CONTAINER}/json`, RUNNING);
      expect((await engine.inspect('j1'))?.state).to.equal('running');
    } finally {
      if (before === undefined) delete process.env['DOCKER_HOST'];
      else process.env['DOCKER_HOST'] = before;
    }
  });

  it('logs that break off are an outage, not an end', async () => {
    docker.on(`GET ${CONTAINER}/logs`, { raw: (response) => void response.write(Buffer.from([1, 0, 0, 0, 0, 0, 0, 9, 65]), () => response.destroy()) });
    const log = await engine.logs('j1', 'stdout', { follow: true });
    expect(await failure(text(log))).to.have.property('code', 'EngineUnavailable');
  });

  it('a job id that can be no name is refused before anybody is asked', async () => {
    for (const id of ['', '.', '..', 'a/b', 'a.b', 'a b', '-a', 'a?x=1', 'a%2f', '\u00fc', 'x'.repeat(65)]) {
      expect(await failure(engine.inspect(id)), id).to.be.instanceOf(EngineRefused);
      expect(await failure(engine.remove(id)), id).to.be.instanceOf(EngineRefused);
    }
    expect(docker.calls).to.deep.equal([]);
  });
});

async function failure(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Error) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

/** Looks again at every turn of the event loop: what is waited for comes from this process's own server. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise<void>((resolve) => setImmediate(resolve));
}
