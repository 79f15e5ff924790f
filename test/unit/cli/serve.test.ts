import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { stopsWithin, watchPolicy } from '../../../src/cli/serve.ts';
import { createLogger } from '../../../src/logger.ts';
import { FakeClock } from '../../support/fake-clock.ts';
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

describe('a gateway that is told to end', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pratique-serve-'));
  after(() => rmSync(folder, { recursive: true }));

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    // as the first process of a container it would hear nothing otherwise; here it would die of the signal
    it(`hears ${signal} while it starts`, async () => {
      const file = join(folder, 'pratique.yaml');
      writeFileSync(file, `listen: { port: 0 }\ndata: data\nengine: { host: "unix://${folder}/nothing.sock" }\n`);
      const child = spawn(process.execPath, ['--import', 'tsx', 'src/main.ts', 'serve', '--config', file], { stdio: ['ignore', 'ignore', 'pipe'] });
      try {
        const ended = once(child, 'exit');
        // its first line, before it serves
        await once(child.stderr, 'data');
        child.kill(signal);
        expect(await ended).to.deep.equal([0, null]);
      } finally {
        child.kill('SIGKILL');
      }
    });
  }

  it('waits until everything is let go of, and not for ever for an engine that hangs', async () => {
    const clock = new FakeClock();
    expect(await stopsWithin(20_000, { stop: async () => undefined }, clock)).to.equal(true);
    const held = stopsWithin(20_000, { stop: () => new Promise(() => undefined) }, clock);
    clock.advance(20_000);
    expect(await held).to.equal(false);
  });
});
