// Mocha's own report; what was tried twice is named, and the parent process is told the counts when the tests are over. On Ctrl-C the
// tests end after the one that runs, with everything taken down that they have set up.
const { Spec } = require('mocha').reporters;

module.exports = class ClosingLine extends Spec {
  constructor(runner, options) {
    super(runner, options);
    this.again = [];
    process.once('SIGINT', () => runner.abort());
    runner.on('retry', (test, error) => this.again.push(`${test.fullTitle()}: ${error.message}`));
  }

  epilogue() {
    super.epilogue();
    const { passes, failures, pending } = this.stats;
    for (const title of this.again) console.log(`tried again: ${title}`);
    process.send?.(`${passes} passed, ${failures} failed${pending > 0 ? `, ${pending} skipped` : ''}`);
  }
};
