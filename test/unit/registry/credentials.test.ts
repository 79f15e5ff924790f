import { expect } from 'chai';
import { GatewayError } from '../../../src/errors.ts';
import { findInDockerConfig } from '../../../src/registry/credentials.ts';

const auth = (text: string) => Buffer.from(text).toString('base64');
const basic = (username: string, password: string) => ({ kind: 'basic', username, password });
const config = (auths: unknown) => JSON.stringify({ auths });

/** title, file, host, found */
const table: readonly (readonly [string, string, string, unknown])[] = [
  ['the host', config({ 'ghcr.io': { auth: auth('u:p') } }), 'ghcr.io', basic('u', 'p')],
  ['the host with its port', config({ 'localhost:5000': { auth: auth('u:p') } }), 'localhost:5000', basic('u', 'p')],
  ['a URL', config({ 'https://ghcr.io/v1/': { auth: auth('u:p') } }), 'ghcr.io', basic('u', 'p')],
  ['Docker Hub, as docker login writes it', config({ 'https://index.docker.io/v1/': { auth: auth('u:p') } }), 'docker.io', basic('u', 'p')],
  ['the default port', config({ 'ghcr.io:443': { auth: auth('u:p') } }), 'ghcr.io', basic('u', 'p')],
  ['a password with colons and umlauts', config({ 'ghcr.io': { auth: auth('u:p:ä:') } }), 'ghcr.io', basic('u', 'p:ä:')],
  ['an identity token', config({ 'ghcr.io': { auth: auth('u:'), identitytoken: 't' } }), 'ghcr.io', { kind: 'identity-token', token: 't' }],
  ['a registry token', config({ 'ghcr.io': { registrytoken: 't' } }), 'ghcr.io', { kind: 'registry-token', token: 't' }],
  ['another host', config({ 'ghcr.io': { auth: auth('u:p') } }), 'quay.io', undefined],
  ['a host that only ends alike', config({ 'docker.io': { auth: auth('u:p') } }), 'evildocker.io', undefined],
  ['a key that only ends alike', config({ 'evildocker.io': { auth: auth('u:p') }, 'x.docker.io': { auth: auth('u:p') } }), 'docker.io', undefined],
  ['another port', config({ 'localhost:5001': { auth: auth('u:p') } }), 'localhost:5000', undefined],
  ['a key that is no host', config({ '': { auth: auth('u:p') }, 'A B': {} }), 'ghcr.io', undefined],
  ['no colon', config({ 'ghcr.io': { auth: auth('user') } }), 'ghcr.io', undefined],
  ['no credentials', config({ 'ghcr.io': {} }), 'ghcr.io', undefined],
  ['helpers only, which are not run', JSON.stringify({ credsStore: 'x', credHelpers: { 'ghcr.io': 'evil' } }), 'ghcr.io', undefined],
  ['__proto__', '{"auths":{"__proto__":{"auth":"dTpw"}}}', 'ghcr.io', undefined],
];

describe('the docker login file', () => {
  for (const [title, file, host, found] of table) it(title, () => expect(findInDockerConfig(file, host)).to.deep.equal(found));

  for (const bad of ['', '{', '[]', '{"auths":[]}', '{"auths":{"ghcr.io":{"auth":1}}}']) {
    it(`${bad || 'nothing'} is an outage that does not quote the file`, () => {
      expect(() => findInDockerConfig(bad, 'ghcr.io')).to.throw(GatewayError, 'cannot be read').with.property('code', 'RegistryUnavailable');
    });
  }
});
