import type { Said, ServiceFile, ServiceMount } from './compose-file.ts';
import { type ComposeNode, member, type Place } from './compose-node.ts';
import { memberAt, placeOf, type Reading, sizeOf } from './reading.ts';

const TYPES = ['volume', 'bind', 'tmpfs', 'npipe', 'cluster', 'image'] as const;
/** What Compose takes for a path of the host, Windows' own included (compose-go, format/volume.go). */
const HOST_PATH = /^(?:[./~\\]|[A-Za-z]:[\\/])/;
const WINDOWS_DRIVE = /^[A-Za-z]:[\\/]/;

/** `volumes` and `tmpfs` of a service; of each the later of two with one target. */
export function readMounts(service: ComposeNode, reading: Reading): readonly ServiceMount[] {
  const mounts = new Map<string, ServiceMount>();
  for (const node of reading.items(member(service, 'volumes'))) {
    const mount = node.kind === 'map' ? longMount(node, reading) : shortMount(node, reading);
    if (mount !== undefined) mounts.set(mount.target, mount);
  }
  const memory = new Map<string, ServiceMount>();
  for (const said of reading.texts(member(service, 'tmpfs'))) {
    const mount = tmpfsMount(said, reading);
    if (mount !== undefined) memory.set(mount.target, mount);
  }
  return [...mounts.values(), ...memory.values()];
}

/** `[SOURCE:]TARGET[:OPTION,…]`. */
function shortMount(node: ComposeNode, reading: Reading): ServiceMount | undefined {
  const said = reading.text(node);
  if (said === undefined) return undefined;
  const drive = WINDOWS_DRIVE.test(said.value) ? said.value.slice(0, 2) : '';
  const parts = said.value.slice(drive.length).split(':');
  parts[0] = drive + (parts[0] ?? '');
  if (parts.length > 3 || parts.includes('')) return reading.wrong(node, '[SOURCE:]TARGET[:MODE]');
  const [first = '', second, third = ''] = parts;
  const place = placeOf(node);
  if (second === undefined) return { ...place, type: 'volume', source: '', target: first, readOnly: false, options: [] };
  const words = third === '' ? [] : third.split(',');
  const type = HOST_PATH.test(first) ? 'bind' : 'volume';
  return { ...place, type, source: first, target: second, readOnly: words.includes('ro'), options: words.filter((word) => word !== 'ro' && word !== 'rw') };
}

function longMount(node: ComposeNode, reading: Reading): ServiceMount | undefined {
  const type = reading.text(member(node, 'type'));
  const target = reading.text(member(node, 'target'));
  const known = TYPES.find((each) => each === type?.value);
  if (type === undefined) return reading.wrong(node, 'a volume with a type');
  if (known === undefined) return reading.wrong(type, `one of ${TYPES.join(', ')}`);
  if (target === undefined) return reading.wrong(node, 'a volume with a target');
  const size = reading.size(memberAt(node, 'tmpfs', 'size'));
  const mode = reading.mode(memberAt(node, 'tmpfs', 'mode'));
  const nocopy = reading.flag(memberAt(node, 'volume', 'nocopy'))?.value === true ? ['nocopy'] : [];
  return {
    ...placeOf(node),
    type: known,
    source: reading.text(member(node, 'source'))?.value ?? '',
    target: target.value,
    readOnly: reading.flag(member(node, 'read_only'))?.value ?? false,
    ...(size === undefined ? {} : { size: size.value }),
    ...(mode === undefined ? {} : { mode: mode.value }),
    options: nocopy,
  };
}

/** `TARGET[:OPTION,…]` of the key `tmpfs`. */
function tmpfsMount(said: Said<string>, reading: Reading): ServiceMount | undefined {
  const at = said.value.indexOf(':');
  const words = at === -1 ? [] : said.value.slice(at + 1).split(',');
  const valueOf = (name: string): string | undefined => words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
  const [sizeText, modeText] = [valueOf('size'), valueOf('mode')];
  const size = sizeText === undefined ? undefined : sizeOf(sizeText);
  if (sizeText !== undefined && size === undefined) return reading.wrong(said, 'a folder with a size such as /run:size=64m');
  if (modeText !== undefined && !/^[0-7]{3,4}$/.test(modeText)) return reading.wrong(said, 'a folder with an octal mode such as /run:mode=1777');
  return {
    ...placeOf(said),
    type: 'tmpfs',
    source: '',
    target: at === -1 ? said.value : said.value.slice(0, at),
    readOnly: words.includes('ro'),
    ...(size === undefined ? {} : { size }),
    ...(modeText === undefined ? {} : { mode: parseInt(modeText, 8) }),
    options: words.filter((word) => !/^(?:size|mode)=|^r[ow]$/.test(word)),
  };
}

/** `configs` and `secrets` of a service. */
export function readFiles(service: ComposeNode, reading: Reading): readonly ServiceFile[] {
  return (['config', 'secret'] as const).flatMap((kind) =>
    reading.items(member(service, `${kind}s`)).map((node) => readFile(node, kind, reading)).filter((file) => file !== undefined),
  );
}

function readFile(node: ComposeNode, kind: ServiceFile['kind'], reading: Reading): ServiceFile | undefined {
  const place: Place = placeOf(node);
  if (node.kind !== 'map') {
    const source = reading.text(node);
    return source === undefined ? undefined : { ...place, kind, source: source.value };
  }
  const source = reading.text(member(node, 'source'));
  if (source === undefined) return reading.wrong(node, `a ${kind} with a source`);
  const target = reading.text(member(node, 'target'));
  const numbers = { uid: reading.integer(member(node, 'uid')), gid: reading.integer(member(node, 'gid')), mode: reading.mode(member(node, 'mode')) };
  return {
    ...place,
    kind,
    source: source.value,
    ...(target === undefined ? {} : { target: target.value }),
    ...Object.fromEntries(Object.entries(numbers).filter(([, said]) => said !== undefined).map(([name, said]) => [name, said?.value])),
  };
}
