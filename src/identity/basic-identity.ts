import { createHmac, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Caller } from '../caller.ts';
import type { Clock, Instant } from '../clock.ts';
import { PasswordCheck } from './password-check.ts';
import type { Passwords } from './password-file.ts';
import { TokenRefused } from './token-refused.ts';
import type { WatchedFile } from './watched-file.ts';

export interface BasicIdentityParts {
  readonly passwords: WatchedFile<Passwords>;
  /** The groups of each user; absent = nobody is in any. */
  readonly groups?: WatchedFile<ReadonlyMap<string, readonly string[]>>;
  readonly clock: Clock;
}

/** bcrypt looks at no more (bytes): two longer passwords that begin alike would be the same. */
const LONGEST = 72;

/** How long a check's outcome counts, so that clients that poll do not cost a check each (milliseconds). */
const GOOD_FOR = 5 * 60_000;
const BAD_FOR = 10_000;
/** For so long who holds a stream open is not looked up again (milliseconds): a line that was taken out of the file counts that much longer there. */
const SEEN_FOR = 60_000;

/** Callers by user and password (RFC 7617). */
export class BasicIdentity {
  readonly #parts: BasicIdentityParts;
  readonly #check = new PasswordCheck();
  /** Known outcomes by a keyed hash of user, password and stored hash: a changed line is a new question, and nothing in memory is worth stealing. */
  readonly #known = new LRUCache<string, { readonly matches: boolean; readonly until: Instant }>({ max: 5_000 });
  /** Checks under way: a client that sends many requests at once costs one. */
  readonly #checking = new Map<string, Promise<boolean>>();
  readonly #key = randomBytes(32);

  constructor(parts: BasicIdentityParts) {
    this.#parts = parts;
  }

  /** Throws TokenRefused, the same for a wrong user and a wrong password; TooManyRequests when too many are checked at once. */
  async identify(user: string, password: string): Promise<Caller> {
    const { hashes, cost } = await this.#parts.passwords.read();
    const hash = hashes.get(user);
    const usable = Buffer.byteLength(password) <= LONGEST && !password.includes('\0');
    // somebody who is not there costs as much as somebody who is, or the time would tell who is
    const matches = await this.#matches(user, usable ? password : '', hash ?? nobody(cost));
    if (!matches || !usable || hash === undefined) throw new TokenRefused('the user or the password is wrong');
    const groups = (await this.#parts.groups?.read())?.get(user) ?? [];
    return { id: user, groups, until: this.#parts.clock.now() + SEEN_FOR };
  }

  close(): Promise<void> {
    return this.#check.close();
  }

  async #matches(user: string, password: string, hash: string): Promise<boolean> {
    const { clock } = this.#parts;
    const key = createHmac('sha256', this.#key).update(JSON.stringify([user, password, hash])).digest('base64');
    const known = this.#known.get(key);
    if (known !== undefined && known.until > clock.now()) return known.matches;
    const checking = this.#checking.get(key) ?? this.#checkNow(key, password, hash).finally(() => this.#checking.delete(key));
    this.#checking.set(key, checking);
    return checking;
  }

  async #checkNow(key: string, password: string, hash: string): Promise<boolean> {
    const matches = await this.#check.matches(password, hash);
    this.#known.set(key, { matches, until: this.#parts.clock.now() + (matches ? GOOD_FOR : BAD_FOR) });
    return matches;
  }
}

/** A hash of this cost that no password has. */
function nobody(cost: number): string {
  return `$2b$${String(cost).padStart(2, '0')}$${'.'.repeat(53)}`;
}
