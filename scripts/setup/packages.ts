import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A program that something here needs, and the Debian package that has it. */
export interface Needed {
  readonly program: string;
  readonly package: string;
}

/** Where a program is on the PATH (or in the system folders that a user's PATH leaves out); undefined where it is not. */
export function findProgram(program: string): string | undefined {
  for (const folder of [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin']) {
    const file = join(folder, program);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      continue;
    }
  }
  return undefined;
}

/** Whether this program may install Debian packages by itself. */
export function canInstall(): boolean {
  return process.getuid?.() === 0 && findProgram('apt-get') !== undefined;
}

/**
 * Installs the packages of the programs that are missing, telling so first. Throws an Error with the command to type where
 * that is not possible here.
 */
export function ensurePrograms(needed: readonly Needed[], say: (line: string) => void): void {
  const missing = [...new Set(needed.filter(({ program }) => !isThere(program)).map((each) => each.package))];
  if (missing.length === 0) return;
  const command = `apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (!canInstall()) throw new Error(`missing: ${missing.join(', ')}. On Debian or Ubuntu: sudo ${command}`);
  say(`Installing Debian packages: ${missing.join(' ')}`);
  const apt = (...words: string[]): number | null =>
    spawnSync('apt-get', words, { stdio: ['ignore', 'ignore', 2], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } }).status;
  const words = ['install', '-y', '-qq', '--no-install-recommends', ...missing];
  if (apt(...words) === 0) return;
  // a fresh machine has no package lists, an old one lists what is no longer there
  apt('update', '-qq');
  if (apt(...words) !== 0) throw new Error(`could not be installed: ${missing.join(', ')}. Try: ${command}`);
}

function isThere(program: string): boolean {
  return program.startsWith('/') ? existsSync(program) : findProgram(program) !== undefined;
}
