import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { answerSchema } from '../../src/planner/planner-api.ts';
import { jobListSchema, jobSchema } from '../../src/uws/document-schemas.ts';
import { SCHEMAS, schemaErrors } from './uws-schema.ts';

/** What is sent with a request. */
export interface Sent {
  readonly headers?: Readonly<Record<string, string>>;
  /** A form; repeated names as a list of pairs. */
  readonly form?: Readonly<Record<string, string>> | readonly (readonly [string, string])[];
  readonly json?: unknown;
  readonly body?: string | Uint8Array;
  /** Send without a length. */
  readonly chunked?: boolean;
  readonly signal?: AbortSignal;
}

/** What came back, as it came: no redirect is followed, nothing decoded. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly text: string;
}

/** An HTTP client that hides nothing, and keeps every XML document it has seen, to be held against its schema. */
export class HttpClient {
  readonly #origin: URL;
  readonly #publicUrl: string;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #documents = new Set<string>();
  readonly #json = new Set<string>();

  /** `origin`: where the server listens; `publicUrl`: what it believes its URL to be. */
  constructor(origin: string, publicUrl: string) {
    this.#origin = new URL(origin);
    this.#publicUrl = publicUrl;
  }

  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.send('GET', path, { headers });
  }

  post(path: string, form: Sent['form'] = {}, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.send('POST', path, { form, headers });
  }

  delete(path: string): Promise<Answer> {
    return this.send('DELETE', path);
  }

  /** Sends the path as it is, also one that no URL parser would let through; a URL of the server's own is taken for its path. */
  async send(method: string, target: string, sent: Sent = {}): Promise<Answer> {
    const { body, headers } = encode(sent);
    const response = await this.open(method, target, headers, body, sent);
    const chunks: Buffer[] = [];
    for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    const answer: Answer = { status: response.statusCode ?? 0, headers: response.headers, bytes, text: bytes.toString('utf8') };
    const type = response.headers['content-type'] ?? '';
    if (/^(?:text|application)\/xml/.test(type) && answer.status === 200 && answer.text !== '') this.#documents.add(answer.text);
    if (/^application\/(?:problem\+)?json/.test(type) && answer.text !== '') this.#json.add(answer.text);
    return answer;
  }

  /** The same, resolved when the head of the answer is there. */
  open(method: string, target: string, headers: Readonly<Record<string, string>>, body: Uint8Array | undefined, sent: Sent = {}): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const { hostname: host, port } = this.#origin;
      const outgoing = request({ host, port, method, path: this.pathOf(target), headers, agent: this.#agent, ...(sent.signal === undefined ? {} : { signal: sent.signal }) }, resolve);
      outgoing.on('error', reject);
      if (sent.chunked === true && body !== undefined) {
        outgoing.write(body.subarray(0, 10));
        outgoing.end(body.subarray(10));
      } else outgoing.end(body);
    });
  }

  /** Answers of the server's own URLs as a path to ask it for. */
  pathOf(target: string): string {
    if (!/^https?:/.test(target)) return target;
    if (!target.startsWith(this.#publicUrl)) throw new Error(`${target} is not below ${this.#publicUrl}`);
    return target.slice(this.#publicUrl.length);
  }

  /** Throws where a document seen since the last call, in XML or JSON, is not valid. */
  async checkDocuments(): Promise<void> {
    for (const text of this.#json) checkJson(text);
    this.#json.clear();
    if (SCHEMAS === undefined) return;
    const documents = [...this.#documents];
    this.#documents.clear();
    const errors = documents.length === 0 ? '' : await schemaErrors(documents);
    if (errors !== '') throw new Error(`invalid XML:\n${errors}`);
  }

  close(): void {
    this.#agent.destroy();
  }
}

function encode(sent: Sent): { readonly body: Uint8Array | undefined; readonly headers: Record<string, string> } {
  const [body, type] = bodyOf(sent);
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  return {
    body: bytes,
    headers: {
      ...(type === undefined ? {} : { 'content-type': type }),
      ...(sent.chunked === true ? { 'transfer-encoding': 'chunked' } : bytes === undefined ? {} : { 'content-length': String(bytes.length) }),
      ...sent.headers,
    },
  };
}

function bodyOf({ form, json, body }: Sent): [string | Uint8Array | undefined, string | undefined] {
  if (json !== undefined) return [JSON.stringify(json), 'application/json'];
  if (form === undefined) return [body, undefined];
  const pairs = Array.isArray(form) ? (form as [string, string][]) : Object.entries(form);
  return [new URLSearchParams(pairs).toString(), 'application/x-www-form-urlencoded'];
}

/** A multipart/form-data body as browsers, curl and requests write it. */
export function multipart(parts: readonly { readonly name: string; readonly value: string | Uint8Array; readonly filename?: string; readonly type?: string }[]): Sent {
  const boundary = 'x-test-boundary';
  const pieces = parts.flatMap(({ name, value, filename, type }) => [
    Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"${filename === undefined ? '' : `; filename="${filename}"`}\r\n`),
    Buffer.from(`${type === undefined ? '' : `Content-Type: ${type}\r\n`}\r\n`),
    Buffer.from(value),
    Buffer.from('\r\n'),
  ]);
  return { body: Buffer.concat([...pieces, Buffer.from(`--${boundary}--\r\n`)]), headers: { 'content-type': `multipart/form-data; boundary=${boundary}` } };
}

/** Throws where a JSON document of a known kind is not what is published. */
function checkJson(text: string): void {
  const document = JSON.parse(text) as unknown;
  if (typeof document !== 'object' || document === null) return;
  if ('jobId' in document) jobSchema.parse(document);
  else if ('jobs' in document && 'version' in document) jobListSchema.parse(document);
  else if ('reponseword' in document) answerSchema.parse(document);
  else if ('detail' in document && !('type' in document && 'title' in document && 'status' in document && 'code' in document)) throw new Error(`no problem document: ${text}`);
}
