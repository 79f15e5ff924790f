import { z } from 'zod';
import type { Clock, Instant } from '../clock.ts';
import { DockerCalls } from './docker-call.ts';
import { dockerConnection } from './docker-connection.ts';
import { cleaned } from './docker-errors.ts';
import { parse } from './docker-inspect.ts';
import { egressProblem } from './docker-job-network.ts';
import type { EngineConfig, NetworkProfile, Requirement } from './engine-config.ts';
import { type EngineOffer, GPU_RUNTIME, ruleLines, type RuleNeeds } from './rule-needs.ts';

const flag = z.boolean().nullish();
const words = z.array(z.string()).nullish().transform((value) => value ?? []);
const versionSchema = z.object({ Version: z.string(), ApiVersion: z.string(), Os: z.string() });
const infoSchema = z.object({
  MemoryLimit: flag,
  SwapLimit: flag,
  PidsLimit: flag,
  CpuCfsQuota: flag,
  LiveRestoreEnabled: flag,
  CgroupVersion: z.string().nullish(),
  CgroupDriver: z.string().nullish(),
  InitBinary: z.string().nullish(),
  Driver: z.string(),
  DriverStatus: z.array(z.array(z.string())).nullish(),
  Runtimes: z.record(z.string(), z.unknown()).nullish(),
  DefaultRuntime: z.string().nullish(),
  SecurityOptions: words,
  Warnings: words,
});

/** One thing that an engine has or has not. */
export interface PreflightCheck {
  readonly name: Requirement | 'engine' | 'memory-limit' | 'swap-limit' | 'process-limit' | 'cpu-limit' | 'docker-init' | 'runtime';
  readonly has: boolean;
  /** Jobs are refused without it: because the sandbox is made of it, or because the site says so (engine.require). */
  readonly needed: boolean;
  /** What was found. */
  readonly found: string;
}

/** What an engine has of what a sandbox is made of, and of what rules can give. */
export interface Preflight extends EngineOffer {
  readonly checks: readonly PreflightCheck[];
  /** The engine's own warnings. */
  readonly warnings: readonly string[];
}

type Needs = Pick<EngineConfig, 'require' | 'runtime' | 'hostHasNoSwap' | 'withoutSeccomp'>;

/** The oldest API that has everything in a container that is set here. */
const API = [1, 40] as const;

/** What /info and /version say of an engine, held against what is needed. Throws EngineUnavailable where they cannot be read. */
export function preflightOf(info: unknown, version: unknown, needs: Needs, networks: EngineOffer['networks'] = new Map()): Preflight {
  const facts = parse(infoSchema, info);
  const { Version, ApiVersion, Os } = parse(versionSchema, version);
  const always = (name: PreflightCheck['name'], has: boolean, found: string): PreflightCheck => ({ name, has, needed: true, found });
  const limit = (name: PreflightCheck['name'], has: boolean | null | undefined): PreflightCheck => always(name, has !== false, has === false ? 'the engine has none' : 'there is one');
  const runtimes = Object.keys(facts.Runtimes ?? {});
  const runtime = needs.runtime ?? facts.DefaultRuntime ?? 'the default';
  const optionals = optional(facts);
  return {
    rootApart: optionals.some(({ name, has }) => name === 'user-namespaces' && has),
    runtime,
    checks: [
      always('engine', Os === 'linux' && isAtLeast(ApiVersion, API), `Docker ${Version} on ${Os}, API ${ApiVersion}`),
      limit('memory-limit', facts.MemoryLimit),
      { ...limit('swap-limit', facts.SwapLimit), needed: !needs.hostHasNoSwap },
      limit('process-limit', facts.PidsLimit),
      limit('cpu-limit', facts.CpuCfsQuota),
      always('docker-init', facts.InitBinary !== '', facts.InitBinary || 'not found'),
      always('runtime', needs.runtime === undefined || runtimes.includes(needs.runtime), `${runtime}; the engine has ${runtimes.join(', ')}`),
      { ...seccompOf(facts), needed: !needs.withoutSeccomp },
      ...optionals.map((check) => ({ ...check, needed: needs.require.includes(check.name) })),
    ].map((check) => ({ ...check, found: cleaned(check.found) })),
    warnings: facts.Warnings.map(cleaned),
    runtimes,
    networks,
  };
}

/** The filter of system calls is what stands between a job and most of the kernel. */
function seccompOf(facts: z.output<typeof infoSchema>): { readonly name: Requirement; readonly has: boolean; readonly found: string } {
  const seccomp = securityOption(facts, 'seccomp');
  const profile = seccomp?.find((part) => part.startsWith('profile='))?.slice('profile='.length) ?? 'default';
  return { name: 'seccomp', has: seccomp !== undefined && profile !== 'unconfined', found: seccomp === undefined ? 'none' : `profile ${profile}` };
}

/** The parts of `name=seccomp,profile=default`; undefined = the engine says nothing of it. */
function securityOption(facts: z.output<typeof infoSchema>, name: string): readonly string[] | undefined {
  return facts.SecurityOptions.map((option) => option.split(',')).find(([first]) => first === `name=${name}`);
}

/** What a sandbox is better with, and a site may insist on. */
function optional(facts: z.output<typeof infoSchema>): readonly { readonly name: Requirement; readonly has: boolean; readonly found: string }[] {
  const option = (name: string): readonly string[] | undefined => securityOption(facts, name);
  const separate = ['userns', 'rootless'].filter((name) => option(name) !== undefined);
  const control = ['apparmor', 'selinux'].filter((name) => option(name) !== undefined);
  const filesystem = facts.DriverStatus?.find(([name]) => name === 'Backing Filesystem')?.[1] ?? 'an unknown file system';
  const quota = ['btrfs', 'zfs'].includes(facts.Driver) || (facts.Driver === 'overlay2' && filesystem === 'xfs');
  return [
    { name: 'mandatory-access-control', has: control.length > 0, found: control.join(', ') || 'neither AppArmor nor SELinux' },
    { name: 'user-namespaces', has: separate.length > 0, found: separate.join(', ') || 'root of a container is root of the host' },
    { name: 'cgroup-v2', has: facts.CgroupVersion === '2', found: `version ${facts.CgroupVersion ?? '1'}, driver ${facts.CgroupDriver ?? 'unknown'}` },
    { name: 'disk-quota', has: quota, found: `${facts.Driver} on ${filesystem}${quota && facts.Driver === 'overlay2' ? ', if it is mounted with pquota' : ''}` },
    { name: 'gpus', has: GPU_RUNTIME in (facts.Runtimes ?? {}), found: GPU_RUNTIME in (facts.Runtimes ?? {}) ? `the runtime ${GPU_RUNTIME} is registered` : `no runtime ${GPU_RUNTIME}` },
    { name: 'live-restore', has: facts.LiveRestoreEnabled === true, found: facts.LiveRestoreEnabled === true ? 'jobs outlive a restart of the engine' : 'jobs die with the engine' },
  ];
}

/** A report for people, a line for each thing: what there is, what is missing, and whether jobs are refused for it. */
export function preflightLines(preflight: Preflight, rules: readonly RuleNeeds[] = []): readonly string[] {
  const { checks, networks, warnings } = preflight;
  const state = ({ has, needed }: PreflightCheck): string => (has ? 'ok     ' : needed ? 'MISSING' : 'absent ');
  const lacking = checks.filter(({ has, needed }) => needed && !has).map(({ name }) => name);
  return [
    ...checks.map((check) => `${state(check)} ${check.name.padEnd(25)} ${check.found}`),
    ...[...networks].map(([name, problem]) => `${problem === undefined ? 'ok     ' : 'absent '} ${`network ${name}`.padEnd(25)} ${problem ?? 'its egress container runs'}`),
    ...ruleLines(rules, preflight),
    ...warnings.map((warning) => `warning ${'the engine says'.padEnd(25)} ${warning}`),
    lacking.length === 0 ? 'The engine has everything that jobs need here.' : `Jobs are refused: the engine lacks ${lacking.join(', ')}.`,
  ];
}

/** Why no job can run on an engine, in words for the owner of one; undefined = one can. */
export function preflightRefusal({ checks }: Preflight): string | undefined {
  const lacking = checks.filter(({ has, needed }) => needed && !has).map(({ name }) => name);
  return lacking.length === 0 ? undefined : `the container engine lacks what this site requires of it: ${lacking.join(', ')}`;
}

/** How long an answer of the engine counts (milliseconds); it changes when somebody restarts the engine with another configuration. */
const GOOD_FOR = 60_000;

/** Asks an engine what it has, and remembers it for a while. */
export class DockerPreflight {
  readonly #calls: DockerCalls;
  readonly #needs: Needs;
  readonly #profiles: readonly NetworkProfile[];
  readonly #clock: Clock;
  readonly #close: () => void;
  #known: { readonly preflight: Preflight; readonly at: Instant } | undefined;

  /** Speaks to nobody yet. Throws an Error for the operator where the place of the engine is not usable. */
  constructor(config: EngineConfig, environment: Readonly<Record<string, string | undefined>>, clock: Clock) {
    const connection = dockerConnection(config, environment);
    this.#calls = new DockerCalls(connection, clock, config.answerWithin * 1000);
    this.#needs = config;
    this.#profiles = config.networks;
    this.#clock = clock;
    this.#close = () => connection.agent.destroy();
  }

  /** Throws EngineUnavailable. */
  async ask(signal?: AbortSignal): Promise<Preflight> {
    const now = this.#clock.now();
    if (this.#known !== undefined && Math.abs(now - this.#known.at) < GOOD_FOR) return this.#known.preflight;
    const [info, version] = await Promise.all([this.#calls.ask('GET', '/info', { signal }), this.#calls.ask('GET', '/version', { signal })]);
    const networks = await Promise.all(this.#profiles.map(async (profile) => [profile.name, await egressProblem(this.#calls, profile, signal)] as const));
    this.#known = { preflight: preflightOf(info.body, version.body, this.#needs, new Map(networks)), at: now };
    return this.#known.preflight;
  }

  /** What the engine has, as far as somebody has asked. */
  get known(): Preflight | undefined {
    return this.#known?.preflight;
  }

  close(): void {
    this.#close();
  }
}

function isAtLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [has = 0, point = 0] = version.split('.').map(Number);
  return has > major || (has === major && point >= minor);
}
