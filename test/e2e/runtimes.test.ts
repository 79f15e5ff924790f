import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import Docker, { type ContainerCreateOptions } from 'dockerode';
import { containerOptions, type ContainerOptions } from '../../src/engine/docker-container-options.ts';
import { parseContainer } from '../../src/engine/docker-inspect.ts';
import { namesOf } from '../../src/engine/docker-names.ts';
import { containerDifferences } from '../../src/engine/docker-verify-container.ts';
import { engineSchema } from '../../src/engine/engine-config.ts';
import { judged, shellTask } from '../contract/engine-image.ts';
import { OwnEngine } from '../faults/own-engine.ts';
import { buildImage, pushImage } from '../support/oci-image.ts';
import { type JobDocument, Site } from '../support/site.ts';

/** Stands before runc and writes down under which name it was called, and which variables of NVIDIA the container has. */
const RUNTIME = (name: string, log: string): string => `#!/bin/sh
for word in "$@"; do
  [ "$previous" = --bundle ] && bundle=$word
  [ "$word" = create ] && verb=create
  previous=$word
done
[ "$verb" = create ] && echo "${name} $(grep -o '"NVIDIA_[A-Z_]*=[^"]*"' "$bundle/config.json" | tr -d '"' | tr '\\n' ' ')" >> ${log}
exec runc "$@"
`;

/** What the engine calls before a container begins that was given processors: it reads where the container is from its input, as NVIDIA's own does. */
const HOOK = (log: string): string => `#!/bin/sh
bundle=$(sed 's/.*"bundle":"\\([^"]*\\)".*/\\1/')
echo "hook $1 $(grep -o '"NVIDIA_[A-Z_]*=[^"]*"' "$bundle/config.json" | tr -d '"' | tr '\\n' ' ')" >> ${log}
`;

const GPUS_LACK = 'GPUs: it has no runtime nvidia';

/** Rules for images of one name each, on a site's registry. */
const RULES = {
  plain: '',
  other: 'run: { runtime: other }',
  absent: 'run: { runtime: not-registered }',
  gpu: 'run: { gpus: 2 }',
  'gpu-runtime': 'run: { gpus: 1, runtime: nvidia }',
};

/** The rules' site on one engine; `host`: none = the machine's. */
class RuleSite {
  readonly site = new Site();

  async open(host?: string): Promise<void> {
    const { site } = this;
    await site.open();
    const file = join(site.folder, 'pratique.yaml');
    const text = readFileSync(file, 'utf8').replace(/engine: \{(.*)\}/, host === undefined ? '$&' : `engine: {$1, host: "${host}" }`);
    const rules = Object.entries(RULES).map(([name, run]) => `    - { name: ${name}, images: ["${site.registry.host}/${name}/**"], config: { volumes: any }${run === '' ? '' : `, ${run}`} }\n`);
    writeFileSync(file, text + rules.join(''));
    const image = await buildImage({ base: site.base, config: { Env: ['PATH=/bin', 'NVIDIA_VISIBLE_DEVICES=all', 'NVIDIA_DRIVER_CAPABILITIES=all', 'NVIDIA_MOFED=enabled'] } });
    for (const name of Object.keys(RULES)) await pushImage(site.registry.host, `${name}/tool`, '1', image);
    await site.start();
  }

  /** The job's document and what its program printed: its variables. */
  async run(rule: keyof typeof RULES, parameters: Readonly<Record<string, string>> = {}): Promise<{ readonly job: JobDocument; readonly variables: readonly string[] }> {
    const { site } = this;
    const url = await site.submit({ PHASE: 'RUN', IMAGE: `${site.registry.host}/${rule}/tool:1`, COMMAND: 'env', ...parameters });
    const job = await site.ended(url);
    const printed = job.results.some(({ id }) => id === 'stdout') ? await site.result(url, 'stdout') : '';
    return { job, variables: printed.split('\n').filter((line) => line.startsWith('NVIDIA_')).sort() };
  }

  /** Why no job was made. */
  async refusal(rule: keyof typeof RULES, parameters: Readonly<Record<string, string>> = {}): Promise<string> {
    return this.run(rule, parameters).then(({ job }) => `a job: ${job.phase}`, (error: unknown) => String(error));
  }
}

describe('runtimes and graphics processors of an engine', function () {
  this.timeout(120_000);

  /** There is no processor here and no driver: what stands in for NVIDIA's programs sees what an engine would have told those. No device is seen by any container. */
  describe('that has another runtime, and stand-ins for those of NVIDIA', () => {
    const folder = mkdtempSync(join(tmpdir(), 'pratique-runtimes-'));
    const log = join(folder, 'calls.log');
    const sites = new RuleSite();
    let engine: OwnEngine | undefined;

    before(async function () {
      if (process.getuid?.() !== 0) {
        console.log('      skipped: a Docker Engine of its own, which only root may start');
        this.skip();
      }
      const program = (name: string, text: string): string => {
        writeFileSync(join(folder, name), text);
        chmodSync(join(folder, name), 0o755);
        return join(folder, name);
      };
      program('nvidia-container-runtime-hook', HOOK(log));
      const runtimes = Object.fromEntries(['other', 'nvidia'].map((name) => [name, program(name, RUNTIME(name, log))]));
      engine = new OwnEngine({ runtimes, programs: folder });
      await engine.start(false);
      await sites.open(`unix://${engine.socket}`);
    });

    after(async () => {
      await sites.site.close();
      await engine?.dispose();
      rmSync(folder, { recursive: true, force: true });
    });

    beforeEach(() => writeFileSync(log, ''));

    const calls = (): readonly string[] => readFileSync(log, 'utf8').split('\n').map((line) => line.trim()).filter((line) => line !== '');

    it('the runtime that a rule names is the one that starts its containers, and no other container', async () => {
      const { job } = await sites.run('other');
      expect([job.phase, job.jobInfo?.['relaxed']]).to.deep.equal(['COMPLETED', ['runtime other']]);
      expect(calls().map((line) => line.split(' ')[0])).to.deep.equal(['other']);
      expect((await sites.run('plain')).job.phase).to.equal('COMPLETED');
      expect(calls()).to.have.length(1);
    });

    it('one that the engine lacks refuses, by name, before there is a job', async () => {
      expect(await sites.refusal('absent')).to.include('403').and.include('policy.engine').and.include('runtime not-registered');
      expect(calls()).to.deep.equal([]);
    });

    for (const [gpus, devices] of [['1', '0'], ['2', '0,1']] as const) {
      it(`GPUS=${gpus}: the engine takes it, its hook and the program are told of as many, whatever image and task say`, async () => {
        const { job, variables } = await sites.run('gpu', { GPUS: gpus, 'ENV.NVIDIA_VISIBLE_DEVICES': 'all', 'ENV.NVIDIA_MIG_CONFIG_DEVICES': 'all' });
        expect(job.phase, job.errorSummary?.message).to.equal('COMPLETED');
        expect(job.jobInfo?.['relaxed']).to.deep.equal([`GPUs ${gpus}`]);
        const told = [`NVIDIA_VISIBLE_DEVICES=${devices}`, 'NVIDIA_DRIVER_CAPABILITIES=compute,utility'];
        expect(variables).to.deep.equal([...told, 'NVIDIA_MIG_CONFIG_DEVICES=', 'NVIDIA_MOFED='].sort());
        // the engine adds its own behind those that the container has: twice the same, so that it does not matter which is read
        const [hook = '', ...others] = calls();
        expect(others).to.deep.equal([]);
        expect(hook.split(' ').slice(0, 2)).to.deep.equal(['hook', 'prestart']);
        expect(hook.split(' ').slice(2).sort()).to.deep.equal([...told, ...told, 'NVIDIA_MIG_CONFIG_DEVICES=', 'NVIDIA_MOFED='].sort());
      });
    }

    it('a rule that names the runtime nvidia beside has its containers started by it', async () => {
      const { job, variables } = await sites.run('gpu-runtime', { GPUS: '1' });
      expect([job.phase, job.jobInfo?.['relaxed']]).to.deep.equal(['COMPLETED', ['runtime nvidia', 'GPUs 1']]);
      expect(variables).to.include('NVIDIA_VISIBLE_DEVICES=0');
      expect(calls().map((line) => line.split(' ')[0])).to.deep.equal(['nvidia', 'hook']);
    });

    it('a job that asks for none gets none, and one that asks for more than the rule gives is refused', async () => {
      expect((await sites.run('gpu')).variables).to.include('NVIDIA_VISIBLE_DEVICES=void');
      expect(calls()).to.deep.equal([]);
      expect(await sites.refusal('gpu', { GPUS: '3' })).to.include('resources.gpus');
      expect(await sites.refusal('plain', { GPUS: '1' })).to.include('resources.gpus');
      expect(calls()).to.deep.equal([]);
    });

    it('what the engine has made is compared with what was asked: another number is a difference', async () => {
      const image = judged(await buildImage(), sites.site.registry.host, 'gpu/tool');
      const options = (gpus: number): ContainerOptions => containerOptions(namesOf('readback', 'j'), 'readback', 'j', shellTask(image, 'true', { relaxed: { gpus } }), busybox, engineSchema.parse({}));
      const busybox = (await engine?.docker.listImages())?.find(({ RepoDigests }) => RepoDigests?.some((name) => name.startsWith(sites.site.registry.host)))?.Id ?? '';
      const made = await engine?.docker.createContainer(options(1) as unknown as ContainerCreateOptions);
      const found = parseContainer(await made?.inspect());
      await made?.remove({ v: true });
      // the image of it is another than that of its task, which has its own variables; the processors are what counts here
      const differences = (gpus: number): readonly string[] => containerDifferences(options(gpus), found, false).filter((path) => !['Config.Env', 'Mounts'].includes(path));
      expect([differences(1), differences(2)]).to.deep.equal([[], ['HostConfig.DeviceRequests']]);
    });
  });

  describe("that has neither (this machine's)", () => {
    const sites = new RuleSite();

    before(async function () {
      if ('nvidia' in ((await new Docker().info()) as { Runtimes: object }).Runtimes) {
        console.log("      skipped: this machine's engine has the runtime nvidia");
        this.skip();
      }
      await sites.open();
    });

    after(() => sites.site.close());

    it('refuses what asks for processors, with what is missing; the same image without asking runs', async () => {
      expect(await sites.refusal('gpu', { GPUS: '1' })).to.include('403').and.include('policy.engine').and.include(GPUS_LACK);
      const asked = await fetch(`${sites.site.url}/accepts?tasktype=uri://docker-container&taskinfo.image=${sites.site.registry.host}/gpu/tool:1&resources.mingpus=1`);
      expect(await asked.text(), 'what the site offers has none then').to.include('resources.gpus').and.include('promises no gpus');
      expect((await sites.run('gpu')).job.phase).to.equal('COMPLETED');
      expect(await sites.refusal('other')).to.include('runtime other');
    });
  });
});
