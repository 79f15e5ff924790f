import { FetchFailed, type UntrustedFetch } from '../untrusted-fetch.ts';
import type { HealthProbe } from './health.ts';

/** Of a health page nothing is read but its status (bytes). */
const MAX_PAGE = 1024 * 1024;

/**
 * Asks with GET; any answer below 500 is a sign of life, a login page too. The operator has named these URLs in the
 * configuration, so their hosts may be internal ones and speak plain http.
 */
export function httpProbe(fetch: UntrustedFetch): HealthProbe {
  return async function probe(url, timeout) {
    const host = new URL(url).host;
    try {
      const settings = (asked: string): { readonly internal: boolean; readonly insecure: boolean } | undefined => (asked === host ? { internal: true, insecure: true } : undefined);
      return (await fetch.fetch({ url, maxBytes: MAX_PAGE, deadline: timeout, settings })).status < 500;
    } catch (error) {
      // A page too long to read came from somebody who is alive.
      if (error instanceof FetchFailed) return ['too-large', 'redirects', 'encoding'].includes(error.failure);
      throw error;
    }
  };
}
