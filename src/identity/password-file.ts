/** A bcrypt hash as htpasswd, PHP and others write it: version, cost, salt and hash. */
const HASH = /^\$2[aby]\$(\d{2})\$[./A-Za-z0-9]{53}$/;

/** Names that can stand in headers, documents and logs as they are; a colon would make them somebody of an issuer. */
const USER = /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$/;

/** More rounds than this would stop everybody else's log-in for a second each (2^cost). */
const HIGHEST_COST = 15;

/** Users and their hashes, and what in the file is not usable. */
export interface Passwords {
  readonly hashes: ReadonlyMap<string, string>;
  /** The highest cost of them: how long it must take to say no to somebody who is not there. */
  readonly cost: number;
  /** For the operator; names lines by their numbers and quotes nothing. */
  readonly problems: readonly string[];
}

/** What a site has without a usable file: nobody. */
export const NO_PASSWORDS: Passwords = { hashes: new Map(), cost: 10, problems: [] };

/** Reads what `htpasswd -B` writes. Of several lines for one user the first counts, as for Apache. */
export function parsePasswords(text: string): Passwords {
  const hashes = new Map<string, string>();
  const problems: string[] = [];
  let cost = 4;
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [user = '', hash = ''] = line.trim().split(':');
    const rounds = Number(HASH.exec(hash)?.[1] ?? Infinity);
    if (!USER.test(user)) problems.push(`line ${String(i + 1)}: the user has a name that cannot be used here`);
    else if (!(rounds >= 4 && rounds <= HIGHEST_COST)) problems.push(`line ${String(i + 1)}: not bcrypt (htpasswd -B) with a cost of 4 to ${String(HIGHEST_COST)}`);
    else if (hashes.has(user)) problems.push(`line ${String(i + 1)}: a second line for one user`);
    else {
      hashes.set(user, hash);
      cost = Math.max(cost, rounds);
    }
  }
  // how long a wrong password takes to be refused shows its hash's cost; who is not there has the highest
  const costs = [...new Set([...hashes.values()].map((hash) => Number(HASH.exec(hash)?.[1])))].sort((a, b) => a - b);
  if (costs.length > 1) problems.push(`passwords are hashed with different costs (${costs.join(', ')}): who guesses can tell by the time whose is cheaper, and that there is such a user; write all of them with ${String(cost)}`);
  return { hashes, cost: hashes.size === 0 ? NO_PASSWORDS.cost : cost, problems };
}

/** Reads lines such as `astronomers: ada bob` (Apache's AuthGroupFile): the groups of each user. */
export function parseGroups(text: string): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>();
  for (const line of text.split(/\r?\n/)) {
    const match = /^([^\s#:][^:]*):(.*)$/.exec(line.trim());
    for (const user of match?.[2]?.split(/\s+/).filter((word) => word !== '') ?? []) {
      groups.set(user, [...(groups.get(user) ?? []), match?.[1]?.trim() ?? '']);
    }
  }
  return groups;
}
