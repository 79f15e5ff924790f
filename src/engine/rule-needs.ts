import type { Relaxations } from '../task/relaxations.ts';

/** What a rule of the policy gives its containers, which the engine has to have. */
export interface RuleNeeds {
  readonly rule: string;
  readonly relaxed: Relaxations;
}

/** The runtime whose registration tells that an engine can hand on graphics processors. */
export const GPU_RUNTIME = 'nvidia';

/** What an engine has of what rules can name. */
export interface EngineOffer {
  readonly runtimes: readonly string[];
  /** Network profile -> why it cannot be used; undefined = it can. */
  readonly networks: ReadonlyMap<string, string | undefined>;
  /** Whether root of a container is nobody on the host: user namespaces, or an engine without root. */
  readonly rootApart?: boolean;
  /** What runs under a rule that names no runtime. */
  readonly runtime?: string;
}

/** Whether what runs under this runtime has a kernel of its own: gVisor, Kata Containers. */
function isSandbox(runtime: string | undefined): boolean {
  return runtime !== undefined && /(?:^|\.)(?:runsc|kata)(?:[-.]|$)/.test(runtime);
}

/** What an engine lacks of what a rule gives, each in words; empty = nothing. */
export function lackingOf({ root, runtime, network, gpus }: Relaxations, { runtimes, networks, rootApart = false, runtime: usual }: EngineOffer): readonly string[] {
  const problem = network === undefined ? undefined : networks.has(network) ? networks.get(network) : 'this site has no such profile';
  return [
    ...(runtime === undefined || runtimes.includes(runtime) ? [] : [`runtime ${runtime}`]),
    ...(root !== 'apart' || rootApart || isSandbox(runtime ?? usual) ? [] : ['a root that is not the host\'s: it has no user namespaces, and the runtime is no sandbox (runsc, kata)']),
    ...(problem === undefined ? [] : [`network ${network ?? ''}: ${problem}`]),
    ...(gpus === undefined || runtimes.includes(GPU_RUNTIME) ? [] : [`GPUs: it has no runtime ${GPU_RUNTIME}`]),
  ];
}

/** Why no container can run under a rule with these relaxations, for the owner of one; undefined = one can. */
export function relaxationRefusal(relaxed: Relaxations | undefined, offer: EngineOffer): string | undefined {
  const lacking = lackingOf(relaxed ?? {}, offer);
  return lacking.length === 0 ? undefined : `the container engine lacks what the rule gives this container: ${lacking.join(', ')}`;
}

/** A line for each rule that needs something of the engine. */
export function ruleLines(rules: readonly RuleNeeds[], offer: EngineOffer): readonly string[] {
  return rules.flatMap(({ rule, relaxed }) => {
    const { root, runtime, network, gpus } = relaxed;
    const needs = [...(root === 'apart' ? ['root apart'] : []), ...(runtime === undefined ? [] : [`runtime ${runtime}`]), ...(network === undefined ? [] : [`network ${network}`]), ...(gpus === undefined ? [] : [`GPUs ${String(gpus)}`])];
    if (needs.length === 0) return [];
    const lacking = lackingOf(relaxed, offer);
    return [lacking.length === 0 ? `ok      ${`rule ${rule}`.padEnd(25)} ${needs.join(', ')}` : `MISSING ${`rule ${rule}`.padEnd(25)} ${lacking.join(', ')}; its jobs are refused`];
  });
}
