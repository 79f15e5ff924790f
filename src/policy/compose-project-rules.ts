import type { ComposeFile, ComposeService, Dependency, Said } from '../compose/compose-file.ts';
import type { ComposeKnobs } from './compose-knobs.ts';
import { type ComposeFindings, quoted } from './compose-refusal.ts';

/** What is wrong between the services of a file: how many there are, and how they depend on each other. Of too many nothing else is said. */
export function projectRules(file: ComposeFile, knobs: ComposeKnobs, findings: ComposeFindings): void {
  const top = { path: ['services'], line: 0 };
  if (file.services.length === 0) findings.refuse('compose.form', top, 'must be a mapping of at least one service');
  if (file.services.length > knobs.services) {
    findings.refuse('compose.size', top, `the file has ${String(file.services.length)} services; this site takes ${String(knobs.services)} at most`);
    return;
  }
  for (const service of file.services) {
    for (const said of [service.replicas, service.scale]) if (said !== undefined && said.value < 0) findings.drop(said, 'must be 0 or more');
    if (service.replicas !== undefined && service.scale !== undefined && service.replicas.value !== service.scale.value) {
      findings.drop(service.scale, 'is another number than deploy.replicas; give one of them');
    }
    if (service.profiles.length > 0) findings.warn(service, 'has profiles and is not run; it is judged all the same');
    for (const dependency of service.dependsOn) dependencyRule(dependency, service, file, findings);
    for (const link of service.links) linkRule(link, service, file, findings);
  }
  const running = runningServices(file);
  if (file.services.length > 0 && running.length === 0) findings.refuse('compose.form', top, 'every service has a profile or no replicas, so nothing would run');
  const containers = running.reduce((sum, service) => sum + replicasOf(service), 0);
  if (containers > knobs.containers) findings.refuse('compose.size', top, `the file has ${String(containers)} containers; this site takes ${String(knobs.containers)} at most`);
  const circle = findCircle(file);
  if (circle !== undefined) findings.refuse('compose.reference', circle, `the service depends on itself, through ${circle.dependsOn.map(({ service }) => quoted(service)).join(' or ')}`);
}

/** The services of which a container is run. */
export function runningServices(file: ComposeFile): readonly ComposeService[] {
  return file.services.filter((service) => service.profiles.length === 0 && replicasOf(service) > 0);
}

/** Containers of a service. */
export function replicasOf({ replicas, scale }: ComposeService): number {
  return scale?.value ?? replicas?.value ?? 1;
}

/** What a service waits for: what it depends on, and what it links to. */
export function dependenciesOf(service: ComposeService): readonly Dependency[] {
  const linked = service.links.map(({ value, ...place }) => ({ ...place, service: linkOf(value).service, condition: 'service_started' as const, required: true }));
  const named = new Set(service.dependsOn.map((dependency) => dependency.service));
  return [...service.dependsOn, ...linked.filter((link) => !named.has(link.service))];
}

/** `SERVICE[:ALIAS]`. */
export function linkOf(link: string): { readonly service: string; readonly alias: string } {
  const [service = '', alias = service] = link.split(':');
  return { service, alias };
}

function dependencyRule(dependency: Dependency, service: ComposeService, file: ComposeFile, findings: ComposeFindings): void {
  const target = file.services.find(({ name }) => name === dependency.service);
  if (target === undefined) findings.refuse('compose.reference', dependency, `${quoted(dependency.service)} is no service of the file`);
  else if (dependency.required && service.profiles.length === 0 && !runningServices(file).includes(target)) {
    findings.refuse('compose.reference', dependency, `${quoted(dependency.service)} is not run: it has a profile or no replicas`);
  }
}

function linkRule(link: Said<string>, service: ComposeService, file: ComposeFile, findings: ComposeFindings): void {
  const { service: name, alias } = linkOf(link.value);
  const target = file.services.find((each) => each.name === name);
  if (target === undefined || target === service) findings.refuse('compose.reference', link, `${quoted(name)} is no other service of the file`);
  else if (alias !== name && file.services.some((each) => each.name === alias)) findings.refuse('compose.reference', link, `the alias ${quoted(alias)} is the name of a service`);
  else if (namesOfOthers(file, name).has(alias)) findings.refuse('compose.reference', link, `the alias ${quoted(alias)} is also that of another service, and every service would find both; give another alias`);
  else if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/.test(alias)) findings.drop(link, `${quoted(alias)} is no host name`);
}

/** Aliases of all services but one; those of links too, which the whole network knows here. */
function namesOfOthers({ services }: ComposeFile, name: string): ReadonlySet<string> {
  const links = services.flatMap((service) => service.links.map(({ value }) => linkOf(value)).filter((link) => link.service !== name && link.alias !== link.service));
  const others = services.filter((service) => service.name !== name).flatMap(({ networks = [] }) => networks.flatMap(({ aliases }) => aliases));
  return new Set([...links.map(({ alias }) => alias), ...others.map(({ value }) => value)]);
}

/** A service that depends on itself by way of others, if there is one. */
function findCircle(file: ComposeFile): ComposeService | undefined {
  const services = new Map(file.services.map((service) => [service.name, service]));
  const done = new Set<string>();
  const circles = (service: ComposeService, above: ReadonlySet<string>): boolean => {
    if (above.has(service.name)) return true;
    if (done.has(service.name)) return false;
    const found = dependenciesOf(service).some((dependency) => {
      const next = services.get(dependency.service);
      return next !== undefined && circles(next, new Set([...above, service.name]));
    });
    done.add(service.name);
    return found;
  };
  return file.services.find((service) => circles(service, new Set()));
}
