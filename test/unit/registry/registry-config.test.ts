import { expect } from 'chai';
import { registriesSchema, registryClientSchema, resolveRegistryPaths } from '../../../src/registry/registry-config.ts';

const problemsOf = (value: unknown): string[] => (registriesSchema.safeParse(value).error?.issues ?? []).map(({ path, message }) => `${path.map(String).join('.')}: ${message}`);

describe('the section registries', () => {
  it('is empty where it says nothing', () => expect(registriesSchema.parse(undefined)).to.deep.equal([]));

  it('has the narrowest settings by default', () => {
    expect(registriesSchema.parse([{ host: 'ghcr.io' }])).to.deep.equal([{ host: 'ghcr.io', insecure: false, internal: false, realms: [], redirects: [], callerLogins: false }]);
  });

  it('normalises hosts as references are', () => {
    const [entry] = registriesSchema.parse([{ host: 'registry-1.docker.io:443', realms: ['auth.docker.io:443'], mirror: { host: 'mirror.example.org:443' } }]);
    expect([entry?.host, entry?.realms, entry?.mirror?.host]).to.deep.equal(['docker.io', ['auth.docker.io'], 'mirror.example.org']);
  });

  const bad: readonly (readonly [string, unknown, string])[] = [
    ['no host', [{}], '0.host'],
    ['a host that is none', [{ host: 'Ghcr.io' }], '0.host: the registry host "Ghcr.io" is not valid'],
    ['a URL as host', [{ host: 'https://ghcr.io' }], '0.host'],
    ['an unknown key', [{ host: 'ghcr.io', insecur: true }], '0: Unrecognized key: "insecur"'],
    ['an unknown key of a mirror', [{ host: 'ghcr.io', mirror: { host: 'm.example.org', x: 1 } }], '0.mirror: Unrecognized key'],
    ['a mirror of a mirror', [{ host: 'ghcr.io', mirror: { host: 'm.example.org', mirror: { host: 'n.example.org' } } }], '0.mirror: Unrecognized key'],
    ['no password', [{ host: 'ghcr.io', credentials: { username: 'u' } }], '0.credentials: must have either password or passwordFile'],
    ['two passwords', [{ host: 'ghcr.io', credentials: { username: 'u', password: 'p', passwordFile: 'f' } }], '0.credentials: must have either password or passwordFile'],
    ['a name with a colon', [{ host: 'ghcr.io', credentials: { username: 'u:v', password: 'p' } }], '0.credentials.username: must not contain ":"'],
    ['the string "yes"', [{ host: 'ghcr.io', insecure: 'yes' }], '0.insecure'],
    ['one host twice', [{ host: 'docker.io' }, { host: 'index.docker.io' }], '1.host: docker.io is listed twice'],
    ['an object', { 'ghcr.io': {} }, ': Invalid input'],
  ];
  for (const [title, value, problem] of bad) it(`refuses ${title}`, () => expect(problemsOf(value).join('\n')).to.contain(problem));

  it('takes paths relative to its file', () => {
    const registries = registriesSchema.parse([
      { host: 'a.example.org', ca: 'ca.pem', credentials: { username: 'u', passwordFile: '/run/secret' }, mirror: { host: 'b.example.org', credentials: { username: 'u', passwordFile: 'p' } } },
      { host: 'b.example.org' },
    ]);
    const [first, second] = resolveRegistryPaths(registries, '/etc/pratique');
    expect([first?.ca, first?.credentials?.passwordFile, first?.mirror?.credentials?.passwordFile]).to.deep.equal(['/etc/pratique/ca.pem', '/run/secret', '/etc/pratique/p']);
    expect(second).to.not.have.property('ca');
  });
});

describe('the section registryClient', () => {
  it('has defaults for everything', () => {
    expect(registryClientSchema.parse(undefined)).to.deep.equal({ tagSeconds: 30, negativeSeconds: 5, deadlineSeconds: 30, cacheBytes: 64 * 2 ** 20, cacheDirectoryBytes: 2 ** 30 });
  });

  it('refuses unknown keys and values out of bounds', () => {
    for (const value of [{ tagSecond: 1 }, { tagSeconds: -1 }, { tagSeconds: 86_400 }, { deadlineSeconds: 0 }, { cacheBytes: 1.5 }]) {
      expect(registryClientSchema.safeParse(value).success, JSON.stringify(value)).to.equal(false);
    }
  });
});
