import { createLogger } from '../../src/logger.ts';
import { createRegistry } from '../../src/registry/create-registry.ts';
import { registriesSchema, registryClientSchema } from '../../src/registry/registry-config.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { pushBlob, pushImage, pushIndex, pushManifest } from '../support/oci-image.ts';
import { startRegistry } from '../support/registry-process.ts';
import { describeRegistry } from './registry.ts';

describeRegistry('over HTTP, docker-registry 2.8', async () => {
  const server = await startRegistry();
  const clock = new FakeClock();
  const registry = createRegistry(
    { registries: registriesSchema.parse([{ host: server.host, insecure: true, internal: true }]), registryClient: registryClientSchema.parse({ tagSeconds: 30 }) },
    clock,
    createLogger('silent'),
  );
  return {
    registry,
    domain: server.host,
    pushImage: (repository, tag, image) => pushImage(server.host, repository, tag, image),
    pushIndex: (repository, tag, index) => pushIndex(server.host, repository, tag, index),
    pushBlob: (repository, bytes) => pushBlob(server.host, repository, bytes),
    pushManifest: (repository, tag, document) => pushManifest(server.host, repository, tag, document),
    age: () => clock.advance(31_000),
    stop: async () => {
      await registry.close();
      await server.stop();
    },
  };
});
