// Mocha's own report; what was tried twice is named, and the parent process is told the counts when the tests are over.
const { Spec } = require('mocha').reporters;

module.exports = class ClosingLine extends Spec {
  constructor(runner, options) {
    super(runner, options);
    this.again = [];
    runner.on('retry', (test, error) => this.again.push(`${test.fullTitle()}: ${error.message}`));
  }

  epilogue() {
    super.epilogue();
    const { passes, failures, pending } = this.stats;
    for (const title of this.again) console.log(`tried again: ${title}`);
    process.send?.(`${passes} passed, ${failures} failed${pending > 0 ? `, ${pending} skipped` : ''}`);
  }
};
