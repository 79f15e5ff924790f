import Docker from 'dockerode';
import { expect } from 'chai';
import { Site } from '../support/site.ts';

const CLIENTS = 50;
const OFFER = { cores: 0.5, memory: 256 * 2 ** 20 };

describe('more is asked for than there is', () => {
  const site = new Site();
  before(async () => {
    await site.open('jobs: { slots: 20, cores: 0.5, memory: 256M, lease: 1, defaultCores: 0.1, defaultMemory: 64M }\n');
    await site.start();
  });
  after(() => site.close());

  it(`${String(CLIENTS)} clients ask and submit at once: what runs never has more than the offer`, async function () {
    this.timeout(300_000);
    const image = await site.push('short', 'true');
    const docker = new Docker();
    const over = new AbortController();
    const seen: { readonly cores: number; readonly memory: number }[] = [];
    /** The limits of all that runs, as the engine has them, again and again. */
    const watching = (async () => {
      while (!over.signal.aborted) {
        const running = await docker.listContainers({ filters: { label: [`pratique.gateway=${site.gatewayName}`], status: ['running'] } });
        const limits = await Promise.all(running.map(({ Id }) => docker.getContainer(Id).inspect().then(({ HostConfig }) => HostConfig, () => undefined)));
        const sum = (of: 'NanoCpus' | 'Memory'): number => limits.reduce((total, each) => total + (each?.[of] ?? 0), 0);
        seen.push({ cores: sum('NanoCpus') / 1e9, memory: sum('Memory') });
      }
    })();
    try {
      const ends = await Promise.all(
        Array.from({ length: CLIENTS }, async () => {
          const asked = await fetch(`${site.url}/accepts?tasktype=uri://docker-container&taskinfo.image=${image}`);
          const answer = (await asked.json()) as { readonly interfaces: readonly { readonly servicetype: string; readonly serviceinfo: { readonly parameters: Readonly<Record<string, string>> } }[] };
          const offer = answer.interfaces.find(({ servicetype }) => servicetype === 'uri://docker-uws');
          return site.ended(await site.submit(offer?.serviceinfo.parameters ?? {}));
        }),
      );
      expect(new Set(ends.map(({ phase }) => phase))).to.deep.equal(new Set(['COMPLETED']));
    } finally {
      over.abort();
      await watching;
    }
    expect(seen.some(({ cores }) => cores > 0), 'something was seen to run').to.equal(true);
    expect(Math.max(...seen.map(({ cores }) => cores))).to.be.at.most(OFFER.cores + 1e-9);
    expect(Math.max(...seen.map(({ memory }) => memory))).to.be.at.most(OFFER.memory);
  });
});
