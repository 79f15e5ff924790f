import { expect } from 'chai';
import { EngineRefused } from '../../src/engine/engine.ts';
import type { Image } from '../../src/image/image.ts';
import { buildImage } from '../support/oci-image.ts';
import { ComposeWorld } from './compose-world.ts';

const IMAGE = 'registry.example.org/shell';
const sh = (script: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({ image: IMAGE, command: ['sh', '-c', script.replaceAll('$', () => '$$')], ...more });

describe('projects on the real engine run as their files say', function () {
  this.timeout(120_000);
  let world: ComposeWorld;
  let plain: Image;

  before(async () => {
    world = await ComposeWorld.start({ stopGrace: 1 });
    plain = await world.docker.publish(await buildImage({ files: { '/run/x': '', '/var/run': { linkTo: '/run' } } }));
  });
  beforeEach(() => {
    world.image = plain;
  });
  after(async () => {
    await world.stop();
  });
  afterEach(async () => {
    expect(await world.left()).to.deep.equal([]);
  });

  it('each of several containers of a service has a name of its own: under that of the service all are found, and not itself alone', async () => {
    // what /etc/hosts says comes before what the network says
    const { parts, run } = await world.run({ services: { w: sh("hostname; awk '$2 == \"w\"' /etc/hosts", { scale: 2 }) } });
    expect(run.exit?.code).to.equal(0);
    expect(parts['w']?.trim().split('\n').sort()).to.deep.equal(['w-1 | w-1', 'w-2 | w-2']);
  });

  const conf = { configs: { conf: { content: 'said\n' } } };
  for (const [what, more] of [['memory', { tmpfs: '/run' }], ['a volume', { volumes: ['/run'] }], ['memory by the name of the link', { tmpfs: '/var/run' }]] as const) {
    it(`a config that ${what} would hide by way of a symbolic link of the image is refused, for good`, async () => {
      const [target] = what.endsWith('link') ? ['/run/app/x.conf'] : ['/var/run/app/x.conf'];
      const project = await world.judge({ services: { w: sh('cat /var/run/app/x.conf', { configs: [{ source: 'conf', target }], ...more }) }, ...conf });
      const jobId = world.newJob();
      const error: unknown = await world.create(project, jobId).catch((reason: unknown) => reason);
      await world.projects.remove(jobId);
      expect(error).to.be.instanceOf(EngineRefused);
      expect(error).to.include({ temporary: false });
      expect(String(error)).to.match(/service w would be hidden at \/(?:var\/)?run\/app\/x\.conf/);
    });
  }

  it('a config behind a symbolic link is there where nothing hides it', async () => {
    const { stdout } = await world.run({ services: { w: sh('cat /run/app/x.conf', { configs: [{ source: 'conf', target: '/var/run/app/x.conf' }] }) }, ...conf });
    expect(stdout).to.equal('said\n');
  });

  it("an image's health check runs as the image says: its start may take long, however few failures it allows", async () => {
    const config = { Healthcheck: { Test: ['CMD', 'test', '-e', '/work/up'], Interval: 1_000_000_000, StartPeriod: 60_000_000_000, Retries: 1 } };
    world.image = await world.docker.publish(await buildImage({ config }));
    const project = await world.judge({ services: { db: sh('sleep 3; touch /work/up; while :; do sleep 0.1; done'), w: sh('echo ran', { depends_on: { db: { condition: 'service_healthy' } } }) } });
    const jobId = world.newJob();
    const { signal } = new AbortController();
    try {
      await world.create(project, jobId);
      await world.projects.start(jobId, signal);
      expect((await world.projects.wait(jobId, signal)).exit).to.deep.equal({ code: 0, outOfMemory: false });
    } finally {
      await world.projects.remove(jobId);
    }
  });

  it('without a network names are what the file says too', async () => {
    const { stdout } = await world.run({ services: { w: sh('grep -w me /etc/hosts', { network_mode: 'none', extra_hosts: ['me:127.0.0.1'] }) } });
    expect(stdout).to.match(/^127\.0\.0\.1\s+me$/m);
  });

  it('an optional dependency that fails keeps nobody back', async () => {
    const { parts, run } = await world.run({ services: { d: sh('exit 3'), w: sh('echo ran', { depends_on: { d: { condition: 'service_completed_successfully', required: false } } }) } });
    expect(parts['w']).to.equal('ran\n');
    expect(run.exit).to.deep.equal({ code: 0, outOfMemory: false });
  });

  it('memory and volumes are read-only where the file says so', async () => {
    const { stdout } = await world.run({ services: { w: sh('for d in /a /b; do touch $d/x 2>/dev/null || echo "$d kept"; done', { tmpfs: '/a:ro', volumes: [{ type: 'volume', target: '/b', read_only: true }] }) } });
    expect(stdout).to.equal('/a kept\n/b kept\n');
  });
});
