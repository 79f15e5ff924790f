import { expect } from 'chai';
import { hashSync } from 'bcryptjs';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GatewayError } from '../../../src/errors.ts';
import { BasicIdentity } from '../../../src/identity/basic-identity.ts';
import { NO_PASSWORDS, parseGroups, parsePasswords } from '../../../src/identity/password-file.ts';
import { TokenRefused } from '../../../src/identity/token-refused.ts';
import { WatchedFile } from '../../../src/identity/watched-file.ts';
import { createLogger } from '../../../src/logger.ts';
import { FakeClock } from '../../support/fake-clock.ts';

/** As quick as bcrypt can be. */
const HASH = hashSync('secret', 4);

describe('parsePasswords', () => {
  it('reads what htpasswd -B writes', () => {
    const { hashes, cost, problems } = parsePasswords(`# people\n\nada:${HASH.replace('$2b$', '$2y$')}\nbob:${hashSync('x', 5)}\r\n`);
    expect([...hashes.keys()]).to.deep.equal(['ada', 'bob']);
    expect(cost).to.equal(5);
    expect(problems).to.deep.equal(['passwords are hashed with different costs (4, 5): who guesses can tell by the time whose is cheaper, and that there is such a user; write all of them with 5']);
    expect(parsePasswords(`ada:${HASH}\nbob:${hashSync('x', 4)}\n`).problems).to.deep.equal([]);
  });

  const bad = [
    'ada:$apr1$abc$def', 'ada:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=', 'ada:plain', 'ada:', 'ada', `egi:x:${HASH}`, `a b:${HASH}`, `:${HASH}`,
    `ada:${HASH.replace('$04$', '$31$')}`, `ada:${HASH.replace('$04$', '$03$')}`, `${'a'.repeat(65)}:${HASH}`, `a\u0000:${HASH}`,
  ];
  for (const line of bad) {
    it(`passes over ${JSON.stringify(line).slice(0, 40)} and says where it is`, () => {
      const { hashes, problems } = parsePasswords(`# x\n${line}\n`);
      expect(hashes.size).to.equal(0);
      expect(problems).to.have.length(1);
      expect(problems[0]).to.match(/^line 2: /).and.not.include('ada');
    });
  }

  it('takes the first of two lines for one user', () => {
    const { hashes, problems } = parsePasswords(`ada:${HASH}\nada:${hashSync('other', 4)}`);
    expect(hashes.get('ada')).to.equal(HASH);
    expect(problems).to.deep.equal(['line 2: a second line for one user']);
  });

  it('reads groups as Apache does', () => {
    expect(Object.fromEntries(parseGroups('astronomers: ada bob\n# none\noperators:ada\nempty:\n'))).to.deep.equal({ ada: ['astronomers', 'operators'], bob: ['astronomers'] });
  });
});

describe('BasicIdentity', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pratique-basic-'));
  const file = join(folder, 'users');
  const clock = new FakeClock();
  const passwords = new WatchedFile(file, parsePasswords, NO_PASSWORDS, clock, createLogger('silent'));
  const groups = new WatchedFile<ReadonlyMap<string, readonly string[]>>(join(folder, 'groups'), parseGroups, new Map(), clock, createLogger('silent'));
  const basic = new BasicIdentity({ passwords, groups, clock });

  before(() => {
    writeFileSync(file, `ada:${HASH}\nlong:${hashSync('x'.repeat(72), 4)}\nempty:${hashSync('', 4)}\n`);
    writeFileSync(join(folder, 'groups'), 'astronomers: ada\n');
  });
  after(async () => {
    await basic.close();
    rmSync(folder, { recursive: true });
  });

  async function refused(user: string, password: string): Promise<string> {
    const error: unknown = await basic.identify(user, password).then(() => undefined, (reason: unknown) => reason);
    expect(error).to.be.instanceOf(TokenRefused);
    return (error as TokenRefused).message;
  }

  it('knows a user by the password', async () => {
    expect(await basic.identify('ada', 'secret')).to.deep.equal({ id: 'ada', groups: ['astronomers'], until: clock.now() + 60_000 });
    expect(await basic.identify('long', 'x'.repeat(72))).to.deep.equal({ id: 'long', groups: [], until: clock.now() + 60_000 });
  });

  it('says the same of a wrong password and of a user who is not there', async () => {
    expect(await refused('ada', 'Secret')).to.equal(await refused('nobody', 'secret'));
  });

  it('refuses what bcrypt would not look at', async () => {
    await refused('long', `${'x'.repeat(72)}y`);
    await refused('ada', 'secret\u0000');
    await refused('ada', '');
    // the longest password in the world is not the empty one
    await refused('empty', 'y'.repeat(100));
  });

  it('does not let the hash of nobody be anybody\'s password', async () => {
    for (const password of ['', '.', '.'.repeat(53)]) await refused('nobody', password);
  });

  it('sees a changed file, and forgets what it knew of the old line', async () => {
    await basic.identify('ada', 'secret');
    writeFileSync(file, `ada:${hashSync('newer', 4)}\n`);
    clock.advance(1_000);
    await refused('ada', 'secret');
    expect((await basic.identify('ada', 'newer')).id).to.equal('ada');
  });

  it('lets nobody in while the file is away', async () => {
    rmSync(file);
    clock.advance(1_000);
    await refused('ada', 'newer');
    writeFileSync(file, `ada:${HASH}\n`);
    clock.advance(1_000);
    expect((await basic.identify('ada', 'secret')).id).to.equal('ada');
  });

  it('checks what many ask at once only once', async () => {
    clock.advance(600_000);
    const callers = await Promise.all(Array.from({ length: 100 }, () => basic.identify('ada', 'secret')));
    expect(callers.map(({ id }) => id)).to.deep.equal(Array(100).fill('ada'));
  });

  it('checks a few at once and refuses a flood', async () => {
    clock.advance(600_000);
    const outcomes = await Promise.allSettled(Array.from({ length: 60 }, (_, i) => basic.identify('ada', `guess ${String(i)}`)));
    const codes = outcomes.map((outcome) => (outcome.status === 'rejected' && outcome.reason instanceof GatewayError ? outcome.reason.code : 'refused'));
    expect(codes.filter((code) => code === 'TooManyRequests').length).to.be.greaterThan(30);
    expect(codes.filter((code) => code === 'refused').length).to.be.greaterThan(10);
    expect((await basic.identify('ada', 'secret')).id).to.equal('ada');
  });
});
