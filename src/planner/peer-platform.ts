import { z } from 'zod';
import type { Caller } from '../caller.ts';
import { GatewayError } from '../errors.ts';
import { parseJsonBody } from '../http/json-body.ts';
import { VIA_HEADER } from './forwarding.ts';
import type { Answer, Info, NoReason, Platform, ServiceInterface } from './offer.ts';
import type { PeerConfig } from './planner-config.ts';
import { withoutLogins } from './asked-logins.ts';
import { type Branch, type Details, UploadedDocument, type Warning } from './question.ts';

/** Sends a question in JSON to a peer; resolves with the text of a 200. Throws where there is none within the time (seconds). */
export type PeerFetch = (url: string, body: string, headers: Readonly<Record<string, string>>, timeout: number, signal: AbortSignal) => Promise<string>;

export interface PeerPlatformParts {
  /** This planner's own mark. */
  readonly mark: string;
  readonly fetch: PeerFetch;
}

/** Of one peer at most: it is somebody else's text. */
const MAX_INTERFACES = 50;
const MAX_REASONS = 5;

const url = z.url({ protocol: /^https?$/ }).max(2048).refine((text) => !/^https?:\/\/[^/]*@/.test(text));
const offered = z.object({ servicetype: z.string().min(1).max(2048), serviceinfo: z.looseObject({ endpoint: url }) });
const answer = z.object({
  reponseword: z.enum(['YES', 'NO', 'MAYBE']),
  servicetype: z.unknown().optional(),
  serviceinfo: z.unknown().optional(),
  interfaces: z.array(offered).max(MAX_INTERFACES).optional(),
  reponseinfo: z.object({ reasons: z.array(z.looseObject({ text: z.string(), code: z.string().optional(), path: z.string().optional(), httpcode: z.int().optional() })).optional() }).optional(),
});

/** Another planner, asked as nobody: who asks us has given their credentials to us only. */
export class PeerPlatform implements Platform {
  readonly name: string;
  readonly tasktypes: readonly string[];
  readonly takesAll: boolean;
  readonly isPeer = true;
  readonly servicetypes: readonly string[] = [];
  readonly endpoint: string;
  readonly #config: PeerConfig;
  readonly #parts: PeerPlatformParts;

  constructor(config: PeerConfig, parts: PeerPlatformParts) {
    this.name = config.name;
    this.tasktypes = config.tasktypes ?? [];
    this.takesAll = config.tasktypes === undefined;
    this.endpoint = config.url;
    this.#config = config;
    this.#parts = parts;
  }

  async decide(tasktype: string, details: Details, _caller: Caller, signal: AbortSignal): Promise<Answer> {
    const { mark, fetch } = this.#parts;
    const headers = { accept: 'application/json', 'content-type': 'application/json', [VIA_HEADER]: [...details.via, mark].join(', ') };
    try {
      // A peer that forwards the question itself must have answered before we give it up.
      const timeout = this.#config.timeout / 2 ** details.via.length;
      const text = await fetch(this.endpoint, questionText(tasktype, details), headers, timeout, signal);
      return this.#read(text);
    } catch (error) {
      throw new GatewayError('Unavailable', `the planner ${this.name} gives no answer at present`, { cause: error });
    }
  }

  #read(text: string): Answer {
    const { reponseword, interfaces, servicetype, serviceinfo, reponseinfo } = answer.parse(parseJsonBody(text));
    const warnings: readonly Warning[] = [];
    if (reponseword === 'YES') {
      const found = interfaces ?? [offered.parse({ servicetype, serviceinfo })];
      return { word: 'YES', interfaces: found.map((each) => this.#interface(each)), warnings };
    }
    return { word: 'NO', reasons: (reponseinfo?.reasons ?? []).slice(0, MAX_REASONS).map((reason) => this.#reason(reason)), warnings };
  }

  #interface({ servicetype, serviceinfo }: z.infer<typeof offered>): ServiceInterface {
    const { endpoint, ...rest } = serviceinfo;
    return { servicetype, endpoint, info: { ...(taken(rest, 0) as Record<string, Info>), planner: this.endpoint } };
  }

  #reason({ text, code, path, httpcode }: { readonly text: string; readonly code?: string | undefined; readonly path?: string | undefined; readonly httpcode?: number | undefined }): NoReason {
    return {
      httpcode: httpcode !== undefined && httpcode >= 400 && httpcode <= 599 ? httpcode : 422,
      code: code !== undefined && /^[a-z][a-z0-9.-]{0,63}$/.test(code) ? code : 'peer.no',
      path: (path ?? '').slice(0, 200),
      text: `${this.name}: ${text.slice(0, 500)}`,
    };
  }
}

function questionText(tasktype: string, { taskinfo, resources }: Details): string {
  const question: { readonly [member: string]: string | Branch } = { tasktype, taskinfo: withoutLogins(taskinfo), resources };
  return JSON.stringify(question, (_, value: unknown) => (value instanceof UploadedDocument ? value.text : value));
}

/** What is taken over of a peer's serviceinfo: plain values with names that every format can hold, not too deep and not too many. */
function taken(value: unknown, depth: number): Info | undefined {
  if (typeof value === 'string') return value.slice(0, 4096);
  if (typeof value === 'number' || typeof value === 'boolean') return value;
  if (typeof value !== 'object' || value === null || depth > 4) return undefined;
  if (Array.isArray(value)) return value.slice(0, 100).map((item) => taken(item, depth + 1)).filter((item) => item !== undefined);
  const members = Object.entries(value).slice(0, 100).map(([name, member]) => [name, taken(member, depth + 1)] as const);
  return Object.fromEntries(members.filter((entry): entry is readonly [string, Info] => /^[A-Za-z][A-Za-z0-9._-]{0,127}$/.test(entry[0]) && entry[1] !== undefined));
}
