import { parseSize } from '../task/units.ts';
import { type Branch, isBranch, isList, type Value, type Warning } from './question.ts';

/** What a codemeta.json (CodeMeta 2 and 3, in JSON-LD) says that matters for running the software, as people really write it. */
export interface Software {
  /** https URLs. */
  readonly repositories: readonly string[];
  /** Container images, as references. */
  readonly images: readonly string[];
  /** Bytes, at least. */
  readonly memory?: number;
  readonly store?: number;
  readonly cores?: number;
  /** Where the description asks for a graphics processor. */
  readonly gpu?: string;
  /** The operating systems it names, where Linux is none of them. */
  readonly foreignSystems?: readonly string[];
  /** Requirements that are there and that nobody but a person can understand. */
  readonly unclear: readonly Warning[];
}

const LINUX = /linux|unix|posix|ubuntu|debian|centos|fedora|red ?hat|rhel|alpine|\b(?:any|all)\b|independent|cross|web|browser/i;
const GPU = /\b(?:gpu|cuda|nvidia|vram|rocm)/i;
/** A description names a handful; more is not looked at. */
const MAX_TEXTS = 50;

/** Reads the description. Never throws: what is not understood is told. */
export function readSoftware(description: Branch, path: string): Software {
  const unclear: Warning[] = [];
  const texts = (name: string): readonly string[] => textsOf(description[name]);
  const amount = (name: string, read: (text: string) => number | undefined): number | undefined => {
    const said = texts(name).join('; ');
    const number = said === '' ? undefined : read(said);
    if (said !== '' && number === undefined && !isNothing(said)) {
      unclear.push({ code: 'software.cannot-tell', path: `${path}.${name}`, text: `cannot tell what ${JSON.stringify(said.slice(0, 100))} means in numbers; it was not looked at` });
    }
    return number;
  };
  const memory = amount('memoryRequirements', (text) => (GPU.test(text) ? undefined : smallestSize(text)));
  const store = amount('storageRequirements', smallestSize);
  const cores = amount('processorRequirements', readCores);
  const systems = texts('operatingSystem');
  const gpu = ['processorRequirements', 'memoryRequirements', 'runtimePlatform'].find((name) => texts(name).some((text) => GPU.test(text)));
  return {
    repositories: unique(texts('codeRepository').map(repositoryUrl)),
    images: unique(['downloadUrl', 'installUrl', 'containers', 'targetProduct', 'relatedLink', 'softwareRequirements'].flatMap(texts).map(imageReference)),
    ...(memory === undefined ? {} : { memory }),
    ...(store === undefined ? {} : { store }),
    // Architectures and clock rates say nothing about how many.
    ...(cores === undefined || cores === 0 ? {} : { cores }),
    ...(gpu === undefined ? {} : { gpu: `${path}.${gpu}` }),
    ...(systems.length === 0 || systems.some((text) => LINUX.test(text)) ? {} : { foreignSystems: systems }),
    unclear,
  };
}

/** Every text of a member: itself, its items, and what things call themselves or where they are. */
function textsOf(value: Value | undefined): readonly string[] {
  if (typeof value === 'string') return value.trim() === '' ? [] : [value.trim()];
  if (isList(value)) return value.slice(0, MAX_TEXTS).flatMap(textsOf);
  if (!isBranch(value)) return [];
  return ['@id', 'url', 'downloadUrl', 'codeRepository', 'name', 'value'].flatMap((name) => (typeof value[name] === 'string' ? textsOf(value[name]) : []));
}

/** `2048 Mb`, `8 GB RAM`, `2GB minimum, 8GB recommended`: the smallest size that is named, since more is only better. */
function smallestSize(text: string): number | undefined {
  const sizes = [...text.slice(0, 1000).matchAll(/(\d{1,9}(?:[.,]\d{1,3})?)\s?([kmgt])(?:i?b|bytes)?\b/gi)].map(([, number = '', unit = '']) => parseSize(`${number.replace(',', '.')}${unit}`));
  const known = sizes.filter((size) => size !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

/** A number of cores; 0 where the text only names an architecture or a clock rate; undefined where it cannot be told. */
function readCores(text: string): number | undefined {
  const counts = [...text.slice(0, 1000).matchAll(/(\d{1,4})\s?(?:-\s?|x\s)?(?:v?cpus?|cores?|processors?|threads?)\b/gi)].map(([, number]) => Number(number)).filter((count) => count > 0);
  if (counts.length > 0) return Math.min(...counts);
  return /x86|amd64|\bx64\b|64[- ]?bit|intel|arm|aarch|[gm]hz|\bany\b/i.test(text) ? 0 : undefined;
}

function isNothing(text: string): boolean {
  return /^(?:none|n\/?a|no|any|minimal|-|unknown|not applicable)\.?$/i.test(text);
}

/** `git+https://…`, `git@host:owner/name.git`, `scm:git:…` as a URL that a platform can be given; undefined where it is none. */
function repositoryUrl(text: string): string | undefined {
  const plain = text.replace(/^(?:scm:)?(?:git[+:])?(?=https?:|git@|ssh:)/i, '').replace(/^(?:ssh:\/\/)?git@([^:/\s]+)[:/]/i, 'https://$1/');
  return /^https?:\/\/[^\s/@]+\/\S+$/i.test(plain) && plain.length <= 2048 ? plain.replace(/^http:/i, 'https:').replace(/\.git\/?$/, '') : undefined;
}

/** `docker://name`, and the pages of images at Docker Hub and Quay, as references; undefined for everything else. */
function imageReference(text: string): string | undefined {
  const direct = /^(?:docker|oci):\/\/(\S{1,512})$/i.exec(text)?.[1];
  if (direct !== undefined) return direct;
  const hub = /^https?:\/\/hub\.docker\.com\/(?:r\/([\w.-]+\/[\w.-]+)|_\/([\w.-]+))(?:[/?#]|$)/i.exec(text);
  if (hub !== null) return `docker.io/${hub[1] ?? `library/${hub[2] ?? ''}`}`;
  const quay = /^https?:\/\/quay\.io\/(?:repository\/)?([\w.-]+\/[\w.-]+)(?:[/?#]|$)/i.exec(text)?.[1];
  return quay === undefined ? undefined : `quay.io/${quay}`;
}

function unique(texts: readonly (string | undefined)[]): readonly string[] {
  return [...new Set(texts.filter((text) => text !== undefined))].slice(0, MAX_TEXTS);
}
