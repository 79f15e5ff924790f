import { expect } from 'chai';
import fc from 'fast-check';
import { GatewayError } from '../../../src/errors.ts';
import { decodeMultipart, findPart, type Part } from '../../../src/http/multipart.ts';

const text = (parts: readonly Part[]): readonly (readonly string[])[] => parts.map((part) => [part.name, Buffer.from(part.bytes).toString('latin1')]);
const decode = (body: string, boundary = 'b'): readonly Part[] => decodeMultipart(Buffer.from(body, 'latin1'), boundary);

const NOTE = `--boundary
Content-Disposition: form-data; name="tasktype"

uri://docker-compose
--boundary
Content-Disposition: form-data; name="taskinfo.
composefile"; filename="compose.yml"
Content-Type: text/yaml

version: '3.9'
services: {}
--boundary--`;

describe('decodeMultipart', () => {
  describe('RFC 7578', () => {
    it('gives the parts in order, byte for byte', () => {
      const parts = decode('preamble\r\n--b\r\nContent-Disposition: form-data; name="x"; filename="f.bin"\r\nContent-Type: application/octet-stream\r\n\r\n\0\r\n\xff--b\r\n\r\n--b  \r\nContent-Disposition: form-data; name=y\r\n\r\n\r\n--b--\r\nepilogue');
      expect(text(parts)).to.deep.equal([['x', '\0\r\n\xff--b\r\n'], ['y', '']]);
      expect(parts[0]).to.include({ filename: 'f.bin', contentType: 'application/octet-stream' });
      expect(parts[1]).not.to.have.any.keys('filename', 'contentType');
    });

    it('takes a line that only begins like the delimiter for content', () => {
      expect(text(decode('--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n--bb\r\n--b-\r\n--b--'))).to.deep.equal([['x', '--bb\r\n--b-']]);
    });

    it('reads names that browsers escape, and quoted pairs', () => {
      expect(text(decode('--b\r\nContent-Disposition: form-data; name="a%22b\\"c d"\r\n\r\n1\r\n--b--'))).to.deep.equal([['a"b"c d', '1']]);
    });

    it('reads what stilts sends: Content-Type first, no file name, odd characters in the boundary', () => {
      const body = '--<<<-A-B-C->>>\r\nContent-Type: text/plain;charset=UTF-8\r\nContent-Disposition: form-data; name="PHASE"\r\n\r\nRUN\r\n--<<<-A-B-C->>>--\r\n';
      expect(text(decode(body, '<<<-A-B-C->>>'))).to.deep.equal([['PHASE', 'RUN']]);
    });

    it('gives back what any client wrote, whatever the bytes', () => {
      const name = fc.stringMatching(/^[A-Za-z.]{1,8}$/);
      fc.assert(
        fc.property(fc.array(fc.tuple(name, fc.uint8Array({ maxLength: 40 })), { maxLength: 4 }), fc.constantFrom('\r\n', '\n'), (parts, eol) => {
          const boundary = 'boundary-that-does-not-occur';
          const chunks = parts.flatMap(([partName, bytes]) => [Buffer.from(`--${boundary}${eol}Content-Disposition: form-data; name="${partName}"${eol}${eol}`), bytes, Buffer.from(eol)]);
          const read = decodeMultipart(Buffer.concat([...chunks, Buffer.from(`--${boundary}--`)]), boundary);
          expect(read.map((part) => [part.name, [...part.bytes]])).to.deep.equal(parts.map(([partName, bytes]) => [partName, [...bytes]]));
        }),
      );
    });
  });

  describe("the Execution Planner note's own examples", () => {
    for (const [how, body] of [['as printed, LF only and no line end at the end', NOTE], ['with CRLF', `${NOTE.replaceAll('\n', '\r\n')}\r\n`]] as const) {
      it(`reads a part name folded over two lines, ${how}`, () => {
        const parts = decode(body, 'boundary');
        expect(parts.map(({ name }) => name)).to.deep.equal(['tasktype', 'taskinfo.composefile']);
        expect(parts[1]).to.include({ filename: 'compose.yml', contentType: 'text/yaml' });
        expect(Buffer.from(parts[1]?.bytes ?? []).toString()).to.equal(how.includes('CRLF') ? "version: '3.9'\r\nservices: {}" : "version: '3.9'\nservices: {}");
      });
    }

    for (const fold of ['\r\n', '\n', '\r\n  ', '%0A', '%0D%0A', ' %0A ']) {
      it(`drops the fold ${JSON.stringify(fold)} from a name`, () => {
        expect(text(decode(`--b\nContent-Disposition: form-data; name="taskinfo.${fold}image"\n\n1\n--b--`))).to.deep.equal([['taskinfo.image', '1']]);
      });
    }

    it('unfolds a header that goes on after a blank', () => {
      expect(text(decode('--b\r\nContent-Disposition: form-data;\r\n\tname="x"\r\n\r\n1\r\n--b--'))).to.deep.equal([['x', '1']]);
    });

    it('keeps a CR before the delimiter where lines end in LF', () => {
      expect(text(decode('--b\nContent-Disposition: form-data; name="x"\n\n1\r\n--b--'))).to.deep.equal([['x', '1\r']]);
    });
  });

  describe('refuses, as BadRequest,', () => {
    const part = (headers: string): string => `--b\r\n${headers}\r\n\r\n1\r\n--b--`;
    const cases: readonly (readonly [string, string])[] = [
      ['an empty body', ''],
      ['a body without the boundary', 'x=1'],
      ['a body cut off in a part', '--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n1'],
      ['a body whose closing delimiter is missing', '--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n--b\r\n'],
      ['a part without headers', '--b\r\n\r\n1\r\n--b--'],
      ['a part without a name', part('Content-Disposition: form-data')],
      ['a part with an empty name', part('Content-Disposition: form-data; name=""')],
      ['another disposition', part('Content-Disposition: attachment; name="x"')],
      ['a quote that is not closed', part('Content-Disposition: form-data; name="x')],
      ['two dispositions', part('Content-Disposition: form-data; name="x"\r\nContent-Disposition: form-data; name="y"')],
      ['a header without a name', part('Content-Disposition: form-data; name="x"\r\n: y')],
      ['a line that is no header', part('Content-Disposition: form-data; name="x"\r\nnonsense')],
      ['base64', part('Content-Disposition: form-data; name="x"\r\nContent-Transfer-Encoding: base64')],
      ['a name that is not UTF-8', part('Content-Disposition: form-data; name="\xff"')],
      ['headers without end', `--b\r\nContent-Disposition: form-data; name="x"\r\n${'X: y\r\n'.repeat(3000)}`],
      ['long headers', part(`Content-Disposition: form-data; name="x"\r\nX: ${'y'.repeat(9000)}`)],
      ['too many parts', `${'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n'.repeat(501)}--b--`],
    ];
    for (const [what, body] of cases) {
      it(what, () => {
        expect(() => decode(body)).to.throw(GatewayError).with.property('code', 'BadRequest');
      });
    }

    it('a body made to be slow, fast', function () {
      this.timeout(1000);
      const slow = [`form-data; name="${' '.repeat(8000)}x`, `form-data; name="${' '.repeat(8000)}%0x"`, `form-data; name=${' '.repeat(8000)}"`, `form-data; name="${'\na'.repeat(4000)}`];
      for (const value of slow) {
        expect(() => decode(`${`--b\nContent-Disposition: ${value}\n\n1\n`.repeat(120)}`)).to.throw(GatewayError);
      }
    });

    it('and never anything else, whatever the bytes', () => {
      const piece = fc.constantFrom('--b', '--', '\r\n', '\n', '\r', 'Content-Disposition: form-data; name="x"', '"', ';', 'name=', 'Content-Type: text/plain', ' ', '\t', '\xff', 'a');
      fc.assert(
        fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
          try {
            decode(pieces.join(''));
          } catch (error) {
            expect(error).to.be.instanceOf(GatewayError).with.property('code', 'BadRequest');
          }
        }),
        { numRuns: 2000 },
      );
    });
  });

  it('finds a part in the beginning of a body, whatever follows', () => {
    const beginning = Buffer.from(`${NOTE.slice(0, 120)}`);
    expect(findPart(beginning, 'boundary', ({ name }) => name === 'tasktype')?.bytes.toString()).to.equal('uri://docker-compose');
    expect(findPart(beginning, 'boundary', ({ name }) => name === 'taskinfo.composefile')).to.equal(undefined);
    expect(findPart(Buffer.from('--b\n\n'), 'b', () => true)).to.equal(undefined);
  });
});
