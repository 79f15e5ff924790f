import ipaddr from 'ipaddr.js';
import type { Instant } from './clock.ts';

/** Who asks. Anonymous callers have no id; rules and ownership see nothing else of a request's credentials. */
export interface Caller {
  readonly id: string | null;
  readonly groups: readonly string[];
  /** One of the site's operators: sees every job and may stop it. */
  readonly operator?: true;
  /** The one job that a signed link lets its bearer read; set only where that link was verified. */
  readonly mayRead?: string;
  /** When the credential has to be looked at again: it may be good no more then. Absent = there is none. */
  readonly until?: Instant;
}

export const ANONYMOUS: Caller = { id: null, groups: [] };

/**
 * Who holds a share of what there is for all, by name; callers without one by the network of their address, as one client can be told from
 * another by it: whoever has an IPv6 address has 2^64 of them.
 */
export function holderName({ id }: Caller, address: string): string {
  return id === null ? `anonymous at ${networkOf(address)}` : `owner ${id}`;
}

function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  return parsed instanceof ipaddr.IPv6 ? parsed.parts.slice(0, 4).join(':') : parsed.toString();
}

/** Whether somebody in `held` is in the group that a rule, a share or a quota names. */
export function isMember(held: readonly string[], wanted: string): boolean {
  return held.includes(wanted) || held.some((group) => satisfies(group, wanted));
}

/** A group as AARC-G002/G069 write it: `urn:NID:namespace:group:a:b:role=r#authority`. */
interface Entitlement {
  readonly namespace: string;
  /** The group and its subgroups. */
  readonly path: string;
  readonly role: string | undefined;
  readonly authority: string | undefined;
}

/**
 * Whether one entitlement proves what another asks for: same namespace, group and subgroups, same authority; any role where none is
 * asked for, because only members have roles. Being in a subgroup proves nothing about the group above it. Parts are compared
 * whole, so `vespa` is not `vespa2`; what is no such URN proves nothing but itself.
 */
function satisfies(held: string, wanted: string): boolean {
  const [has, needs] = [parseEntitlement(held), parseEntitlement(wanted)];
  if (has === undefined || needs === undefined) return false;
  const same = has.namespace === needs.namespace && has.path === needs.path && has.authority === needs.authority;
  return same && (needs.role === undefined || has.role === needs.role);
}

const URN = /^urn:([a-z0-9][a-z0-9-]{0,31}):([^#]+?):group:([^#]+)(?:#(.+))?$/i;

function parseEntitlement(text: string): Entitlement | undefined {
  const match = text.length > 2048 ? null : URN.exec(text);
  if (match === null) return undefined;
  const [, nid = '', namespace = '', rest = '', authority] = match;
  const parts = rest.split(':').map(withUpperCaseEscapes);
  const last = parts.at(-1) ?? '';
  const role = last.startsWith('role=') ? last.slice('role='.length) : undefined;
  const path = role === undefined ? parts : parts.slice(0, -1);
  if (path.length === 0 || path.some((part) => part === '' || part.startsWith('role=')) || role === '') return undefined;
  // RFC 8141 §3.1: the NID is the same in any letter case, the rest is not
  return { namespace: `${nid.toLowerCase()}:${namespace}`, path: path.join(':'), role, authority };
}

/** RFC 8141 §3.1: `%c3` is the same as `%C3`. */
function withUpperCaseEscapes(text: string): string {
  return text.replace(/%[0-9a-f]{2}/gi, (escape) => escape.toUpperCase());
}
