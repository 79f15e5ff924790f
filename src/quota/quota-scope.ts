import { isMember } from '../caller.ts';
import type { GroupLimits, OwnerLimits, QuotaConfig } from './quota-config.ts';

/** Whose jobs they are and in whose name: a caller, or a job as the store has it. */
export interface Holder {
  readonly owner: string | null;
  readonly groups: readonly string[];
}

/** Limits, and whose jobs count against them. */
export interface Scope {
  /** Tells scopes apart. */
  readonly key: string;
  /** For a person: `you have`, `the group x has`. */
  readonly who: string;
  readonly limits: OwnerLimits | GroupLimits;
  readonly holds: (holder: Holder) => boolean;
  /** Whose jobs have to be looked at to know: undefined = everybody's. */
  readonly owner: string | null | undefined;
}

/** The limits of an owner alone. */
export function ownerScope(config: QuotaConfig, { owner, groups }: Holder): Scope & { readonly limits: OwnerLimits } {
  const tier = config.tiers.find((each) => each.groups.some((group) => isMember(groups, group)));
  const limits = owner === null ? (config.anonymous ?? config.owner) : (tier ?? config.owner);
  const who = owner === null ? 'all anonymous callers together have' : 'you have';
  return { key: owner === null ? 'anonymous' : `owner ${owner}`, who, limits, holds: (other) => other.owner === owner, owner };
}

/** Every limit that holds for this owner: its own, and those of its groups. */
export function scopesOf(config: QuotaConfig, holder: Holder): readonly Scope[] {
  const groups = config.groups.filter(({ group }) => isMember(holder.groups, group));
  return [
    ownerScope(config, holder),
    ...groups.map(({ group, ...limits }): Scope => ({ key: `group ${group}`, who: `the group ${group} has`, limits, holds: (other) => isMember(other.groups, group), owner: undefined })),
  ];
}
