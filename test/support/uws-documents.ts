import { parseStringPromise } from 'xml2js';

/** An element as a client's parser sees it: prefix as written, attributes, text, children. */
export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly text: string;
  readonly children: readonly Element[];
}

interface Raw {
  readonly '#name': string;
  readonly $?: Record<string, string>;
  readonly _?: string;
  readonly $$?: readonly Raw[];
}

/** The root of a document. */
export async function parseXml(text: string): Promise<Element> {
  const parsed = (await parseStringPromise(text, { explicitChildren: true, preserveChildrenOrder: true, explicitRoot: false, includeWhiteChars: true })) as Raw;
  return element(parsed);
}

function element(raw: Raw): Element {
  return { name: raw['#name'], attributes: raw.$ ?? {}, text: raw._ ?? '', children: (raw.$$ ?? []).map(element) };
}

/** The child of this name; throws where there is not exactly one. */
export function child(parent: Element, name: string): Element {
  const found = children(parent, name);
  if (found.length !== 1 || found[0] === undefined) throw new Error(`${String(found.length)} elements ${name} in ${parent.name}`);
  return found[0];
}

export function children(parent: Element, name: string): readonly Element[] {
  return parent.children.filter((each) => each.name === name);
}

export function isNil(one: Element): boolean {
  return one.attributes['xsi:nil'] === 'true' && one.text === '' && one.children.length === 0;
}

/** A job document in XML as the JSON document of the same job: what uws.md 4.2 says, written a second time. */
export function jobJsonFromXml(root: Element): Record<string, unknown> {
  const text = (name: string): string | null => {
    const [found] = children(root, `uws:${name}`);
    return found === undefined || isNil(found) ? null : found.text;
  };
  const [summary] = children(root, 'uws:errorSummary');
  return {
    version: root.attributes.version,
    jobId: text('jobId'), runId: text('runId'), ownerId: text('ownerId'), phase: text('phase'), quote: text('quote'),
    creationTime: text('creationTime'), startTime: text('startTime'), endTime: text('endTime'),
    executionDuration: Number(text('executionDuration')), destruction: text('destruction'),
    parameters: parametersJson(child(root, 'uws:parameters')),
    results: child(root, 'uws:results').children.map(({ attributes }) => ({
      id: attributes.id, href: attributes['xlink:href'], mimeType: attributes['mime-type'], size: attributes.size === undefined ? null : Number(attributes.size),
    })),
    errorSummary: summary === undefined ? null : { type: summary.attributes.type, hasDetail: summary.attributes.hasDetail === 'true', message: child(summary, 'uws:message').text },
    jobInfo: jobInfoJson(children(root, 'uws:jobInfo')[0]),
  };
}

function parametersJson(list: Element): Record<string, unknown> {
  const json: Record<string, unknown> = {};
  for (const { attributes, text } of list.children) {
    const id = attributes.id ?? '';
    const value = attributes.byReference === 'true' ? { href: text, byReference: true } : text;
    json[id] = id === 'ARG' ? [...((json[id] as unknown[] | undefined) ?? []), value] : value;
  }
  return json;
}

const NUMBERS = new Set([
  'exitCode', 'queuePosition', 'pulledBytes', 'pullBytes', 'wallSeconds', 'cpuSeconds', 'peakMemory', 'diskReadBytes', 'diskWrittenBytes', 'networkReceivedBytes', 'networkSentBytes', 'resultBytes',
]);
const LISTS = new Set(['warnings']);

function jobInfoJson(info: Element | undefined): Record<string, unknown> {
  const json: Record<string, unknown> = {};
  for (const { name, text } of info?.children ?? []) {
    const plain = name.slice(name.indexOf(':') + 1);
    const value = NUMBERS.has(plain) ? Number(text) : text === 'true' ? true : text;
    json[plain] = LISTS.has(plain) ? [...((json[plain] as unknown[] | undefined) ?? []), value] : value;
  }
  return json;
}
