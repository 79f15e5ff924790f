import { expect } from 'chai';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { watchPolicy } from '../../../src/cli/serve.ts';
import { createLogger } from '../../../src/logger.ts';
import { JudgedSite } from '../../support/site-policy.ts';

const policy = (name: string): string => `rules: [{name: ${name}, images: ["reg.example/${name}/**"]}]\n`;

describe('the policy file of a gateway that serves', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pratique-serve-'));
  const file = join(folder, 'policy.yaml');
  after(() => rmSync(folder, { recursive: true }));

  /** As editors and tools do it: a new file in the place of the old one. */
  function replace(text: string): void {
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  }

  it('is in force each time that it was replaced, and not the first time only', async () => {
    replace(policy('zero'));
    const site = await new JudgedSite().start(readFileSync(file, 'utf8'));
    const inForce = (): string | undefined => site.policy.policy.rules[0]?.name;
    const end = watchPolicy({ policyFile: file }, { policy: site.policy }, createLogger('silent'), 5);
    try {
      // the watch has begun when it has seen the first one
      for (let comments = '#'; inForce() !== 'one'; comments += '#') {
        replace(`${policy('one')}${comments}\n`);
        await turn();
      }
      for (const name of ['two', 'three']) {
        replace(policy(name));
        while (inForce() !== name) await turn();
      }
    } finally {
      end();
    }
    expect(inForce()).to.equal('three');
  });
});
