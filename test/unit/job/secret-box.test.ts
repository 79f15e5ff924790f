import { expect } from 'chai';
import { SecretBox } from '../../../src/job/secret-box.ts';

describe('SecretBox', () => {
  const box = new SecretBox(Buffer.alloc(32, 1));
  const other = new SecretBox(Buffer.alloc(32, 2));

  it('gives back what was sealed, text of any kind', () => {
    for (const value of ['', 'token', 'a\0b\n\u{1f511}', 'x'.repeat(100_000)]) {
      const sealed = box.seal('j1', 'SECRET.a', value);
      expect(box.open('j1', 'SECRET.a', sealed)).to.equal(value);
    }
    expect(box.seal('j1', 'SECRET.a', 'token')).not.to.equal(box.seal('j1', 'SECRET.a', 'token'));
  });

  it('opens nothing of another job, name or key, and nothing that was changed or cut', () => {
    const sealed = box.seal('j1', 'SECRET.a', 'token');
    const bytes = Buffer.from(sealed, 'base64');
    expect(box.open('j2', 'SECRET.a', sealed)).to.equal(undefined);
    expect(box.open('j1', 'SECRET.b', sealed)).to.equal(undefined);
    expect(other.open('j1', 'SECRET.a', sealed)).to.equal(undefined);
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(box.open('j1', 'SECRET.a', changed.toString('base64'))).to.equal(undefined);
      expect(box.open('j1', 'SECRET.a', bytes.subarray(0, at).toString('base64'))).to.equal(undefined);
    }
  });

  it('has fingerprints that need the key, and tell lists apart', () => {
    expect(box.fingerprint(['a', 'b'])).to.equal(box.fingerprint(['a', 'b']));
    expect(box.fingerprint(['a', 'b'])).not.to.equal(box.fingerprint(['ab']));
    expect(box.fingerprint(['a'])).not.to.equal(other.fingerprint(['a']));
  });
});
