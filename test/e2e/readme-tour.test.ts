import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

const START = 180_000;

/** The demo, as a new user starts it, in a group of its own so that Ctrl-C reaches it and nobody else. */
function startDemo(words: readonly string[]): ReturnType<typeof spawn> {
  return spawn('npm', ['run', '--silent', 'demo', '--', ...words], { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
}

describe('the README', function () {
  this.timeout(START);

  describe('npm run demo', () => {
    let demo: ReturnType<typeof spawn>;
    let told = '';

    before(async function () {
      this.timeout(START);
      demo = startDemo([]);
      await new Promise<void>((resolve, reject) => {
        demo.stdout?.on('data', (chunk: Buffer) => {
          told += chunk.toString('utf8');
          if (told.includes('Try next:')) resolve();
        });
        demo.on('exit', () => reject(new Error(`the demo ended:\n${told}`)));
      });
    });
    after(async () => {
      const gone = once(demo, 'exit');
      process.kill(-(demo.pid ?? 0), 'SIGINT');
      await gone;
    });

    it('npm run demo -- --once tells the whole story beside another demo, and leaves with 0', async () => {
      const demo = startDemo(['--once']);
      const told = demo.stdout === null ? '' : await text(demo.stdout);
      if (demo.exitCode === null) await once(demo, 'exit');
      expect(demo.exitCode, told).to.equal(0);
      expect(told).to.match(/= YES\n {2}by rule {3}built-on-busybox\n {2}on base {3}busybox {2}sha256:[0-9a-f]{64}\n {2}judged {4}sha256:[0-9a-f]{64}/);
      expect(told).to.match(/= NO\n {2}because {3}image\.base/);
      expect(told).to.match(/= NO\n {2}because {3}image\.not-listed/);
      expect(told).to.contain('-> COMPLETED').and.to.contain('| wrote /output/cutout.csv');
      expect(told).to.match(/cutout\.csv {2}\d+ bytes {2}sha256:[0-9a-f]{64}/);
    });

    it('has what the tour asks for, word for word, with curl alone', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'pratique-tour-'));
      const tour = /<!-- tour -->\n```sh\n([\s\S]*?)```/.exec(readFileSync('README.md', 'utf8'))?.[1] ?? '';
      const gateway = /The gateway at (\S+);/.exec(told)?.[1] ?? '';
      const registry = /A registry at (\S+) with/.exec(told)?.[1] ?? '';
      const script = tour.replace('http://127.0.0.1:8080', gateway).replaceAll('localhost:5000', registry);
      writeFileSync(join(folder, 'tour.sh'), `set -eu\n${script}`);
      const shell = spawn('bash', [join(folder, 'tour.sh')], { stdio: ['ignore', 'pipe', 'inherit'] });
      const printed = await text(shell.stdout);
      rmSync(folder, { recursive: true });
      expect(printed).to.match(/"reponseword": ?"YES"/).and.to.match(/"reponseword": ?"NO"/).and.to.contain('image.base');
      expect(printed).to.contain('PENDING\n').and.to.contain('<uws:phase>COMPLETED</uws:phase>');
      expect(printed).to.contain('wrote /output/cutout.csv').and.to.contain('ra,dec,flux_r').and.to.match(/"phase": ?"COMPLETED"/);
      expect(printed).to.contain('<uws:jobref').and.to.match(/303\n$/);
    });
  });
});
