import { mkdir, open } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { isList } from '../planner/question.ts';
import { mustBeAtPlanner } from './ask-confidential.ts';
import { branchAt, type OfferedInterface, type PlannerAnswer, textAt } from './ask-planner.ts';
import { type AskSession, type AskSurroundings, printable, request, unexpected } from './ask-session.ts';
import { readJob, type UwsJob, type UwsResult } from './uws-job.ts';

/** Seconds that one look at the job may be held by the server. */
const WAIT = 30;
/** Phases that a job does not leave. */
const OVER: ReadonlySet<string> = new Set(['COMPLETED', 'ERROR', 'ABORTED', 'ARCHIVED']);
/** Results are fetched in pieces of this size, so that none must fit into memory (bytes). */
const PIECE = 8 * 1024 * 1024;

/**
 * Submits what was offered to the UWS job list that was offered, follows the job and fetches its results. Returns the exit
 * code: 0 when it completed, 1 when not. Throws an Error where nothing can be submitted or seen.
 */
export async function runOffer(session: AskSession, answer: PlannerAnswer, folder: string | undefined, surroundings: AskSurroundings): Promise<number> {
  const offer = answer.interfaces.find(isOfType('docker-uws')) ?? answer.interfaces.find(isOfType('compose-uws'));
  if (offer === undefined) throw new Error('none of the interfaces that are offered is a UWS for containers or compose files (docker-uws, compose-uws): there is nothing to submit to');
  const job = await submit(session, offer, answer);
  surroundings.err(`job  ${printable(job)}\n`);
  const end = await follow(session, job, surroundings);
  const target = folder ?? resolve(`pratique-${/([A-Za-z0-9._-]+)\/*$/.exec(new URL(job).pathname)?.[1]?.replace(/^\.+/, '') ?? 'job'}`);
  for (const result of end.results) await fetchResult(session, result, target, surroundings);
  if (end.phase === 'COMPLETED') return 0;
  surroundings.err(`${end.phase}${end.message === undefined ? '' : `: ${printable(end.message)}`}\n`);
  return 1;
}

function isOfType(type: string): (offer: OfferedInterface) => boolean {
  return ({ servicetype }) => new RegExp(`(?:^|[/:])${type}$`).test(servicetype);
}

/** Makes the job and starts it; its URL. */
async function submit(session: AskSession, offer: OfferedInterface, answer: PlannerAnswer): Promise<string> {
  const endpoint = textAt(offer.serviceinfo, 'endpoint') ?? '';
  if (!URL.canParse(endpoint)) throw new Error('the offer has no endpoint');
  const form = new URLSearchParams();
  const confidential = [...answer.question.secrets, ...answer.question.logins];
  if (confidential.length > 0) mustBeAtPlanner(session, endpoint);
  for (const { name, value } of [...confidential, ...parametersOf(offer, answer)]) form.append(name, value);
  const created = await request(session, endpoint, { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: form.toString() });
  const location = created.headers['location'];
  if (created.status !== 303 || location === undefined) throw unexpected('the job list took no job', created);
  return new URL(location, endpoint).href;
}

/** As the offer says; where it only has an endpoint, as the question said. */
function parametersOf(offer: OfferedInterface, { question }: PlannerAnswer): readonly { readonly name: string; readonly value: string }[] {
  const prefilled = Object.entries(branchAt(offer.serviceinfo, 'parameters')).flatMap(([name, value]) => (isList(value) ? value : [value]).flatMap((each) => (typeof each === 'string' ? [{ name, value: each }] : [])));
  if (prefilled.length > 0) return prefilled;
  const { document } = question;
  const file = document === undefined ? [] : [{ name: 'COMPOSEFILE', value: Buffer.from(document.bytes).toString('utf8') }];
  const asked = question.members.flatMap(({ name, value }) => {
    const variable = /^taskinfo\.variables\.(.+)$/.exec(name)?.[1];
    if (file.length > 0) return variable !== undefined ? [{ name: `VAR.${variable}`, value }] : name === 'taskinfo.service' ? [{ name: 'SERVICE', value }] : [];
    const member = /^taskinfo\.(image|command|arg|env\..+)$/.exec(name)?.[1];
    return member === undefined ? [] : [{ name: member.replace(/^[a-z]+/, (word) => word.toUpperCase()), value }];
  });
  return [...file, ...asked, { name: 'PHASE', value: 'RUN' }];
}

/** Waits for the job's end, telling each phase. */
async function follow(session: AskSession, url: string, { clock, err, overwrites }: AskSurroundings): Promise<UwsJob> {
  const began = clock.now();
  let phase = '';
  for (;;) {
    const asked = clock.now();
    const query = phase === '' ? '' : `?WAIT=${String(WAIT)}&PHASE=${phase}`;
    const response = await request(session, url + query, { headers: { accept: 'application/xml' }, deadline: WAIT + 60 });
    if (response.status !== 200) throw unexpected('the job cannot be read', response);
    const job = await readJob(response.bytes.toString('utf8'), url);
    const seconds = Math.round((clock.now() - began) / 1000);
    const line = `${job.phase.padEnd(10)} ${String(seconds)} s${job.activity === undefined ? '' : `  ${printable(job.activity)}`}`;
    if (overwrites) err(`\r\u001b[K${line}${OVER.has(job.phase) ? '\n' : ''}`);
    else if (job.phase !== phase) err(`${line}\n`);
    if (OVER.has(job.phase)) return job;
    // A server that does not wait would be asked without pause.
    if (job.phase === phase && clock.now() - asked < 1000) await clock.sleep(2000);
    phase = job.phase;
  }
}

/**
 * One name of a result's path as a file can be called: letters stay, what is odd to a shell or a file system becomes the %XX of its
 * bytes, and so does a name of dots alone. Names that differ never become the same; nothing at all is `%`, which no other becomes.
 */
function fileNameOf(part: string): string {
  const odd = /^\.*$/.test(part) ? /./gu : /[^\p{L}\p{M}\p{N}._ @+-]/gu;
  return part === '' ? '%' : part.replace(odd, (character) => Buffer.from(character).toString('hex').toUpperCase().replace(/../g, '%$&'));
}

/** A result becomes a file of its name below the folder; what stdout has is also printed. */
async function fetchResult(session: AskSession, result: UwsResult, folder: string, { out, err }: AskSurroundings): Promise<void> {
  const path = join(folder, ...result.id.split('/').map(fileNameOf));
  if (!path.startsWith(folder + sep)) throw new Error(`the result ${JSON.stringify(result.id)} has no usable name`);
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, 'w');
  let size = 0;
  try {
    for (let more = true; more; ) {
      const response = await request(session, result.url, { headers: { range: `bytes=${String(size)}-${String(size + PIECE - 1)}` }, maxBytes: 2 ** 30, deadline: 600 });
      if (response.status === 416 && size >= 0) break;
      if (response.status !== 200 && response.status !== 206) throw unexpected(`the result ${printable(result.id)} cannot be fetched`, response);
      await file.appendFile(response.bytes);
      if (result.id === 'stdout') out(response.bytes.toString('utf8'));
      size += response.bytes.length;
      more = response.status === 206 && response.bytes.length === PIECE;
    }
  } finally {
    await file.close();
  }
  err(`${path}  ${String(size)} bytes${result.mediaType === undefined ? '' : `  ${printable(result.mediaType)}`}\n`);
}
