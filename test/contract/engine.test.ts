import { SystemClock } from '../../src/clock.ts';
import { EngineRefused } from '../../src/engine/engine.ts';
import { MemoryEngine } from '../support/memory-engine.ts';
import { buildImage } from '../support/oci-image.ts';
import { engineContract, type EngineSubject } from './engine.ts';
import { DockerWorld } from './engine-docker.ts';
import { judged, shellTask } from './engine-image.ts';

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

describe('Engine: Docker', function () {
  this.timeout(60_000);
  let world: DockerWorld;
  let subject: EngineSubject;

  before(async () => {
    world = await DockerWorld.start();
    const image = await world.publish(await buildImage());
    // A volume where the image has a file: the engine creates it, and its runtime cannot mount it.
    const broken = await world.publish(await buildImage({ config: { Volumes: { '/etc/passwd': {} } } }));
    subject = {
      engine: world.engine,
      image,
      prepare: () => undefined,
      unstartable: () => shellTask(broken, 'true'),
      lose: async (jobId) => {
        await world.docker.getContainer(world.containerName(jobId)).remove({ force: true });
      },
    };
  });

  after(() => world.stop());

  engineContract(() => subject);
});
