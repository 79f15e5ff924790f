import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildImage } from '../support/oci-image.ts';
import { Site } from '../support/site.ts';

describe('what an operator does', () => {
  const site = new Site();
  let derived = '';
  let lookAlike = '';

  before(async () => {
    await site.open();
    derived = await site.push('derived', 'true');
    lookAlike = await site.push('look-alike', 'true', '1', { base: await buildImage({ base: 'scratch', files: { '/x': 'y' } }) });
  });
  after(() => site.close());

  const config = (): string => join(site.folder, 'pratique.yaml');
  const pratique = (...words: string[]): { code: number | null; out: string; err: string } => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', 'src/main.ts', ...words], { encoding: 'utf8' });
    return { code: status, out: stdout, err: stderr };
  };

  it('is told how to call, and what is wrong with a call', () => {
    expect(pratique('--help').out).to.contain('check IMAGE');
    expect(pratique('--version').out).to.match(/^\d+\.\d+\.\d+\n$/);
    expect(pratique('frobnicate')).to.include({ code: 2 });
    expect(pratique('serve', '--confg', 'x').err).to.contain('--confg');
  });

  it('is told everything that is wrong with a configuration at once, each with its path', () => {
    const file = join(site.folder, 'wrong.yaml');
    writeFileSync(file, 'listen: { port: 99999 }\njobs: { slots: 0, executionDuration: { max: soon } }\nregistry: []\npolicy: { rules: [{ name: x }] }\n');
    const { code, err } = pratique('serve', '--config', file);
    expect(code).to.equal(2);
    for (const path of ['listen.port', 'jobs.slots', 'jobs.executionDuration.max', '"registry"']) expect(err).to.contain(path);
    const variables = spawnSync(process.execPath, ['--import', 'tsx', 'src/main.ts', 'serve'], { encoding: 'utf8', env: { ...process.env, PRATIQUE_LISTEN_PROT: '1' } });
    expect(variables.stderr).to.contain('PRATIQUE_LISTEN_PROT');
  });

  it('checks an image: the verdict, rule by rule, 0 for yes and 1 for no', () => {
    const yes = pratique('check', derived, '--config', config());
    expect(yes.code, yes.err).to.equal(0);
    expect(yes.out).to.contain('answer    YES (rule built-on-busybox)').and.to.contain('manifest  sha256:');
    const no = pratique('check', lookAlike, '--config', config());
    expect(no.code).to.equal(1);
    expect(no.out).to.contain('image.base');
    expect(pratique('check', 'not a reference', '--config', config()).code).to.equal(2);
  });

  it('checks a compose file: what is wrong, line by line, and the file that would be accepted', () => {
    const file = join(site.folder, 'compose.yaml');
    writeFileSync(file, `services:\n  app:\n    image: ${derived}\n    privileged: "yes"\n    container_name: mine\n`);
    const no = pratique('check', '--compose', file, '--config', config());
    expect(no.code, no.err).to.equal(1);
    expect(no.out).to.contain('line 4').and.to.contain('services.app.privileged').and.to.contain('answer    NO');
    writeFileSync(file, `services:\n  app:\n    image: ${derived}\n    command: ["\${WORD}"]\n`);
    const yes = pratique('check', '--compose', file, '--var', 'WORD=true', '--config', config());
    expect(yes.out + yes.err).to.contain('answer    YES');
    expect(yes.code).to.equal(0);
    writeFileSync(file, `services:\n  app:\n    image: ${derived}\n    secrets: [token]\nsecrets: {token: {external: true}}\n`);
    const open = pratique('check', '--compose', file, '--config', config());
    expect([open.code, open.out.includes('fill in   SECRET.token (secret)')]).to.deep.equal([1, true]);
    expect(pratique('check', '--compose', file, '--secret', 'token', '--config', config())).to.deep.include({ code: 0 });
  });

  it('tries expectations against the policy', () => {
    const file = join(site.folder, 'expect.yaml');
    writeFileSync(file, `expect:\n- { image: "${derived}", answer: yes, rule: built-on-busybox, base: busybox }\n- { image: "${lookAlike}", answer: no, reasons: [image.base] }\n`.replace(/: (yes|no),/g, ': "$1",'));
    const met = pratique('policy', 'test', file, '--config', config());
    expect(met.code, met.out + met.err).to.equal(0);
    writeFileSync(file, `expect:\n- { image: "${lookAlike}", answer: "yes" }\n`);
    expect(pratique('policy', 'test', file, '--config', config())).to.include({ code: 1 });
  });

  it('sees the bases, and the decisions that were recorded', async () => {
    const bases = pratique('bases', '--refresh', '--config', config());
    expect(bases.out, bases.err).to.contain('busybox').and.to.match(/sha256:[0-9a-f]{64}/);
    await site.start();
    await fetch(`${site.url}/accepts?tasktype=uri://docker-container&taskinfo.image=${lookAlike}`);
    await site.end('SIGTERM');
    const { out } = pratique('audit', '--image', lookAlike, '--config', config());
    expect(JSON.parse(out.trim().split('\n').at(-1) ?? '')).to.include({ answer: 'no', door: 'accepts' });
    expect(pratique('audit', '--image', 'nowhere.example.org/x', '--config', config()).code).to.equal(1);
  });

  it('changes the policy while the gateway runs; a wrong one is not taken', async () => {
    const policy = join(site.folder, 'policy.yaml');
    const rules = `rules:\n- { name: built-on-busybox, images: ["${site.registry.host}/job/**"], base: [busybox] }\n`;
    const bases = `bases: [{ name: busybox, image: "${site.registry.host}/base/busybox:1" }]\n`;
    writeFileSync(policy, bases + rules);
    const settings = readFileSync(config(), 'utf8').replace(/^policy:\n(?: .*\n)+/m, 'policy: policy.yaml\n');
    writeFileSync(config(), settings);
    await site.start();
    const word = async (): Promise<string> => ((await fetch(`${site.url}/accepts?tasktype=uri://docker-container&taskinfo.image=${lookAlike}`).then((response) => response.json())) as { reponseword: string }).reponseword;
    expect(await word()).to.equal('NO');
    writeFileSync(policy, `rules: [{ name: everything-here, images: ["${site.registry.host}/**"] }]\n`);
    while ((await word()) !== 'YES') await new Promise((resolve) => setTimeout(resolve, 50));
    writeFileSync(policy, 'rules: [{ name: }]\n');
    while (!site.log.includes('the old one stays in force')) await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await word()).to.equal('YES');
    await site.end('SIGTERM');
  });
});
