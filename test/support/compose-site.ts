import { ANONYMOUS, type Caller } from '../../src/caller.ts';
import type { ProjectQuestion } from '../../src/policy/policy.ts';
import type { ProjectReason, ProjectVerdict } from '../../src/policy/verdict.ts';
import type { PinnedProject, PinnedService } from '../../src/task/project.ts';
import { JudgedSite } from './site-policy.ts';

export const WEB = 'registry.example.org/web:1';
export const DB = 'registry.example.org/db:1';
/** Has a volume of its own at /var/db. */
export const STORE = 'registry.example.org/store:1';

const RULES = `
rules:
  - name: example
    images: ["registry.example.org/**"]
    config: { healthcheck: any, volumes: any }
`;

/** A site that takes every image of registry.example.org, and compose files as `knobs` (YAML of the section `compose`) says. */
export async function composeSite(knobs = '{}', rules = RULES): Promise<JudgedSite> {
  const site = await new JudgedSite().start(`${rules}\ncompose: ${knobs}\n`);
  site.registry.put(WEB);
  site.registry.put(DB, { config: { healthcheck: ['CMD', 'true'] } });
  site.registry.put(STORE, { config: { volumes: ['/var/db/'] } });
  return site;
}

export interface Asked extends Partial<Omit<ProjectQuestion, 'file' | 'variables'>> {
  readonly variables?: Readonly<Record<string, string>>;
  readonly caller?: Caller;
}

/** The verdict on a file: YAML text, or anything that JSON can say. */
export function judgeCompose(site: JudgedSite, file: unknown, { variables = {}, caller = ANONYMOUS, ...more }: Asked = {}): Promise<ProjectVerdict> {
  const text = typeof file === 'string' ? file : JSON.stringify(file);
  return site.policy.evaluateProject({ file: text, variables: new Map(Object.entries(variables)), ...more }, caller, AbortSignal.timeout(60_000));
}

/** `yes`, or `code path` of every reason. */
export async function composeAnswer(site: JudgedSite, file: unknown, asked?: Asked): Promise<string> {
  const verdict = await judgeCompose(site, file, asked);
  return verdict.accepted ? 'yes' : verdict.reasons.map(({ code, path }) => `${code} ${path}`).join(', ');
}

export async function refused(site: JudgedSite, file: unknown, asked?: Asked): Promise<readonly ProjectReason[]> {
  const verdict = await judgeCompose(site, file, asked);
  if (verdict.accepted) throw new Error(`accepted: ${typeof file === 'string' ? file : JSON.stringify(file)}`);
  return verdict.reasons;
}

export async function accepted(site: JudgedSite, file: unknown, asked?: Asked): Promise<PinnedProject> {
  const verdict = await judgeCompose(site, file, asked);
  if (verdict.accepted) return verdict.project;
  throw new Error(`refused: ${verdict.reasons.map(({ text }) => text).join('; ')}`);
}

/** The one service of that name, of a file that is accepted. */
export async function acceptedService(site: JudgedSite, file: unknown, name: string, asked?: Asked): Promise<PinnedService> {
  const found = (await accepted(site, file, asked)).services.find((service) => service.name === name);
  if (found === undefined) throw new Error(`no service ${name}`);
  return found;
}
