import { z } from 'zod';
import type { Instant } from '../clock.ts';
import { engineUnavailable, cleaned } from './docker-errors.ts';
import { parse } from './docker-inspect.ts';
import type { EngineDescription } from './engine.ts';

const flag = z.boolean().nullish();
const words = z.array(z.string()).nullish().transform((value) => value ?? []);

const infoSchema = z.object({
  NCPU: z.number(),
  MemTotal: z.number(),
  MemoryLimit: flag,
  SwapLimit: flag,
  PidsLimit: flag,
  CpuCfsQuota: flag,
  InitBinary: z.string().nullish(),
  SecurityOptions: words,
  Warnings: words,
});
const versionSchema = z.object({ Version: z.string(), Os: z.string(), Arch: z.string() });

const timeSchema = z.object({ SystemTime: z.string() });

/** The engine's present instant, as its /info tells it. Throws EngineUnavailable. */
export function engineTime(info: unknown): Instant {
  const instant = Date.parse(parse(timeSchema, info).SystemTime);
  if (Number.isNaN(instant)) throw engineUnavailable(undefined, 'the container engine does not tell its time');
  return instant;
}

/** The engine's /info and /version in our words; what it cannot enforce is among the warnings. Throws EngineUnavailable. */
export function describeEngine(info: unknown, version: unknown, hostHasNoSwap: boolean): EngineDescription {
  const facts = parse(infoSchema, info);
  const { Version, Os, Arch } = parse(versionSchema, version);
  const lacks = (present: boolean | null | undefined, text: string): string[] => (present === false ? [text] : []);
  const warnings = [
    ...lacks(facts.MemoryLimit, 'the engine cannot limit memory: every job will be refused'),
    ...(hostHasNoSwap ? [] : lacks(facts.SwapLimit, 'the engine cannot limit swap: every job will be refused unless engine.hostHasNoSwap is true')),
    ...lacks(facts.PidsLimit, 'the engine cannot limit processes: every job will be refused'),
    ...lacks(facts.CpuCfsQuota, 'the engine cannot limit CPU time: every job will be refused'),
    ...(facts.InitBinary === '' ? ['the engine has no docker-init (package tini or docker-init): every job will be refused'] : []),
    ...(facts.SecurityOptions.some((option) => option.includes('name=seccomp')) ? [] : ['the engine has no seccomp: system calls of jobs are not filtered']),
    ...(facts.SecurityOptions.some((option) => option.includes('profile=unconfined')) ? ["the engine's default seccomp profile is unconfined"] : []),
    ...facts.Warnings.map(cleaned),
  ];
  // Go's words in /version, the kernel's in /info. The API tells no variant; '' is the architecture's default one.
  return {
    name: 'docker', version: Version, platform: { os: Os, architecture: Arch, variant: '' }, cores: facts.NCPU, memory: facts.MemTotal, warnings,
  };
}
