import { expect } from 'chai';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigInvalid, loadConfig } from '../../src/config.ts';

describe('the configuration', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pratique-config-'));
  after(() => rmSync(folder, { recursive: true }));

  it('has no logins of callers where Portainer is between, which would lose them', async () => {
    const file = join(folder, 'pratique.yaml');
    writeFileSync(file, 'engine: { portainer: { url: "https://p.example", environment: 1, tokenFile: t } }\nregistries: [{ host: a.example }, { host: b.example, callerLogins: true }]\n');
    const error: unknown = await loadConfig(file, {}).then(() => undefined, (reason: unknown) => reason);
    expect(error instanceof ConfigInvalid && error.problems.map(({ path }) => path)).to.deep.equal(['registries[1].callerLogins']);
  });

  it('says which variable of the environment has put a wrong value in its place', async () => {
    const error = await loadConfig(undefined, { PRATIQUE_LISTEN_PORT: 'http', PRATIQUE_JOBS_SLOTS: '0' }).then(() => undefined, (reason: unknown) => reason);
    expect(error instanceof ConfigInvalid && error.problems.map(({ path }) => path)).to.deep.equal(['PRATIQUE_LISTEN_PORT (listen.port)', 'PRATIQUE_JOBS_SLOTS (jobs.slots)']);
  });

  it('names the policy\'s own file where that is wrong', async () => {
    const file = join(folder, 'policy.yaml');
    writeFileSync(file, 'rules: [{name: a, image: "a.example/**"}]\n');
    const error = await loadConfig(undefined, { PRATIQUE_POLICY: file }).then(() => undefined, String);
    expect(error).to.contain(`${file} is not valid:`).and.to.contain('rules[0].image:');
  });

  it('says how a registry is written that is given as a URL', async () => {
    const file = join(folder, 'pratique.yaml');
    for (const host of ['http://localhost:5000', 'https://registry.example.org', 'registry.example.org/v2']) {
      writeFileSync(file, `registries: [{ host: "${host}" }]\n`);
      expect(await loadConfig(file, {}).then(() => undefined, String), host).to.contain('registries[0].host').and.to.contain('the host alone');
    }
  });
});
