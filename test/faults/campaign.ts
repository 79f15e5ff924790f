import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Client } from './clients.ts';
import { FAULTS, FAULT_WEIGHTS } from './fault-kinds.ts';
import { FaultSite } from './fault-site.ts';
import { type JobDocument, LAST_PHASES } from './job-document.ts';
import { expectedOutput, judge, type KnownJob, sha256, type Weather } from './model.ts';
import { Random } from './random.ts';

export interface CampaignOptions {
  readonly seed: number;
  /** Ends after so many faults, or so many minutes, whichever is first. */
  readonly faults: number;
  readonly minutes: number;
  readonly say: (line: string) => void;
}

/** What came of it. */
export interface Report {
  readonly seed: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly jobs: number;
  readonly requests: number;
  readonly gatewayStarts: number;
  readonly phases: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<string, number>>;
  readonly results: number;
  /** Everything that is not as it was promised. */
  readonly problems: readonly string[];
}

const CLIENTS = 4;

/** How long everything has to come to rest once no more faults come (milliseconds). */
const REST = 180_000;

/** One campaign: a site, clients, faults; then rest, and everything is compared with what clients were told. */
export async function campaign({ seed, faults, minutes, say }: CampaignOptions): Promise<Report> {
  const random = new Random(seed);
  const site = new FaultSite();
  const jobs: KnownJob[] = [];
  const problems: string[] = [];
  const counted: Record<string, number> = {};
  try {
    await site.open(random.fork());
    await site.gateway.start();
    const stop = new AbortController();
    const clients = Array.from({ length: CLIENTS }, (_, i) => {
      const own = random.fork();
      const url = (): string => (site.second.alive && own.chance(0.3) ? site.second : site.gateway).url;
      return new Client(`m${String(i)}`, { random: own, images: site.images, jobs, url });
    });
    const acting = clients.map((client) => client.act(stop.signal));
    const draws = random.fork();
    const deadline = Date.now() + minutes * 60_000;
    for (let i = 0; i < faults && Date.now() < deadline; i += 1) {
      const kind = draws.weighted(FAULT_WEIGHTS);
      const own = draws.fork();
      await pause(own.int(100, 600));
      try {
        const done = await FAULTS[kind]({ site, random: own });
        say(`${String(i + 1).padStart(4)}  ${kind}: ${done}`);
      } catch (error) {
        problems.push(`fault ${String(i + 1)}, ${kind}: ${error instanceof Error ? error.message : String(error)}`);
        say(`${String(i + 1).padStart(4)}  ${kind}: FAILED ${String(error)}`);
        await site.engine.start(false);
        await site.gateway.start();
      }
      counted[kind] = (counted[kind] ?? 0) + 1;
    }
    stop.abort();
    await Promise.all(acting);
    problems.push(...clients.flatMap(({ complaints }) => complaints));
    say('no more faults; waiting for rest');
    const checked = await checkAtRest(site, jobs, counted, problems);
    const requests = clients.reduce((sum, client) => sum + client.requests, 0);
    return { seed, faults: counted, jobs: jobs.length, requests, gatewayStarts: site.gateway.starts + site.second.starts, ...checked, problems };
  } catch (error) {
    problems.push(String(error));
    throw error;
  } finally {
    if (problems.length > 0) say(`log of the gateways:\n${site.tail(problems)}`);
    await site.close();
  }
}

type Checked = Pick<Report, 'phases' | 'errors' | 'results'>;

async function checkAtRest(site: FaultSite, jobs: readonly KnownJob[], faults: Readonly<Record<string, number>>, problems: string[]): Promise<Checked> {
  const rested = await atRest(site, jobs, problems);
  const runs = site.engine.runs();
  const phases: Record<string, number> = {};
  const errors: Record<string, number> = {};
  let results = 0;
  for (const known of jobs) {
    const job = rested.get(known.plan.mark);
    const end = job?.phase ?? whyGone(known);
    phases[end] = (phases[end] ?? 0) + 1;
    if (job?.errorSummary != null) errors[generalised(job.errorSummary.message)] = (errors[generalised(job.errorSummary.message)] ?? 0) + 1;
    const weather: Weather = { engine: job !== undefined && wasAway(site, known, job), registry: faults['lose the registry'] !== undefined };
    problems.push(...judge(known, job, runs.get(known.plan.mark) ?? 0, weather));
    if (job !== undefined) results += await checkResults(known, job, weather, problems);
  }
  const known = new Set(jobs.map(({ plan }) => plan.mark));
  for (const mark of [...runs.keys(), ...rested.keys()]) if (!known.has(mark)) problems.push(`${mark}: nobody has asked for it`);
  return { phases, errors, results };
}

/** Every job, by its mark, once all are over and nothing is left; what never comes to rest is a problem. */
async function atRest(site: FaultSite, known: readonly KnownJob[], problems: string[]): Promise<ReadonlyMap<string, JobDocument>> {
  const deadline = Date.now() + REST;
  for (;;) {
    const jobs = await readAll(site.gateway.url);
    const active = [...jobs.values()].filter(({ phase }) => !LAST_PHASES.has(phase) && phase !== 'PENDING');
    const remains = await site.engine.remains();
    const kept = new Set([...jobs.values()].map(({ jobId }) => jobId));
    const folders = namesIn(join(site.data, 'results')).filter((name) => !kept.has(name.split('/')[0] ?? ''));
    const partial = namesIn(join(site.data, 'results')).filter((name) => name.endsWith('.partial'));
    const doomed = known.filter(({ plan }) => plan.destruction !== undefined && jobs.has(plan.mark));
    if (active.length === 0 && remains.length === 0 && folders.length === 0 && doomed.length === 0) return jobs;
    if (Date.now() > deadline) {
      problems.push(...active.map(({ runId, phase, jobInfo }) => `${String(runId)} is still ${phase}: ${JSON.stringify(jobInfo)}`));
      problems.push(...(await Promise.all(remains.map(async (name) => `left on the engine: ${name}; ${await site.engine.whyLeft(name)}`))), ...folders.map((name) => `left of a job that is gone: results of ${name}`));
      problems.push(...partial.map((name) => `left of an interrupted write: ${name}`));
      return jobs;
    }
    await pause(1000);
  }
}

/** Paths of everything below a folder; none where there is none. */
function namesIn(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : [];
}

async function readAll(url: string): Promise<Map<string, JobDocument>> {
  const list = (await (await fetch(`${url}/uws/docker`, { headers: { Accept: 'application/json' } })).json()) as { readonly jobs: readonly { readonly href: string }[] };
  const jobs = new Map<string, JobDocument>();
  for (const { href } of list.jobs) {
    const answer = await fetch(new URL(new URL(href).pathname, url), { headers: { Accept: 'application/json' } });
    if (answer.status === 404) continue;
    if (answer.status !== 200) throw new Error(`${href} was answered with ${String(answer.status)}: ${await answer.text()}`);
    const job = (await answer.json()) as JobDocument;
    jobs.set(job.runId ?? job.jobId, job);
  }
  return jobs;
}

/** A job's own instants are off by so much at most where the gateway's clock was stepped by little (milliseconds). */
const STEPPED = 5_000;

/** Whether the engine was away in the job's active life. Its endTime is the gateway's where nothing ran, and that clock may have been stepped. */
function wasAway({ engine }: FaultSite, { asked, endedSeen = Date.now() }: KnownJob, { endTime }: JobDocument): boolean {
  const end = Date.parse(endTime ?? '');
  return engine.wasAway(asked, end >= asked && end <= endedSeen ? Math.min(end + STEPPED, endedSeen) : endedSeen);
}

/**
 * Every result is what the job says, and what its program has written; what a program says while the engine is away is lost, for
 * it is the engine who writes the logs. The number of results.
 */
async function checkResults({ plan }: KnownJob, job: JobDocument, weather: Weather, problems: string[]): Promise<number> {
  const expected = expectedOutput(plan);
  const digests = new Map<string, string>();
  for (const { id, href, size, digest } of job.results) {
    const answer = await fetch(new URL(href));
    const bytes = Buffer.from(await answer.arrayBuffer());
    digests.set(id, sha256(bytes));
    if (answer.status !== 200 || bytes.length !== size || digest !== `sha256:${sha256(bytes)}`) problems.push(`${plan.mark} ${job.jobId}: its result ${id} is not what the job says (${String(answer.status)}, ${String(bytes.length)} of ${String(size)} bytes)`);
    if (id === 'stdout' && !weather.engine && !expected.stdout.startsWith(bytes.toString('utf8'))) problems.push(`${plan.mark} ${job.jobId}: its stdout is not what it wrote: ${JSON.stringify(bytes.toString('utf8'))}`);
  }
  if (job.phase !== 'COMPLETED') return digests.size;
  if (!weather.engine && digests.get('stdout') !== sha256(expected.stdout)) problems.push(`${plan.mark} ${job.jobId}: it is COMPLETED and its stdout is not whole`);
  if (digests.get('data.txt') !== expected.data) problems.push(`${plan.mark} ${job.jobId}: it is COMPLETED and its file is not what it wrote`);
  return digests.size;
}

function whyGone({ created, deleted, plan }: KnownJob): string {
  if (created !== 'done') return created === 'never' ? 'refused: the gateway could not take it at that moment' : 'no answer came, and no job is there';
  if (deleted !== 'never') return 'deleted by its client';
  return plan.destruction === undefined ? 'LOST' : 'destroyed at its instant';
}

function generalised(message: string): string {
  return message.replace(/\d+/g, 'N').replace(/work\w*|"[^"]*"/g, '…').slice(0, 120);
}
