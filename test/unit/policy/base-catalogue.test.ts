import { expect } from 'chai';
import { GatewayError } from '../../../src/errors.ts';
import { createLogger } from '../../../src/logger.ts';
import { digestOf } from '../../../src/image/digest.ts';
import { formatReference, parseReference } from '../../../src/image/reference.ts';
import { BaseCatalogue } from '../../../src/policy/base-catalogue.ts';
import { MemoryBaseStore } from '../../../src/policy/base-store.ts';
import type { ApprovedBase } from '../../../src/policy/rule.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { LINUX_AMD64, MemoryRegistry } from '../../support/memory-registry.ts';

const approved = (name: string, image: string): ApprovedBase => ({ name, reference: parseReference(image), key: formatReference(parseReference(image)) });
const BASE = approved('base', 'reg.example/base:1');
/** A new set each time, as every new policy brings. */
const setOf = (...bases: ApprovedBase[]): Map<string, ApprovedBase> => new Map(bases.map((base) => [base.key, base]));
const { signal } = new AbortController();

describe('the catalogue of bases', () => {
  let registry: MemoryRegistry;
  let clock: FakeClock;
  let store: MemoryBaseStore;
  let catalogue: BaseCatalogue;

  async function open(...bases: ApprovedBase[]): Promise<BaseCatalogue> {
    const opened = new BaseCatalogue({ registry, clock, store, logger: createLogger('silent'), platform: () => Promise.resolve(LINUX_AMD64) });
    await opened.load();
    opened.approve(bases);
    return opened;
  }

  beforeEach(async () => {
    registry = new MemoryRegistry();
    clock = new FakeClock(1000);
    store = new MemoryBaseStore();
    catalogue = await open(BASE);
  });

  const layers = (...names: string[]): ReturnType<BaseCatalogue['beneath']> => catalogue.beneath(names.map((name) => digestOf(name)), LINUX_AMD64);
  const times = (): unknown[] => catalogue.sightingsOf(BASE).map(({ firstSeen, lastSeen }) => [firstSeen, lastSeen]);

  it('reads a base once, and later asks only whether its tag has moved', async () => {
    registry.put('reg.example/base:1', { layers: ['a'] });
    await catalogue.refresh();
    expect(registry.asked).to.have.length(2);
    clock.advance(500);
    await catalogue.refresh();
    expect(registry.asked.slice(2)).to.deep.equal(['currentDigest reg.example/base:1']);
    expect(times()).to.deep.equal([[1000, 1500]]);
  });

  it('keeps every digest that a tag has had', async () => {
    registry.put('reg.example/base:1', { layers: ['a'] });
    await catalogue.refresh();
    registry.put('reg.example/base:1', { layers: ['b'] });
    clock.advance(500);
    await catalogue.refresh();
    expect(times()).to.deep.equal([[1500, 1500], [1000, 1000]]);
    expect(layers('a', 'x')).to.have.length(1);
    expect(layers('b', 'x')).to.have.length(1);
  });

  it('reads the digest that the tag was seen to name, whatever it names a moment later', async () => {
    const first = registry.put('reg.example/base:1', { layers: ['a'] });
    const current = registry.currentDigest.bind(registry);
    registry.currentDigest = async (...question) => {
      const digest = await current(...question);
      registry.put('reg.example/base:1', { layers: ['b'] });
      return digest;
    };
    await catalogue.refresh();
    expect(catalogue.sightingsOf(BASE).map(({ tagDigest, diffIds }) => [tagDigest, diffIds])).to.deep.equal([[first.manifestDigest, first.diffIds]]);
  });

  it('asks nothing more of a base that is named by digest', async () => {
    const { manifestDigest } = registry.put('reg.example/base:1', { layers: ['a'] });
    const pinned = approved('pinned', `reg.example/base@${manifestDigest}`);
    catalogue.approve([pinned]);
    registry.put('reg.example/base:1', { layers: ['b'] });
    await catalogue.refresh();
    await catalogue.refresh();
    expect(registry.asked).to.deep.equal([`resolve reg.example/base@${manifestDigest}`]);
    expect(layers('a')).to.have.length(1);
    expect(layers('b')).to.deep.equal([]);
  });

  it('keeps what it had while a registry is down, without making it younger', async () => {
    registry.put('reg.example/base:1', { layers: ['a'] });
    await catalogue.refresh();
    registry.takeDown('reg.example');
    clock.advance(500);
    await catalogue.refresh();
    expect(times()).to.deep.equal([[1000, 1000]]);
    expect(catalogue.state(BASE)?.outage?.code).to.equal('RegistryUnavailable');
    expect(await catalogue.learn(setOf(BASE), LINUX_AMD64, signal)).to.equal(undefined);
  });

  it('remembers over a restart', async () => {
    registry.put('reg.example/base:1', { layers: ['a'] });
    await catalogue.refresh();
    await catalogue.close();
    registry.takeDown('reg.example');
    catalogue = await open(BASE);
    expect(layers('a')).to.have.length(1);
    expect(await catalogue.learn(setOf(BASE), LINUX_AMD64, signal)).to.equal(undefined);
  });

  it('never becomes younger when the clock steps back', async () => {
    registry.put('reg.example/base:1', { layers: ['a'] });
    await catalogue.refresh();
    clock.advance(-500);
    await catalogue.refresh();
    expect(times()).to.deep.equal([[1000, 1000]]);
  });

  for (const [what, spec] of [['without layers', { layers: [] }], ['for another platform', { platform: { os: 'linux', architecture: 'arm64', variant: '' } }]] as const) {
    it(`says why a base ${what} cannot be used`, async () => {
      registry.put('reg.example/base:1', spec);
      await catalogue.refresh();
      expect(catalogue.state(BASE)?.problem).to.be.a('string');
      expect(catalogue.sightingsOf(BASE)).to.deep.equal([]);
    });
  }

  it('changes its revision only when another image may count', async () => {
    registry.put('reg.example/base:1', { layers: ['a'] });
    await catalogue.refresh();
    const revision = catalogue.revision;
    await catalogue.refresh();
    expect(catalogue.revision).to.equal(revision);
    registry.put('reg.example/base:1', { layers: ['b'] });
    await catalogue.refresh();
    expect(catalogue.revision).to.be.greaterThan(revision);
  });

  it('asks at most four registries at once, and each base once however many wait for it', async () => {
    const bases = Array.from({ length: 20 }, (_, i) => approved(`b${i}`, `reg.example/b${i}:1`));
    bases.forEach((_, i) => registry.put(`reg.example/b${i}:1`, { layers: [`l${i}`] }));
    let open: () => void = () => undefined;
    registry.gate = new Promise((resolve) => (open = resolve));
    catalogue.approve(bases);
    const all = Promise.all([catalogue.refresh(), catalogue.refresh(), catalogue.learn(setOf(...bases), LINUX_AMD64, signal)]);
    await new Promise(setImmediate);
    expect(registry.asked).to.have.length(4);
    open();
    await all;
    expect(registry.asked.filter((question) => question.startsWith('currentDigest'))).to.have.length(20);
  });

  describe('asked for a base of which nothing is known', () => {
    it('asks the registry', async () => {
      registry.put('reg.example/base:1', { layers: ['a'] });
      expect(await catalogue.learn(setOf(BASE), LINUX_AMD64, signal)).to.equal(undefined);
      expect(layers('a')).to.have.length(1);
    });

    it('tells the outage, does not ask again at once, and asks again later', async () => {
      registry.takeDown('reg.example');
      expect((await catalogue.learn(setOf(BASE), LINUX_AMD64, signal))?.code).to.equal('RegistryUnavailable');
      expect((await catalogue.learn(setOf(BASE), LINUX_AMD64, signal))?.code).to.equal('RegistryUnavailable');
      expect(registry.asked).to.have.length(1);
      registry.bringUp();
      registry.put('reg.example/base:1', { layers: ['a'] });
      clock.advance(5000);
      expect(await catalogue.learn(setOf(BASE), LINUX_AMD64, signal)).to.equal(undefined);
      expect(layers('a')).to.have.length(1);
    });

    it('takes a registry that says there is none for an answer', async () => {
      expect(await catalogue.learn(setOf(BASE), LINUX_AMD64, signal)).to.equal(undefined);
      expect(catalogue.state(BASE)?.problem).to.match(/no image/);
    });

    it('stops waiting when the question is withdrawn, and learns all the same', async () => {
      registry.put('reg.example/base:1', { layers: ['a'] });
      let open: () => void = () => undefined;
      registry.gate = new Promise((resolve) => (open = resolve));
      const withdrawn = new AbortController();
      const learning = catalogue.learn(setOf(BASE), LINUX_AMD64, withdrawn.signal).then(() => 'learnt', (error: unknown) => error);
      withdrawn.abort(new Error('withdrawn'));
      expect(String(await learning)).to.include('withdrawn');
      open();
      await catalogue.refresh();
      expect(layers('a')).to.have.length(1);
    });
  });

  it('refreshes at its interval until it is told to end', async () => {
    registry.put('reg.example/base:1', { layers: ['a'] });
    const ending = new AbortController();
    const running = catalogue.run(60_000, ending.signal);
    await clock.whenSleepingUntil(61_000);
    expect(times()).to.deep.equal([[1000, 1000]]);
    clock.advance(60_000);
    await clock.whenSleepingUntil(121_000);
    expect(times()).to.deep.equal([[1000, 61_000]]);
    ending.abort();
    await running;
  });

  it('survives a store that cannot be written', async () => {
    store.save = () => Promise.reject(new Error('disk full'));
    registry.put('reg.example/base:1', { layers: ['a'] });
    await catalogue.refresh();
    expect(layers('a')).to.have.length(1);
  });

  it('takes a mistake in the program for an outage, not for an answer', async () => {
    registry.failure = () => new TypeError('oops');
    const outage = await catalogue.learn(setOf(BASE), LINUX_AMD64, signal);
    expect(outage).to.be.instanceOf(GatewayError);
    expect(outage?.message).not.to.include('oops');
  });
});
