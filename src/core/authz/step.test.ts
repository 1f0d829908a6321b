import { expect, test } from 'vitest';
import { real } from '../../../test/model/core.ts';
import { TRANSCRIPTS } from '../../../test/model/transcript.ts';

test.each(TRANSCRIPTS)('$rule $title', ({ play }) => {
  play(real);
});

test('rule: each transcript has a clause of its own', () => {
  const rules = TRANSCRIPTS.map(({ rule }) => rule);
  expect(rules.filter((rule, i) => rules.indexOf(rule) !== i)).toEqual([]);
});
