import { expect } from 'chai';
import { Random } from '../../faults/random.ts';
import { type Arming, MOMENTS, neverReached, StepDeck, STEPS } from '../../faults/steps.ts';
import { Spells } from '../../faults/weather.ts';

const NAMES = Object.keys(STEPS);

function dealt(deck: StepDeck, count: number): readonly Arming[] {
  return Array.from({ length: count }, () => deck.deal());
}

describe('the deck of steps', () => {
  it('deals every step once before any comes again, and every moment of each within as many rounds', () => {
    const cards = dealt(new StepDeck(new Random(1)), NAMES.length * MOMENTS.length);
    expect(cards.slice(0, NAMES.length).map(({ step }) => step)).to.have.members(NAMES);
    expect(new Set(cards.map(({ moment, step }) => `${moment} ${step}`)).size).to.equal(NAMES.length * MOMENTS.length);
  });

  it('is decided by the seed', () => {
    expect(dealt(new StepDeck(new Random(7)), 50)).to.deep.equal(dealt(new StepDeck(new Random(7)), 50));
    expect(dealt(new StepDeck(new Random(7)), 50)).not.to.deep.equal(dealt(new StepDeck(new Random(8)), 50));
  });

  it('deals once more in the same round what was put back', () => {
    const deck = new StepDeck(new Random(1));
    const first = deck.deal();
    deck.putBack(first);
    expect(dealt(deck, NAMES.length)).to.deep.include(first);
  });

  it('knows which were never reached', () => {
    expect(neverReached({})).to.have.members(NAMES);
    expect(neverReached(Object.fromEntries(NAMES.map((name) => [name, 1])))).to.deep.equal([]);
  });
});

describe('spells of bad weather', () => {
  it('are felt within, a little before and a little after, and nowhere else', () => {
    const spells = new Spells();
    const now = Date.now();
    expect(spells.within(now - 60_000, now + 60_000)).to.equal(false);
    spells.begin();
    expect(spells.within(now + 60_000, now + 70_000)).to.equal(true);
    spells.end();
    expect(spells.within(now - 2_000, now - 1_000)).to.equal(true);
    expect(spells.within(now + 60_000, now + 70_000)).to.equal(false);
    expect(spells.within(now - 70_000, now - 60_000)).to.equal(false);
  });
});
