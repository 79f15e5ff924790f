import type { Image } from '../image/image.ts';
import type { RegistryLogin } from '../image/registry-logins.ts';
import type { DockerCalls } from './docker-call.ts';
import { cleaned, DockerStatusError, engineUnavailable } from './docker-errors.ts';
import { EngineRefused } from './engine.ts';
import type { PullProgress } from './engine.ts';

/** The site's credentials for pulls from one registry, by its domain as references name it; undefined = anonymous. */
export type PullCredentials = (domain: string) => RegistryLogin | undefined;

/**
 * Pulls the image by digest, as who logs in so; without a login as nobody. The engine tells of a failure in a line of an answer that began with 200, which dockerode's
 * followProgress passes over; so every line is read here. Throws EngineRefused, EngineUnavailable, or the signal's reason.
 */
export async function pull(calls: DockerCalls, image: Image, login: RegistryLogin | undefined, onProgress: (progress: PullProgress) => void, signal: AbortSignal): Promise<void> {
  const { domain, path } = image.reference;
  const progress = new Progress();
  try {
    const response = await calls.open('POST', '/images/create', {
      query: { fromImage: `${domain}/${path}`, tag: image.manifestDigest },
      signal,
      // The engine answers only when the registry has; how long that may take is the caller's to say.
      within: 0,
      ...(login ? { credentials: { ...login, serveraddress: domain } } : {}),
    });
    for await (const line of lines(response)) {
      const event = parseEvent(line);
      const error = errorIn(event);
      if (error !== undefined) throw refusedPull(error, login);
      if (progress.add(event)) onProgress(progress.sum());
    }
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (error instanceof DockerStatusError) throw refusedPull(error.message, login);
    if (error instanceof EngineRefused) throw error;
    throw engineUnavailable(error);
  }
}

/** The registry or the way to it failed, or the way has changed the bytes; not the image, which was read and verified before. */
const TEMPORARY =
  /too ?many ?requests|rate limit|time.?out|deadline exceeded|connection (?:refused|reset)|no such host|server misbehaving|temporary failure|\bEOF\b|TLS handshake|network is unreachable|no route to host|\b50[0234]\b|service unavailable|no space left|broken pipe|context canceled|verification failed|unexpected (?:commit )?digest|unexpected end of JSON/i;

/** Some registries answer "denied" for what they do not have. */
const ABSENT = /manifest unknown|not found|name unknown|denied|unauthorized|authentication required/i;

/** Without a cause: a registry's words may hold what it was told. */
function refusedPull(words: string, login: RegistryLogin | undefined): EngineRefused {
  const temporary = TEMPORARY.test(words) && !ABSENT.test(words);
  return new EngineRefused(`the engine could not pull the image: ${cleaned(withoutPassword(words, login))}`, { temporary });
}

function withoutPassword(words: string, login: RegistryLogin | undefined): string {
  if (login === undefined) return words;
  const { username, password } = login;
  return words.replaceAll(Buffer.from(`${username}:${password}`).toString('base64'), '…').replaceAll(password, '…');
}

type Event = Readonly<Record<string, unknown>>;

/** A line of the engine is short; what is longer is none. */
const LONGEST_LINE = 2 ** 20;

async function* lines(stream: AsyncIterable<unknown>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of stream) {
    rest += decoder.decode(chunk as Uint8Array, { stream: true });
    const parts = rest.split('\n');
    rest = parts.pop() ?? '';
    if (rest.length > LONGEST_LINE) throw engineUnavailable(undefined, 'the container engine gave an endless line');
    yield* parts;
  }
  yield rest;
}

function parseEvent(line: string): Event {
  if (line.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch (error) {
    throw engineUnavailable(error, 'the container engine gave an answer that is not of its API');
  }
}

/** The failure that a progress event tells of, in either of its two places. */
export function errorIn(event: Event): string | undefined {
  const { error, errorDetail } = event;
  if (typeof error === 'string') return error;
  if (typeof errorDetail !== 'object' || errorDetail === null) return error === undefined ? undefined : 'no reason given';
  const message = 'message' in errorDetail ? errorDetail.message : undefined;
  return typeof message === 'string' ? message : 'no reason given';
}

/** Sums the download progress of the layers (bytes). */
class Progress {
  readonly #layers = new Map<string, { current: number; total: number }>();

  /** Whether the event changed the sum. */
  add(event: Event): boolean {
    const { id, status, progressDetail: detail } = event;
    if (typeof id !== 'string') return false;
    const layer = this.#layers.get(id);
    if (status === 'Downloading' && typeof detail === 'object' && detail !== null) {
      const { current, total } = detail as { current?: unknown; total?: unknown };
      if (typeof current !== 'number' || typeof total !== 'number' || total <= 0) return false;
      this.#layers.set(id, { current: Math.min(current, total), total });
      return true;
    }
    if (!layer || layer.current === layer.total || (status !== 'Download complete' && status !== 'Pull complete')) return false;
    layer.current = layer.total;
    return true;
  }

  sum(): PullProgress {
    let current = 0;
    let total = 0;
    for (const layer of this.#layers.values()) {
      current += layer.current;
      total += layer.total;
    }
    return { current, total };
  }
}
