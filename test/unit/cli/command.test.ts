import { expect } from 'chai';
import { COMMAND_NAMES, runCommand } from '../../../src/cli/command.ts';

/** One call of the program, and what it prints. */
async function call(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  const { log, error } = console;
  const write = process.stdout.write.bind(process.stdout);
  let out = '';
  let err = '';
  console.log = (text: string) => (out += `${text}\n`);
  console.error = (text: string) => (err += `${text}\n`);
  process.stdout.write = (text: string | Uint8Array) => {
    out += String(text);
    return true;
  };
  try {
    return { code: await runCommand(words, {}), out, err };
  } finally {
    Object.assign(console, { log, error });
    process.stdout.write = write;
  }
}

describe('the command line', () => {
  it('has every command in its help, apart from what it does', async () => {
    const { code, out } = await call('--help');
    expect(code).to.equal(0);
    const described = out.split('\n').filter((line) => /^ {2}[a-z]/.test(line));
    expect(described.map((line) => /^ {2}([a-z]+)/.exec(line)?.[1])).to.deep.equal(COMMAND_NAMES);
    for (const line of described) expect(line).to.match(/\S {2,}\S/);
  });

  for (const name of COMMAND_NAMES) {
    it(`tells how ${name} is called`, async () => {
      const { code, out, err } = await call(name, '--help');
      expect({ code, err }).to.deep.equal({ code: 0, err: '' });
      expect(out).to.match(new RegExp(`^Usage: pratique ${name}`));
    });
  }

  it('names the engine that does not answer', async () => {
    const { code, err } = await call('preflight', '--config', 'fixtures/cli/no-engine.yaml');
    expect(code).to.equal(2);
    expect(err).to.equal('pratique: the container engine does not answer: connect ENOENT /nonexistent/docker.sock\n');
  });

  it('names the data folder that cannot be used', async () => {
    const { code, err } = await call('serve', '--config', 'fixtures/cli/no-data.yaml');
    expect(code).to.equal(2);
    expect(err).to.match(/^pratique: the data folder \S+\/no-data\.yaml \(data\) cannot be used: EEXIST/);
  });
});
