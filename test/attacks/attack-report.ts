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

/** The report as a page; `controls`: what each came to without the sandbox. */
export function formatAttackReport(outcomes: readonly AttackOutcome[], controls: ReadonlyMap<string, string>, engine: string): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
  const row = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
  return `# What attacks from inside a job meet

Written by \`npm run attacks -- --write\`, which runs every attack of \`test/attacks/attacks.ts\` through a gateway of its own on the machine's engine (${engine}), with small limits;
\`npm test\` runs the same. Before and after each these are measured, and a difference fails: the names of all containers, volumes and networks of the engine, those without a label included and those of other gateways left out (somebody else's container and
volume, made for this, are among them and run on); processes and control groups on the host by the ids of the job's containers, those of the engine that keep them included; what the engine has on its disk beside volumes (within ${formatSize(NOISE)}, for others use it
too); whether the gateway answers; calls to a server on the host. Then a job of somebody else runs. Each measure is seen to find what is planted: \`test/e2e/host-watch.test.ts\`.

\`root\` is user 0 by a rule that says so, in the same sandbox; \`relaxed\` is user 0 with a root file system that can be written and the capability CHOWN, by a rule.

| attack | as | job | what it met | the host afterwards |
|---|---|---|---|---|
${outcomes.map(({ name, as, phase, met, host }) => row([name, as, phase, met, host])).join('\n')}

## The same without the sandbox
An attack that gets nowhere in any container proves nothing of this one. So each is tried in a container of the engine's defaults, as root unless it is about a user that is not; where those hold it too, with more than the defaults give. What would have no end has one there, and what would be done to
the whole machine (its kernel's switches, its devices, processes that are not made for it) is left out. The single tries that an attack does not get there are those of which this collection proves nothing.

| attack | what it comes to |
|---|---|
${[...controls].map((pair) => row(pair)).join('\n')}

Images that lie to the judge are in \`test/e2e/engine-attacks.test.ts\`, registries that do in \`test/e2e/registry-hostile.test.ts\`; runtimes and stand-ins for graphics processors, of which there were none, in \`test/e2e/runtimes.test.ts\`.
`;
}
