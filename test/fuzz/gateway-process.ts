import { SystemClock } from '../../src/clock.ts';
import { createLogger } from '../../src/logger.ts';
import { IdentityGateway, People } from '../conformance/identity/identity-gateway.ts';

/**
 * The program that is fuzzed: the whole HTTP face over a real store and the real judge; only engine and registry are in memory, and
 * jobs end by themselves. Says where it listens in one line, and logs to standard error.
 */
const people = new People({ ada: ['members'], olga: ['operators'] });
const gateway = new IdentityGateway();
await gateway.start(
  { htpasswd: people.htpasswd, operators: ['operators'], anonymous: { run: true }, issuers: [{ name: 'egi', issuer: 'https://issuer.invalid', audience: ['x'], groups: { accept: ['*'] } }] },
  {
    policy: 'rules: [{ name: open, images: ["registry.test/open/**"] }, { name: members, images: ["registry.test/members/**"], groups: [members] }]',
    jobsClock: new SystemClock(),
    longestWait: 1,
    logger: createLogger('error'),
    origins: ['https://portal.example.org'],
  },
);
gateway.jobs.engine.behave((jobId) => (jobId.charCodeAt(0) % 2 === 0 ? { autoFinish: true, stdout: 'done\n', files: { 'a/b.txt': 'x' } } : { firstWords: 'working\n' }));
process.stdout.write(`${gateway.origin}\n`);
process.once('SIGTERM', () => {
  people.remove();
  process.exit(0);
});
