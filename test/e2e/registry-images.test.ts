import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { buildImage, buildIndex, pushImage, pushIndex } from '../support/oci-image.ts';
import { startRegistry, type RegistryProcess } from '../support/registry-process.ts';

const run = promisify(execFile);

describe('images built for tests', () => {
  let registry: RegistryProcess;
  const pulled: string[] = [];
  before(async () => (registry = await startRegistry()));
  after(async () => {
    if (pulled.length > 0) await run('docker', ['rmi', '-f', ...pulled]);
    await registry.stop();
  });

  async function runImage(reference: string): Promise<string> {
    pulled.push(reference);
    // Container names are the only thing shared with other tests on this engine.
    const name = `pratique-oci-image-${randomBytes(6).toString('hex')}`;
    const { stdout } = await run('docker', ['run', '--rm', '--network=none', `--name=${name}`, reference, 'cat', '/data/hello']);
    return stdout;
  }

  for (const format of ['oci', 'docker'] as const) {
    it(`run in the engine when pushed as ${format}`, async () => {
      const base = await buildImage({ format });
      const image = await buildImage({ base, format, files: { '/data/hello': `hello ${format}` }, config: { User: '1000' } });
      await pushImage(registry.host, `test/${format}`, '1', image);
      expect(await runImage(`${registry.host}/test/${format}:1`)).to.equal(`hello ${format}`);
    });
  }

  it('run when reached through an index', async () => {
    const here = await buildImage({ files: { '/data/hello': 'indexed' } });
    const elsewhere = await buildImage({ platform: { os: 'linux', architecture: 's390x' } });
    await pushIndex(registry.host, 'test/index', '1', buildIndex([elsewhere, here]));
    expect(await runImage(`${registry.host}/test/index:1`)).to.equal('indexed');
  });
});
