// The first step of every command here, in plain JavaScript because nothing is installed yet: makes sure that the packages of
// package-lock.json are installed, then runs a TypeScript program with the arguments that follow its name.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [program, ...words] = process.argv.slice(2);
const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Pratique needs Node ${engines.node}; this is ${process.versions.node}.`);
  process.exit(1);
}

if (!installed()) {
  console.error('Installing packages (npm ci); one of them may be compiled, which takes a minute …');
  const done = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: root, stdio: ['ignore', 2, 2] });
  if (done.status !== 0) process.exit(done.status ?? 1);
}

const child = spawn(process.execPath, ['--import', 'tsx', join(root, program), ...words], { cwd: root, stdio: 'inherit' });
// Ctrl-C reaches the child by itself, as it is in the same group; here it must only not end the parent first.
for (const signal of ['SIGINT', 'SIGHUP']) process.on(signal, () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));

function installed() {
  const mark = join(root, 'node_modules', '.package-lock.json');
  return existsSync(mark) && statSync(mark).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs - 1000;
}
