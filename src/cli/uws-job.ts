import { parseStringPromise, processors } from 'xml2js';

export interface UwsResult {
  readonly id: string;
  /** Absolute URL. */
  readonly url: string;
  readonly mediaType?: string;
}

/** What a client needs of a job document (UWS 1.1 §2.1.12), from whatever server. */
export interface UwsJob {
  readonly phase: string;
  readonly message?: string;
  /** What the job waits for or does, where the server is one of ours. */
  readonly activity?: string;
  readonly results: readonly UwsResult[];
}

/** Reads a job document; `url` is where it came from. Throws an Error where it is none. */
export async function readJob(text: string, url: string): Promise<UwsJob> {
  const document: unknown = await parseStringPromise(text, { tagNameProcessors: [processors.stripPrefix], attrNameProcessors: [processors.stripPrefix], explicitRoot: false }).catch(() => undefined);
  const phase = contentOf(first(document, 'phase'));
  if (phase === undefined || phase === '') throw new Error('the job list answers with something that is no UWS job');
  const message = contentOf(first(first(document, 'errorSummary'), 'message'));
  const activity = contentOf(first(first(document, 'jobInfo'), 'activity'));
  return {
    phase: phase.trim(),
    ...(message === undefined ? {} : { message }),
    ...(activity === undefined ? {} : { activity }),
    results: children(first(document, 'results'), 'result').flatMap((result) => readResult(result, url)),
  };
}

function readResult(result: unknown, url: string): readonly UwsResult[] {
  const attributes = member(result, '$');
  const [id, href, mediaType] = ['id', 'href', 'mime-type'].map((name) => contentOf(member(attributes, name)));
  if (id === undefined || href === undefined || !URL.canParse(href, url)) return [];
  return [{ id, url: new URL(href, url).href, ...(mediaType === undefined ? {} : { mediaType }) }];
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
}

function children(value: unknown, name: string): readonly unknown[] {
  const found = member(value, name);
  return Array.isArray(found) ? found : [];
}

function first(value: unknown, name: string): unknown {
  return children(value, name)[0];
}

/** Text of an element, with or without attributes. */
function contentOf(value: unknown): string | undefined {
  const text = typeof value === 'string' ? value : member(value, '_');
  return typeof text === 'string' ? text : undefined;
}
