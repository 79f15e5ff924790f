import { FetchFailed, type UntrustedFetch } from '../untrusted-fetch.ts';
import type { ComposeFetch } from './compose-platform.ts';
import type { ComposeHost } from './planner-config.ts';

/** What the judge reads at most (bytes). */
const MAX_FILE = 256 * 1024;
/** Milliseconds. */
const DEADLINE = 10_000;

/**
 * Fetches compose files from the hosts that the operator has named, and from nowhere else: a redirect to another host is none that
 * is followed, and a name that has a private address is refused unless it was said to be internal. Throws FetchFailed.
 */
export function httpComposeFile(fetch: UntrustedFetch, hosts: readonly ComposeHost[]): ComposeFetch {
  const known = new Map(hosts.map((each) => [each.host, each]));
  return async function fetchComposeFile(url, signal) {
    const settings = (asked: string): ComposeHost => {
      const host = known.get(asked);
      if (host === undefined) throw new FetchFailed('url', `${asked.slice(0, 260)} is not a host from which this site fetches compose files`);
      return host;
    };
    const response = await fetch.fetch({ url, headers: { accept: 'application/yaml, text/yaml, text/plain, */*;q=0.1' }, maxBytes: MAX_FILE, deadline: DEADLINE, settings, signal });
    if (response.status !== 200) throw new FetchFailed('unreachable', `${new URL(response.url).host} answers with status ${String(response.status)}`);
    return response.bytes.toString('utf8');
  };
}
