import type { Dependency, Said, ServiceNetwork, ServicePort } from './compose-file.ts';
import { type ComposeNode, member } from './compose-node.ts';
import { placeOf, type Reading } from './reading.ts';

const PORTS = /^(?:(?<host>\[[0-9A-Fa-f:.]+\]|[0-9.]+|[A-Za-z][A-Za-z0-9.-]*|\*):)?(?:(?<published>\d{0,5}(?:-\d{1,5})?):)?(?<target>\d{1,5}(?:-\d{1,5})?)(?:\/(?<protocol>[A-Za-z]+))?$/;
const CONDITIONS = ['service_started', 'service_healthy', 'service_completed_successfully'] as const;
const MAX_PORT = 65_535;

/** `networks` of a service; undefined where it names none, an empty list too: that is the default network to Compose. */
export function readServiceNetworks(service: ComposeNode, reading: Reading): readonly ServiceNetwork[] | undefined {
  const node = member(service, 'networks');
  if (node === undefined || (node.kind === 'map' && node.entries.size === 0) || (node.kind === 'list' && node.items.length === 0)) return undefined;
  if (node.kind === 'map') {
    return [...node.entries].map(([name, value]) => ({ name, aliases: reading.texts(member(value, 'aliases')), path: value.path, line: value.line }));
  }
  if (node.kind === 'scalar') {
    reading.wrong(node, 'a list of networks');
    return [];
  }
  return reading.texts(node).map(({ value, ...place }) => ({ ...place, name: value, aliases: [] }));
}

/** `ports` of a service. */
export function readPorts(service: ComposeNode, reading: Reading): readonly ServicePort[] {
  return reading.items(member(service, 'ports')).map((node) => (node.kind === 'map' ? longPort(node, reading) : shortPort(node, reading))).filter((port) => port !== undefined);
}

function shortPort(node: ComposeNode, reading: Reading): ServicePort | undefined {
  const said = reading.text(node);
  const parts = said === undefined ? undefined : PORTS.exec(said.value)?.groups;
  if (said === undefined) return undefined;
  const range = parts === undefined ? undefined : rangeOf(parts['target'] ?? '');
  if (parts === undefined || range === undefined) return reading.wrong(node, 'a port such as "8080"');
  return { ...placeOf(node), ...range, protocol: parts['protocol'] ?? 'tcp', published: parts['published'] ?? '', hostAddress: parts['host'] ?? '', mode: 'ingress' };
}

function longPort(node: ComposeNode, reading: Reading): ServicePort | undefined {
  const target = reading.text(member(node, 'target'));
  if (target === undefined) return reading.wrong(node, 'a port with a target');
  const range = rangeOf(target.value);
  if (range === undefined) return reading.wrong(target, 'a port from 1 to 65535');
  const text = (name: string): string => reading.text(member(node, name))?.value ?? '';
  return { ...placeOf(node), ...range, protocol: text('protocol') || 'tcp', published: text('published'), hostAddress: text('host_ip'), mode: text('mode') || 'ingress' };
}

function rangeOf(text: string): Pick<ServicePort, 'target' | 'lastTarget'> | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const [target, lastTarget] = [Number(match[1]), Number(match[2] ?? match[1])];
  return target >= 1 && target <= lastTarget && lastTarget <= MAX_PORT ? { target, lastTarget } : undefined;
}

/** `expose`: ports as texts, number or range and protocol. */
export function readExpose(service: ComposeNode, reading: Reading): readonly Said<string>[] {
  return reading.texts(member(service, 'expose')).filter((said) => {
    const right = rangeOf(said.value.replace(/\/(?:tcp|udp|sctp)$/, '')) !== undefined;
    if (!right) reading.wrong(said, 'a port such as "8080"');
    return right;
  });
}

/** `depends_on` of a service, and what its links depend on. */
export function readDependencies(service: ComposeNode, reading: Reading): readonly Dependency[] {
  const node = member(service, 'depends_on');
  if (node?.kind !== 'map') {
    return reading.texts(node).map(({ value, ...place }) => ({ ...place, service: value, condition: 'service_started' as const, required: true }));
  }
  return [...node.entries].flatMap(([name, value]) => {
    const said = reading.text(member(value, 'condition'));
    const condition = CONDITIONS.find((each) => each === (said?.value ?? 'service_started'));
    const required = reading.flag(member(value, 'required'))?.value ?? true;
    if (condition === undefined) reading.wrong(said ?? value, `one of ${CONDITIONS.join(', ')}`);
    return condition === undefined ? [] : [{ ...placeOf(value), service: name, condition, required }];
  });
}
