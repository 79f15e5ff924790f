import { parseDomain, type Reference } from '../image/reference.ts';
import type { CompiledPolicy, Rule } from './rule.ts';

/** Registries on which anybody can publish under a name of their own. */
const PUBLIC_REGISTRIES = ['docker.io', 'ghcr.io', 'quay.io', 'registry.gitlab.com', 'public.ecr.aws', 'gcr.io', 'codeberg.org'];

/**
 * What an operator should know about a policy that is valid but gives much away or does not do what it seems to; one
 * sentence each, for the start and for `pratique policy test`. `asked`: the registries that the site asks, where that is known.
 */
export function policyWarnings(policy: CompiledPolicy, asked?: readonly string[]): readonly string[] {
  const accepting = policy.rules.filter(({ deny }) => deny === undefined);
  return [
    ...(accepting.length === 0 ? ['the policy accepts nothing: it has no rule that accepts an image'] : []),
    ...accepting.flatMap(ruleWarnings),
    ...(asked === undefined ? [] : accepting.flatMap((rule) => unasked(rule, asked))),
    ...unreachable(policy.rules),
    ...unusedBases(policy),
  ];
}

function ruleWarnings(rule: Rule): string[] {
  const name = JSON.stringify(rule.name);
  const warnings: string[] = [];
  const asks = rule.bases !== undefined || rule.signature.mode === 'require';
  const everything = rule.images.some(({ anyRegistry }) => anyRegistry);
  if (everything && !asks) warnings.push(`rule ${name} accepts every image of every registry`);
  if (!everything && !asks) {
    const open = PUBLIC_REGISTRIES.filter((domain) => rule.images.some((pattern) => pattern.matches(anybodys(domain))));
    if (open.length > 0) warnings.push(`rule ${name} accepts every image of ${open.join(', ')}, where anybody can publish`);
  }
  if (rule.user !== undefined && /^0+:/.test(rule.user)) warnings.push(`rule ${name} runs containers as root (run.user)${rule.relaxed?.root === 'host' ? ', even where that is root of the host (run.hostRoot)' : ''}`);
  if (rule.user !== undefined && /^0*[1-9]\d*:0+$/.test(rule.user)) warnings.push(`rule ${name} runs containers in root's group (run.user)`);
  const { capabilities, gpus, network, writableRoot } = rule.relaxed ?? {};
  if (capabilities !== undefined) warnings.push(`rule ${name} gives containers capabilities: ${capabilities.join(', ')} (run.capabilities)`);
  if (network !== undefined) warnings.push(`rule ${name} lets containers reach what the network profile ${network} allows (run.network)`);
  if (writableRoot === true) warnings.push(`rule ${name} lets containers write their root file system (run.writableRoot)`);
  if (gpus !== undefined) warnings.push(`rule ${name} gives containers graphics processors, whose driver shares the host's kernel (run.gpus)`);
  return warnings;
}

/** An image that nobody would list by name. */
function anybodys(domain: string): Reference {
  return { domain, path: 'pratique-nobody-0/image-0', tag: 'v0-nobody' };
}

/** Hosts of a rule whose images are all refused, for nobody asks there. */
function unasked({ name, images }: Rule, asked: readonly string[]): string[] {
  const hosts = new Set(images.filter(({ anyRegistry }) => !anyRegistry).map(({ text }) => text.slice(0, text.indexOf('/'))));
  const missing = [...hosts].filter((host) => (host.startsWith('*.') ? !asked.some((domain) => domain.endsWith(host.slice(1))) : !asked.includes(parseDomain(host))));
  return missing.map((host) => `rule ${JSON.stringify(name)} takes images of ${host}, which is not in the site's registries: all of them are refused`);
}

function unreachable(rules: readonly Rule[]): string[] {
  return rules.flatMap((rule, i) => {
    const before = rules.slice(0, i).find((earlier) => earlier.groups === undefined && covers(earlier, rule));
    if (before === undefined) return [];
    return [`rule ${JSON.stringify(rule.name)} never decides: rule ${JSON.stringify(before.name)} before it takes the same images`];
  });
}

/** Only what is certain from the spelling: everything, or each pattern literally there. */
function covers(earlier: Rule, later: Rule): boolean {
  const texts = new Set(earlier.images.map(({ text }) => text));
  return texts.has('**') || later.images.every(({ text }) => texts.has(text));
}

function unusedBases({ bases, rules }: CompiledPolicy): string[] {
  const used = new Set(rules.flatMap((rule) => [...(rule.bases?.values() ?? [])].map(({ name }) => name)));
  return bases.filter(({ name }) => !used.has(name)).map(({ name }) => `base ${JSON.stringify(name)} is approved, but no rule asks for it`);
}
