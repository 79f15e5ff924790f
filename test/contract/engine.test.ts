import { expect } from 'chai';
import { SystemClock } from '../../src/clock.ts';
import { DockerEngine } from '../../src/engine/docker-engine.ts';
import { engineSchema } from '../../src/engine/engine-config.ts';
import { EngineRefused } from '../../src/engine/engine.ts';
import { MemoryEngine } from '../support/memory-engine.ts';
import { buildImage } from '../support/oci-image.ts';
import { engineContract, type EngineSubject } from './engine.ts';
import { DockerWorld } from './engine-docker.ts';
import { judged, shellTask } from './engine-image.ts';
import { type PortainerDoor, startPortainerDoor } from './engine-portainer.ts';

describe('Engine: in memory', () => {
  let subject: EngineSubject;
  beforeEach(async () => {
    const engine = new MemoryEngine(new SystemClock());
    const image = judged(await buildImage(), 'localhost:5000', 'test/busybox');
    subject = {
      engine,
      image,
      prepare: (jobId, program) => engine.plan(jobId, program.behaviour),
      unstartable: (jobId) => {
        engine.plan(jobId, { refuseStart: new EngineRefused('no such program') });
        return shellTask(image, 'true');
      },
      lose: async (jobId) => engine.lose(jobId),
    };
  });
  engineContract(() => subject);
});

/** The real engine, spoken to as `settings` of a site say. */
async function dockerSubject(world: DockerWorld): Promise<EngineSubject> {
  const image = await world.publish(await buildImage());
  // A volume where the image has a file: the engine creates it, and its runtime cannot mount it.
  const broken = await world.publish(await buildImage({ config: { Volumes: { '/etc/passwd': {} } } }));
  return {
    engine: world.engine,
    image,
    prepare: () => undefined,
    unstartable: () => shellTask(broken, 'true'),
    lose: async (jobId) => {
      await world.docker.getContainer(world.containerName(jobId)).remove({ force: true });
    },
  };
}

describe('Engine: Docker', function () {
  this.timeout(60_000);
  let world: DockerWorld;
  let subject: EngineSubject;

  before(async () => {
    world = await DockerWorld.start();
    subject = await dockerSubject(world);
  });

  after(() => world.stop());

  engineContract(() => subject);
});

describe('Engine: Docker behind the door of Portainer', function () {
  this.timeout(60_000);
  let door: PortainerDoor;
  let world: DockerWorld;
  let subject: EngineSubject;

  before(async () => {
    door = await startPortainerDoor();
    world = await DockerWorld.start(door.settings);
    subject = await dockerSubject(world);
  });

  after(async () => {
    await world.stop();
    await door.stop();
  });

  engineContract(() => subject);

  // After all of the contract: mocha runs a suite's own tests before those of the suites in it.
  describe('and then', () => {
    it('every call had the prefix and the key', () => {
      expect(door.refused).to.deep.equal([]);
      expect(door.passed).to.be.above(100);
    });
  });

  it('a key that counts no longer is an outage, not a refusal of the job', async () => {
    const other = await startPortainerDoor();
    const engine = new DockerEngine({ config: engineSchema.parse(other.settings), gateway: world.gateway, clock: new SystemClock() });
    other.revoke();
    try {
      const error: unknown = await engine.describe().catch((thrown: unknown) => thrown);
      expect(error).to.have.property('code', 'EngineUnavailable');
      expect(other.refused).to.include('/portainer/api/endpoints/7/docker/info');
    } finally {
      await engine.close();
      await other.stop();
    }
  });
});
