/**
 * What does each knob do?
 *
 * A grid over bucket size, steps of the clock, kind of clock and of section, and how long a reader
 * stays inside; the presets in the same setting; the age of part-filled buckets where frees are
 * few; and a zone that goes quiet. Every point says how much may be pending by the formula, from
 * what it measured itself, and how much of that was.
 */
import type { Question } from '../harness/question.ts'
import { AGE_POINTS, FRONTIER, GRID, PRESETS, TRICKLE, variantsOf } from '../knobs/grid.ts'
import { MEETINGS } from '../knobs/meeting.ts'
import { GROUPS, picturesOf } from '../knobs/pictures.ts'
import { goQuiet, TRIM_MS } from '../knobs/quiet.ts'

const question: Question = {
  name: 'knobs',
  asks: 'what do bucket size, pace of the clock, age and trim do to speed and to memory?',
  pictures: picturesOf,
  groups: [
    {
      name: GROUPS.grid,
      operation: 'one of 1,000 records replaced, beside a reader',
      baseline: '',
      variants: variantsOf(GRID),
    },
    {
      name: GROUPS.frontier,
      operation: 'the same; sections of 1 ms',
      baseline: '',
      variants: variantsOf(FRONTIER),
    },
    {
      name: GROUPS.ages,
      operation: `the same, ${TRICKLE} times a second`,
      baseline: '',
      variants: variantsOf(AGE_POINTS),
    },
    {
      name: GROUPS.meetings,
      operation: 'two workers, 1,000 allocations and 1,000 frees by turns',
      baseline: '',
      variants: MEETINGS,
    },
    {
      name: GROUPS.quiet,
      operation: `99 of 100 records freed at once, then nothing; trimEveryMs ${TRIM_MS}`,
      baseline: '',
      variants: [
        ...PRESETS.map((preset) => ({ name: preset, run: () => goQuiet(preset, true) })),
        { name: 'balanced, no trim', run: () => goQuiet('balanced', false) },
      ],
    },
  ],
}

export default question
