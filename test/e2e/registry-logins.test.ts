import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import Docker from 'dockerode';
import { ask } from '../../src/cli/ask.ts';
import { SystemClock } from '../../src/clock.ts';
import { type RegistryProxy, startProxy } from '../contract/registry-proxy.ts';
import { buildImage, pushImage } from '../support/oci-image.ts';
import { type RegistryProcess, startRegistry } from '../support/registry-process.ts';
import { Site } from '../support/site.ts';

const PASSWORD = 'secret';
const LOGIN = `user:${PASSWORD}`;
/** So that it is found whatever it is written in. */
const FORMS = [LOGIN, Buffer.from(LOGIN).toString('base64').slice(0, -2), Buffer.from(LOGIN).toString('hex')];

const docker = new Docker();

describe('an image that only its owner may read, on a real engine and registry', () => {
  const site = new Site();
  let storage: RegistryProcess;
  let registry: RegistryProxy;
  let image = '';
  let login = '';

  before(async () => {
    storage = await startRegistry();
    registry = await startProxy(storage.url, { auth: 'bearer-for-users' });
    await site.open(`    - { name: private, images: ["${registry.host}/**"], base: [busybox] }
jobs: { slots: 4, lease: 1, defaultCores: 0.1, defaultMemory: 64M }`, [`{ host: "${registry.host}", insecure: true, internal: true, callerLogins: true }`]);
    const built = await buildImage({ base: site.base, files: { '/main.sh': { content: '#!/bin/sh\necho for my eyes only\n[ ! -e /run/secrets/token ] || wc -c < /run/secrets/token\n', mode: 0o755 } }, config: { Cmd: ['/main.sh'] } });
    await pushImage(storage.host, 'mine/tool', '1', built);
    image = `${registry.host}/mine/tool:1`;
    login = `REGISTRY.${registry.host}`;
    await site.start();
  });
  after(async () => {
    for (const { Id, RepoDigests } of await docker.listImages()) {
      if ((RepoDigests ?? []).some((name) => name.startsWith(`${registry.host}/`))) await docker.getImage(Id).remove({ force: true }).catch(() => undefined);
    }
    await site.close();
    await registry.stop();
    await storage.stop();
  });

  function lookEverywhere(texts: readonly string[]): void {
    const files = readdirSync(site.folder, { recursive: true, encoding: 'utf8' }).map((name) => join(site.folder, name)).filter((file) => statSync(file).isFile());
    for (const text of [site.log, ...texts, ...files.map((file) => readFileSync(file, 'latin1'))]) {
      for (const form of FORMS) expect(text).to.not.include(form);
    }
  }

  async function asked(more: object): Promise<{ readonly reponseword: string; readonly text: string }> {
    const body = JSON.stringify({ tasktype: 'uri://docker-container', taskinfo: { image, ...more } });
    const response = await fetch(`${site.url}/accepts`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    const text = await response.text();
    return { ...(JSON.parse(text) as { reponseword: string }), text };
  }

  it('is refused without a login, and with a wrong one, and the answer says what to give', async () => {
    const without = await asked({});
    expect(without.reponseword).to.equal('NO');
    expect(without.text).to.include(`with a login of your own: ${login}`);
    expect((await asked({ registries: { [registry.host]: 'user:guess' } })).text).to.include('image.denied');
    const refused = await site.post('/uws/docker', { IMAGE: image, PHASE: 'RUN' });
    expect(refused.status).to.equal(403);
    expect((await site.post('/uws/docker', { IMAGE: image, [login]: 'user:guess', PHASE: 'RUN' })).status).to.equal(403);
  });

  it('is judged, pulled and run with its owner\'s login, across a gateway that is killed; nobody reads the login, and nobody else the image', async () => {
    const yes = await asked({ registries: { [registry.host]: LOGIN } });
    expect(yes.reponseword, yes.text).to.equal('YES');
    const job = await site.submit({ IMAGE: image, [login]: LOGIN });
    lookEverywhere([yes.text, await fetch(`${job}/parameters`).then((response) => response.text())]);
    await site.end('SIGKILL');
    await site.start();
    expect((await site.post(new URL(`${job}/phase`).pathname, { PHASE: 'RUN' })).status).to.equal(303);
    const document = await site.ended(job);
    expect(document.phase, JSON.stringify(document)).to.equal('COMPLETED');
    expect(await site.result(job, 'stdout')).to.equal('for my eyes only\n');
    expect(document.parameters).to.deep.include({ [login]: { secret: true } });
    lookEverywhere([JSON.stringify(document)]);
    // the engine has it now: that is nobody else's right
    expect((await asked({})).text).to.include('image.denied');
    expect((await site.post('/uws/docker', { IMAGE: image, PHASE: 'RUN' })).status).to.equal(403);
  });

  it('is run as a compose file too', async () => {
    const file = `services: { main: { image: "${image}" } }`;
    expect((await site.post('/uws/compose', { COMPOSEFILE: file, PHASE: 'RUN' })).status).to.equal(403);
    const job = await site.submit({ COMPOSEFILE: file, [login]: LOGIN, PHASE: 'RUN' }, 'compose');
    const document = await site.ended(job);
    expect(document.phase, JSON.stringify(document)).to.equal('COMPLETED');
    lookEverywhere([JSON.stringify(document)]);
  });

  it('is asked for and run by `pratique ask`, with a secret', async () => {
    const given = mkdtempSync(join(tmpdir(), 'pratique-ask-'));
    writeFileSync(join(given, 'login'), `${LOGIN}\n`);
    writeFileSync(join(given, 'token'), 'twelve bytes');
    try {
      let [out, err] = ['', ''];
      const surroundings = { clock: new SystemClock(), out: (text: string) => void (out += text), err: (text: string) => void (err += text), overwrites: false, environment: {} };
      const words = [site.url, '--image', image, '--login', `${registry.host}=${join(given, 'login')}`, '--secret', `token=${join(given, 'token')}`, '--run', '--output', join(given, 'out')];
      expect(await ask(words, surroundings), out + err).to.equal(0);
      expect(out).to.match(/for my eyes only\n12\n$/);
      lookEverywhere([out, err]);
    } finally {
      rmSync(given, { recursive: true });
    }
  });

  it('is not read with a login in a URL', async () => {
    expect((await site.post(`/uws/docker?${login}=${LOGIN}`, { IMAGE: image })).status).to.equal(400);
    const response = await fetch(`${site.url}/accepts?tasktype=uri://docker-container&taskinfo.image=${image}&taskinfo.registries.${registry.host}=${LOGIN}`);
    expect(response.status).to.equal(400);
    lookEverywhere([await response.text()]);
  });
});
