import type { IncomingMessage } from 'node:http';
import { expect } from 'chai';
import { originOf, trustedProxies } from '../../../src/http/client-address.ts';

function request(remoteAddress: string, headers: Record<string, string> = {}, encrypted = false): IncomingMessage {
  return { socket: { remoteAddress, encrypted }, headers } as unknown as IncomingMessage;
}

describe('where a request comes from', () => {
  const proxies = trustedProxies(['192.0.2.1', '10.0.0.0/8', 'fd00::/8']);
  const table: readonly (readonly [what: string, peer: string, headers: Record<string, string>, address: string, secure: boolean])[] = [
    ['no proxy', '198.51.100.7', {}, '198.51.100.7', false],
    ['IPv4 in the clothes of IPv6', '::ffff:198.51.100.7', {}, '198.51.100.7', false],
    ['somebody who says that he is a proxy', '198.51.100.7', { 'x-forwarded-for': '1.2.3.4', 'x-forwarded-proto': 'https', forwarded: 'for=1.2.3.4' }, '198.51.100.7', false],
    ['a trusted proxy', '192.0.2.1', { 'x-forwarded-for': '1.2.3.4', 'x-forwarded-proto': 'https' }, '1.2.3.4', true],
    ['a trusted one of a network, by IPv6', 'fd00::1', { 'x-forwarded-for': '2001:db8::1' }, '2001:db8::1', false],
    ['a chain of trusted proxies', '192.0.2.1', { 'x-forwarded-for': '1.2.3.4, 10.1.2.3' }, '1.2.3.4', false],
    ['what the client has written before it came to the proxy', '192.0.2.1', { 'x-forwarded-for': '10.9.9.9, 8.8.8.8, 1.2.3.4' }, '1.2.3.4', false],
    ['words that are no address', '192.0.2.1', { 'x-forwarded-for': '1.2.3.4, evil' }, '192.0.2.1', false],
    ['addresses with a port', '192.0.2.1', { 'x-forwarded-for': '1.2.3.4:80' }, '192.0.2.1', false],
    ['nothing that the proxy says', '192.0.2.1', {}, '192.0.2.1', false],
    ['only trusted ones', '192.0.2.1', { 'x-forwarded-for': '10.1.1.1, 10.2.2.2' }, '10.1.1.1', false],
    ['a protocol that the client has written', '192.0.2.1', { 'x-forwarded-proto': 'https, http' }, '192.0.2.1', false],
  ];
  for (const [what, peer, headers, address, secure] of table) {
    it(`${what}: ${address}${secure ? ', by TLS' : ''}`, () => expect(originOf(request(peer, headers), proxies)).to.deep.equal({ address, secure }));
  }

  it('TLS to the gateway itself is TLS, whatever is said', () => {
    expect(originOf(request('198.51.100.7', { 'x-forwarded-proto': 'http' }, true), proxies).secure).to.equal(true);
  });

  for (const entry of ['', 'localhost', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', '::/129', '10.0.0.0/x']) {
    it(`${JSON.stringify(entry)} is no proxy`, () => expect(() => trustedProxies([entry])).to.throw('neither an address nor a network'));
  }
});
