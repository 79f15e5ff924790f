import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { FaultSite } from './fault-site.ts';
import { type JobDocument, LAST_PHASES } from './job-document.ts';
import { endedAsExpected, judge, type KnownJob, type Weather } from './model.ts';
import { expectedOf, HUSH } from './plan.ts';
import { sha256 } from './sha256.ts';

/** How long everything has to come to rest once no more faults come (milliseconds). */
const REST = 180_000;

/** How the jobs ended. */
export interface Checked {
  readonly phases: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<string, number>>;
  readonly results: number;
}

/** Waits until everything is over and nothing is left, and compares it with what is known; what differs is added to `problems`. */
export async function checkAtRest(site: FaultSite, jobs: readonly KnownJob[], problems: string[]): Promise<Checked> {
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
    const weather = weatherOf(site, known, job);
    problems.push(...judge(known, job, runs, weather));
    if (job !== undefined) results += await checkResults(known, job, weather, problems);
  }
  const asked = new Set(jobs.map(({ plan }) => plan.mark));
  const marks = new Set(jobs.flatMap(({ plan }) => plan.services.map(({ mark }) => mark)));
  for (const mark of rested.keys()) if (!asked.has(mark)) problems.push(`${mark}: nobody has asked for it`);
  for (const mark of runs.keys()) if (!marks.has(mark)) problems.push(`${mark}: it has run, and nobody has asked for it`);
  problems.push(...secretsIn(site));
  return { phases, errors, results };
}

/** Every job, by its mark, once all are over and nothing is left; what never comes to rest is a problem. */
async function atRest(site: FaultSite, known: readonly KnownJob[], problems: string[]): Promise<ReadonlyMap<string, JobDocument>> {
  const deadline = Date.now() + REST;
  for (;;) {
    const jobs = new Map([...(await readAll(site.gateway.url, 'docker')), ...(await readAll(site.gateway.url, 'compose'))]);
    const active = [...jobs.values()].filter(({ phase }) => !LAST_PHASES.has(phase) && phase !== 'PENDING');
    const remains = await site.engine.remains();
    const kept = new Set([...jobs.values()].map(({ jobId }) => jobId));
    const files = namesIn(join(site.data, 'results'));
    const folders = files.filter((name) => !kept.has(name.split('/')[0] ?? ''));
    const partial = files.filter((name) => name.endsWith('.partial'));
    const doomed = known.filter(({ plan }) => plan.destruction !== undefined && jobs.has(plan.mark));
    if (active.length + remains.length + folders.length + partial.length + doomed.length === 0) return jobs;
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

async function readAll(url: string, name: string): Promise<Map<string, JobDocument>> {
  const list = (await (await fetch(`${url}/uws/${name}`, { headers: { Accept: 'application/json' } })).json()) as { readonly jobs: readonly { readonly href: string }[] };
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

/** What happened from before the job's creation to its end. Its endTime is the gateway's where nothing ran, and that clock may have been stepped. */
function weatherOf({ engine, gateway, registry, second }: FaultSite, { asked, endedSeen = Date.now() }: KnownJob, job: JobDocument | undefined): Weather {
  if (job === undefined) return { engine: false, engineDisk: false, gateway: false, registry: false };
  const end = Date.parse(job.endTime ?? '');
  const until = end >= asked && end <= endedSeen ? Math.min(end + STEPPED, endedSeen) : endedSeen;
  return { engine: engine.wasAway(asked, until), engineDisk: engine.wasFull(asked, until), gateway: gateway.wasAway(asked, until) || second.wasAway(asked, until), registry: registry.wasBad(asked, until) };
}

/**
 * Every result is what the job says, and what its programs have written; what a program says while the engine is away, or has no
 * room, is lost, for it is the engine who writes the logs. The number of results.
 */
async function checkResults({ plan }: KnownJob, job: JobDocument, weather: Weather, problems: string[]): Promise<number> {
  const expected = expectedOf(plan);
  const wrong = (text: string): void => void problems.push(`${plan.mark} (${plan.kind}) ${job.jobId}: ${text}`);
  const kept = new Map<string, Buffer>();
  for (const { id, href, size, digest } of job.results) {
    const answer = await fetch(new URL(href));
    const bytes = Buffer.from(await answer.arrayBuffer());
    kept.set(id, bytes);
    if (answer.status !== 200 || bytes.length !== size || digest !== `sha256:${sha256(bytes)}`) wrong(`its result ${id} is not what the job says (${String(answer.status)}, ${String(bytes.length)} of ${String(size)} bytes)`);
  }
  const whole = endedAsExpected(expected, job);
  for (const [id, text] of weather.engine || weather.engineDisk ? [] : expected.logs) {
    const said = kept.get(id)?.toString('utf8');
    if (said !== undefined && !text.startsWith(said)) wrong(`its ${id} is not what it wrote: ${JSON.stringify(said)}`);
    if (whole && said !== text) wrong(`it is ${job.phase} and its ${id} is not whole: ${JSON.stringify(said)}`);
  }
  if (!whole) return kept.size;
  for (const [id, digest] of expected.files) {
    const bytes = kept.get(id);
    if (bytes === undefined || sha256(bytes) !== digest) wrong(`it is ${job.phase} and its file ${id} is not what it wrote: ${bytes === undefined ? 'it is not there' : JSON.stringify(bytes.toString('utf8').slice(0, 100))}`);
  }
  for (const id of kept.keys()) if (!expected.files.has(id) && !/^std(?:out|err)(?:\.|$)/.test(id)) wrong(`it has a file ${id} that nobody wrote`);
  return kept.size;
}

/** Where a secret stands that should stand nowhere: what the gateway keeps, and what it says. */
function secretsIn({ data, log }: FaultSite): readonly string[] {
  const files = [log, ...namesIn(data).map((name) => join(data, name))].filter((file) => existsSync(file) && statSync(file).isFile());
  return files.filter((file) => readFileSync(file).includes(HUSH)).map((file) => `a secret is in ${file}`);
}

function whyGone({ created, deleted, plan }: KnownJob): string {
  if (created !== 'done') return created === 'never' ? 'refused: the gateway could not take it at that moment' : 'no answer came, and no job is there';
  if (deleted !== 'never') return 'deleted by its client';
  return plan.destruction === undefined ? 'LOST' : 'destroyed at its instant';
}

function generalised(message: string): string {
  return message.replace(/\d+/g, 'N').replace(/work\w*|"[^"]*"/g, '…').slice(0, 120);
}
