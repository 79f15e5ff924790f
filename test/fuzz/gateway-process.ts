import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SystemClock } from '../../src/clock.ts';
import { createLogger } from '../../src/logger.ts';
import { IdentityGateway, People } from '../conformance/identity/identity-gateway.ts';
import { SITE } from '../support/site-policy.ts';

/**
 * The program that is fuzzed: the whole HTTP face over a real store and the real judge; only engine and registry are in memory, and
 * jobs end by themselves. Says where it listens in one line, and logs to standard error.
 */
const people = new People({ ada: ['members'], olga: ['operators'] });
const gateway = new IdentityGateway();
gateway.judged.defaults = { ...SITE, endpoints: true };
await gateway.start(
  { htpasswd: people.htpasswd, operators: ['operators'], anonymous: { run: true }, issuers: [{ name: 'egi', issuer: 'https://issuer.invalid', audience: ['x'], groups: { accept: ['*'] } }] },
  {
    policy: 'rules: [{ name: open, images: ["registry.test/open/**"], run: { endpoints: true } }, { name: members, images: ["registry.test/members/**"], groups: [members] }]',
    jobsClock: new SystemClock(),
    longestWait: 1,
    // or those that serve would soon be in everybody's way
    offer: async () => ({ slots: 10_000, cores: 10_000, memory: 2 ** 50 }),
    logger: createLogger('error'),
    origins: ['https://portal.example.org'],
  },
);
gateway.jobs.engine.behave((jobId) => (jobId.charCodeAt(0) % 2 === 0 ? { autoFinish: true, stdout: 'done\n', files: { 'a/b.txt': 'x' } } : { firstWords: 'working\n' }));
// what jobs serve that have not ended
const program = createServer((request, response) => void request.resume().on('end', () => response.end('served by a job')));
program.listen(0, '127.0.0.1');
await once(program, 'listening');
gateway.jobs.engine.listening.set(8080, (program.address() as AddressInfo).port);
process.stdout.write(`${gateway.origin}\n`);
process.once('SIGTERM', () => {
  people.remove();
  process.exit(0);
});
