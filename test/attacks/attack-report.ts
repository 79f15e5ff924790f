import { expect } from 'chai';
import { formatSize } from '../../src/task/units.ts';
import type { Attacker, AttackSite } from './attack-site.ts';
import type { Attack } from './attacks.ts';
import { NOISE } from './host-watch.ts';

/** One attack by one user: what became of it. */
export interface AttackOutcome {
  readonly name: string;
  readonly as: Attacker;
  readonly phase: string;
  readonly met: string;
  readonly host: string;
}

/** Runs one attack, looks at the host, and runs a job of somebody else. Throws where anything is not as it should be. */
export async function attack(site: AttackSite, { name, met, parameters, script }: Attack, as: Attacker): Promise<AttackOutcome> {
  const before = await site.watch.before();
  const story = await site.run(as, script(site), parameters);
  const outcome = met(story);
  const { differences, started, summary } = await site.watch.after(before);
  expect(differences, 'otherwise than before').to.deep.equal([]);
  expect(started, 'containers that were looked for').to.be.at.least(1);
  expect(site.calls(), 'connections to the host').to.equal(0);
  expect(site.log, 'the log').to.include(story.job.jobId).and.not.include('forged');
  const next = await site.run('nobody', 'echo alive; echo x > /output/x');
  expect([next.job.phase, next.stdout], 'the next job').to.deep.equal(['COMPLETED', 'alive\n']);
  return { name, as, phase: story.job.phase, met: outcome, host: `${summary}; the next job ${next.job.phase}` };
}

/** The report as a page. */
export function formatAttackReport(outcomes: readonly AttackOutcome[], engine: string): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
  return `# What attacks from inside a job meet

Written by \`npm run attacks\`, which runs every attack of \`test/attacks/attacks.ts\` through a gateway of its own on the machine's engine (${engine}), with small limits;
\`npm test\` runs the same. After each: no container, volume or process of it is left, nobody has called a server on the host, the disk has its space again (within ${formatSize(NOISE)}, for others use it
too), and a job of somebody else runs. \`root\` is user 0 by a rule that says so, in the same sandbox.

| attack | as | job | what it met | the host afterwards |
|---|---|---|---|---|
${outcomes.map(({ name, as, phase, met, host }) => `| ${[name, as, phase, met, host].map(cell).join(' | ')} |`).join('\n')}

Images that lie to the judge are in \`test/e2e/engine-attacks.test.ts\`, registries that do in \`test/e2e/registry-hostile.test.ts\`.
`;
}
