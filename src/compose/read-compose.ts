import type { ComposeContent, ComposeFile, ComposeNetwork, ComposeVolume, Said } from './compose-file.ts';
import { type ComposeNode, type MapNode, member } from './compose-node.ts';
import type { ComposeProblem } from './compose-problem.ts';
import { type ComposeDocument, readComposeYaml } from './compose-yaml.ts';
import { resolveExtends } from './extends.ts';
import { interpolate, type Variables } from './interpolation.ts';
import { readService } from './read-service.ts';
import { placeOf, Reading } from './reading.ts';

/** A file as far as it can be read without any judgement. */
export interface ReadCompose {
  readonly document: ComposeDocument;
  /** Variables filled in, `extends` not yet: every key that the file has. */
  readonly root: MapNode;
  readonly file: ComposeFile;
  readonly problems: readonly ComposeProblem[];
  /** Variables of the request that the file does not use. */
  readonly unused: readonly string[];
}

/** Name of the network of services that name none. */
export const DEFAULT_NETWORK = 'default';

/**
 * Reads a compose file from its text and the variables of the request; nothing else is ever read. YAML, variables, `extends`,
 * casts, in this order, as Compose does. Throws ComposeUnreadable where there is nothing to look at.
 */
export function readCompose(text: string, variables: Variables): ReadCompose {
  const document = readComposeYaml(text);
  const { root, problems, used } = interpolate(document.root, variables);
  const extended = resolveExtends(root);
  const reading = new Reading();
  const file = readFile(extended.root, reading);
  return {
    document,
    root,
    file,
    problems: [...problems, ...extended.problems, ...unique(reading.problems)],
    unused: [...variables.keys()].filter((name) => !used.has(name)),
  };
}

function readFile(root: MapNode, reading: Reading): ComposeFile {
  // read for its form only
  reading.text(member(root, 'name'));
  const top = (name: string): MapNode['entries'] => reading.members(member(root, name));
  return {
    services: [...top('services')].map(([name, node]) => readService(name, node, reading)),
    networks: new Map([...top('networks')].map(([name, node]) => [name, readNetwork(name, node, reading)])),
    volumes: new Map([...top('volumes')].map(([name, node]) => [name, readVolume(name, node, reading)])),
    configs: contents(top('configs'), reading, readContent),
    secrets: contents(top('secrets'), reading, readSecret),
  };
}

function readNetwork(name: string, node: ComposeNode, reading: Reading): ComposeNetwork {
  reading.members(node);
  const ipam = member(node, 'ipam');
  reading.members(ipam);
  const driver = reading.text(member(node, 'driver'));
  const ipamDriver = reading.text(member(ipam, 'driver'))?.value ?? 'default';
  return {
    ...placeOf(node),
    ...readExternal(name, node, reading),
    ...(driver === undefined ? {} : { driver }),
    internal: reading.flag(member(node, 'internal'))?.value ?? false,
    addresses: reading.items(member(ipam, 'config')).length > 0 || reading.members(member(ipam, 'options')).size > 0 || ipamDriver !== 'default',
  };
}

function readVolume(name: string, node: ComposeNode, reading: Reading): ComposeVolume {
  reading.members(node);
  const driver = reading.text(member(node, 'driver'));
  return { ...placeOf(node), ...readExternal(name, node, reading), ...(driver === undefined ? {} : { driver }) };
}

/** `external: true`, with `name` or its own one; or the older `external: {name: …}`. */
function readExternal(own: string, node: ComposeNode, reading: Reading): { readonly external?: Said<string> } {
  const external = member(node, 'external');
  if (external === undefined) return {};
  const named = external.kind === 'map' ? member(external, 'name') : member(node, 'name');
  if (external.kind !== 'map' && reading.flag(external)?.value !== true) return {};
  return { external: { ...placeOf(external), value: reading.text(named)?.value ?? own } };
}

function contents(entries: MapNode['entries'], reading: Reading, read: (node: ComposeNode, reading: Reading) => ComposeContent): ReadonlyMap<string, ComposeContent> {
  return new Map([...entries].map(([name, node]) => [name, read(node, reading)]));
}

function readContent(node: ComposeNode, reading: Reading): ComposeContent {
  reading.members(node);
  const written = member(node, 'content');
  // a variable of it may be missing, which was told
  const open = written?.kind === 'scalar' && written.open === true ? { ...placeOf(written), value: '' } : undefined;
  const content = reading.text(written) ?? open;
  const elsewhere = ['file', 'environment', 'external', 'driver'].some((key) => member(node, key) !== undefined);
  return { ...placeOf(node), ...(content === undefined ? {} : { content }), elsewhere };
}

/** As a config; but what is external of a secret is not somewhere else. */
function readSecret(node: ComposeNode, reading: Reading): ComposeContent {
  const external = reading.flag(member(node, 'external'));
  const { elsewhere, ...content } = readContent(node, reading);
  if (external === undefined) return { ...content, elsewhere };
  const others = ['file', 'environment', 'driver'].some((key) => member(node, key) !== undefined);
  return { ...content, ...(external.value ? { external: placeOf(external) } : {}), elsewhere: others };
}

/** What a service brings into another by `extends` is read in both. */
function unique(problems: readonly ComposeProblem[]): readonly ComposeProblem[] {
  const seen = new Set<string>();
  return problems.filter(({ path, text }) => {
    const key = JSON.stringify([path, text]);
    return !seen.has(key) && seen.add(key).size > 0;
  });
}
