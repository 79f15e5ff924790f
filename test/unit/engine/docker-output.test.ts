import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect } from 'chai';
import { outputFiles } from '../../../src/engine/docker-output.ts';
import type { OutputFile, OutputSkipped } from '../../../src/engine/engine.ts';

const BLOCK = 512;
const END = Buffer.alloc(2 * BLOCK);

interface Header {
  readonly name?: string | Buffer;
  readonly type?: string;
  readonly link?: string;
  readonly mode?: string;
  /** What the header says; the content may be of another length. */
  readonly size?: number | string;
  readonly content?: string | Buffer;
}

/** One member of a tar, byte by byte: no library would write these. */
function member({ name = 'output/file', type = '0', link = '', mode = '0000644', size, content = '' }: Header): Buffer {
  const body = Buffer.from(content);
  const head = Buffer.alloc(BLOCK);
  Buffer.from(name).copy(head, 0, 0, 100);
  head.write(`${mode}\0`, 100);
  head.write('0000000\0', 108);
  head.write('0000000\0', 116);
  const said = size ?? body.length;
  head.write(typeof said === 'string' ? said : `${said.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  head.write('00000000000\0', 136);
  head.write('        ', 148);
  head.write(type, 156);
  head.write(link, 157);
  head.write('ustar\x0000', 257);
  const sum = head.reduce((total, byte) => total + byte, 0);
  head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([head, body, Buffer.alloc((BLOCK - (body.length % BLOCK)) % BLOCK)]);
}

/** A PAX record of these keys before the next member. */
function pax(records: Readonly<Record<string, string | Buffer>>, type = 'x'): Buffer {
  const lines = Object.entries(records).map(([key, value]) => {
    const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from('\n')]);
    let length = rest.length + 1;
    while (String(length).length + rest.length !== length) length += 1;
    return Buffer.concat([Buffer.from(String(length)), rest]);
  });
  return member({ name: 'PaxHeaders/x', type, content: Buffer.concat(lines) });
}

const FOLDER = member({ name: 'output/', type: '5' });
const GOOD = member({ name: 'output/good', content: 'good' });

interface Found {
  readonly files: Record<string, string>;
  readonly skipped: Record<string, string>;
}

async function read(parts: readonly Buffer[], options: { readonly end?: Buffer; readonly most?: number; readonly chunk?: number } = {}): Promise<Found> {
  const bytes = Buffer.concat([FOLDER, ...parts, options.end ?? END]);
  const chunk = options.chunk ?? bytes.length;
  const chunks = Array.from({ length: Math.ceil(bytes.length / chunk) }, (_, i) => bytes.subarray(i * chunk, (i + 1) * chunk));
  const found: Found = { files: {}, skipped: {} };
  for await (const entry of outputFiles(Readable.from(chunks), options.most ?? 2 ** 30)) {
    if (isFile(entry)) found.files[entry.path] = (await buffer(entry.content)).toString('utf8');
    else found.skipped[entry.path] = entry.reason;
  }
  return found;
}

function isFile(entry: OutputFile | OutputSkipped): entry is OutputFile {
  return 'content' in entry;
}

async function broken(parts: readonly Buffer[], end?: Buffer): Promise<void> {
  let error: unknown;
  await read(parts, end ? { end } : {}).catch((thrown: unknown) => (error = thrown));
  expect(error).to.have.property('code', 'EngineUnavailable');
}

describe('outputFiles', () => {
  it('hands out regular files, folders unmentioned', async () => {
    const found = await read([member({ name: 'output/a/', type: '5' }), member({ name: 'output/a/b.txt', content: 'text' }), member({ name: 'output/empty' }), GOOD]);
    expect(found).to.deep.equal({ files: { 'a/b.txt': 'text', empty: '', good: 'good' }, skipped: {} });
  });

  for (const chunk of [1, 7, 511, 512, 513, 4096]) {
    it(`in pieces of ${String(chunk)} bytes`, async () => {
      const content = 'x'.repeat(3000);
      expect((await read([member({ content }), GOOD], { chunk })).files).to.deep.equal({ file: content, good: 'good' });
    });
  }

  it('long and other names come in PAX records', async () => {
    const path = `output/${'d'.repeat(200)}/\u00fcml\u00e4ut \u65e5\u672c`;
    expect((await read([pax({ path }), member({ content: 'x' })])).files).to.deep.equal({ [path.slice(7)]: 'x' });
  });

  it('an empty folder is an empty list', async () => {
    expect(await read([])).to.deep.equal({ files: {}, skipped: {} });
  });

  describe('passes over', () => {
    const kinds: readonly (readonly [string, Header, RegExp])[] = [
      ['hard links', { type: '1', link: '/etc/shadow' }, /second name/],
      ['symbolic links', { type: '2', link: '/etc/shadow' }, /symbolic link/],
      ['character devices', { type: '3' }, /device/],
      ['block devices', { type: '4' }, /device/],
      ['pipes', { type: '6' }, /pipe/],
      ['GNU sparse files', { type: 'S' }, /not a regular file/],
      ['GNU dump folders', { type: 'D' }, /not a regular file/],
      ['volume headers', { type: 'V' }, /not a regular file/],
      ['what nobody has heard of', { type: 'Q' }, /not a regular file/],
    ];
    for (const [what, header, reason] of kinds) {
      it(what, async () => {
        const found = await read([member({ ...header, name: 'output/odd' }), GOOD]);
        expect(found.files).to.deep.equal({ good: 'good' });
        expect(found.skipped['odd']).to.match(reason);
      });
    }

    const names: readonly (readonly [string, string | Buffer, string])[] = [
      ['what leads out of /output', 'output/../etc/passwd', '../etc/passwd'],
      ['.. in the middle', 'output/a/../../b', 'a/../../b'],
      ['absolute names', '/etc/passwd', '/etc/passwd'],
      ['another folder', 'other/file', 'other/file'],
      ['another folder that begins alike', 'outputs/file', 'outputs/file'],
      ['the folder as a file', 'output', 'output'],
      ['empty parts', 'output/a//b', 'a//b'],
      ['absolute below', 'output//etc/passwd', '/etc/passwd'],
      ['.', 'output/./a', './a'],
      ['line breaks', 'output/a\nb', 'a\ufffdb'],
      ['escapes', 'output/\u001b[2J', '\ufffd[2J'],
      ['DEL', 'output/a\u007f', 'a\ufffd'],
      ['C1 controls', 'output/a\u0085b', 'a\ufffdb'],
      ['text that runs backwards', 'output/\u202etxt.exe', '\ufffdtxt.exe'],
      ['zero width', 'output/a\u200bb', 'a\ufffdb'],
      ['separators of lines', 'output/a\u2028b', 'a\ufffdb'],
      ['no UTF-8', Buffer.from('output/a\xffb', 'latin1'), 'a\ufffdb'],
      ['noncharacters', 'output/a\uffff', 'a\ufffd'],
      ['private characters', 'output/a\ue000', 'a\ufffd'],
    ];
    for (const [what, name, shown] of names) {
      it(`names: ${what}`, async () => {
        const found = await read([member({ name, content: 'x' }), GOOD]);
        expect(found).to.deep.equal({ files: { good: 'good' }, skipped: { [shown]: 'a name that cannot be used' } });
      });
      it(`names: ${what}, in a PAX record`, async () => {
        const found = await read([pax({ path: name }), member({ name: 'output/innocent', content: 'x' }), GOOD]);
        expect(found).to.deep.equal({ files: { good: 'good' }, skipped: { [shown]: 'a name that cannot be used' } });
      });
    }

    it('names that are too long', async () => {
      const part = `output/${'p'.repeat(256)}`;
      const path = `output/${'q/'.repeat(600)}x`;
      const found = await read([pax({ path: part }), member({ content: '1' }), pax({ path }), member({ content: '2' }), GOOD]);
      expect(found.files).to.deep.equal({ good: 'good' });
      expect(Object.keys(found.skipped)).to.have.length(2);
      for (const shown of Object.keys(found.skipped)) expect(shown.length).to.be.at.most(256);
    });

    it('the second of two of one name', async () => {
      const found = await read([GOOD, member({ name: 'output/good', content: 'evil' })]);
      expect(found).to.deep.equal({ files: { good: 'good' }, skipped: { good: 'a name that was there before' } });
    });

    it('sparse files in PAX, whose content is a map', async () => {
      const found = await read([pax({ 'GNU.sparse.major': '1', 'GNU.sparse.name': 'output/x' }), member({ name: 'output/GNUSparseFile.0/x', content: '1\n0\n' }), GOOD]);
      expect(found.files).to.deep.equal({ good: 'good' });
    });

    it('nothing in a global PAX record renames what follows to outside', async () => {
      const found = await read([pax({ path: 'output/../../etc/passwd' }, 'g'), member({ name: 'output/a', content: 'x' })]);
      for (const path of Object.keys(found.files)) expect(path).to.not.include('..');
    });

    it('more bytes than are read, and what follows', async () => {
      const found = await read([member({ name: 'output/a', content: 'aaaa' }), member({ name: 'output/b', content: 'bbbb' }), GOOD], { most: 7 });
      expect(found.files).to.deep.equal({ a: 'aaaa' });
      expect(Object.values(found.skipped).join()).to.include('more than 7 bytes');
    });

    it('a hole of a terabyte, without reading it', async () => {
      const huge = member({ name: 'output/hole', size: '\x80\0\0\0\0\0\x01\0\0\0\0\0' });
      const found = await read([GOOD, huge], { most: 2 ** 36, end: Buffer.alloc(0) });
      expect(found.files).to.deep.equal({ good: 'good' });
      expect(Object.keys(found.skipped)).to.deep.equal(['output/hole']);
    });
  });

  describe('is an error where the archive', () => {
    it('has no end', async () => broken([GOOD], Buffer.alloc(0)));
    it('ends between two files', async () => broken([GOOD], Buffer.alloc(BLOCK)));
    it('ends in a file', async () => broken([member({ content: 'abc', size: 5000 })], Buffer.alloc(0)));
    it('ends in a header', async () => broken([GOOD.subarray(0, 100)], Buffer.alloc(0)));
    it('has a wrong checksum', async () => broken([Buffer.concat([Buffer.from('X'), GOOD.subarray(1)])]));
    it('is no tar', async () => broken([Buffer.from('<html>'.repeat(200))]));
    it('is an error message in the middle', async () => broken([GOOD, Buffer.from('{"message":"no space left on device"}\n')], Buffer.alloc(0)));
    it('tells a negative size', async () => broken([member({ size: `${'\xff'.repeat(11)}\xfe` }), GOOD]));
    it('tells a size in PAX that is none', async () => broken([pax({ size: 'many' }), member({ content: 'x' }), GOOD]));
    it('tells a size beyond all numbers', async () => broken([pax({ size: '9'.repeat(30) }), member({ content: 'x' }), GOOD]));
    it('has a header of gigabytes', async () => broken([member({ type: 'L', size: 2 ** 31 })]));

    it('breaks off, also for who reads the content', async () => {
      const bytes = Buffer.concat([FOLDER, member({ content: 'x'.repeat(1000), size: 100_000 })]);
      const tar = new Readable({ read: () => undefined });
      tar.push(bytes);
      const files = outputFiles(tar, 2 ** 30);
      const { value } = (await files.next()) as { value: OutputFile };
      const reading = buffer(value.content).then(() => 'all', (error: unknown) => error);
      tar.destroy(new Error('connection lost'));
      expect(await reading).to.have.property('code', 'EngineUnavailable');
      const error: unknown = await files.next().catch((thrown: unknown) => thrown);
      expect(error).to.have.property('code', 'EngineUnavailable');
    });
  });

  describe('content', () => {
    const big = member({ name: 'output/big', content: 'b'.repeat(300_000) });

    it('may be left alone, or destroyed half read', async () => {
      const seen: string[] = [];
      for await (const entry of outputFiles(Readable.from([Buffer.concat([FOLDER, big, GOOD, member({ name: 'output/last', content: 'z' }), END])]), 2 ** 30)) {
        seen.push(entry.path);
        if (!isFile(entry)) continue;
        if (entry.path === 'big') {
          for await (const chunk of entry.content) if (String(chunk).length > 0) break;
          expect(entry.content.destroyed).to.equal(true);
        }
        if (entry.path === 'last') expect((await buffer(entry.content)).toString('utf8')).to.equal('z');
      }
      expect(seen).to.deep.equal(['big', 'good', 'last']);
    });

    it('leaving the loop closes the connection', async () => {
      const tar = Readable.from([Buffer.concat([FOLDER, big, GOOD, END])]);
      for await (const entry of outputFiles(tar, 2 ** 30)) if (entry.path === 'big') break;
      expect(tar.destroyed).to.equal(true);
    });
  });
});
