import { expect } from 'chai';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pullCredentials } from '../../src/pull-credentials.ts';
import { registriesSchema } from '../../src/registry/registry-config.ts';

describe('the credentials of the engine\'s pulls', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pratique-credentials-'));
  const login = join(folder, 'config.json');
  const password = join(folder, 'password');
  writeFileSync(login, JSON.stringify({ auths: { 'a.example.org': { auth: Buffer.from('ann:one').toString('base64') }, 'b.example.org': { auth: Buffer.from('ann:two').toString('base64') }, 'd.example.org': { identitytoken: 'x' } } }));
  writeFileSync(password, 'three\n');
  after(() => rmSync(folder, { recursive: true }));

  const registries = registriesSchema.parse([
    { host: 'a.example.org' },
    { host: 'c.example.org', credentials: { username: 'carl', passwordFile: password } },
    { host: 'd.example.org' },
    { host: 'e.example.org' },
  ]);

  const cases: readonly (readonly [string, string, string | undefined, unknown])[] = [
    ['its own', 'c.example.org', login, { username: 'carl', password: 'three' }],
    ['of docker login', 'a.example.org', login, { username: 'ann', password: 'one' }],
    ['none without that file', 'a.example.org', undefined, undefined],
    ['none for a registry that is not configured', 'b.example.org', login, undefined],
    ['none where the file has only a token', 'd.example.org', login, undefined],
    ['none where the file has nothing', 'e.example.org', login, undefined],
  ];
  for (const [what, domain, file, expected] of cases) {
    it(what, () => {
      expect(pullCredentials(registries, file)(domain)).to.deep.equal(expected);
    });
  }
});
