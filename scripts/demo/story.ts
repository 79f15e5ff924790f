import { createHash } from 'node:crypto';
import type { SampleImages } from './images.ts';

/** How the story is told. */
export interface Teller {
  readonly step: (text: string) => void;
  readonly line: (text: string) => void;
}

interface EpAnswer {
  readonly reponseword: string;
  readonly reponseinfo?: {
    readonly reasons?: readonly { readonly code: string; readonly text: string }[];
    readonly decision?: { readonly rule: string; readonly digest?: string; readonly base?: { readonly name: string; readonly digest: string } };
  };
}

interface JobDocument {
  readonly phase: string;
  readonly results: readonly { readonly id: string; readonly href: string; readonly size: number | null }[];
  readonly errorSummary: { readonly message: string } | null;
}

const OVER = ['COMPLETED', 'ERROR', 'ABORTED'];

/** The main job end to end: asked, refused where it must be, submitted, followed, fetched. Throws where anything is not as it should be. */
export async function tellStory(url: string, images: SampleImages, teller: Teller, signal: AbortSignal): Promise<void> {
  const site = new Site(url, teller, signal);
  teller.step('Ask: can I run this? (IVOA Execution Planner, GET /accepts)');
  await site.ask('an image built on the approved base', images.derived, 'YES');
  await site.ask('a look-alike: the same program and a similar name, but other layers beneath', images.lookAlike, 'NO');
  await site.ask('a name that no rule of the site mentions', images.unlisted, 'NO');

  teller.step('Submit what was refused all the same (UWS, POST /uws/docker)');
  await site.refused(images.lookAlike);

  teller.step('Submit what was accepted, and follow it (PHASE=RUN, then WAIT)');
  const job = await site.submit({ IMAGE: images.derived, 'ENV.BAND': 'r', PHASE: 'RUN', RUNID: 'demo' });
  const ended = await site.follow(job);
  if (ended.phase !== 'COMPLETED') throw new Error(`the job ended in ${ended.phase}: ${ended.errorSummary?.message ?? 'no reason given'}`);

  teller.step('Fetch the results');
  await site.fetchResults(job, ended);
}

class Site {
  readonly #url: string;
  readonly #teller: Teller;
  readonly #signal: AbortSignal;

  constructor(url: string, teller: Teller, signal: AbortSignal) {
    this.#url = url;
    this.#teller = teller;
    this.#signal = signal;
  }

  async ask(what: string, image: string, expected: 'YES' | 'NO'): Promise<void> {
    const question = new URLSearchParams({ tasktype: 'uri://docker-container', 'taskinfo.image': image });
    this.#teller.line(`\n? ${what}`);
    this.#teller.line(`  curl '${this.#url}/accepts?${decodeURIComponent(question.toString())}'`);
    const response = await fetch(`${this.#url}/accepts?${question.toString()}`, { signal: this.#signal });
    const answer = (await response.json()) as EpAnswer;
    if (answer.reponseword !== expected) throw new Error(`expected ${expected}: ${JSON.stringify(answer)}`);
    this.#teller.line(`= ${answer.reponseword}`);
    const { reponseinfo } = answer;
    if (answer.reponseword === 'YES') {
      const decision = reponseinfo?.decision;
      if (decision?.base === undefined || decision.digest === undefined) throw new Error(`a YES without base and digest: ${JSON.stringify(answer)}`);
      this.#teller.line(`  by rule   ${decision.rule}`);
      this.#teller.line(`  on base   ${decision.base.name}  ${decision.base.digest}`);
      this.#teller.line(`  judged    ${decision.digest}`);
    }
    for (const { code, text } of reponseinfo?.reasons ?? []) this.#teller.line(`  because   ${code}: ${text}`);
  }

  async refused(image: string): Promise<void> {
    const response = await this.#post(`${this.#url}/uws/docker`, { IMAGE: image, PHASE: 'RUN' });
    this.#teller.line(`= HTTP ${String(response.status)}  ${(await response.text()).trim()}`);
    if (response.status !== 403) throw new Error('a refused image was taken as a job');
  }

  async submit(parameters: Record<string, string>): Promise<string> {
    const response = await this.#post(`${this.#url}/uws/docker`, parameters);
    const job = response.headers.get('location');
    if (response.status !== 303 || job === null) throw new Error(`not accepted: ${String(response.status)} ${await response.text()}`);
    this.#teller.line(`= HTTP 303  ${job}`);
    return job;
  }

  async follow(job: string): Promise<JobDocument> {
    let phase = 'QUEUED';
    let shown = 0;
    for (;;) {
      const document = await this.#job(`${job}?WAIT=1&PHASE=${phase}`);
      if (document.phase !== phase) this.#teller.line(`  ${phase} -> ${document.phase}`);
      phase = document.phase;
      shown = await this.#showOutput(job, document, shown);
      if (OVER.includes(phase)) return document;
    }
  }

  async fetchResults(job: string, { results }: JobDocument): Promise<void> {
    for (const { id, href, size } of results) {
      const response = await fetch(href, { signal: this.#signal });
      const bytes = Buffer.from(await response.arrayBuffer());
      const digest = createHash('sha256').update(bytes).digest('hex');
      const told = response.headers.get('etag')?.replaceAll('"', '') ?? '';
      if (bytes.length !== size || !told.includes(digest)) throw new Error(`${id} is not what the job says it is`);
      this.#teller.line(`  ${id}  ${String(size)} bytes  sha256:${digest}  (as the job says)`);
      if (id !== 'stdout' && size > 0) this.#teller.line(bytes.toString('utf8').trimEnd().replace(/^/gm, '    | '));
    }
    this.#teller.line(`\n  the job's document: curl '${job}'`);
  }

  async #showOutput(job: string, { results }: JobDocument, shown: number): Promise<number> {
    if (!results.some(({ id }) => id === 'stdout')) return shown;
    const text = await fetch(`${job}/results/stdout`, { signal: this.#signal }).then((response) => (response.ok ? response.text() : ''));
    for (const line of text.slice(shown).split('\n')) if (line !== '') this.#teller.line(`    | ${line}`);
    return Math.max(shown, text.length);
  }

  async #job(url: string): Promise<JobDocument> {
    const response = await fetch(url, { headers: { Accept: 'application/json' }, signal: this.#signal });
    if (!response.ok) throw new Error(`${url}: ${String(response.status)} ${await response.text()}`);
    return (await response.json()) as JobDocument;
  }

  #post(url: string, parameters: Record<string, string>): Promise<Response> {
    return fetch(url, { method: 'POST', body: new URLSearchParams(parameters), redirect: 'manual', signal: this.#signal });
  }
}
