import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { GatewayError } from '../../src/errors.ts';
import { formatReference, parseReference, pinnedReference } from '../../src/image/reference.ts';
import { createLogger } from '../../src/logger.ts';
import type { Verdict } from '../../src/policy/verdict.ts';
import { createRegistry } from '../../src/registry/create-registry.ts';
import { registriesSchema, registryClientSchema } from '../../src/registry/registry-config.ts';
import { buildImage, buildIndex, busyboxLayer, HOST_PLATFORM, pushImage, pushIndex, pushManifest, type BuiltImage, type OciDocument } from '../support/oci-image.ts';
import { startRegistry, type RegistryProcess } from '../support/registry-process.ts';
import { LINUX_AMD64 } from '../support/memory-registry.ts';
import { JudgedSite } from '../support/site-policy.ts';
import { Site } from '../support/site.ts';

const run = promisify(execFile);
const JUDGEMENTS = 2_000;
const JOBS = 20;
const AT_ONCE = 8;

/** An image that may run and one that may not, alike but for their first layer; each says which it is. */
interface Pair {
  readonly approved: BuiltImage;
  readonly lookAlike: BuiltImage;
}

async function pairOn(base: BuiltImage, platform = HOST_PLATFORM): Promise<Pair> {
  const says = (text: string) => ({ platform, files: { '/main.sh': { content: `#!/bin/sh\necho ${text}\n`, mode: 0o755 } }, config: { Cmd: ['/main.sh'] } });
  const other = await buildImage({ platform, base: 'scratch', files: { '/other': 'base' }, layers: [await busyboxLayer()] });
  return { approved: await buildImage({ base, ...says('approved') }), lookAlike: await buildImage({ base: other, ...says('look-alike') }) };
}

/** Somebody who moves a tag without pause from one document to the next, round and round. */
class Mover {
  moves = 0;
  #stopped = false;
  readonly #moving: Promise<void>;

  constructor(host: string, repository: string, documents: readonly OciDocument[]) {
    this.#moving = this.#move(host, repository, documents);
    // Told by stop(), not by the process.
    this.#moving.catch(() => undefined);
  }

  async #move(host: string, repository: string, documents: readonly OciDocument[]): Promise<void> {
    while (!this.#stopped) {
      for (const document of documents) await pushManifest(host, repository, '1', document);
      this.moves += documents.length;
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#moving;
  }
}

/** Does `work` again and again, `AT_ONCE` at a time, until `enough`. */
async function repeat(work: () => Promise<void>, enough: () => boolean): Promise<void> {
  const worker = async (): Promise<void> => {
    while (!enough()) await work();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

describe('a race of retagging and judging, on a real registry', () => {
  /** The platform of JudgedSite; nothing here is run. */
  const platform = LINUX_AMD64;
  const site = new JudgedSite();
  let process: RegistryProcess;
  let registry: ReturnType<typeof createRegistry>;
  let pair: Pair;
  let documents: readonly OciDocument[];

  before(async () => {
    process = await startRegistry();
    const { host } = process;
    const base = await buildImage({ platform });
    await pushImage(host, 'base/busybox', '1', base);
    pair = await pairOn(base, platform);
    const indexes = [buildIndex([pair.approved]), buildIndex([pair.lookAlike])];
    for (const index of indexes) await pushIndex(host, 'job/race', '1', index);
    documents = [pair.approved.manifest, pair.lookAlike.manifest, ...indexes.map(({ index }) => index)];
    const registries = registriesSchema.parse([{ host, insecure: true, internal: true }]);
    registry = createRegistry({ registries, registryClient: registryClientSchema.parse({ tagSeconds: 0 }) }, site.clock, createLogger('silent'));
    await site.start(
      `
bases: [{name: busybox, image: "${host}/base/busybox:1"}]
rules: [{name: derived, images: ["${host}/job/**"], base: [busybox]}]
`,
      registry,
    );
  });
  after(async () => {
    await site.policy.catalogue.close();
    await registry.close();
    await process.stop();
  });

  it(`judges ${String(JUDGEMENTS)} times while the tag moves: every YES is the approved image's digest, and nothing else can be had by it`, async function () {
    this.timeout(120_000);
    const tag = `${process.host}/job/race:1`;
    const told = { yes: 0, no: 0, moved: 0 };
    const mover = new Mover(process.host, 'job/race', documents);
    const question = async (): Promise<void> => {
      const verdict = await untilJudged(tag);
      told[verdict.accepted ? 'yes' : 'no'] += 1;
      if (!verdict.accepted) {
        expect(verdict.reasons.map(({ code }) => code)).to.deep.equal(['image.base']);
        return;
      }
      if (await hasMoved(tag)) told.moved += 1;
      await check(verdict);
    };
    await repeat(question, () => told.yes + told.no >= JUDGEMENTS).finally(() => mover.stop());
    // Both answers, often, and many a YES about a tag that named the other image by then: there was a race.
    expect(Math.min(told.yes, told.no, told.moved, mover.moves), JSON.stringify({ ...told, moves: mover.moves })).to.be.greaterThan(JUDGEMENTS / 20);
  });

  /** The YES names the approved image, and whoever follows its digest gets that image. */
  async function check(verdict: Verdict & { readonly accepted: true }): Promise<void> {
    const { image } = verdict.task;
    const { approved } = pair;
    expect([image.manifestDigest, image.configDigest]).to.deep.equal([approved.manifest.digest, approved.config.digest]);
    expect(image.indexDigest).to.be.oneOf([undefined, documents[2]?.digest]);
    for (const digest of [image.manifestDigest, image.indexDigest]) {
      if (digest === undefined) continue;
      const followed = await registry.resolve(parseReference(pinnedReference(image.reference, digest)), platform, AbortSignal.timeout(30_000));
      expect([followed.manifestDigest, followed.configDigest]).to.deep.equal([approved.manifest.digest, approved.config.digest]);
    }
  }

  /** The registry writes a tag's file in place; who reads it half-written gets an error, and no verdict. */
  async function untilJudged(tag: string): Promise<Verdict> {
    for (;;) {
      try {
        const verdict = await site.judge(tag);
        if (verdict.accepted || verdict.reasons.some(({ code }) => code !== 'image.not-found')) return verdict;
      } catch (error) {
        if (!(error instanceof GatewayError)) throw error;
      }
    }
  }

  async function hasMoved(tag: string): Promise<boolean> {
    const now = await registry.currentDigest(parseReference(tag), AbortSignal.timeout(30_000)).catch(() => undefined);
    return now === documents[1]?.digest || now === documents[3]?.digest;
  }
});

describe('a race of retagging and running, on a real engine and a real registry', () => {
  const site = new Site();
  let pair: Pair;
  let tag: string;

  before(async () => {
    await site.open('jobs: { slots: 10, lease: 1, defaultCores: 0.1, defaultMemory: 64M }\n');
    pair = await pairOn(site.base);
    for (const image of [pair.lookAlike, pair.approved]) await pushImage(site.registry.host, 'job/race', '1', image);
    tag = `${site.registry.host}/job/race:1`;
    await site.start();
  });
  after(() => site.close());

  it('runs by the engine what the judge has to keep out: the look-alike works', async () => {
    const { stdout } = await run('docker', ['run', '--rm', '--network', 'none', formatReference({ ...parseReference(tag), digest: pair.lookAlike.manifest.digest })]);
    expect(stdout).to.equal('look-alike\n');
  });

  it(`runs ${String(JOBS)} jobs by the tag while it moves: the output of every one is the approved image's`, async function () {
    this.timeout(120_000);
    const told = { ran: 0, refused: 0, started: 0 };
    const mover = new Mover(site.registry.host, 'job/race', [pair.approved.manifest, pair.lookAlike.manifest]);
    const job = async (): Promise<void> => {
      // Half of them are told to run when they exist already: the tag moves in between.
      const later = (told.started += 1) % 2 === 0;
      const response = await site.post('/uws/docker', { IMAGE: tag, ...(later ? {} : { PHASE: 'RUN' }) });
      const url = response.headers.get('location');
      if (response.status !== 303 || url === null) {
        expect(response.status, await response.text()).to.be.oneOf([403, 503]);
        told.refused += 1;
        return;
      }
      if (later) await site.post(`${url}/phase`, { PHASE: 'RUN' });
      const ended = await site.ended(url);
      expect(ended.phase, JSON.stringify(ended)).to.equal('COMPLETED');
      expect(await site.result(url, 'stdout')).to.equal('approved\n');
      told.ran += 1;
    };
    await repeat(job, () => told.ran >= JOBS).finally(() => mover.stop());
    expect(Math.min(told.refused, mover.moves), JSON.stringify({ ...told, moves: mover.moves })).to.be.greaterThan(0);
  });
});
