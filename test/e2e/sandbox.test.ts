import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import type { ContainerCreateOptions } from 'dockerode';
import { containerOptions, type ContainerOptions } from '../../src/engine/docker-container-options.ts';
import { parseContainer } from '../../src/engine/docker-inspect.ts';
import { namesOf } from '../../src/engine/docker-names.ts';
import { containerDifferences } from '../../src/engine/docker-verify-container.ts';
import { engineSchema } from '../../src/engine/engine-config.ts';
import type { PinnedTask } from '../../src/task/task.ts';
import type { Image } from '../../src/image/image.ts';
import { DockerWorld, type JobStory } from '../contract/engine-docker.ts';
import { shellTask } from '../contract/engine-image.ts';
import { buildImage } from '../support/oci-image.ts';

const MEBIBYTE = 2 ** 20;
const NOBODY = '65534:65534';
const ROOT = '0:0';
const { signal } = new AbortController();

/** Issue 2, show 6: what a hostile container tries fails inside and harms nothing outside. Every test runs one on the real engine. */
describe('the sandbox of a job', function () {
  this.timeout(60_000);
  let world: DockerWorld;
  let image: Image;

  before(async () => {
    world = await DockerWorld.start({ processes: 40, tmp: '2M', work: '8M', sharedMemory: '1M', fileSize: '4M', logSize: '1M', outputBytes: '8M' });
    image = await world.publish(
      await buildImage({
        files: { '/secret': { content: 'not for nobody\n', mode: 0o600 } },
        config: {
          Volumes: { '/data': {} },
          Labels: { 'traefik.enable': 'true', 'pratique.gateway': 'another' },
          Healthcheck: { Test: ['CMD', 'touch', '/output/healthcheck'], Interval: 1_000_000 },
          ExposedPorts: { '80/tcp': {} },
        },
      }),
    );
  });

  after(async () => {
    await world.stop();
  });

  describe('files', () => {
    for (const [who, user, places] of [
      ['nobody', NOBODY, '/ /etc /bin /dev /sys /sys/fs/cgroup /proc /proc/sys/kernel /root /sbin'],
      ['root', ROOT, '/ /etc /bin /sys /sys/fs/cgroup/memory /proc /proc/sys/kernel /sbin'],
    ] as const) {
      it(`${who} can write nowhere outside /tmp, /work, /output, /dev/shm and the image's volumes`, async () => {
        const script = `
          for d in ${places}; do (echo x > $d/mine) 2>/dev/null && echo "wrote to $d"; done
          (echo x > /proc/sys/kernel/core_pattern) 2>/dev/null && echo wrote core_pattern
          (echo x > /proc/sysrq-trigger) 2>/dev/null && echo wrote sysrq
          (echo x >> /etc/passwd) 2>/dev/null && echo wrote passwd
          for d in /tmp /work /output /dev/shm /data; do (echo x > $d/mine) || echo "cannot write to $d"; done`;
        const story = await world.run(shellTask(image, script, { user }));
        // /work is the job's own folder (mode 0700); root without capabilities is its owner here too.
        expect(story.stdout).to.equal('');
        expect(Object.keys(story.files)).to.deep.equal(['mine']);
      });
    }

    it('nothing can be mounted, remounted or unmounted, not even by root', async () => {
      const script = `
        mount -o remount,rw / 2>/dev/null && echo remounted
        mount -t tmpfs none /tmp 2>/dev/null && echo mounted
        umount /proc/sys 2>/dev/null && echo unmounted
        unshare -U true 2>/dev/null && echo new user namespace
        unshare -m true 2>/dev/null && echo new mount namespace
        chroot /work true 2>/dev/null && echo chrooted
        echo done`;
      for (const user of [NOBODY, ROOT]) expect((await world.run(shellTask(image, script, { user }))).stdout).to.equal('done\n');
    });

    it('programs run from /work and not from /tmp, /dev/shm or a volume of the image', async () => {
      const script = 'for d in /work /tmp /dev/shm /data; do cp /bin/busybox $d/busybox 2>/dev/null; $d/busybox true 2>/dev/null && echo $d; done';
      const roomy = await DockerWorld.start({ tmp: '8M', work: '8M', sharedMemory: '8M' });
      try {
        const there = await roomy.publish(await buildImage({ config: { Volumes: { '/data': {} } } }));
        expect((await roomy.run(shellTask(there, script))).stdout).to.equal('/work\n');
      } finally {
        await roomy.stop();
      }
    });

    it('/tmp, /dev/shm and volumes of the image hold what they are given and no more', async () => {
      const script = 'for d in /tmp /dev/shm /data; do dd if=/dev/zero of=$d/x bs=64k count=64 2>/dev/null; stat -c "%n %s" $d/x; done';
      const sizes = Object.fromEntries((await world.run(shellTask(image, script))).stdout.trim().split('\n').map((line) => line.split(' ')) as [string, string][]);
      expect(sizes).to.deep.equal({ '/tmp/x': String(2 * MEBIBYTE), '/dev/shm/x': String(MEBIBYTE), '/data/x': String(2 * MEBIBYTE) });
    });

    it('no file grows beyond its limit, be it only holes', async () => {
      const full = await world.run(shellTask(image, 'dd if=/dev/zero of=/output/full bs=1M count=20'));
      expect(full.run.exit?.code, 'SIGXFSZ').to.equal(128 + 25);
      expect(full.files['full']?.length).to.equal(4 * MEBIBYTE);
      const holes = await world.run(shellTask(image, 'truncate -s 1024G /output/holes || dd if=/dev/zero of=/output/holes bs=1 seek=1099511627776 count=1'));
      expect(holes.run.exit?.code).to.not.equal(0);
      expect(holes.files['holes']?.length ?? 0).to.be.at.most(4 * MEBIBYTE);
    });
  });

  describe('network', () => {
    let server: Server;
    let calls = 0;

    before(async () => {
      server = createServer((socket) => {
        calls += 1;
        socket.destroy();
      });
      server.listen(0, '0.0.0.0');
      await once(server, 'listening');
    });

    after(() => server.close());

    it('there is none: neither the host, nor the engine\'s bridge, nor metadata, nor the world', async () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      const hosts = Object.values(networkInterfaces()).flatMap((list) => list ?? []).filter(({ family }) => family === 'IPv4').map((each) => each.address);
      expect(hosts).to.include('127.0.0.1');
      const targets = [...hosts, '172.17.0.1', '169.254.169.254', '192.0.2.1'];
      const script = `
        for h in ${targets.join(' ')}; do for p in ${String(port)} 80 2375; do
          nc -w 3 $h $p </dev/null 2>/dev/null && echo "reached $h:$p"
        done; done
        ping -c 1 -w 2 127.0.0.1 >/dev/null 2>&1 && echo raw socket
        nslookup example.org >/dev/null 2>&1 && echo resolved
        ls /sys/class/net; wc -l < /proc/net/route`;
      // One line of /proc/net/route is its heading.
      for (const user of [NOBODY, ROOT]) expect((await world.run(shellTask(image, script, { user }))).stdout).to.equal('lo\n1\n');
      expect(calls).to.equal(0);
      // Outside the sandbox the same words reach the host: it is the sandbox that stops them.
      const network = await world.docker.createNetwork({ Name: `${world.gateway}-control`, Labels: { 'pratique.gateway': world.gateway } });
      const words = `nc -w 3 $(ip route | sed -n 's/^default via \\([^ ]*\\).*/\\1/p') ${String(port)}`;
      const free = await world.docker.createContainer({ Image: image.configDigest, Cmd: ['sh', '-c', words], HostConfig: { NetworkMode: network.id }, Labels: { 'pratique.gateway': world.gateway } });
      try {
        await free.start();
        await free.wait();
        expect(calls).to.equal(1);
      } finally {
        await free.remove({ force: true, v: true });
        await network.remove();
      }
    });
  });

  describe('processes', () => {
    // The shell that cannot fork ends; what it becomes here needs no other process, so that there is something to look at.
    it('a fork bomb stays within the limit and dies with its job', async () => {
      const { engine } = world;
      const jobId = world.newJob();
      await engine.ensureImage(image, () => undefined, signal);
      await engine.create(jobId, shellTask(image, 'bomb() { bomb | bomb & }; bomb & exec sleep 1000', { resources: { cores: 0.2, memory: 64 * MEBIBYTE } }), signal);
      try {
        await engine.start(jobId, signal);
        const complaint = await engine.logs(jobId, 'stderr', { follow: true });
        for await (const chunk of complaint) if (String(chunk).includes("can't fork")) break;
        const processes = (await world.docker.getContainer(world.containerName(jobId)).top()) as { Processes: unknown[] };
        expect(processes.Processes.length).to.be.at.most(40);
      } finally {
        await engine.stop(jobId, 0);
        expect((await engine.inspect(jobId))?.state).to.equal('exited');
        await engine.remove(jobId);
      }
    });

    it('sees no process but its own', async () => {
      const story = await world.run(shellTask(image, 'cd /proc; for p in [0-9]*; do cat $p/comm; done; kill -9 -1 2>/dev/null; true', { user: ROOT }));
      expect(story.stdout.split('\n').filter((name) => name !== '' && !/^(docker-init|tini|sh|cat|busybox)$/.test(name))).to.deep.equal([]);
    });

    it('has no capability, cannot gain one, and its system calls are filtered', async () => {
      for (const user of [NOBODY, ROOT]) {
        const { stdout } = await world.run(shellTask(image, 'grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status', { user }));
        const status = Object.fromEntries(stdout.trim().split('\n').map((line) => line.split(/:\s+/)) as [string, string][]);
        const none = '0'.repeat(16);
        expect(status).to.deep.include({ CapInh: none, CapPrm: none, CapEff: none, CapBnd: none, CapAmb: none, NoNewPrivs: '1', Seccomp: '2' });
      }
    });

    it('a set-user-id program of the image gains nothing', async () => {
      const suid = await world.publish(await buildImage({ files: { '/bin/busybox-suid': { content: readFileSync(busyboxPath()), mode: 0o4755 } } }));
      const words = ['/bin/busybox-suid', 'su', '-c', 'id -u', 'root'];
      const story = await world.run({ ...shellTask(suid, ''), command: words });
      expect(story.stderr).to.include('must be suid');
      expect(story.stdout).to.equal('');
      // Outside the sandbox the same program is root, and asks for a password only: it is the sandbox that stops it.
      const free = await world.docker.createContainer({ Image: suid.configDigest, Cmd: words, User: NOBODY, HostConfig: { NetworkMode: 'none' }, Labels: { 'pratique.gateway': world.gateway } });
      try {
        await free.start();
        await free.wait();
        expect((await free.logs({ stdout: true, stderr: true, follow: false })).toString('utf8')).to.include('Password').and.not.include('must be suid');
      } finally {
        await free.remove({ force: true, v: true });
      }
    });

    it('reads as its user, and as root without capabilities, only what modes allow', async () => {
      expect((await world.run(shellTask(image, 'cat /secret 2>/dev/null || echo no'))).stdout).to.equal('no\n');
    });

    it('runs with the limits that were granted', async () => {
      const { stdout } = await world.run(shellTask(image, 'cat /proc/self/limits', { resources: { cores: 0.5, memory: 64 * MEBIBYTE } }));
      expect(stdout).to.match(/Max core file size\s+1\s+1\s/);
      expect(stdout).to.match(/Max open files\s+1024\s+4096\s/);
      expect(stdout).to.match(new RegExp(`Max file size\\s+${String(4 * MEBIBYTE)}\\s+${String(4 * MEBIBYTE)}\\s`));
    });

    it("leaves the image's healthcheck unrun", async () => {
      expect((await world.run(shellTask(image, 'sleep 1; ls /output'))).stdout).to.equal('');
    });
  });

  describe('memory', () => {
    for (const [what, script] of [
      ['of a process', 'exec dd if=/dev/zero of=/dev/null bs=200M'],
      ['of files in /work', 'while :; do cat /bin/busybox >> /work/x || sleep 1; done'],
    ] as const) {
      it(`${what} beyond the limit ends the job, which says so`, async function () {
        const roomy = what === 'of a process' ? world : await DockerWorld.start({ work: '1G' });
        try {
          const there = roomy === world ? image : await roomy.publish(await buildImage());
          const { run } = await roomy.run(shellTask(there, script, { resources: { cores: 1, memory: 16 * MEBIBYTE } }));
          expect(run.exit).to.deep.include({ outOfMemory: true });
          expect(run.exit?.code).to.not.equal(0);
        } finally {
          if (roomy !== world) await roomy.stop();
        }
      });
    }
  });

  describe('/output', () => {
    it('links, devices, pipes and unusable names are passed over', async () => {
      const script = `
        cd /output; echo good > good; ln -s /etc/shadow link; ln -s /proc/1/root/etc dir; ln good hard; mkfifo pipe
        mknod null c 1 3 2>/dev/null && echo made a device
        mknod disk b 8 0 2>/dev/null && echo made a disk
        echo x > "$(printf 'new\\nline')"; echo x > "$(printf 'bad\\377utf8')"; echo x > "$(printf 'turn\\342\\200\\256ed')"
        cp good suid; chmod 6755 suid; echo x > '..still fine'; true`;
      for (const user of [NOBODY, ROOT]) {
        const story = await world.run(shellTask(image, script, { user }));
        expect(story.stdout).to.equal('');
        // Which of the two names of one file comes first in the archive is the engine's affair.
        const [kept, passed] = 'good' in story.files ? ['good', 'hard'] : ['hard', 'good'];
        expect(Object.keys(story.files).sort()).to.deep.equal(['..still fine', kept, 'suid'].sort());
        expect(story.skipped.map(({ path }) => path).sort()).to.deep.equal(['bad\ufffdutf8', 'dir', 'link', passed, 'new\ufffdline', 'pipe', 'turn\ufffded'].sort());
      }
    });

    it('is held to its size by an engine that can, and by one that cannot a site that insists gets no job', async () => {
      const held = await DockerWorld.start({ outputQuota: true, outputBytes: '4M' });
      try {
        const there = await held.publish(await buildImage());
        const outcome = await held.run(shellTask(there, 'for i in 1 2 3 4; do dd if=/dev/zero of=/output/$i bs=1M count=2 2>/dev/null; done; exit 0')).catch((error: unknown) => error);
        if (outcome instanceof Error) expect(outcome.message).to.match(/quota/);
        else expect(Object.values((outcome as JobStory).files).reduce((sum, file) => sum + file.length, 0)).to.be.at.most(4 * MEBIBYTE);
        expect(await held.engine.list()).to.deep.equal([]);
      } finally {
        await held.stop();
      }
    });

    it('more than is read is told, not read', async () => {
      const story = await world.run(shellTask(image, 'for i in 1 2 3; do dd if=/dev/zero of=/output/$i bs=1M count=4 2>/dev/null; done; exit 0'));
      expect(Object.keys(story.files)).to.have.length(2);
      expect(story.skipped).to.have.length(1);
      expect(story.skipped[0]?.reason).to.include(`more than ${String(8 * MEBIBYTE)} bytes`);
    });
  });

  describe('log', () => {
    it('a flood keeps its newest megabyte', async () => {
      const { stdout } = await world.run(shellTask(image, 'i=0; while [ $i -lt 60000 ]; do echo "line $i 0123456789012345678901234567890123456789"; i=$((i+1)); done; echo end'));
      expect(stdout.length).to.be.within(MEBIBYTE / 4, 1.5 * MEBIBYTE);
      expect(stdout.endsWith('end\n')).to.equal(true);
    });
  });

  describe('on the engine', () => {
    it('the container has no network, no volume but /output, and none of the image\'s labels', async () => {
      const { engine } = world;
      const jobId = world.newJob();
      await engine.ensureImage(image, () => undefined, signal);
      await engine.create(jobId, shellTask(image, 'true'), signal);
      try {
        const container = await world.docker.getContainer(world.containerName(jobId)).inspect();
        expect(container.Mounts.map((mount) => mount.Destination)).to.deep.equal(['/output']);
        expect(Object.keys(container.NetworkSettings.Networks)).to.deep.equal(['none']);
        expect(container.Config.Labels).to.include({ 'traefik.enable': '', 'pratique.gateway': world.gateway, 'pratique.job': jobId });
        expect(container.Image).to.equal(image.configDigest);
      } finally {
        await engine.remove(jobId);
      }
    });

    describe('what a rule relaxes', () => {
      const relaxed = { writableRoot: true, capabilities: ['CHOWN', 'SETUID'] } as const;

      it('is there, compared with what was asked, and nothing else is', async () => {
        const { engine } = world;
        const [plain, free] = [world.newJob(), world.newJob()];
        await engine.ensureImage(image, () => undefined, signal);
        await engine.create(plain, shellTask(image, 'true', { user: ROOT }), signal);
        // resolves only where the engine has made what was asked for
        await engine.create(free, shellTask(image, 'true', { user: ROOT, relaxed }), signal);
        try {
          const [one, other] = await Promise.all([plain, free].map(async (id) => (await world.docker.getContainer(world.containerName(id)).inspect()).HostConfig as unknown as Record<string, unknown>));
          const names = new Set([...Object.keys(one ?? {}), ...Object.keys(other ?? {})]);
          const different = [...names].filter((name) => JSON.stringify(one?.[name]) !== JSON.stringify(other?.[name]));
          expect(different.sort()).to.deep.equal(['CapAdd', 'Mounts', 'ReadonlyRootfs']);
          expect(other).to.deep.include({ ReadonlyRootfs: false, CapDrop: ['ALL'], SecurityOpt: ['no-new-privileges'], Privileged: false });
          expect((other?.['CapAdd'] as string[]).map((name) => name.replace(/^CAP_/, ''))).to.deep.equal(relaxed.capabilities);
        } finally {
          await engine.remove(plain);
          await engine.remove(free);
        }
      });

      it('and a container of the engine that has more, or less, is told apart', async () => {
        const names = namesOf(world.gateway, world.newJob());
        const options = (task: Partial<PinnedTask>): ContainerOptions => containerOptions(names, world.gateway, 'j', shellTask(image, 'true', { user: ROOT, ...task }), image.configDigest, engineSchema.parse({}));
        await world.engine.ensureImage(image, () => undefined, signal);
        const made = await world.docker.createContainer(options({ relaxed }) as unknown as ContainerCreateOptions);
        try {
          const found = parseContainer(await made.inspect());
          expect(containerDifferences(options({ relaxed }), found, false)).to.deep.equal([]);
          expect(containerDifferences(options({ relaxed: { ...relaxed, capabilities: ['CHOWN'] } }), found, false)).to.deep.equal(['HostConfig.CapAdd']);
          expect(containerDifferences(options({}), found, false)).to.deep.equal(['HostConfig.ReadonlyRootfs', 'HostConfig.CapAdd']);
          expect(containerDifferences(options({ relaxed: { ...relaxed, runtime: 'other' } }), found, false)).to.deep.equal(['HostConfig.Runtime']);
        } finally {
          await made.remove({ force: true, v: true });
          await world.docker.getVolume(names.output).remove();
        }
      });

      it('is refused by the engine itself where it has no such runtime, or no processors; nothing is left', async () => {
        await world.engine.ensureImage(image, () => undefined, signal);
        const trouble = (task: NonNullable<PinnedTask['relaxed']>): Promise<string> => world.run(shellTask(image, 'true', { relaxed: task })).then(() => 'it ran', (error: unknown) => String(error));
        expect(await trouble({ runtime: 'not-registered' })).to.match(/EngineRefused.*not-registered/i);
        if (!('nvidia' in ((await world.docker.info()) as { Runtimes: object }).Runtimes)) expect(await trouble({ gpus: 1 })).to.match(/device driver.*(gpu|nvidia)/i);
        expect(await world.engine.list()).to.deep.equal([]);
      });
    });

    it('nothing is left after removal', async () => {
      const { engine } = world;
      const jobId = world.newJob();
      await engine.ensureImage(image, () => undefined, signal);
      await engine.create(jobId, shellTask(image, 'echo x > /output/x'), signal);
      await engine.start(jobId, signal);
      expect(await text(await engine.logs(jobId, 'stdout', { follow: true }))).to.equal('');
      await engine.remove(jobId);
      const filters = { label: [`pratique.gateway=${world.gateway}`] };
      expect(await world.docker.listContainers({ all: true, filters })).to.deep.equal([]);
      expect((await world.docker.listVolumes({ filters })).Volumes).to.deep.equal([]);
    });
  });
});

function busyboxPath(): string {
  return ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path)) ?? '/bin/busybox';
}
