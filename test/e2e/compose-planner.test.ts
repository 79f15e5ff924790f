import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ask } from '../../src/cli/ask.ts';
import { SystemClock } from '../../src/clock.ts';
import { Site } from '../support/site.ts';

type Parameters = Readonly<Record<string, string | readonly string[]>>;

interface Answer {
  readonly reponseword: string;
  readonly interfaces?: readonly { readonly servicetype: string; readonly serviceinfo: { readonly endpoint: string; readonly parameters: Parameters } }[];
  readonly reponseinfo?: {
    readonly reasons?: readonly { readonly text: string }[];
    readonly maybe?: { readonly parameters: readonly { readonly name: string }[]; readonly template: { readonly content: string } };
  };
}

describe('compose files and containers: asked about, offered, run as offered', function () {
  this.timeout(120_000);
  const site = new Site();
  const folder = mkdtempSync(join(tmpdir(), 'pratique-compose-'));
  let image = '';

  before(async () => {
    await site.open('jobs: { slots: 4, lease: 1, defaultCores: 0.1, defaultMemory: 64M }\n');
    await site.start();
    image = await site.push('echo', 'echo "$1 $A"; echo "$A" > /output/a.txt');
  });
  after(async () => {
    await site.close();
    rmSync(folder, { recursive: true });
  });

  async function accepts(tasktype: string, taskinfo: Readonly<Record<string, unknown>>): Promise<Answer> {
    const response = await fetch(`${site.url}/accepts?words=yes,no,maybe`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ tasktype, taskinfo }) });
    expect(response.status).to.equal(200);
    return (await response.json()) as Answer;
  }

  /** As a client does that knows nothing but the answer: a value by name, a list of values where a name is given several times. */
  async function submit(endpoint: string, parameters: Parameters): Promise<string> {
    const body = new URLSearchParams(Object.entries(parameters).flatMap(([name, value]) => [value].flat().map((each): [string, string] => [name, each])));
    const response = await fetch(endpoint, { method: 'POST', body, redirect: 'manual' });
    expect(response.status, await response.text()).to.equal(303);
    return response.headers.get('location') ?? '';
  }

  it('one task, two ways: a container and its wrapping as a compose file leave the same', async () => {
    const { interfaces = [] } = await accepts('uri://docker-container', { image, args: ['/main.sh', 'x $A ${B:-b}'], env: { A: '$$ "quoted" \n#' } });
    expect(interfaces.map(({ servicetype }) => servicetype)).to.deep.equal(['uri://docker-uws', 'uri://compose-uws']);
    const left = await Promise.all(interfaces.map(async ({ serviceinfo: { endpoint, parameters } }) => {
      const url = await submit(endpoint, parameters);
      const job = await site.ended(url);
      expect(job.phase, JSON.stringify(job.errorSummary)).to.equal('COMPLETED');
      return { results: job.results.map(({ id, size }) => ({ id, size })), stdout: await site.result(url, 'stdout'), file: await site.result(url, 'a.txt') };
    }));
    expect(left[1]).to.deep.equal(left[0]);
    expect(left[0]?.stdout).to.equal('x $A ${B:-b} $$ "quoted" \n#\n');
  });

  it('"no, but": the offered file gets its yes, and starts', async () => {
    const file = `services:
  web: # the web
    image: ${image}
    command: [/main.sh, served]
    container_name: mine
    privileged: "yes"
    network_mode: host
    ports: ["8080:80"]
    volumes: [./data:/data, /var/run/docker.sock:/var/run/docker.sock]
    environment:
      A: \${WORD}
`;
    const no = await accepts('uri://docker-compose', { composefile: file });
    expect(no.reponseword).to.equal('MAYBE');
    const { parameters, template } = no.reponseinfo?.maybe ?? { parameters: [], template: { content: '' } };
    expect(parameters.map(({ name }) => name)).to.deep.equal(['WORD']);
    expect(template.content).to.include('# the web').and.not.to.match(/privileged|docker\.sock|network_mode|8080/);
    const yes = await accepts('uri://docker-compose', { composefile: template.content, variables: { WORD: 'filled in' } });
    expect(yes.reponseword, JSON.stringify(yes.reponseinfo)).to.equal('YES');
    const { endpoint, parameters: filled } = yes.interfaces?.[0]?.serviceinfo ?? { endpoint: '', parameters: {} };
    const url = await submit(endpoint, filled);
    expect((await site.ended(url)).phase).to.equal('COMPLETED');
    expect(await site.result(url, 'stdout')).to.equal('served filled in\n');
  });

  it('pratique ask --compose FILE --run', async () => {
    const path = join(folder, 'compose.yml');
    writeFileSync(path, `services: {one: {image: "${image}", command: [/main.sh, asked], environment: {A: "$WORD"}}}\n`);
    let [out, err] = ['', ''];
    const surroundings = { clock: new SystemClock(), out: (text: string) => (out += text), err: (text: string) => (err += text), overwrites: false, environment: {} };
    const code = await ask([site.url, '--compose', path, '-p', 'variables.WORD=and run', '--run', '--output', join(folder, 'out')], surroundings);
    expect(code, out + err).to.equal(0);
    expect(out).to.match(/^YES {2}uri:\/\/compose-uws at http:.*\/uws\/compose\n/).and.match(/asked and run\n$/);
    expect(readFileSync(join(folder, 'out', 'a.txt'), 'utf8')).to.equal('and run\n');
    const no = await ask([site.url, '--compose', path], surroundings);
    expect(no).to.equal(1);
    expect(out).to.include('fill in   WORD');
  });
});
