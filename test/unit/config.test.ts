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
});
