import { expect } from 'chai';
import { ANONYMOUS, type Caller } from '../../../src/caller.ts';
import { GatewayError } from '../../../src/errors.ts';
import type { Wish } from '../../../src/execution/admission.ts';
import { type QuotaConfig, quotaSchema } from '../../../src/quota/quota-config.ts';
import { Quotas } from '../../../src/quota/quotas.ts';
import { runningLimits } from '../../../src/quota/running-limits.ts';
import type { CpuSpan, ImagesRun, UsageStore } from '../../../src/store/usage-store.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { jobWith, PINNED_TASK } from '../../support/jobs.ts';

const ada: Caller = { id: 'ada', groups: ['astronomers'] };
const bob: Caller = { id: 'bob', groups: ['astronomers', 'staff'] };
const eve: Caller = { id: 'eve', groups: [] };

/** What the store would say. */
interface Stored {
  waiting?: readonly Caller[];
  jobs?: number;
  resultBytes?: number;
  /** Of everybody. */
  cpu?: readonly (CpuSpan & { readonly owner: string })[];
  ran?: readonly (ImagesRun & { readonly owner: string })[];
  kept?: Awaited<ReturnType<UsageStore['kept']>>;
}

class Site {
  readonly clock = new FakeClock();
  stored: Stored = {};
  readonly quotas: Quotas;

  constructor(section: unknown, anonymous = { ask: true, run: true }) {
    this.quotas = new Quotas({
      config: quotaSchema.parse(section),
      clock: this.clock,
      anonymous,
      store: {
        waiting: async (owner) => (this.stored.waiting ?? []).map(({ id, groups }) => ({ owner: id, groups })).filter((each) => owner === undefined || each.owner === owner),
        holdings: async () => ({ jobs: this.stored.jobs ?? 0, resultBytes: this.stored.resultBytes ?? 0 }),
      },
      usage: {
        cpu: async (owner, since) => (this.stored.cpu ?? []).filter((each) => (owner === undefined || each.owner === owner) && each.to > since),
        images: async (owner, since) => (this.stored.ran ?? []).filter((each) => (owner === undefined || each.owner === owner) && each.at > since),
        kept: async () => this.stored.kept ?? [],
      },
    });
  }

  /** `yes`, or the status, what there is too much of, and in how many seconds to come again. */
  async admit(caller: Caller, wish: Partial<Wish> = {}): Promise<string> {
    return outcome(() => this.quotas.admit(caller, { create: true, run: true, task: PINNED_TASK, ...wish }).then((settled) => settled()));
  }
}

async function outcome(work: () => unknown): Promise<string> {
  try {
    await work();
    return 'yes';
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return [error.status, error.path, error.headers['Retry-After']].filter((part) => part !== undefined).join(' ');
  }
}

function image(digit: string): Partial<Wish> {
  return { task: { ...PINNED_TASK, image: { ...PINNED_TASK.image, manifestDigest: `sha256:${digit.repeat(64)}` } } };
}

describe('quotas', () => {
  it('say nothing where none are configured', async () => {
    const site = new Site({});
    site.stored = { waiting: Array<Caller>(1000).fill(ada), jobs: 1e6, resultBytes: 1e15 };
    expect(await site.admit(ada)).to.equal('yes');
    for (let i = 0; i < 1000; i += 1) site.quotas.ask(ANONYMOUS, '::1');
  });

  it('refuse a job beside too many that wait, 429, and take it again when one has begun', async () => {
    const site = new Site({ owner: { queued: 2 } });
    site.stored = { waiting: [ada, bob, ada] };
    expect(await site.admit(ada)).to.equal('429 quota.queued 30');
    expect(await site.admit(ada, { run: false })).to.equal('yes');
    expect(await site.admit(bob)).to.equal('yes');
    site.stored = { waiting: [ada, bob] };
    expect(await site.admit(ada)).to.equal('yes');
  });

  it('let no two through a door for one', async () => {
    const site = new Site({ owner: { queued: 1, jobs: 5 } });
    const wish: Wish = { create: true, run: true, task: PINNED_TASK };
    const outcomes = await Promise.allSettled([1, 2, 3].map(() => site.quotas.admit(ada, wish)));
    expect(outcomes.map(({ status }) => status)).to.deep.equal(['fulfilled', 'rejected', 'rejected']);
    const [first] = outcomes;
    if (first?.status === 'fulfilled') first.value();
    expect(await site.admit(ada)).to.equal('yes');
  });

  it('count jobs and bytes that are kept, 403 with what to do', async () => {
    const site = new Site({ owner: { jobs: 3, results: '1K' } });
    site.stored = { jobs: 3 };
    expect(await site.admit(ada, { run: false })).to.equal('403 quota.jobs');
    expect(await site.admit(ada, { create: false })).to.equal('yes');
    site.stored = { jobs: 1, resultBytes: 1024 };
    expect(await site.admit(ada, { run: false })).to.equal('403 quota.results');
    expect(await site.admit(ada, { create: false })).to.equal('403 quota.results');
  });

  it('refuse a job that is larger than everything its owner may have', async () => {
    const site = new Site({ owner: { cores: 0.5 } });
    expect(await site.admit(ada)).to.equal('403 quota.cores');
    expect(await new Site({ owner: { memory: '1M' } }).admit(ada)).to.equal('403 quota.memory');
    expect(await new Site({ owner: { cores: 1, memory: '256M' } }).admit(ada)).to.equal('yes');
  });

  it('count different images within a day, and say when there is room again', async () => {
    const site = new Site({ owner: { images: 2 } });
    expect(await site.admit(ada, image('a'))).to.equal('yes');
    site.clock.advance(3_600_000);
    expect(await site.admit(ada, image('b'))).to.equal('yes');
    expect(await site.admit(ada, image('a'))).to.equal('yes');
    expect(await site.admit(ada, image('c'))).to.equal(`429 quota.images ${String(24 * 3600)}`);
    site.clock.advance(23 * 3_600_000);
    expect(await site.admit(ada, image('c'))).to.equal('429 quota.images 3600');
    expect(await site.admit(bob, image('c'))).to.equal('yes');
    site.clock.advance(3_600_000);
    expect(await site.admit(ada, image('c'))).to.equal('yes');
  });

  it('know the images of jobs that ran before the gateway was started', async () => {
    const site = new Site({ owner: { images: 1 }, groups: [{ group: 'astronomers', images: 2 }] });
    const digest = (digit: string): readonly string[] => [`sha256:${digit.repeat(64)}`];
    site.stored = { ran: [{ owner: 'ada', groups: ada.groups, images: digest('a'), at: site.clock.now() - 3_600_000 }, { owner: 'eve', groups: [], images: digest('e'), at: site.clock.now() }] };
    expect(await site.admit(ada, image('a'))).to.equal('yes');
    expect(await site.admit(ada, image('b'))).to.equal(`429 quota.images ${String(24 * 3600)}`);
    expect(await site.admit(bob, image('b'))).to.equal('yes');
    site.stored = { ran: [{ owner: 'cam', groups: ['astronomers'], images: digest('c'), at: site.clock.now() - 3_600_000 }] };
    expect(await site.admit(bob, image('d'))).to.match(/^429 quota.images/);
  });

  const hours = (owner: string, from: number, to: number, cpu: number): CpuSpan & { owner: string } => ({ owner, groups: owner === 'eve' ? [] : ['astronomers'], from: from * 3_600_000, to: to * 3_600_000, cpuSeconds: cpu * 3600 });

  it('count CPU time within a day, and say when it is less again', async () => {
    const site = new Site({ owner: { cpuHours: 6 } });
    const now = site.clock.now() / 3_600_000;
    site.stored = { cpu: [hours('ada', now - 20, now - 16, 4), hours('ada', now - 2, now, 1.9), hours('bob', now - 2, now, 100)] };
    expect(await site.admit(ada)).to.equal('yes');
    site.stored = { cpu: [...(site.stored.cpu ?? []), hours('ada', now - 1, now, 0.1)] };
    // of the oldest job the first bit leaves the window in four hours
    expect(await site.admit(ada)).to.equal(`429 quota.cpuHours ${String(4 * 3600 + 1)}`);
    expect(await site.admit(ada, { run: false })).to.equal('yes');
    site.clock.advance(5 * 3_600_000);
    expect(await site.admit(ada)).to.equal('yes');
  });

  it('count of a job that began before the day its part within it', async () => {
    const site = new Site({ owner: { cpuHours: 6 } });
    const now = site.clock.now() / 3_600_000;
    site.stored = { cpu: [hours('ada', now - 48, now, 11.9)] };
    expect(await site.admit(ada)).to.equal('yes');
    site.stored = { cpu: [hours('ada', now - 48, now, 12.1)] };
    expect(await site.admit(ada)).to.match(/^429 quota.cpuHours [0-9]+$/);
  });

  it('count CPU time and results of a group together, and hold back its queued jobs', async () => {
    const site = new Site({ groups: [{ group: 'astronomers', cpuHours: 5, results: '1K' }] });
    const now = site.clock.now() / 3_600_000;
    site.stored = { cpu: [hours('ada', now - 2, now, 3), hours('bob', now - 2, now, 1.9), hours('eve', now - 2, now, 100)] };
    const held = (caller: Caller): Promise<boolean> => site.quotas.holdsBack({ owner: caller.id, groups: caller.groups });
    expect([await site.admit(ada), await held(ada)]).to.deep.equal(['yes', false]);
    site.stored = { cpu: [...(site.stored.cpu ?? []), hours('bob', now - 2, now, 0.2)] };
    expect([(await site.admit(ada)).slice(0, 18), await held(ada), await held(eve), await site.admit(eve)]).to.deep.equal(['429 quota.cpuHours', true, false, 'yes']);
    site.stored = { kept: [{ groups: ['astronomers', 'staff'], bytes: 600 }, { groups: ['astronomers'], bytes: 424 }, { groups: [], bytes: 1e6 }] };
    expect(await site.admit(ada, { run: false })).to.equal('403 quota.results');
    expect(await site.admit(eve)).to.equal('yes');
  });

  it('tell who only asks the same, and count nothing by it', async () => {
    const site = new Site({ owner: { images: 1, jobs: 5 } });
    const wish: Wish = { create: true, run: true, task: PINNED_TASK, ...image('b') };
    for (let i = 0; i < 10; i += 1) expect(await site.quotas.excess(ada, wish)).to.equal(undefined);
    expect(await site.admit(ada, image('a'))).to.equal('yes');
    expect(await site.quotas.excess(ada, wish)).to.deep.equal({ code: 'quota.images', text: 'you have run 1 different images within a day, which is the most; try again in 86400 s', retryAfter: 86_400 });
  });

  it('count questions: all at once after a pause, then evenly', async () => {
    const site = new Site({ owner: { questions: 6 } });
    const ask = (): Promise<string> => outcome(() => site.quotas.ask(ada, 'x'));
    for (let i = 0; i < 6; i += 1) expect(await ask()).to.equal('yes');
    expect(await ask()).to.equal('429 quota.questions 10');
    site.clock.advance(9_000);
    expect(await ask()).to.equal('429 quota.questions 1');
    site.clock.advance(1_000);
    expect(await ask()).to.equal('yes');
    expect(await ask()).to.equal('429 quota.questions 10');
    site.clock.advance(3_600_000);
    for (let i = 0; i < 6; i += 1) expect(await ask()).to.equal('yes');
    expect(await ask()).to.match(/^429/);
  });

  it('count judgements of jobs as questions', async () => {
    const site = new Site({ owner: { questions: 1 } });
    site.quotas.may(ada);
    expect(await outcome(() => site.quotas.may(ada))).to.equal('429 quota.questions 60');
    expect(await outcome(() => site.quotas.may(bob))).to.equal('yes');
  });

  it('count questions of anonymous callers by where they come from', async () => {
    const site = new Site({ anonymous: { questions: 1 } });
    site.quotas.ask(ANONYMOUS, '10.0.0.1');
    expect(await outcome(() => site.quotas.ask(ANONYMOUS, '10.0.0.1'))).to.match(/^429/);
    expect(await outcome(() => site.quotas.ask(ANONYMOUS, '10.0.0.2'))).to.equal('yes');
    expect(await outcome(() => site.quotas.ask(ada, '10.0.0.1'))).to.equal('yes');
    expect(await outcome(() => site.quotas.ask(ANONYMOUS, '::ffff:10.0.0.1'))).to.match(/^429/);
    site.quotas.ask(ANONYMOUS, '2001:db8:1:2::1');
    expect(await outcome(() => site.quotas.ask(ANONYMOUS, '2001:db8:1:2:ffff::2'))).to.match(/^429/);
    expect(await outcome(() => site.quotas.ask(ANONYMOUS, '2001:db8:1:3::1'))).to.equal('yes');
  });

  it('are another\'s for members of some groups, and nobody\'s for groups together', async () => {
    const site = new Site({ owner: { queued: 1 }, tiers: [{ groups: ['staff'], queued: 10 }], groups: [{ group: 'astronomers', queued: 4 }] });
    site.stored = { waiting: [bob, bob, bob] };
    expect(await site.admit(bob)).to.equal('yes');
    expect(await site.admit(ada)).to.equal('yes');
    site.stored = { waiting: [bob, bob, bob, ada] };
    expect(await site.admit(bob)).to.equal('429 quota.queued 30');
    expect(await site.admit(eve)).to.equal('yes');
  });

  it('of 0 are of nothing at all', async () => {
    const site = new Site({ owner: { queued: 0, questions: 0, images: 0, jobs: 0 } });
    expect(await new Site({ owner: { cpuHours: 0 } }).admit(ada)).to.equal(`429 quota.cpuHours ${String(24 * 3600)}`);
    expect(await site.admit(ada, { create: false, task: null })).to.match(/^429 quota.queued/);
    expect(await site.admit(ada, { create: false })).to.match(/^429 quota.images/);
    expect(await site.admit(ada)).to.equal('403 quota.jobs');
    expect(await outcome(() => site.quotas.ask(ada, 'x'))).to.match(/^429 quota.questions/);
  });

  it('begin with who may at all', async () => {
    const site = new Site({}, { ask: false, run: false });
    expect(await outcome(() => site.quotas.ask(ANONYMOUS, 'x'))).to.equal('401');
    expect(await outcome(() => site.quotas.may(ANONYMOUS))).to.equal('401');
    expect(site.quotas.refusal(ANONYMOUS)?.code).to.equal('caller.anonymous');
    expect(site.quotas.refusal(ada)).to.equal(undefined);
  });

  for (const section of [{ owner: { queued: -1 } }, { owner: { memory: '512' } }, { owners: {} }, { groups: [{ group: 'a', jobs: 3 }] }, { tiers: [{ queued: 1 }] }, { owner: { cores: 0 } }, { owner: { cpuHours: -1 } }, { owner: { cpuHours: '5' } }]) {
    it(`are not ${JSON.stringify(section)}`, () => {
      expect(quotaSchema.safeParse(section).success).to.equal(false);
    });
  }
});

describe('quotas of what runs', () => {
  const limits = (section: unknown): QuotaConfig => quotaSchema.parse(section);
  const of = (owner: string, groups: readonly string[], cores = 1, memory = 2 ** 28): { owner: string; groups: readonly string[]; resources: { cores: number; memory: number } } => ({ owner, groups, resources: { cores, memory } });
  const job = jobWith({ owner: 'ada', groups: ['astronomers'], phase: 'QUEUED' });

  const table: readonly (readonly [string, unknown, readonly ReturnType<typeof of>[], boolean])[] = [
    ['nothing is limited', {}, Array(50).fill(of('ada', [])) as ReturnType<typeof of>[], true],
    ['one may run and none does', { owner: { running: 1 } }, [of('bob', ['astronomers'])], true],
    ['one may run and one does', { owner: { running: 1 } }, [of('ada', [])], false],
    ['cores are left', { owner: { cores: 2 } }, [of('ada', [], 1)], true],
    ['cores are not left', { owner: { cores: 2 } }, [of('ada', [], 1.5)], false],
    ['thousandths of cores fit exactly', { owner: { cores: 1.3 } }, [of('ada', [], 0.1), of('ada', [], 0.2)], true],
    ['memory is not left', { owner: { memory: '512M' } }, [of('ada', [], 1, 2 ** 28 + 1)], false],
    ['the group has enough', { groups: [{ group: 'astronomers', running: 2 }] }, [of('bob', ['astronomers']), of('eve', [])], true],
    ['the group has too much', { groups: [{ group: 'astronomers', running: 2 }] }, [of('bob', ['astronomers']), of('cam', ['astronomers'])], false],
    ['a tier allows more', { owner: { running: 1 }, tiers: [{ groups: ['astronomers'], running: 2 }] }, [of('ada', [])], true],
  ];
  for (const [what, section, running, expected] of table) {
    it(`${expected ? 'start' : 'hold back'} a job where ${what}`, () => {
      expect(runningLimits(limits(section))(job, running)).to.equal(expected);
    });
  }
});
