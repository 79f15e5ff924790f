import { spawn } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Image } from '../../src/image/image.ts';
import { bystanderOf, HostWatch, NOISE, processesOf } from '../attacks/host-watch.ts';
import { DockerWorld } from '../contract/engine-docker.ts';
import { shellTask } from '../contract/engine-image.ts';
import { buildImage } from '../support/oci-image.ts';

const LOOKS = 2;
const { signal } = new AbortController();

/** What the attack collection says of the host afterwards: every measure of it finds what is planted. */
describe('the look at the host after an attack', function () {
  this.timeout(60_000);
  let world: DockerWorld;
  let image: Image;
  let gateway: Server;
  let watch: HostWatch;

  before(async () => {
    world = await DockerWorld.start();
    image = await world.publish(await buildImage({ config: { Volumes: { '/data': {} } } }));
    gateway = createServer((_, response) => response.end('ok')).listen(0, '127.0.0.1');
    await once(gateway, 'listening');
    const address = gateway.address();
    watch = new HostWatch(world.gateway, `http://127.0.0.1:${String(typeof address === 'object' ? address?.port : '')}`);
    await watch.open();
    await world.engine.ensureImage(image, () => undefined, signal);
  });

  after(async () => {
    watch.close();
    gateway.close();
    await world.stop();
  });

  /** What is told of what `plant` leaves, which `remove` takes away again. */
  async function told(plant: () => Promise<() => Promise<unknown>>): Promise<readonly string[]> {
    const before = await watch.before();
    const remove = await plant();
    const { differences } = await watch.after(before, LOOKS);
    await remove();
    return differences;
  }

  it('a job leaves nothing, and its container was noticed', async () => {
    const before = await watch.before();
    await world.run(shellTask(image, 'echo x > /output/x; echo x > /data/x'));
    const { differences, started, summary } = await watch.after(before);
    expect(differences).to.deep.equal([]);
    expect(started).to.equal(1);
    expect(summary).to.match(/^\d+ things of the engine before and after; no process of 2 containers \(1 ran\); disk (as full as before|[+-]\S+); the gateway answers$/);
  });

  it('a volume without a name or label, as an engine makes it for an image, is found', async () => {
    // removed as the engine does it when it is not told to take the volumes with it
    let name = '';
    const differences = await told(async () => {
      const container = await world.docker.createContainer({ Image: image.configDigest, Cmd: ['true'], Labels: { 'pratique.gateway': world.gateway } });
      const { Mounts } = await container.inspect();
      name = Mounts[0]?.Name ?? '';
      await container.remove({ v: false });
      return () => world.docker.getVolume(name).remove();
    });
    expect(name).to.match(/^[0-9a-f]{64}$/);
    expect(differences).to.deep.equal([`new: volume ${name} (there)`]);
  });

  it('a network is found', async () => {
    const name = `${world.gateway}-left`;
    const differences = await told(async () => {
      const network = await world.docker.createNetwork({ Name: name, Internal: true });
      return () => network.remove();
    });
    expect(differences).to.deep.equal([`new: network ${name} (there)`]);
  });

  it('a container that runs on is found, with its processes and its control groups', async () => {
    let id = '';
    const differences = await told(async () => {
      const container = await world.docker.createContainer({ Image: image.configDigest, Cmd: ['sleep', '1000'], Labels: { 'pratique.gateway': world.gateway }, HostConfig: { NetworkMode: 'none' } });
      ({ id } = container);
      await container.start();
      return () => container.remove({ force: true, v: true });
    });
    expect(differences.filter((line) => line.startsWith('new: container')), differences.join('\n')).to.have.length(1);
    expect(differences.filter((line) => /^process \d+ \(sleep 1000\)$/.test(line)), 'its program').to.have.length(1);
    expect(differences.filter((line) => /^process \d+ \(\S*containerd-shim/.test(line)), 'what keeps it').to.have.length(1);
    expect(differences.some((line) => line.startsWith('control group') && line.includes(id)), 'its group').to.equal(true);
    expect(processesOf(new Set([id])), 'after its removal').to.deep.equal([]);
  });

  it('a process that outlives its container is found', async () => {
    const before = await watch.before();
    const container = await world.docker.createContainer({ Image: image.configDigest, Cmd: ['true'], Labels: { 'pratique.gateway': world.gateway }, HostConfig: { NetworkMode: 'none' } });
    await container.start();
    await container.wait();
    await container.remove({ force: true, v: true });
    const left = spawn('sleep', ['1000'], { argv0: `shim-of-${container.id}` });
    await once(left, 'spawn');
    const { differences } = await watch.after(before, LOOKS);
    left.kill('SIGKILL');
    expect(differences).to.have.length(1);
    expect(differences[0]).to.match(/^process \d+ \(shim-of-/);
  });

  it('what happened to somebody else is found: a container that ended, a volume that is gone', async () => {
    const Labels = { 'pratique.gateway': bystanderOf(world.gateway) };
    const [name, volume] = [`${world.gateway}-bystander`, `${world.gateway}-bystander`];
    const container = await world.docker.createContainer({ name, Image: image.configDigest, Cmd: ['sleep', '1000'], Labels, HostConfig: { NetworkMode: 'none' } });
    await world.docker.createVolume({ Name: volume, Labels });
    await container.start();
    const differences = await told(async () => {
      await container.kill();
      await container.wait();
      await world.docker.getVolume(volume).remove();
      return () => container.remove({ force: true, v: true });
    });
    expect(differences).to.deep.equal([`container /${name} was running, is exited`, `volume ${volume} was there, is gone`]);
  });

  it('what was written and is nowhere named is found', async () => {
    const { DockerRootDir } = (await world.docker.info()) as { DockerRootDir: string };
    const folder = process.getuid?.() === 0 ? join(DockerRootDir, 'tmp') : tmpdir();
    const file = join(folder, `${world.gateway}-ballast`);
    const differences = await told(async () => {
      mkdirSync(folder, { recursive: true });
      writeFileSync(file, Buffer.alloc(NOISE + 2 ** 22, 1));
      return async () => rmSync(file);
    });
    expect(differences).to.have.length(1);
    expect(differences[0]).to.match(/ more on the engine's disk$/);
  });

  it('a gateway that is gone is found', async () => {
    gateway.close();
    gateway.closeAllConnections();
    expect((await watch.after(await watch.before(), LOOKS)).differences.join()).to.match(/^the gateway does not answer/);
  });

  it('what a job before has left is told before the next begins', async () => {
    const volume = `pratique-${world.gateway}.j9.output`;
    await world.docker.createVolume({ Name: volume });
    expect(await watch.before(LOOKS).then(() => '', String)).to.equal(`Error: left by the jobs before: volume ${volume}`);
    await world.docker.getVolume(volume).remove();
  });

  it("another gateway's things are its own affair", async () => {
    const name = `${world.gateway}-others`;
    const before = await watch.before();
    await world.docker.createVolume({ Name: name, Labels: { 'pratique.gateway': 'another' } });
    const { differences } = await watch.after(before, LOOKS);
    await world.docker.getVolume(name).remove();
    expect(differences.filter((line) => line.startsWith('new:'))).to.deep.equal([]);
  });
});
