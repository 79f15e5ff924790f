import { expect } from 'chai';
import { createHash } from 'node:crypto';
import { buildImage } from '../support/oci-image.ts';
import { Site } from '../support/site.ts';

interface Answer {
  readonly reponseword: string;
  readonly interfaces?: readonly { readonly servicetype: string; readonly serviceinfo: { readonly endpoint: string; readonly parameters?: Readonly<Record<string, string>> } }[];
  readonly reponseinfo?: { readonly reasons: readonly { readonly code: string; readonly path: string; readonly text: string }[] };
}

describe('the gateway, end to end on a real engine and a real registry', () => {
  const site = new Site();

  before(async () => {
    await site.open('jobs: { slots: 10, lease: 1, defaultCores: 0.1, defaultMemory: 64M }\n');
    await site.start();
  });
  after(() => site.close());

  async function accepts(image: string): Promise<Answer> {
    const response = await fetch(`${site.url}/accepts?${new URLSearchParams({ tasktype: 'uri://docker-container', 'taskinfo.image': image }).toString()}`);
    expect(response.status).to.equal(200);
    return (await response.json()) as Answer;
  }

  it('tells who comes with its address alone what can be asked, and each address there answers', async () => {
    const index = await (await fetch(`${site.url}/`)).text();
    const addresses = index.split('\n').filter((line) => line.startsWith(site.url));
    expect(addresses).to.include.members([`${site.url}/accepts`, `${site.url}/uws/docker`, `${site.url}/uws/compose`, `${site.url}/openapi.json`, `${site.url}/availability`]);
    // a question without a task is a wrong one
    for (const address of addresses) expect((await fetch(address)).status, address).to.equal(/\/accepts?$/.test(address) ? 400 : 200);
  });

  it('says yes to an image on the approved base, and no with the reason to a look-alike and to a name that is not listed', async () => {
    const yes = await accepts(await site.push('derived', 'true'));
    expect(yes.reponseword).to.equal('YES');
    expect(yes.interfaces?.map(({ servicetype, serviceinfo }) => `${servicetype} ${serviceinfo.endpoint}`)).to.deep.equal([`uri://docker-uws ${site.url}/uws/docker`, `uri://compose-uws ${site.url}/uws/compose`]);
    const other = await buildImage({ base: 'scratch', files: { '/other': 'base' } });
    const no = await accepts(await site.push('look-alike', 'true', '1', { base: other }));
    expect(no.reponseword).to.equal('NO');
    expect(no.reponseinfo?.reasons[0]).to.include({ code: 'image.base', path: 'taskinfo.image' });
    const unlisted = await accepts('docker.io/library/alpine:3');
    expect(unlisted.reponseinfo?.reasons[0]).to.include({ code: 'image.not-listed' });
  });

  it('runs a job: stdout while it runs, files of /output with checksums, nothing left behind', async () => {
    const image = await site.push('work', 'echo begun; read -t 1 x </dev/zero; mkdir /output/a; echo "$NAME" > /output/a/b.csv; echo w > /work/x && cat /work/x; echo oops >&2');
    const url = await site.submit({ image, phase: 'RUN', 'env.NAME': 'R & D <é>' });
    const job = await site.ended(url);
    expect(job.phase, JSON.stringify(job)).to.equal('COMPLETED');
    expect(await site.result(url, 'stdout')).to.equal('begun\nw\n');
    expect(await site.result(url, 'stderr')).to.equal('oops\n');
    const file = job.results.find(({ id }) => id === 'a/b.csv');
    expect(file).to.include({ size: Buffer.byteLength('R & D <é>\n'), mimeType: 'text/csv' });
    const response = await fetch(file?.href ?? '');
    const bytes = Buffer.from(await response.arrayBuffer());
    expect(bytes.toString('utf8')).to.equal('R & D <é>\n');
    expect(response.headers.get('etag')).to.contain(createHash('sha256').update(bytes).digest('hex'));
    await untilNothingRemains();
  });

  it('splits COMMAND as a shell would, and never gives it to one', async () => {
    const image = await site.push('args', 'true');
    const url = await site.submit({ IMAGE: image, COMMAND: `echo 'a  b' "$HOME" ; rm \\*`, PHASE: 'RUN' });
    await site.ended(url);
    expect(await site.result(url, 'stdout')).to.equal('a  b $HOME ; rm *\n');
  });

  it('ends in ERROR with the exit code and the end of stderr', async () => {
    const url = await site.submit({ IMAGE: await site.push('fails', 'echo why >&2; exit 7'), PHASE: 'RUN' });
    const job = await site.ended(url);
    expect(job.phase).to.equal('ERROR');
    expect(job.errorSummary?.message).to.contain('exit code 7');
    expect(await fetch(`${url}/error`).then((response) => response.text())).to.contain('why');
  });

  it('is ABORTED at its executionDuration, with what it had written', async () => {
    const url = await site.submit({ IMAGE: await site.push('long', 'echo partial; exec sleep 600'), EXECUTIONDURATION: '2', PHASE: 'RUN' });
    const job = await site.ended(url);
    expect(job.phase).to.equal('ABORTED');
    expect(await site.result(url, 'stdout')).to.equal('partial\n');
    await untilNothingRemains();
  });

  describe('a tag that moves', () => {
    it('between creation and RUN: what was judged runs, and the document says that the tag has moved', async () => {
      const image = await site.push('moving', 'echo first');
      const url = await site.submit({ IMAGE: image });
      await site.push('moving', 'echo second');
      await site.post(`${url}/phase`, { PHASE: 'RUN' });
      const job = await site.ended(url);
      expect(await site.result(url, 'stdout')).to.equal('first\n');
      expect(JSON.stringify(job.jobInfo)).to.match(/tagMovedTo.*sha256/);
    });

    it('between YES and RUN: the parameters of the YES name the digest that was judged', async () => {
      const image = await site.push('moving-on', 'echo first');
      const [first] = (await accepts(image)).interfaces ?? [];
      await site.push('moving-on', 'echo second');
      const url = await site.submit({ ...first?.serviceinfo.parameters, PHASE: 'RUN' });
      const job = await site.ended(url);
      expect(await site.result(url, 'stdout'), JSON.stringify(first)).to.equal('first\n');
      expect(JSON.stringify(job.jobInfo)).to.match(/tagMovedTo.*sha256/);
    });
  });

  it('kill -9 while ten jobs run: after a restart ten jobs end in their right phases, each container having run once', async () => {
    const image = await site.push('marker', 'echo ran; read -t 4 x </dev/zero; sleep 3; echo done; exit $CODE');
    const urls = await Promise.all(Array.from({ length: 10 }, (_, i) => site.submit({ IMAGE: image, 'ENV.CODE': i < 5 ? '0' : '3', PHASE: 'RUN' })));
    await Promise.all(urls.slice(0, 6).map((url) => site.reaches(url, 'EXECUTING')));
    await site.end('SIGKILL');
    await site.start();
    const jobs = await Promise.all(urls.map((url) => site.ended(url)));
    expect(jobs.map(({ phase }) => phase)).to.deep.equal([...Array<string>(5).fill('COMPLETED'), ...Array<string>(5).fill('ERROR')]);
    for (const url of urls) expect(await site.result(url, 'stdout')).to.equal('ran\ndone\n');
    await untilNothingRemains();
  });

  it('stops on SIGTERM with code 0, leaves containers running, and picks them up again', async () => {
    const url = await site.submit({ IMAGE: await site.push('survivor', 'sleep 3; echo survived'), PHASE: 'RUN' });
    await site.reaches(url, 'EXECUTING');
    expect(await site.end('SIGTERM')).to.equal(0);
    expect(await site.remains()).not.to.deep.equal([]);
    await site.start();
    expect((await site.ended(url)).phase).to.equal('COMPLETED');
    expect(await site.result(url, 'stdout')).to.equal('survived\n');
  });

  async function untilNothingRemains(): Promise<void> {
    while ((await site.remains()).length > 0) await new Promise((resolve) => setTimeout(resolve, 100));
  }

  describe('without its registry', () => {
    it('answers 503, and neither yes nor no, when the registry cannot be reached', async () => {
      const image = await site.push('unreachable', 'true');
      await site.registry.stop();
      const response = await fetch(`${site.url}/accepts?tasktype=uri://docker-container&taskinfo.image=${image}`);
      expect(response.status).to.equal(503);
      expect(await response.text()).not.to.contain('reponseword');
    });
  });
});
