import { expect } from 'chai';
import { JobUrls, resultPath } from '../../../src/uws/urls.ts';

describe('URLs of a job list', () => {
  it('are absolute, below the configured base, whatever slashes that ends in', () => {
    for (const base of ['https://h/x', 'https://h/x/', 'https://h/x//']) {
      const urls = new JobUrls(base, 'docker');
      expect([urls.list, urls.job('a'), urls.child('a', 'error'), urls.result('a', 'b/c'), urls.parameter('a', 'ENV.X'), urls.sync('a')]).to.deep.equal(
        ['', '/a', '/a/error', '/a/results/b/c', '/a/parameters/ENV.X', '/sync/a'].map((rest) => `https://h/x/uws/docker${rest}`),
      );
    }
  });

  it('keep the slashes of a result and escape the rest', () => {
    expect(resultPath('a b/ü?#%/\ud800')).to.equal('a%20b/%C3%BC%3F%23%25/%EF%BF%BD');
  });
});
