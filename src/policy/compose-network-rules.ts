import ipaddr from 'ipaddr.js';
import type { ComposeFile, ComposeService, Said, ServicePort } from '../compose/compose-file.ts';
import type { Edit } from '../compose/compose-problem.ts';
import { DEFAULT_NETWORK } from '../compose/read-compose.ts';
import type { ComposeKnobs } from './compose-knobs.ts';
import { type ComposeFindings, quoted, variableName } from './compose-refusal.ts';

const ALIAS = /^[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
/** resolv.conf(5); none of them changes who is asked. */
const DNS_OPTION = /^(?:(?:ndots|timeout|attempts):\d{1,2}|rotate|edns0|trust-ad|use-vc|no-tld-query|single-request(?:-reopen)?)$/;
const PROTOCOLS: ReadonlySet<string> = new Set(['tcp', 'udp']);
/** Addresses that are the container's own, or anybody's on the open network; the rest belongs to hosts, sites and clouds. */
const HARMLESS_RANGES: ReadonlySet<string> = new Set(['loopback', 'unicast']);
const MOST_ALIASES = 50;

/** What is wrong with the networking of one service. */
export function serviceNetworkRules(service: ComposeService, file: ComposeFile, knobs: ComposeKnobs, findings: ComposeFindings): void {
  modeRule(service, findings);
  for (const { name, aliases, ...place } of service.networks ?? []) {
    if (name !== DEFAULT_NETWORK && !file.networks.has(name)) {
      findings.refuse('compose.reference', place, `${quoted(name)} is no network of the file; declare it under networks`, declared(name));
    }
    for (const alias of aliases) if (!ALIAS.test(alias.value)) findings.drop(alias, `${quoted(alias.value)} is no host name`);
    if (aliases.length > MOST_ALIASES) findings.refuse('compose.size', place, `a service has ${String(MOST_ALIASES)} aliases at most`);
  }
  for (const port of service.ports) portRule(port, findings);
  for (const host of service.extraHosts) hostRule(host, findings);
  for (const server of service.dns) {
    if (!(knobs.dns as readonly string[]).includes(server.value)) findings.drop(server, `${quoted(server.value)} is no resolver of this site; leave it out: names of services are resolved`);
  }
  for (const option of service.dnsOptions) if (!DNS_OPTION.test(option.value)) findings.drop(option, `${quoted(option.value)} is no option of the resolver that is taken here`);
  for (const domain of service.dnsSearch) if (domain.value !== '.' && !ALIAS.test(domain.value)) findings.drop(domain, `${quoted(domain.value)} is no domain name`);
  for (const [name, said] of service.sysctls) {
    if (!knobs.sysctls.includes(name)) findings.drop(said, `the kernel parameter ${quoted(name)} is not one that services may set here`);
    else if (!/^[0-9][0-9 \t]{0,63}$/.test(said.value ?? '')) findings.drop(said, 'must be numbers');
  }
}

function modeRule({ networkMode, networks }: ComposeService, findings: ComposeFindings): void {
  if (networkMode === undefined) return;
  if (networkMode.value !== 'none') {
    findings.drop(networkMode, `${quoted(networkMode.value)} would share a network of the host or of another container; leave it out, or write none`, 'compose.network');
  } else if (networks !== undefined) {
    findings.drop(networkMode, 'a service has networks or network_mode, not both', 'compose.network');
  }
}

function declared(name: string): readonly Edit[] | undefined {
  return /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/.test(name) ? [{ do: 'add', path: ['networks', name], value: null }] : undefined;
}

/** A port of the container says what there is; a port or address of the host would be taken from everybody. */
function portRule(port: ServicePort, findings: ComposeFindings): void {
  const { target, lastTarget, protocol, published, hostAddress, mode } = port;
  const known = PROTOCOLS.has(protocol);
  const plain = `${String(target)}${protocol === 'tcp' || !known ? '' : `/${protocol}`}`;
  const edits: Edit[] | undefined = target === lastTarget ? [{ do: 'set', path: port.path, value: plain }] : undefined;
  if (!known) findings.refuse('compose.refused-value', port, `${quoted(protocol)} is not tcp or udp`, edits);
  if (target !== lastTarget) findings.refuse('compose.refused-value', port, 'is a range of ports; name each port by itself');
  else if (published !== '' || hostAddress !== '' || mode !== 'ingress') {
    const taken = [hostAddress, published].filter((text) => text !== '').join(':') || `mode ${mode}`;
    findings.refuse('compose.host-port', port, `${quoted(taken)} of the host would be taken from others; write "${plain}"`, edits);
  }
}

/** `name:address`. */
function hostRule(host: Said<string>, findings: ComposeFindings): void {
  const at = host.value.indexOf(':');
  const [name, address] = [host.value.slice(0, at), host.value.slice(at + 1).replace(/^\[(.*)\]$/, '$1')];
  if (at < 1 || !ALIAS.test(name)) findings.drop(host, `${quoted(host.value)} is no name with an address`);
  else if (!isHarmless(address)) findings.drop(host, `${quoted(address)} is the host, or an address that is not public; leave it out`);
}

function isHarmless(address: string): boolean {
  if (!ipaddr.IPv4.isValidFourPartDecimal(address) && !ipaddr.IPv6.isValid(address)) return false;
  return HARMLESS_RANGES.has(ipaddr.process(address).range());
}

/** What is wrong with the networks, volumes and configs that the file declares. */
export function declarationRules(file: ComposeFile, findings: ComposeFindings): void {
  for (const network of file.networks.values()) {
    const { driver } = network;
    if (driver !== undefined && driver.value !== 'bridge') findings.drop(driver, `${quoted(driver.value)} reaches the interfaces of the host; leave it out`, 'compose.network');
    if (network.addresses) findings.drop({ path: [...network.path, 'ipam'], line: network.line }, 'addresses are given by the engine; leave it out', 'compose.network');
  }
  for (const { driver } of file.volumes.values()) {
    if (driver !== undefined && driver.value !== 'local') findings.drop(driver, `the plugin ${quoted(driver.value)} runs on the host; leave it out`, 'compose.volume');
  }
  for (const [name, { content, elsewhere, path, line }] of file.configs) {
    if (content !== undefined || elsewhere) continue;
    const variable = `\${${variableName(name)}}`;
    findings.refuse('compose.form', { path, line }, 'has no content', [{ do: 'add', path: [...path, 'content'], value: variable }]);
  }
}
