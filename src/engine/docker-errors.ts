import { GatewayError } from '../errors.ts';
import { EngineRefused } from './engine.ts';

/** The engine answered with a status that the caller of this call did not expect. Never leaves the adapter untranslated. */
export class DockerStatusError extends Error {
  override readonly name = 'DockerStatusError';
  readonly status: number;

  constructor(status: number, words: string, cause: unknown) {
    super(words, { cause });
    this.status = status;
  }
}

/** The engine is there, for all that is known, but took too long. */
export class EngineLate extends GatewayError {
  constructor(milliseconds: number, cause: unknown) {
    super('EngineUnavailable', `the container engine did not answer within ${String(milliseconds / 1000)} s`, { cause });
  }
}

/** What a proxy before the engine, or an engine that is going down, answers with; 401 is no engine's, but Portainer's for a token that it does not take. */
const NOT_THERE = new Set([401, 502, 503, 504]);

/** Whatever dockerode threw, as a DockerStatusError where the engine answered and as EngineUnavailable where it did not. */
export function fromDockerode(error: unknown): DockerStatusError | GatewayError {
  const status = memberOf(error, 'statusCode');
  if (typeof status !== 'number' || NOT_THERE.has(status)) return engineUnavailable(error);
  const json = memberOf(error, 'json');
  const said = memberOf(json, 'message') ?? (error instanceof Error ? error.message : '');
  return new DockerStatusError(status, typeof said === 'string' ? said : '', error);
}

/** The outage of the engine. The cause stays in the log: it holds addresses. */
export function engineUnavailable(cause?: unknown, message = 'the container engine does not answer'): GatewayError {
  return new GatewayError('EngineUnavailable', message, cause === undefined ? {} : { cause });
}

/** The engine's no, for the job's owner: what was asked, and the engine's words cleaned. A 5xx may be different next time. */
export function refusal(asked: string, error: DockerStatusError): EngineRefused {
  return new EngineRefused(`the engine refused to ${asked}: ${cleaned(error.message)}`, { temporary: error.status >= 500, cause: error });
}

const LONGEST = 300;
/** A path from the root, or the URL of one; in quotes as a whole, for it may hold spaces. No part of a name of a registry's, nor of another URL. */
const PATH = /(["'`])\/(?!\/)(?:(?!\1).)+\1|\b(?:file|unix):\/\/[^\s"'`,;:)]+|(?<![\p{L}\p{N}_.\/~-])\/(?!\/)[^\s"'`,;:)]+/gu;
/** Where an engine names a path inside the container. */
const INSIDE = /(?:(?<!\/)\bexec:? |\bcwd \(|\brootfs at |\bmount ?point (?:for )?|\bworking directory )["']?(\/[^\s"'`,;:)]+)/gi;
/** Folders that exist on the host and mean nothing to a job, and those that engines have below their data root, wherever that is. */
const HOST = /^\/(?:var|run|proc|sys|usr|root|home|opt|srv|mnt|lib|tmp\/docker)|\/(?:overlay2?|containers|overlay-containers|volumes|merged|_data|buildkit|containerd|snapshots|rootfs|vfs|aufs|btrfs|zfs|devicemapper|io\.containerd[^/]*)(?:\/|$)/;
const ADDRESS = /(?:\b\d{1,3}(?:\.\d{1,3}){3}\b|\[[0-9a-f:.]*:[0-9a-f:.]*(?:%\w+)?\])(?::\d+)?/gi;
const LONG_HEX = /\b[0-9a-f]{32,}\b/g;
/** Control, format, separator and unassigned characters: what could forge a line or turn the reading direction. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]+/gu;

/** An engine's words without paths of the host (an absolute one is, but where the engine names one inside the container), addresses and ids, on one line, at most 300 characters. */
export function cleaned(words: string): string {
  const line = words.slice(0, 4 * LONGEST).replace(UNPRINTABLE, ' ');
  const inside = new Set([...line.matchAll(INSIDE)].flatMap(([, path]) => (path === undefined || HOST.test(path) ? [] : [path])));
  const text = line
    .replace(/^\(HTTP code \d+\) [^-]* - /, '')
    .replace(PATH, (path, quote: string | undefined) => (inside.has(quote === undefined ? path : path.slice(1, -1)) ? path : `${quote ?? ''}(path)${quote ?? ''}`))
    .replace(ADDRESS, '(address)')
    .replace(LONG_HEX, '(id)')
    .replace(/\s+/g, ' ')
    .trim();
  if (text === '') return 'no reason given';
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && name in value ? (value as Record<string, unknown>)[name] : undefined;
}

const TROUBLE = /already exists|shutting down|libnetwork|context (?:deadline|cancel)|transport|connection|no space left|unavailable|ttrpc|time.?out|database not open|input\/output error/i;

/** Whether these are words of an engine that is in trouble itself, not with the image. */
export function isTrouble(words: string): boolean {
  return TROUBLE.test(words);
}

/** What the kernel says of a full disk, in the middle of whatever the engine says of it. */
const FULL = /no space left/i;

/** What failed for want of room on the engine's disk says nothing of the job: an outage of the engine, its words kept. Every other error as it is. */
export function outageIfFull(error: unknown): unknown {
  return error instanceof EngineRefused && FULL.test(error.message) ? engineUnavailable(error, error.message) : error;
}

/** Runs `work`, which needs room on the engine's disk. */
export async function withRoom<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw outageIfFull(error);
  }
}

/** Final, whatever the reason: whether the program ran is not always known, and it must not run twice. */
export function couldNotStart(message: string, cause?: unknown): EngineRefused {
  return new EngineRefused(message, { temporary: isTrouble(message), cause });
}

/** Makes a start after which no other is made; the engine's no becomes EngineRefused, as `couldNotStart` has it. */
export async function mustStart(asked: string, start: () => Promise<unknown>): Promise<void> {
  await start().catch((error: unknown) => {
    if (error instanceof DockerStatusError) throw couldNotStart(refusal(asked, error).message, error);
    throw error;
  });
}

/** Of the only container of a job. */
export function gone(): EngineRefused {
  return new EngineRefused('the container of this job is gone');
}

/** Runs `work`; the engine's no becomes EngineRefused (`absent` where it says "no such"). */
export async function translated<T>(asked: string, work: () => Promise<T>, absent?: () => EngineRefused): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DockerStatusError)) throw error;
    if (error.status === 404 && absent) throw absent();
    throw refusal(asked, error);
  }
}
