import type { Random } from './random.ts';

/** A request as it will be written to the socket. */
export interface RawRequest {
  readonly bytes: Buffer;
  /** Whether it is HTTP, so that there must be an answer. */
  readonly wellFormed: boolean;
  /** For the report. */
  readonly line: string;
}

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly format?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
}

/** As much of an OpenAPI document as requests are made from. */
export interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: Schema }[]; readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> } }>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** What has broken parsers before. */
const NASTY = [
  '', ' ', '0', '-1', '1e309', 'NaN', '9'.repeat(40), '2026-02-30T25:61:61Z', '-', '..', '../../../etc/passwd', '%00', '%2e%2e%2f', '%', '%zz', '%ff%fe', '\u0000', '\r\nX-Injected: 1', '\u2028', '\ud800',
  '💥', 'ü'.repeat(200), '<script>alert(1)</script>', ']]>', '&lt;!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>', "' OR 1=1 --", '${7*7}', '{{7*7}}', '$(id)', '`id`', '__proto__', 'constructor', 'toString', 'hasOwnProperty',
  'registry.test/open/one:1', 'registry.test/members/one:1', 'registry.test/open/one', 'UPPER/case:tag', 'a@sha256:x', 'http://169.254.169.254/', 'file:///etc/passwd', 'param:x', '["sh","-c","id"]', '[[[[[[', '{"a":', 'a=b', 'A'.repeat(5000),
  'RUN', 'ABORT', 'DELETE', 'COMPLETED', 'uri://docker-container', 'uri://docker-compose', '8G', '-8G', 'PT5M', '0.1', '1/0', 'bytes=0-', 'bytes=9-1', 'bytes=0-0,2-3', 'true', 'null', '*', '*/*', 'text/*;q=0', 'application/json', ';;;,,,',
];
const NAMES = ['IMAGE', 'COMMAND', 'ENV', 'CORES', 'MEMORY', 'RUNID', 'PHASE', 'ACTION', 'WAIT', 'LAST', 'AFTER', 'OWNER', 'GROUP', 'LIFETIME', 'MESSAGE', 'signature', 'expires', 'tasktype', 'taskinfo.image', 'resources.mincores', 'words', '__proto__', 'RESPONSEFORMAT'];
const AUTHORIZATIONS = ['Basic Og==', basic('ada'), basic('olga'), basic('eve'), 'Bearer a.b.c', `Bearer ${encode({ alg: 'none' })}.${encode({ iss: 'https://issuer.invalid' })}.`, `Bearer ${encode({ alg: 'RS256' })}.${encode({ iss: 'https://issuer.invalid' })}.c2ln`, 'Digest x', 'Basic %%%'];
const TYPES = ['application/json', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'multipart/form-data', 'application/yaml', 'text/plain', 'text/xml', 'application/json; charset=utf-16', 'application/octet-stream', '', ';', 'a/b; charset="'];
const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'TRACE', 'PROPFIND'];

function basic(name: string): string {
  return `Basic ${Buffer.from(`${name}:password of ${name}`).toString('base64')}`;
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

/** A compose file that nothing is wrong with, and one with a few things that are. */
const FILES = ['{services: {main: {image: "registry.test/open/one:1", ports: ["8080"]}}}', '{services: {a: {image: "registry.test/open/one:1"}, b: {image: "$IMAGE", privileged: true, depends_on: [a]}}}'] as const;

/** Jobs of each list that are remembered. */
const REMEMBERED = 40;

/** Makes requests of what the gateway says of itself, then spoils them. */
export class RequestMaker {
  readonly #random: Random;
  readonly #document: OpenApi;
  readonly #operations: readonly (readonly [path: string, method: string])[];
  readonly #ids: Readonly<Record<string, string[]>> = { docker: ['11111111-1111-4111-8111-111111111111'], compose: ['c-11111111-1111-4111-8111-111111111111'] };

  constructor(document: OpenApi, random: Random) {
    this.#document = document;
    this.#random = random;
    this.#operations = Object.entries(document.paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => [path, method] as const));
  }

  /** A job that there is; `turn`: which of the remembered ones it replaces. */
  remember(list: string, id: string, turn: number): void {
    const ids = this.#ids[list] ?? [];
    ids[ids.length < REMEMBERED ? ids.length : turn % REMEMBERED] = id;
  }

  /** A job that nothing is wrong with, so that there is something to be wrong about. */
  creation(): RawRequest {
    const random = this.#random;
    const list = random.pick(['docker', 'compose']);
    const task = list === 'docker' ? `IMAGE=registry.test/open/one:1${random.chance(0.8) ? '&PORT=8080' : ''}` : `COMPOSEFILE=${encodeURIComponent(FILES[0])}`;
    const [authorization, body] = [random.pick(AUTHORIZATIONS.slice(0, 3)), `${task}${random.chance(0.8) ? '&PHASE=RUN' : ''}`];
    const line = `POST /uws/${list} HTTP/1.1`;
    const head = [line, 'Host: localhost', 'Connection: close', `Authorization: ${authorization}`, 'Content-Type: application/x-www-form-urlencoded', `Content-Length: ${String(body.length)}`];
    return { bytes: Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`), wellFormed: true, line };
  }

  make(): RawRequest {
    const random = this.#random;
    if (random.chance(0.06)) return this.creation();
    const [path, method] = random.pick(this.#operations);
    const operation = this.#document.paths[path]?.[method] ?? {};
    const headers: Record<string, string> = { Host: random.chance(0.98) ? 'localhost' : this.#nasty(), Connection: 'close' };
    if (random.chance(0.6)) headers['Authorization'] = random.chance(0.6) ? random.pick(AUTHORIZATIONS.slice(0, 3)) : random.pick(AUTHORIZATIONS);
    if (random.chance(0.5)) headers['Accept'] = random.pick(['application/json', 'text/xml', 'text/html', 'application/yaml', '*/*', this.#nasty()]);
    const query: string[] = [];
    for (const { name, in: place, schema } of operation.parameters ?? []) {
      if (place === 'path' || !random.chance(0.4)) continue;
      const value = String(this.#value(schema));
      if (place === 'header') headers[name] = value;
      else query.push(`${encodeURIComponent(name)}=${encoded(value)}`);
    }
    while (random.chance(0.2)) query.push(`${encoded(random.pick(NAMES))}=${encoded(this.#nasty())}`);
    const body = this.#body(operation.requestBody?.content ?? {}, headers);
    const verb = random.chance(0.05) ? random.pick(METHODS) : method.toUpperCase();
    const target = this.#target(path) + (query.length === 0 ? '' : `?${query.join('&')}`);
    return this.#spoil(verb, target, headers, body);
  }

  #target(path: string): string {
    const random = this.#random;
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => {
      if (random.chance(0.1)) return encoded(this.#nasty()).slice(0, 300);
      if (name === 'id') return random.pick(this.#ids[path.includes('compose') === random.chance(0.95) ? 'compose' : 'docker'] ?? []);
      if (name === 'service') return random.pick(['main', 'main', 'main', 'main', 'a', 'other']);
      if (name === 'port') return random.chance(0.8) ? '8080' : random.pick(['80', '0', '65536', '08080', 'x']);
      return name === 'result' ? random.pick(['stdout', 'stderr', 'a/b.txt', 'nothing']) : random.pick(['IMAGE', 'COMMAND', 'docker', 'nothing']);
    });
    return random.chance(0.03) ? filled + random.pick(['/', '//', '/..', '/%2e%2e', '?', '#', ';x', '%']) : filled;
  }

  #body(content: Readonly<Record<string, { readonly schema: Schema }>>, headers: Record<string, string>): Buffer | undefined {
    const random = this.#random;
    const types = Object.keys(content);
    if (types.length === 0) return random.chance(0.05) ? Buffer.from(this.#nasty()) : undefined;
    if (random.chance(0.1)) return undefined;
    const type = random.pick(types);
    const document = this.#value(content[type]?.schema ?? {});
    headers['Content-Type'] = type === 'multipart/form-data' ? 'multipart/form-data; boundary=x' : type;
    if (random.chance(0.08)) headers['Content-Type'] = random.pick(TYPES);
    if (type.includes('json') || type.includes('yaml')) return Buffer.from(JSON.stringify(document) ?? '');
    const fields = [...Object.entries(typeof document === 'object' && document !== null ? document : {}).map(([name, value]) => [name, String(value)] as const), ...this.#fields()];
    if (type === 'multipart/form-data') return Buffer.from(`${fields.map(([name, value]) => `--x\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`).join('')}--x--\r\n`);
    return Buffer.from(fields.map(([name, value]) => `${encoded(name)}=${encoded(value)}`).join('&'));
  }

  #fields(): readonly (readonly [string, string])[] {
    const random = this.#random;
    const sensible: readonly (readonly [string, string])[] = [['IMAGE', 'registry.test/open/one:1'], ['COMPOSEFILE', random.pick(FILES)], ['taskinfo.composefile', random.pick(FILES)], ['VAR.IMAGE', 'registry.test/open/one:1'], ['SERVICE', 'a'], ['PORT', '8080'], ['PHASE', 'RUN'], ['tasktype', 'uri://docker-container'], ['taskinfo.image', 'registry.test/open/one:1'], ['RUNID', 'x'], ['GROUP', 'members'], ['EXECUTIONDURATION', '5'], ['ACTION', 'DELETE']];
    return [0, 1, 2].flatMap(() => (random.chance(0.5) ? [random.pick(sensible)] : random.chance(0.3) ? [[random.pick(NAMES), this.#nasty()] as const] : []));
  }

  /** A value of the schema, mostly. */
  #value(given: Schema, depth = 0): unknown {
    const random = this.#random;
    const schema = given.$ref === undefined ? given : (this.#document.components.schemas[given.$ref.split('/').at(-1) ?? ''] ?? {});
    if (random.chance(0.08)) return random.pick([null, true, -1, 1e308, [], {}, this.#nasty(), [[[[]]]], { a: 1 }]);
    if (depth > 5) return null;
    if (schema.const !== undefined) return schema.const;
    if (schema.enum !== undefined) return random.pick(schema.enum);
    const alternatives = schema.anyOf ?? schema.allOf;
    if (alternatives !== undefined) return this.#value(random.pick(alternatives), depth + 1);
    const type = Array.isArray(schema.type) ? random.pick(schema.type as readonly string[]) : schema.type;
    if (type === 'object') return this.#object(schema, depth);
    if (type === 'array') return Array.from({ length: random.below(4) }, () => this.#value(schema.items ?? {}, depth + 1));
    if (type === 'integer' || type === 'number') return random.pick([0, 1, 5, 60, -1, 0.5, 2 ** 31, 2 ** 53, 1e21]);
    if (type === 'boolean') return random.chance(0.5);
    if (schema.format === 'date-time') return random.pick(['2099-01-01T00:00:00Z', '2026-01-01', 'tomorrow', '0000-00-00T00:00:00Z']);
    return random.pick([this.#nasty(), 'registry.test/open/one:1', FILES[0], 'x', '1']);
  }

  #object(schema: Schema, depth: number): object {
    const random = this.#random;
    const entries = Object.entries(schema.properties ?? {}).filter(() => random.chance(0.5)).map(([name, part]) => [name, this.#value(part, depth + 1)] as const);
    if (random.chance(0.2)) return Object.fromEntries([...entries, [random.pick([...NAMES, this.#nasty()]), this.#nasty()]]);
    return Object.fromEntries(entries);
  }

  #nasty(): string {
    return this.#random.pick(NASTY);
  }

  /** The bytes, in one case of eight changed so that it may be no HTTP any more. */
  #spoil(method: string, target: string, headers: Record<string, string>, body: Buffer | undefined): RawRequest {
    const random = this.#random;
    if (random.chance(0.02)) headers['Content-Encoding'] = 'gzip';
    if (random.chance(0.02)) headers['Expect'] = '100-continue';
    const chunked = body !== undefined && random.chance(0.1);
    if (chunked) headers['Transfer-Encoding'] = 'chunked';
    else if (body !== undefined) headers['Content-Length'] = String(body.length);
    // what a client library would not let through is not what this is about, but for the spoiled ones below
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value.replace(/[^\t\x20-\x7e]/g, '?')}`);
    const payload = body === undefined ? Buffer.alloc(0) : chunked ? Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from(body.length === 0 ? '\r\n' : '\r\n0\r\n\r\n')]) : body;
    const line = `${method} ${target.replace(/[^\x21-\x7e]/g, '?')} HTTP/1.1`;
    const bytes = Buffer.concat([Buffer.from(`${line}\r\n${lines.join('\r\n')}\r\n\r\n`), payload]);
    if (!random.chance(0.125)) return { bytes, wellFormed: method !== 'TRACE', line };
    return { bytes: this.#broken(bytes), wellFormed: false, line: `(spoiled) ${line}` };
  }

  #broken(bytes: Buffer): Buffer {
    const random = this.#random;
    const at = random.below(bytes.length);
    switch (random.below(5)) {
      case 0:
        return bytes.subarray(0, at);
      case 1:
        return Buffer.concat([bytes.subarray(0, at), Buffer.from(this.#nasty()), bytes.subarray(at)]);
      case 2: {
        const changed = Buffer.from(bytes);
        for (let i = 0; i < 5; i += 1) changed[random.below(changed.length)] = random.below(256);
        return changed;
      }
      case 3:
        return Buffer.concat([bytes, bytes]);
      default:
        return Buffer.concat([Buffer.from(`GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`), bytes]);
    }
  }
}

function encoded(text: string): string {
  return encodeURIComponent(text.replace(/\p{Surrogate}/gu, '\ufffd'));
}
