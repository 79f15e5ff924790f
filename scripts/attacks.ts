import { writeFileSync } from 'node:fs';
import Docker from 'dockerode';
import { attack, type AttackOutcome, formatAttackReport } from '../test/attacks/attack-report.ts';
import { AttackSite } from '../test/attacks/attack-site.ts';
import { ATTACKS } from '../test/attacks/attacks.ts';
import { runControls } from '../test/attacks/controls.ts';
import { ensureEngine } from './setup/engine.ts';
import { ensurePrograms } from './setup/packages.ts';

const NEEDED = [
  { program: 'docker-registry', package: 'docker-registry' },
  { program: 'busybox', package: 'busybox-static' },
];

const REPORT = 'docs/attacks.md';

/** `npm run attacks [-- --write]`: the attack collection's report; `--write` keeps it in docs. Exit code 1 where one was not contained. */
async function main(): Promise<number> {
  ensurePrograms(NEEDED, (line) => console.error(line));
  const engine = await ensureEngine((line) => console.error(line));
  return attackAll().finally(() => engine.stop());
}

async function attackAll(): Promise<number> {
  const site = new AttackSite();
  const outcomes: AttackOutcome[] = [];
  const controls = new Map<string, string>();
  let failed = 0;
  await site.open();
  try {
    for (const each of ATTACKS) {
      for (const as of each.as) {
        try {
          const outcome = await attack(site, each, as);
          outcomes.push(outcome);
          console.log(`contained  ${each.name} (${as}): ${outcome.phase}; ${outcome.met}; ${outcome.host}`);
        } catch (error) {
          failed += 1;
          console.log(`FAILED     ${each.name} (${as}): ${error instanceof Error ? error.message : String(error)}`);
        }
      }
    }
    failed += await controlAll(site, controls);
  } finally {
    await site.close();
  }
  console.log(`\n${String(outcomes.length)} contained, ${String(failed)} not`);
  const { ServerVersion, KernelVersion, CgroupVersion, Driver } = (await new Docker().info()) as Record<string, string>;
  const engine = `Docker ${ServerVersion ?? ''}, cgroups v${CgroupVersion ?? '1'}, ${Driver ?? ''}, kernel ${KernelVersion?.split('-')[0] ?? ''}`;
  if (process.argv.includes('--write') && failed === 0) writeFileSync(REPORT, formatAttackReport(outcomes, controls, engine));
  return failed === 0 ? 0 : 1;
}

/** What each attack comes to without the sandbox, into `controls`; how many came to nothing. */
async function controlAll(site: AttackSite, controls: Map<string, string>): Promise<number> {
  let failed = 0;
  for (const [name, run] of runControls(site)) {
    try {
      const got = await run;
      controls.set(name, got);
      console.log(`without the sandbox  ${name}: ${got}`);
    } catch (error) {
      failed += 1;
      console.log(`PROVES NOTHING       ${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return failed;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
