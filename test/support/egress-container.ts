import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';

const docker = new Docker();

/** `pratique egress` in a container, as operators run it: this machine's files, read-only, in place of an image of the gateway's. */
export class EgressContainer {
  readonly name = `pratique-test-egress-${randomBytes(4).toString('hex')}`;
  readonly #folder = mkdtempSync(join(tmpdir(), 'pratique-egress-'));
  /** By which who looks at the whole engine knows that it is somebody's. */
  readonly #labels = { 'pratique.gateway': this.name };
  #network: Docker.Network | undefined;

  /** Makes its network; what the host is called there. */
  async prepare(): Promise<string> {
    this.#network = await docker.createNetwork({ Name: `${this.name}.outside`, Labels: this.#labels });
    const { IPAM } = (await this.#network.inspect()) as { IPAM: { Config: { Gateway?: string }[] } };
    return IPAM.Config[0]?.Gateway?.split('/')[0] ?? '';
  }

  /** `image`: any with busybox; `allow`: as in the file. Resolves when it listens. */
  async start(image: string, allow: readonly object[]): Promise<void> {
    const file = join(this.#folder, 'egress.yaml');
    writeFileSync(file, JSON.stringify({ allow }));
    const words = `cd ${process.cwd()} && exec ${process.execPath} --import tsx src/main.ts egress --config ${file}`;
    await new Promise<void>((resolve, reject) => {
      void docker.pull(image, (error: Error | null, stream?: NodeJS.ReadableStream) => (error !== null || stream === undefined ? reject(error ?? new Error('no pull')) : docker.modem.followProgress(stream, (failed) => (failed === null ? resolve() : reject(failed)))));
    });
    const container = await docker.createContainer({ name: this.name, Image: image, Labels: this.#labels, Cmd: ['chroot', '/host', '/bin/sh', '-c', words], User: '0:0', Env: ['TSX_DISABLE_CACHE=1'], HostConfig: { NetworkMode: `${this.name}.outside`, Binds: ['/:/host:ro'] } });
    await container.start();
    const log = await container.logs({ stdout: true, stderr: true, follow: true });
    let said = '';
    for await (const chunk of log) if ((said += String(chunk)).includes('the way out is open')) return;
    throw new Error(`egress did not start: ${said}`);
  }

  /** The names of the networks that it is in. */
  async networks(): Promise<readonly string[]> {
    return Object.keys((await docker.getContainer(this.name).inspect()).NetworkSettings.Networks);
  }

  async close(): Promise<void> {
    await docker.getContainer(this.name).remove({ force: true }).catch(() => undefined);
    await this.#network?.remove().catch(() => undefined);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
