import type { UntrustedFetch } from '../untrusted-fetch.ts';
import type { PeerFetch } from './peer-platform.ts';

/** An answer with many interfaces (bytes). */
const MAX_ANSWER = 1024 * 1024;

/** Asks peers that the operator has named in the configuration: their hosts may be internal ones and speak plain http. */
export function httpPeer(fetch: UntrustedFetch): PeerFetch {
  return async function askPeer(url, body, headers, timeout, signal) {
    const host = new URL(url).host;
    const settings = (asked: string): { readonly internal: boolean; readonly insecure: boolean } | undefined => (asked === host ? { internal: true, insecure: true } : undefined);
    const response = await fetch.fetch({ url, method: 'POST', headers, body, maxBytes: MAX_ANSWER, deadline: timeout * 1000, settings, signal });
    if (response.status !== 200) throw new Error(`${host} answers with status ${String(response.status)}`);
    return response.bytes.toString('utf8');
  };
}
