import { expect } from 'chai';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const SRC = join(dirname(dirname(fileURLToPath(import.meta.url))), 'src');

/** Files of the lowest layer, which everybody may import. */
const GROUND = ['errors.ts', 'clock.ts', 'logger.ts', 'caller.ts', 'wildcard.ts'];

/** Folder -> what it may import beside itself and the ground. A name ending in .ts is that file alone: a port. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  image: [],
  task: ['image'],
  job: ['task', 'image'],
  registry: ['image', 'untrusted-fetch.ts'],
  engine: ['task', 'image'],
  egress: ['untrusted-fetch.ts'],
  store: ['job', 'task', 'image/digest.ts'],
  policy: ['registry/registry.ts', 'task', 'image', 'compose'],
  execution: ['policy/policy.ts', 'policy/verdict.ts', 'engine/engine.ts', 'store/job-store.ts', 'store/pulled-images.ts', 'store/result-store.ts', 'store/usage-store.ts', 'job', 'task', 'image'],
  http: ['task/unit-schemas.ts'],
  control: [],
  uws: ['execution', 'store/job-store.ts', 'job', 'task', 'image', 'http'],
  identity: ['untrusted-fetch.ts', 'http'],
  quota: ['task', 'store/job-store.ts', 'store/usage-store.ts', 'policy/policy.ts', 'policy/verdict.ts', 'execution/admission.ts'],
  compose: ['image'],
  planner: ['execution/admission.ts', 'execution/closure.ts', 'policy/policy.ts', 'policy/verdict.ts', 'task', 'image', 'http', 'job/instant.ts', 'untrusted-fetch.ts'],
};

/** The top of the house: what wires and what starts. */
const TOP = ['gateway.ts', 'stand-alone.ts', 'main.ts', 'config.ts', 'config-schema.ts', 'site-offer.ts', 'pull-credentials.ts', 'cli'];

/** Package -> where alone it may be imported. */
const PACKAGES: Readonly<Record<string, readonly RegExp[]>> = {
  koa: [/^(http|uws|planner)\//, /^gateway\.ts$/],
  '@koa/router': [/^(http|uws|planner)\//],
  dockerode: [/^engine\/docker-/],
  'better-sqlite3': [/^store\/(sqlite-|migrate\.ts)/],
  xml2js: [/^(uws|planner|cli)\//],
  undici: [/^untrusted-fetch\.ts$/],
  jose: [/^identity\//],
};

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts')).map((name) => name.replaceAll('\\', '/'));

interface Import {
  readonly from: string;
  readonly to: string;
}

const imports = files.flatMap((from) =>
  [...readFileSync(join(SRC, from), 'utf8').matchAll(/(?:from|import\() ?'([^']+)'|^import '([^']+)'/gm)].map((match): Import => ({ from, to: match[1] ?? match[2] ?? '' })),
);

function folderOf(file: string): string {
  return file.includes('/') ? (file.split('/')[0] ?? '') : file;
}

function targetOf({ from, to }: Import): string {
  return relative(SRC, normalize(join(SRC, dirname(from), to))).replaceAll('\\', '/');
}

const ours = imports.filter(({ to }) => to.startsWith('.'));

/** A circle of files that import each other, as far as `file` leads to one; undefined = none. */
function circleFrom(file: string, of: ReadonlyMap<string, readonly string[]>, path: readonly string[] = [], seen = new Set<string>()): readonly string[] | undefined {
  if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
  if (seen.has(file)) return undefined;
  seen.add(file);
  for (const next of of.get(file) ?? []) {
    const circle = circleFrom(next, of, [...path, file], seen);
    if (circle !== undefined) return circle;
  }
  return undefined;
}

/** What is wrong with an import between two of our files; undefined = nothing. */
function violation(each: Import): string | undefined {
  const { from } = each;
  const target = targetOf(each);
  const [here, there] = [folderOf(from), folderOf(target)];
  if (here === there || GROUND.includes(target) || TOP.includes(here)) return undefined;
  const allowed = GROUND.includes(from) || from === 'untrusted-fetch.ts' ? [] : MAY_IMPORT[here];
  if (allowed?.some((entry) => entry === there || entry === target) === true) return undefined;
  return `${from} -> ${target}`;
}

describe('architecture', () => {
  it('sees every file of the program', () => {
    expect(files).to.include('gateway.ts');
    const folders = [...new Set(files.map(folderOf))].filter((name) => !name.endsWith('.ts') && !TOP.includes(name));
    expect(Object.keys(MAY_IMPORT)).to.include.members(folders);
  });

  it('imports point down', () => {
    expect(ours.map(violation).filter((text) => text !== undefined)).to.deep.equal([]);
  });

  it('imports go in no circles', () => {
    const of = new Map(files.map((file) => [file, ours.filter(({ from }) => from === file).map(targetOf)]));
    const seen = new Set<string>();
    expect(files.map((file) => circleFrom(file, of, [], seen)).filter((circle) => circle !== undefined)).to.deep.equal([]);
    const [first = ''] = of.get('main.ts') ?? [];
    expect(circleFrom('main.ts', new Map([...of, [first, ['main.ts']]])), 'one would be seen').to.deep.equal(['main.ts', first, 'main.ts']);
  });

  it('allows nothing that nobody does', () => {
    const used = new Set(ours.flatMap((each) => [folderOf(targetOf(each)), targetOf(each)].map((target) => `${folderOf(each.from)} ${target}`)));
    const idle = Object.entries(MAY_IMPORT).flatMap(([folder, allowed]) => allowed.filter((entry) => !used.has(`${folder} ${entry}`)).map((entry) => `${folder} ${entry}`));
    expect(idle).to.deep.equal([]);
  });

  it('would see an import that points up, and one of an adapter', () => {
    expect(violation({ from: 'image/bad.ts', to: '../job/job.ts' })).to.equal('image/bad.ts -> job/job.ts');
    expect(violation({ from: 'uws/bad.ts', to: '../store/sqlite-job-store.ts' })).to.equal('uws/bad.ts -> store/sqlite-job-store.ts');
  });

  it('keeps each package behind its door', () => {
    const astray = imports.filter(({ from, to }) => Object.hasOwn(PACKAGES, to) && PACKAGES[to]?.some((place) => place.test(from)) === false);
    expect(astray.map(({ from, to }) => `${from} -> ${to}`)).to.deep.equal([]);
  });

  it('has no two files of one name, so that each is found by it', () => {
    const names = files.map((file) => file.slice(file.lastIndexOf('/') + 1));
    expect(names.filter((name, i) => names.indexOf(name) !== i)).to.deep.equal([]);
  });

  it('has no file that must be scrolled for ever', () => {
    const long = files.map((file) => [file, readFileSync(join(SRC, file), 'utf8').split('\n').length] as const).filter(([, lines]) => lines > 340);
    expect(long).to.deep.equal([]);
  });
});
