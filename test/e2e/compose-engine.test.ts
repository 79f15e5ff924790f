import { expect } from 'chai';
import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { ProjectNames, SERVICE_LABELS } from '../../src/engine/docker-project-names.ts';
import { EngineRefused } from '../../src/engine/engine.ts';
import { buildImage } from '../support/oci-image.ts';
import { ComposeWorld } from './compose-world.ts';

const IMAGE = 'registry.example.org/shell';
const sh = (script: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({ image: IMAGE, command: ['sh', '-c', script.replaceAll('$', () => '$$')], ...more });
const docker = async (...words: readonly string[]): Promise<string> => (await promisify(execFile)('docker', words)).stdout.trim();
const STAYS = "trap 'exit 0' TERM; while :; do sleep 0.05; done";
/** A server that says one thing to everybody who connects. */
const SERVES = 'while :; do echo served | nc -l -p 8080; done';

describe('projects on the real engine', function () {
  this.timeout(120_000);
  const { signal } = new AbortController();
  let world: ComposeWorld;

  before(async () => {
    world = await ComposeWorld.start({ stopGrace: 2 });
    world.image = await world.docker.publish(await buildImage({ files: { '/etc/app/keep': 'kept\n' }, config: { Cmd: ['sh', '-c', 'echo from the image'], Labels: { 'traefik.enable': 'true' } } }));
  });
  after(async () => {
    await world.stop();
  });
  afterEach(async () => {
    expect(await world.left()).to.deep.equal([]);
  });

  it('a server and a client: the client finds the server by name, its exit decides, both logs are there', async () => {
    const story = await world.run({
      services: {
        server: sh(`echo ready; ${SERVES}`),
        client: sh('for i in 1 2 3 4 5 6 7 8 9 10; do said=$(nc -w 2 server 8080 </dev/null) && break; sleep 0.2; done; echo "it said: $said"; echo trouble >&2; exit 7', { depends_on: ['server'] }),
      },
    });
    expect(story.run.exit).to.deep.equal({ code: 7, outOfMemory: false });
    expect(story.parts).to.deep.equal({ server: 'ready\n', client: 'it said: served\n' });
    expect(story.stdout).to.equal('server | ready\nclient | it said: served\n');
    expect(story.stderr).to.equal('client | trouble\n');
  });

  it('one container in a file is as one container: its words and files as they are', async () => {
    const story = await world.run({ services: { only: sh('echo a; printf b; echo c > /output/c.txt') } });
    expect(story).to.deep.include({ stdout: 'a\nb', parts: { only: 'a\nb' }, files: { 'c.txt': 'c\n' } });
    expect(story.run.exit?.code).to.equal(0);
    expect((await world.run({ services: { only: { image: IMAGE } } })).stdout).to.equal('from the image\n');
  });

  it('an output volume that the engine had made when it went down, and not prepared, is prepared by the next try', async () => {
    const project = await world.judge({ services: { only: sh('echo c > /output/c.txt') } });
    const jobId = world.newJob();
    const [first] = new ProjectNames(world.docker.gateway, jobId).containers(project);
    if (first === undefined) throw new Error('a project without containers');
    await world.docker.engine.ensureImage(world.image, () => undefined, signal);
    await docker('volume', 'create', '--label', `pratique.gateway=${world.docker.gateway}.p`, first.names.output);
    await docker('create', '--name', first.names.blank, world.image.configDigest);
    try {
      await world.create(project, jobId);
      await world.projects.start(jobId, signal);
      expect(await world.story(jobId, await world.projects.wait(jobId, signal))).to.deep.include({ stderr: '', files: { 'c.txt': 'c\n' } });
    } finally {
      await world.projects.remove(jobId);
    }
  });

  it('waits until what a service depends on is healthy, has completed, or has started', async () => {
    const story = await world.run({
      services: {
        db: sh(`sleep 1; touch /work/up; ${STAYS}`, { healthcheck: { test: ['CMD', 'test', '-e', '/work/up'], interval: '1s', timeout: '2s', retries: 10 } }),
        setup: sh('echo set up'),
        web: sh('echo web', { depends_on: { db: { condition: 'service_healthy' }, setup: { condition: 'service_completed_successfully' } } }),
      },
    });
    expect(story.run.exit?.code).to.equal(0);
    expect(story.stdout).to.equal('setup | set up\nweb | web\n');
  });

  it('says why a service can never start', async () => {
    const failed = await world.run({ services: { setup: sh('exit 5'), web: sh('echo web', { depends_on: { setup: { condition: 'service_completed_successfully' } } }) } });
    expect(failed.run.exit).to.deep.equal({ code: -1, outOfMemory: false, error: 'service web cannot start: it waits for setup to be completed, which ended with exit code 5' });
    const sick = await world.run({ services: { db: sh(STAYS, { healthcheck: { test: ['CMD', 'false'], interval: '1s', retries: 1 } }), web: sh('echo web', { depends_on: { db: { condition: 'service_healthy' } } }) } });
    expect(sick.run.exit?.error).to.equal('service web cannot start: it waits for db to be healthy, which is unhealthy');
    expect(sick.stdout).to.equal('');
    const unstartable = sh('true', { volumes: ['/etc/app/keep'] });
    const first = await world.run({ services: { web: unstartable, db: sh(STAYS) } }, {}, {}, 'db').catch((error: unknown) => error);
    expect(first).to.be.instanceOf(EngineRefused);
    const later = await world.run({ services: { web: { ...unstartable, depends_on: ['db'] }, db: sh(STAYS) } }, {}, {}, 'db');
    expect(later.run.exit?.error).to.match(/^service web could not be started: /);
  });

  it('a failure of any main service is the failure of the job; of others, it is not', async () => {
    const both = await world.run({ services: { a: sh('exit 0'), b: sh('exit 3') } });
    expect(both.run.exit).to.deep.equal({ code: 3, outOfMemory: false, error: 'service b' });
    const one = await world.run({ services: { a: sh('exit 0'), b: sh('exit 3') } }, {}, {}, 'a');
    expect(one.run.exit).to.deep.equal({ code: 0, outOfMemory: false });
  });

  it('starts a service once more as its restart policy says, a few times, and shows all that it wrote', async () => {
    const project = await world.judge({
      services: {
        flaky: sh('echo run >> /output/runs; echo run $(wc -l < /output/runs); test $(wc -l < /output/runs) = 3', { restart: 'on-failure:5' }),
        server: sh('echo served; sleep 0.2', { restart: 'always' }),
        client: sh('until [ $(ls /seen | wc -l) -ge 2 ]; do sleep 0.05; done; echo seen; exit 0', { restart: 'always', volumes: ['seen:/seen'], depends_on: { flaky: { condition: 'service_completed_successfully' }, server: { condition: 'service_started' }, marks: { condition: 'service_started' } } }),
        marks: sh('mktemp /seen/XXXXXX >/dev/null', { restart: 'unless-stopped', volumes: ['seen:/seen'] }),
      },
      volumes: { seen: null },
    }, {}, {}, 'client');
    const jobId = await world.create(project);
    await world.projects.start(jobId, signal);
    const followed = text(await world.projects.logs(jobId, 'stdout', { follow: true, part: 'flaky' }));
    const story = await world.story(jobId, await world.projects.wait(jobId, signal), ['flaky', 'client']);
    expect(story.run.exit).to.deep.equal({ code: 0, outOfMemory: false });
    expect(story.parts).to.deep.equal({ flaky: 'run 1\nrun 2\nrun 3\n', client: 'seen\n' });
    expect(await followed).to.equal('run 1\nrun 2\nrun 3\n');
    await world.projects.remove(jobId);
    const failed = await world.run({ services: { only: sh('echo once; exit 6', { restart: 'on-failure:1' }) } });
    expect([failed.run.exit?.code, failed.stdout]).to.deep.equal([6, 'once\nonce\n']);
  });

  it('never starts a service once more after the project was stopped, whoever looks', async () => {
    const project = await world.judge({ services: { web: sh(STAYS, { restart: 'always' }), db: sh('exit 3', { restart: 'always' }) } }, {}, {}, 'web');
    const jobId = await world.create(project);
    await world.projects.start(jobId, signal);
    const abort = new AbortController();
    const waiting = world.projects.wait(jobId, abort.signal).catch((error: unknown) => error);
    abort.abort(new Error('over'));
    await waiting;
    await world.projects.stop(jobId, 1);
    const successor = world.successor();
    expect(await successor.inspect(jobId)).to.include({ state: 'exited' });
    await successor.wait(jobId, signal);
    expect(await docker('ps', '-q', '--filter', `label=pratique.job=${jobId}`)).to.equal('');
    await successor.remove(jobId);
    await successor.close();
  });

  it('ends the others when the main service is over, those first on which nobody depends, each by its own signal', async () => {
    const noisy = (name: string): string => `trap 'echo ${name} got it; exit 0' USR1; while :; do sleep 0.05; done`;
    const story = await world.run({
      services: {
        db: sh(noisy('db'), { stop_signal: 'USR1' }),
        cache: sh(noisy('cache'), { stop_signal: 'SIGUSR1', depends_on: ['db'] }),
        main: sh('sleep 0.5', { depends_on: ['cache', 'db'] }),
      },
    });
    expect(story.stdout).to.equal('cache | cache got it\ndb | db got it\n');
  });

  it('networks: names and aliases resolve, others do not; networks keep services apart; nothing outside answers', async () => {
    const host = createServer((socket) => socket.end('host\n'));
    host.listen(0, '0.0.0.0');
    await once(host, 'listening');
    const { port } = host.address() as { port: number };
    const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []).filter(({ family }) => family === 'IPv4').map(({ address }) => address);
    try {
      const reach = (target: string, at: string | number): string => `nc -w 1 ${target} ${String(at)} </dev/null >/dev/null 2>&1 && echo reached ${target}`;
      const story = await world.run({
        services: {
          back: sh(`${SERVES}`, { networks: { inner: { aliases: ['store'] } } }),
          front: sh(`${SERVES}`, { networks: ['outer'] }),
          alone: sh('ls /sys/class/net', { network_mode: 'none' }),
          client: sh(
            `sleep 1; for n in back store; do for i in 1 2 3 4 5; do ${reach('$n', 8080)} && break; sleep 0.2; done; done; nslookup front >/dev/null 2>&1 && echo saw front
            gw=$(ip route | sed -n 's/^default via \\([0-9.]*\\).*/\\1/p'); net=$(ip -4 addr show eth0 | sed -n 's/.*inet \\([0-9.]*\\)\\.[0-9]*\\/.*/\\1/p')
            for a in $gw $net.1 ${addresses.join(' ')} 169.254.169.254 1.1.1.1; do ${reach('$a', port)}; ${reach('$a', 80)}; done
            nslookup example.org 2>&1 | grep -q Address.*[0-9].*example && echo resolved; cat /proc/net/if_inet6 2>/dev/null | grep -v ' lo$' | grep -v '^fe80' | sed 's/^/ipv6 /'; true`,
            { networks: ['inner'], depends_on: ['back', 'front'] },
          ),
        },
        networks: { inner: null, outer: null },
      }, {}, {}, 'client');
      expect(story.parts['client']).to.equal('reached back\nreached store\n');
      expect(story.parts['alone']).to.equal('lo\n');
    } finally {
      host.close();
    }
  });

  it('volumes: shared between services of the job, owned by their user, empty at first, read-only where said', async () => {
    const story = await world.run({
      services: {
        writer: sh('id -u; ls -A /data; echo one > /data/one; chmod 700 /data && echo owner; echo x > /scratch/x && echo scratch', { volumes: ['data:/data', '/scratch'] }),
        reader: sh('cat /in/one; (echo x > /in/two) 2>/dev/null || echo read-only; ls /scratch 2>/dev/null', { volumes: ['data:/in:ro'], depends_on: { writer: { condition: 'service_completed_successfully' } } }),
      },
      volumes: { data: null },
    });
    expect(story.parts).to.deep.equal({ writer: '65534\nowner\nscratch\n', reader: 'one\nread-only\n' });
  });

  it('output: of each service below its name; of a volume at /output, to the top', async () => {
    const each = await world.run({ services: { a: sh('echo a > /output/x', { deploy: { replicas: 2 } }), b: sh('echo b > /output/x; ln -s /etc/passwd /output/l') } });
    expect(each.files).to.deep.equal({ 'a-1/x': 'a\n', 'a-2/x': 'a\n', 'b/x': 'b\n' });
    expect(each.skipped.map(({ path }) => path)).to.deep.equal(['b/l']);
    const shared = await world.run({ services: { a: sh('echo a > /output/a', { volumes: ['results:/output'] }), b: sh('sleep 0.3; echo b > /output/b', { volumes: ['results:/output'] }) }, volumes: { results: null } });
    expect(shared.files).to.deep.equal({ a: 'a\n', b: 'b\n' });
  });

  it('configs and secrets are files of the container, beside what the image has there', async () => {
    const story = await world.run({
      services: { web: sh('cat /etc/app/keep /etc/app/app.conf /top /run/secrets/token; ls -l /etc/app/app.conf | cut -c1-10; (echo x >> /etc/app/app.conf) 2>/dev/null || echo kept', { configs: [{ source: 'app', target: '/etc/app/app.conf', mode: '0444' }, 'top'], secrets: ['token'] }) },
      configs: { app: { content: 'port = ${PORT}\n' }, top: { content: 'top\n' } },
      secrets: { token: { content: '$TOKEN\n' } },
    }, {}, { PORT: '80', TOKEN: 's$cret' });
    expect(story.stdout).to.equal('kept\nport = 80\ntop\ns$cret\n-r--r--r--\nkept\n');
  });

  describe('an image with files that an engine has made while it went down', () => {
    const files = { services: { web: sh('cat /words', { configs: [{ source: 'words', target: '/words' }] }) }, configs: { words: { content: 'as asked\n' } } };

    /** A job whose image with files is there, and holds something else; nothing of it was started. */
    async function planted(spoil: (container: string) => Promise<unknown>, of = world.image): Promise<string> {
      const jobId = world.newJob();
      const labels = { ...new ProjectNames(world.docker.gateway, jobId).labels('files'), [SERVICE_LABELS.service]: 'web' };
      const name = `${world.docker.gateway}-spoiled`;
      await world.docker.engine.ensureImage(of, () => undefined, signal);
      await docker('create', '--name', name, of.configDigest, 'x');
      await spoil(name);
      await docker('commit', ...Object.entries(labels).flatMap(([label, value]) => ['--change', `LABEL ${label}=${value}`]), name);
      await docker('rm', name);
      return jobId;
    }
    const holding = (content: string) => async (container: string): Promise<unknown> => {
      const folder = await mkdtemp(join(tmpdir(), 'pratique-spoiled-'));
      await writeFile(join(folder, 'words'), content, { mode: 0o444 });
      await docker('cp', join(folder, 'words'), `${container}:/words`);
      return rm(folder, { recursive: true });
    };

    for (const [what, spoil] of [
      ['without them', async () => undefined], ['with an empty one', holding('')], ['with another', holding('as never\n')],
    ] as const) {
      it(`${what} is made anew`, async () => {
        const jobId = await planted(spoil);
        await world.projects.create(jobId, await world.judge(files), signal, { mayMakeAnew: async () => true });
        await world.projects.start(jobId, signal);
        expect((await world.story(jobId, await world.projects.wait(jobId, signal))).stdout).to.equal('as asked\n');
        await world.projects.remove(jobId);
      });
    }

    it('is not taken for one that was made here, if it is of another image: whoever has his own pulled gives it any labels', async () => {
      const other = await world.docker.publish(await buildImage({ files: { '/words': { content: 'as asked\n', mode: 0o444 }, '/evil': 'evil' }, config: { Cmd: ['sh'] } }));
      const jobId = await planted(async () => undefined, other);
      const project = await world.judge({ services: { web: sh('cat /words; ls /evil 2>/dev/null', { configs: [{ source: 'words', target: '/words' }] }) }, configs: { words: { content: 'as asked\n' } } });
      await world.projects.create(jobId, project, signal);
      await world.projects.start(jobId, signal);
      expect((await world.story(jobId, await world.projects.wait(jobId, signal))).stdout).to.equal('as asked\n');
      await world.projects.remove(jobId);
    });

    it('is not taken where nothing may be made anew', async () => {
      const jobId = await planted(async () => undefined);
      const error: unknown = await world.projects.create(jobId, await world.judge(files), signal).catch((thrown: unknown) => thrown);
      expect(error).to.include({ name: 'EngineRefused', temporary: true, message: 'the engine\'s container for service web is not the one that was asked for: the files' });
      await world.projects.remove(jobId);
    });
  });

  it('every container is in the sandbox: nobody, no capability, read-only, its own limits', async () => {
    const story = await world.run({
      services: {
        a: sh('id -u; grep CapEff /proc/self/status; grep NoNewPrivs /proc/self/status; (touch /x) 2>/dev/null || echo read-only; cat /sys/fs/cgroup/memory/memory.limit_in_bytes; ulimit -n; hostname; df -k /run | tail -1 | tr -s " " | cut -d" " -f2; env | grep -c MARK', {
          mem_limit: '48m', cpus: 0.25, ulimits: { nofile: 100 }, hostname: 'here', tmpfs: ['/run:size=1m'], environment: { MARK: 'x' },
        }),
      },
    });
    expect(story.stdout.replace(/\t/g, ' ')).to.equal('65534\nCapEff: 0000000000000000\nNoNewPrivs: 1\nread-only\n50331648\n100\nhere\n1024\n1\n');
  });

  it('out of memory is told of the service', async () => {
    const story = await world.run({ services: { greedy: sh('x=$(head -c 100m /dev/zero | tr "\\0" x); echo ${#x}', { mem_limit: '16m' }) } });
    expect(story.run.exit).to.deep.include({ outOfMemory: true });
  });

  it('is aborted whole, at any time on its way up, and is gone', async () => {
    const project = await world.judge({ services: { db: sh(STAYS, { healthcheck: { test: ['CMD', 'false'], interval: '1s', retries: 100 } }), web: sh(STAYS, { depends_on: { db: { condition: 'service_healthy' } } }) } });
    const jobId = await world.create(project);
    await world.projects.start(jobId, signal);
    const abort = new AbortController();
    const waiting = world.projects.wait(jobId, abort.signal).catch((error: unknown) => error);
    abort.abort(new Error('over'));
    expect(await waiting).to.be.instanceOf(Error);
    expect((await world.projects.inspect(jobId))?.state).to.equal('running');
    await world.projects.stop(jobId, 1);
    expect(await world.projects.inspect(jobId)).to.deep.include({ jobId, state: 'exited' });
    await world.projects.remove(jobId);
    await world.projects.remove(jobId);
    expect(await world.projects.inspect(jobId)).to.equal(undefined);
  });

  it('is taken over by another gateway of the same name, in the middle of its way up', async () => {
    const project = await world.judge({ services: { setup: sh('sleep 1; echo set up'), web: sh('echo web', { depends_on: { setup: { condition: 'service_completed_successfully' } } }) } });
    const jobId = await world.create(project);
    await world.projects.create(jobId, project, signal);
    await world.projects.start(jobId, signal);
    const successor = world.successor();
    expect((await successor.list()).map(({ jobId: id, state }) => `${id} ${state}`)).to.deep.equal([`${jobId} running`]);
    // between two services, when nothing runs, it is not over either
    while ((await docker('ps', '-q', '--filter', `label=pratique.job=${jobId}`)) !== '') await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await world.projects.inspect(jobId)).to.include({ state: 'running' });
    const ended = await successor.wait(jobId, signal);
    expect((await world.story(jobId, ended)).stdout).to.equal('setup | set up\nweb | web\n');
    expect((await world.projects.wait(jobId, signal)).exit?.code).to.equal(0);
    await world.projects.remove(jobId);
    await successor.close();
  });

  it('a service whose start was asked for by a gateway that died then: it is started, for the engine has been up since', async () => {
    const project = await world.judge({ services: { setup: sh('true'), web: sh('echo web', { depends_on: { setup: { condition: 'service_completed_successfully' } } }) } });
    const jobId = await world.create(project);
    await world.projects.start(jobId, signal);
    const web = `pratique-${world.docker.gateway}.p.${jobId}.1-1`;
    await docker('rename', web, `${web}.asked`);
    expect((await world.story(jobId, await world.projects.wait(jobId, signal))).stdout).to.equal('web | web\n');
    await world.projects.remove(jobId);
  });

  it('that has lost a container: nobody knows how it ended, and what it lost is not made anew', async () => {
    const project = await world.judge({ services: { a: sh('true'), b: sh(STAYS) } });
    const jobId = await world.create(project);
    await world.projects.start(jobId, signal);
    await docker('rm', '-f', `pratique-${world.docker.gateway}.p.${jobId}.0-1`);
    await world.projects.create(jobId, project, signal);
    expect([await world.projects.inspect(jobId), await world.projects.mayStartAgain(jobId)]).to.deep.equal([undefined, false]);
    expect(await world.projects.list()).to.deep.equal([{ jobId, state: 'created' }]);
    expect(await world.projects.wait(jobId, signal).catch((error: unknown) => error)).to.be.instanceOf(EngineRefused);
    await world.projects.remove(jobId);
  });

  it('made in part is created, is completed by the next try, and runs', async () => {
    const project = await world.judge({ services: { a: sh('echo a'), b: sh('echo b') } });
    const jobId = await world.create(project);
    await docker('rm', `pratique-${world.docker.gateway}.p.${jobId}.1-1`);
    expect([(await world.projects.inspect(jobId))?.state, await world.projects.mayStartAgain(jobId)]).to.deep.equal(['created', true]);
    await world.create(project, jobId);
    await world.projects.start(jobId, signal);
    expect((await world.story(jobId, await world.projects.wait(jobId, signal), ['a', 'b'])).parts).to.deep.equal({ a: 'a\n', b: 'b\n' });
    await world.projects.remove(jobId);
  });

  it('of which an engine that was killed kept a volume without its labels: it is listed and removed, and others\' volumes are not', async () => {
    const [jobId, other] = [world.newJob(), `${world.newJob()}0`];
    const volumes = [`pratique-${world.docker.gateway}.p.${jobId}.vol-0`, `pratique-${world.docker.gateway}.p.${jobId}0.vol-0`, `pratique-${world.docker.gateway}.p.${other}.0-1.output`, `x-pratique-${world.docker.gateway}.p.${jobId}.vol-0`];
    for (const name of volumes) await docker('volume', 'create', name);
    try {
      expect((await world.projects.list()).map(({ jobId: id, state }) => `${id} ${state}`)).to.have.members([`${jobId} created`, `${jobId}0 created`, `${other} created`]);
      await world.projects.remove(jobId);
      expect((await docker('volume', 'ls', '-q', '--filter', `name=${world.docker.gateway}`)).split('\n')).to.have.members(volumes.slice(1));
      for (const id of [`${jobId}0`, other]) await world.projects.remove(id);
      expect(await world.projects.list()).to.deep.equal([]);
    } finally {
      for (const name of volumes) await docker('volume', 'rm', '-f', name);
    }
  });

  it('is not brought up further once it was stopped between two services', async () => {
    const project = await world.judge({ services: { setup: sh('true'), web: sh('echo web', { depends_on: ['setup'] }) } });
    const jobId = await world.create(project);
    await world.projects.start(jobId, signal);
    await world.projects.stop(jobId, 1);
    expect(await world.projects.inspect(jobId)).to.deep.include({ state: 'exited' }).and.have.nested.property('exit.error').that.contains('was stopped');
    expect((await world.projects.wait(jobId, signal)).exit?.error).to.contain('was stopped');
    expect((await world.story(jobId, { jobId, state: 'exited' })).stdout).to.equal('');
    await world.projects.remove(jobId);
  });

  it('shows the words of its services as they are written, also of one that has yet to start', async () => {
    const project = await world.judge({ services: { first: sh('echo one; sleep 1; echo two'), then: sh('echo three', { depends_on: { first: { condition: 'service_completed_successfully' } } }) } });
    const jobId = await world.create(project);
    await world.projects.start(jobId, signal);
    const [all, part] = [text(await world.projects.logs(jobId, 'stdout', { follow: true })), text(await world.projects.logs(jobId, 'stdout', { follow: true, part: 'then' }))];
    await world.projects.wait(jobId, signal);
    expect(await all).to.equal('first | one\nfirst | two\nthen | three\n');
    expect(await part).to.equal('three\n');
    await world.projects.remove(jobId);
  });

  it('joins a network and mounts a volume of the site, where the policy has them', async () => {
    const [{ execFileSync }, name] = [await import('node:child_process'), `${world.docker.gateway}-shared`];
    execFileSync('docker', ['volume', 'create', name]);
    execFileSync('docker', ['network', 'create', '--internal', name]);
    try {
      const file = { services: { a: sh('ls -A /shared; (touch /shared/x) 2>/dev/null || echo read-only; ls /sys/class/net | tr "\\n" " "', { volumes: ['sh:/shared:ro'], networks: ['n', 'own'] }) }, volumes: { sh: { external: true, name } }, networks: { n: { external: true, name }, own: null } };
      expect((await world.run(file, { volumes: [name], networks: [name] })).stdout).to.equal('read-only\neth0 eth1 lo ');
      execFileSync('docker', ['volume', 'rm', name]);
      const refused = await world.run(file, { volumes: [name], networks: [name] }).catch((error: unknown) => error);
      expect(refused).to.be.instanceOf(EngineRefused);
      expect(String(refused)).to.include('does not have the shared volume');
    } finally {
      execFileSync('docker', ['network', 'rm', name]);
      execFileSync('docker', ['volume', 'rm', '-f', name]);
    }
  });
});
