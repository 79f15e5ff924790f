import type { Instant } from '../clock.ts';
import type { Digest } from '../image/digest.ts';
import type { Door } from './policy.ts';
import type { Reason } from './verdict.ts';

/** One judgement as it is kept: who asked what, by which policy, and what the answer was. */
export interface AuditEntry {
  /** The decision's id, as the client was told. */
  readonly id: string;
  readonly at: Instant;
  readonly door: Door;
  readonly caller: { readonly id: string | null; readonly groups: readonly string[] };
  /** Hash of the policy. */
  readonly policy: Digest;
  readonly rule: string;
  /** As asked for, normalised. */
  readonly reference: string;
  /** What it named; absent where the answer needed no look. */
  readonly digests?: { readonly index?: Digest; readonly manifest: Digest; readonly config: Digest };
  readonly base?: { readonly name: string; readonly digest: Digest };
  /** What the rule gives beyond the sandbox. */
  readonly relaxed?: readonly string[];
  readonly answer: 'yes' | 'no';
  /** Of a no; of a yes, its warnings. */
  readonly reasons: readonly Reason[];
}

/** Which entries a query is after; all of what is given must hold. */
export interface AuditFilter {
  readonly id?: string;
  /** A reference (`host/path:tag`), a repository (`host/path`) or a digest. */
  readonly image?: string;
  /** Not earlier. */
  readonly since?: Instant;
}

/** The record of all judgements: entries are added and never changed. */
export interface AuditLog {
  /** Takes one entry; it is on its way to the disk. Throws Unavailable when too many wait there: what cannot be recorded is not judged. */
  record(entry: AuditEntry): void;
  /** Resolves when everything taken so far is written. */
  flush(): Promise<void>;
  /** Entries that match, in the order in which they were taken. */
  query(filter: AuditFilter): AsyncIterable<AuditEntry>;
}

/** Whether an entry is one that the filter is after. */
export function matchesFilter(entry: AuditEntry, { id, image, since }: AuditFilter): boolean {
  if (id !== undefined && entry.id !== id) return false;
  if (since !== undefined && entry.at < since) return false;
  if (image === undefined) return true;
  const digests = [entry.digests?.index, entry.digests?.manifest, entry.digests?.config, entry.base?.digest];
  return entry.reference === image || repository(entry.reference) === image || digests.some((digest) => digest === image);
}

function repository(reference: string): string {
  const named = reference.split('@', 1)[0] ?? '';
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1);
  return colon === -1 ? named : named.slice(0, colon);
}

/** Keeps entries in memory, without end: for tests. */
export class MemoryAuditLog implements AuditLog {
  readonly entries: AuditEntry[] = [];

  record(entry: AuditEntry): void {
    this.entries.push(entry);
  }

  async flush(): Promise<void> {
    // Everything is where it will stay.
  }

  async *query(filter: AuditFilter): AsyncIterable<AuditEntry> {
    yield* this.entries.filter((entry) => matchesFilter(entry, filter));
  }
}
