import { expect } from 'chai';
import type { JobDocument } from '../../faults/job-document.ts';
import { judge, type KnownJob, type Weather } from '../../faults/model.ts';
import { expectedOf, JOB_KINDS, type JobKind, parametersOf, type Plan, planOf } from '../../faults/plan.ts';
import { Random } from '../../faults/random.ts';

const FAIR: Weather = { engine: false, engineDisk: false, gateway: false, registry: false };

/** A plan of the kind for which `wanted` holds. */
function plan(kind: JobKind, wanted: (plan: Plan) => boolean = () => true): Plan {
  for (let seed = 0; seed < 1000; seed += 1) {
    const made = planOf(kind, 'm', ['registry.example.org/one', 'registry.example.org/two'], new Random(seed));
    if (wanted(made)) return made;
  }
  throw new Error(`no such plan of a ${kind} job`);
}

function known(of: Plan, more: Partial<KnownJob> = {}): KnownJob {
  return { plan: of, asked: 0, path: '/uws/docker/1', created: 'done', run: 'done', aborted: 'never', deleted: 'never', ended: undefined, endedSeen: undefined, ...more };
}

function document(phase: string, more: Partial<JobDocument> = {}): JobDocument {
  return { jobId: '1', runId: 'm', phase, creationTime: '', startTime: null, endTime: null, results: [], errorSummary: null, jobInfo: {}, ...more };
}

const failed = (message: string, exitCode?: number, type = 'fatal'): JobDocument => document('ERROR', { errorSummary: { type, message }, jobInfo: exitCode === undefined ? {} : { exitCode } });

/** What the model says of a job whose services were started so often. */
function said(job: KnownJob, seen: JobDocument | undefined, runs: readonly number[], weather: Partial<Weather> = {}): string {
  const started = new Map(job.plan.services.map(({ mark }, i) => [mark, runs[i] ?? 0]));
  return judge(job, seen, started, { ...FAIR, ...weather }).join('; ');
}

describe('the model of a campaign of faults', () => {
  it('a job ends as its programs do', () => {
    expect(said(known(plan('quick')), document('COMPLETED'), [1])).to.equal('');
    expect(said(known(plan('chain')), document('COMPLETED'), [1, 1])).to.equal('');
    const failing = plan('failing');
    expect(said(known(failing), failed('exit code', failing.services[0]?.code), [1])).to.equal('');
    expect(said(known(failing), document('COMPLETED'), [1])).to.include('its program failed');
    expect(said(known(plan('long')), document('ABORTED'), [1])).to.equal('');
    expect(said(known(plan('long')), document('COMPLETED'), [1])).to.include('beyond its limit');
    expect(said(known(plan('quick')), document('ABORTED'), [1])).to.include('nobody has aborted it');
    expect(said(known(plan('quick')), document('EXECUTING'), [1])).to.include('it is not over');
  });

  it('a service that another waits for and that fails ends the job, which says so, and the other never starts', () => {
    const broken = plan('chainBroken');
    const message = `service main cannot start: it waits for setup to be completed, which ended with exit code ${String(broken.services[0]?.code)}`;
    expect(said(known(broken), failed(message), [1, 0])).to.equal('');
    expect(said(known(broken), failed(message), [1, 1])).to.include('did not run as often as it should');
    expect(said(known(broken), failed('service main cannot start'), [1, 0])).to.include('trying again will not help');
  });

  it('that nobody knows whether a program ran, or had its secrets, is an end where who knew it has died, and no other', () => {
    for (const message of ['service main could not be started once more: …, and whether it ran is not known', 'the program is over, and whether it had its secrets is not known']) {
      const seen = failed(message, undefined, 'transient');
      expect(said(known(plan('secret')), seen, [1])).to.include('an error that no fault explains');
      expect(said(known(plan('secret')), seen, [1], { gateway: true })).to.equal('');
      expect(said(known(plan('secret')), failed(message), [1], { gateway: true })).to.include('trying again will not help');
    }
  });

  it('no program runs twice, whatever the weather; with restarts, none more often than they allow', () => {
    for (const engine of [false, true]) {
      expect(said(known(plan('chain')), document('COMPLETED'), [2, 1], { engine })).to.include('m.setup was started 2 times');
      expect(said(known(plan('quick'), { deleted: 'done' }), undefined, [2], { engine })).to.include('m was started 2 times');
      const flaky = plan('flaky');
      const most = flaky.services.map(({ restarts }) => restarts + 1);
      expect(said(known(flaky), document('COMPLETED'), [most[0] ?? 0, (most[1] ?? 0) + 1], { engine })).to.include('with');
    }
  });

  it('restarts are as many as there are failures; an engine that ends programs makes them more', () => {
    const flaky = plan('flaky', ({ services: [, main] }) => main?.failures === 1 && main.restarts === 3);
    const [setup = 0, main = 0] = expectedOf(flaky).runs;
    expect(said(known(flaky), document('COMPLETED'), [setup, main])).to.equal('');
    expect(said(known(flaky), document('COMPLETED'), [setup, main - 1])).to.include('did not run as often');
    expect(said(known(flaky), document('COMPLETED'), [setup, main - 1], { engine: true })).to.include('did not run as often');
    expect(said(known(flaky), document('COMPLETED'), [setup, main + 1])).to.include('did not run as often');
    expect(said(known(flaky), document('COMPLETED'), [setup, main + 1], { engine: true })).to.equal('');
    expect(said(known(flaky), failed('exit code 7', 7), [setup, 4], { engine: true })).to.equal('');
    expect(said(known(flaky), failed('exit code 7', 7), [setup, 2], { engine: true })).not.to.equal('');
  });

  it('a job that restarts until its limit is ABORTED', () => {
    expect(expectedOf(plan('restless')).phase).to.equal('ABORTED');
    expect(said(known(plan('restless')), document('ABORTED'), [1, 4])).to.equal('');
    expect(said(known(plan('restless')), failed('exit code 7', 7), [1, 11])).not.to.equal('');
  });

  it('weather excuses only what it may have done', () => {
    const quick = known(plan('quick'));
    const noImage = failed('the registry does not answer', undefined, 'transient');
    expect(said(quick, noImage, [0], { registry: true })).to.equal('');
    expect(said(quick, noImage, [1], { registry: true })).to.include('no fault explains');
    expect(said(quick, noImage, [0])).to.include('no fault explains');
    const lost = failed('the container was lost', undefined, 'transient');
    expect(said(quick, lost, [1], { engine: true })).to.equal('');
    expect(said(quick, lost, [1], { registry: true })).to.include('no fault explains');
    expect(said(quick, failed('ended by signal SIGKILL', 137, 'transient'), [1])).to.include('nobody has ended its program');
    expect(said(quick, failed('exit code 9', 9), [1], { engineDisk: true })).to.equal('');
    expect(said(quick, failed('exit code 9', 9), [1], { engine: true })).to.include('there was room');
    const chain = known(plan('chain'));
    const broken = (code: number): JobDocument => failed(`service main cannot start: it waits for setup to be completed, which ended with exit code ${String(code)}`);
    expect(said(chain, broken(143), [1, 0], { engine: true })).to.equal('');
    expect(said(chain, broken(143), [1, 0])).to.include('nobody has ended its program');
    expect(said(chain, broken(9), [1, 0], { engineDisk: true })).to.equal('');
    expect(said(chain, broken(3), [1, 0], { engine: true, engineDisk: true })).to.include('trying again will not help');
    expect(said(quick, failed('the engine refused', undefined, 'fatal'), [0], { engine: true, engineDisk: true, registry: true })).to.include('trying again will not help');
  });

  it('what was accepted is there, and what was deleted is not', () => {
    const quick = plan('quick');
    expect(said(known(quick), undefined, [1])).to.include('is lost');
    expect(said(known(quick, { created: 'unknown' }), undefined, [0])).to.equal('');
    expect(said(known(quick, { deleted: 'unknown' }), undefined, [1])).to.equal('');
    expect(said(known(quick, { deleted: 'done' }), document('ABORTED'), [1])).to.include('was deleted and is there');
    expect(said(known(plan('doomed')), document('COMPLETED'), [1])).to.include('after its destruction');
    expect(said(known(quick, { ended: 'ABORTED' }), document('COMPLETED'), [1])).to.include('seen in ABORTED');
    expect(said(known(quick), document('PENDING'), [0])).to.include('never did');
  });
});

describe('jobs of a campaign of faults', () => {
  it('a quarter are compose files', () => {
    const weights = Object.entries(JOB_KINDS);
    const all = weights.reduce((sum, [, weight]) => sum + weight, 0);
    const compose = weights.filter(([kind]) => plan(kind as JobKind).list === 'compose').reduce((sum, [, weight]) => sum + weight, 0);
    expect(compose / all).to.be.within(0.2, 0.3);
  });

  it('their logs are those of every service, in their order, with its name before each line', () => {
    const flaky = plan('flaky', ({ services: [setup, main] }) => setup?.failures === 0 && main?.failures === 1);
    const main = 'begin m.main\nfail m.main\nbegin m.main\nend m.main\n';
    expect([...expectedOf(flaky).logs]).to.deep.equal([
      ['stdout', `setup | begin m.setup\nsetup | end m.setup\n${main.replace(/^(?=.)/gm, 'main | ')}`],
      ['stdout.setup', 'begin m.setup\nend m.setup\n'],
      ['stdout.main', main],
    ]);
    expect([...expectedOf(plan('quick')).logs]).to.deep.equal([['stdout', 'begin m\nend m\n']]);
  });

  it('a compose file says what each service is to do', () => {
    const flaky = plan('flaky', ({ services: [, main] }) => main?.restarts === 2 && main.file);
    const { COMPOSEFILE = '', ...more } = parametersOf(flaky);
    expect(more).not.to.have.property('IMAGE');
    const { services } = JSON.parse(COMPOSEFILE) as { readonly services: Readonly<Record<string, Readonly<Record<string, unknown>>>> };
    expect(services['main']).to.deep.include({ restart: 'on-failure:2', depends_on: { setup: { condition: 'service_completed_successfully' } } });
    expect(services['main']?.['environment']).to.deep.include({ MARK: 'm.main', READS: 'yes', WRITES: '' });
    expect(services['setup']?.['environment']).to.deep.include({ MARK: 'm.setup', READS: '', WRITES: 'yes' });
  });

  it('files of a service that was never reached are not expected', () => {
    expect(expectedOf(plan('chainBroken')).files.size).to.equal(0);
    expect([...expectedOf(plan('chain', ({ services: [, main] }) => main?.rows === 1 && main.file)).files.keys()]).to.deep.equal(['main/data.txt', 'main/words.txt']);
    expect(expectedOf(plan('secret')).files.has('token.txt')).to.equal(true);
  });
});
