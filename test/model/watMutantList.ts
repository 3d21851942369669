/**
 * Lines of intrinsics.wat that safety rests on, removed or changed, and the scenario that must notice
 * when the module is played step by step.
 *
 * A change is a list of edits in one exported function. Compared are texts without comments and
 * layout (watMutant.ts); each must be found exactly once.
 */

import { assemble } from '../helpers/wat.ts'
import { mutatedWat } from '../helpers/watMutant.ts'
import { withIntrinsics } from './assembled.ts'
import { hasScenarios } from './hasScenarios.ts'
import { manyScenarios } from './manyScenarios.ts'
import { runCase, type Verdict } from './mutantRuns.ts'
import type { Scenario } from './scenario.ts'
import { smrScenarios } from './smrScenarios.ts'
import type { Library } from './stage.ts'
import { resizeScenarios } from './tableResizeScenarios.ts'
import { tableScenarios } from './tableScenarios.ts'
import type { Case } from './trial.ts'

export interface WatTrial extends Case {
  readonly func: string
  readonly edits: readonly Edit[]
}

type Edit = readonly [find: string, replace: string]

const where =
  <W>(func: string, scenarios: (lib: Library) => readonly Scenario<W>[]) =>
  (scenario: string, name: string, edits: readonly Edit[], rules?: Case['rules']): WatTrial => ({
    name: `wat ${func}: ${name}`,
    func,
    edits,
    scenario,
    scenarios: scenarios as unknown as Case['scenarios'],
    ...(rules === undefined ? {} : { rules }),
  })

const inEnter = where('enterSection', smrScenarios)
const inHas = where('lookUpHash', hasScenarios)
const inMany = where('findMany', manyScenarios)

const ENTER_PUBLISH = '(i32.atomic.store (i32.shl (local.get $at) (i32.const 2)) (local.get $seen))'
const ENTER_MOVED = '(i32.sub (i32.atomic.load (local.get $wr)) (local.get $seen))'
const HAS_HAND = '(local.set $seen (i32.atomic.load (local.get $wr)))'
const HAS_PUBLISH = '(i32.atomic.store (local.get $at) (local.get $seen))'
const HAS_MOVED = '(i32.sub (i32.atomic.load (local.get $wr)) (local.get $seen))'
const HAS_FAR = '(then (return (i32.const -1))))'
const HAS_EXIT = '(i32.atomic.store (local.get $at) (i32.const 0))'
const ARRAY = '(local.set $chains (i32.atomic.load (i32.shl (local.get $chainsAt) (i32.const 2))))'
const LINK_BIT = '(i32.and (local.get $chains) (i32.const 1))'
const HEAD = '(i32.atomic.load (i32.shl (i32.add'
const NEXT = '(i32.atomic.load (i32.add (local.get $node) (local.get $link)))'
const FIRST = `(i32.shl ${NEXT} (i32.const 2)) (i32.eq`
const LATER = `(loop $on (local.set $node (i32.shl ${NEXT}`

const plain = (text: string): Edit => [text, text.replace('i32.atomic.', 'i32.')]

/** The expanded text has the walk three times, and each of them must be tested. */
const WALKS: readonly Walk[] = [
  {
    by: where('findHash', (lib) => [...tableScenarios(lib), ...resizeScenarios(lib)]),
    head: 'lookup against writers of its chain',
    first: 'lookup against writers of its chain',
    later: 'lookup against replace',
    array: 'lookup against there and back',
  },
  {
    by: inHas,
    head: 'has against writers of its chain',
    first: 'has against writers of its chain',
    later: 'has against replace',
    array: 'has against three resizes',
  },
  {
    by: inMany,
    head: 'many at once against writers of their chain',
    first: 'many at once against writers of their chain',
    later: 'many at once against replace',
    array: 'many at once against three resizes',
  },
]

interface Walk {
  readonly by: ReturnType<typeof where>
  /** Scenarios in which these words change. */
  readonly head: string
  readonly first: string
  readonly later: string
  readonly array?: string
}

export const WAT_TRIALS: readonly WatTrial[] = [
  // ---- sections --------------------------------------------------------------------------------
  inEnter('section against unlink and reuse', '[R1] publishes nothing', [[ENTER_PUBLISH, '']]),
  inEnter('section against unlink and reuse', '[R1] publishes plainly', [plain(ENTER_PUBLISH)]),
  inEnter('the same, pointers loaded plainly', '[R1] no second load of the hand', [
    [ENTER_MOVED, '(i32.const 0)'],
  ]),
  inEnter('the same, pointers loaded plainly', '[R1] the second load of the hand is plain', [
    plain(ENTER_MOVED),
  ]),
  inHas('has against replace', '[R1] publishes nothing', [[HAS_PUBLISH, '']]),
  inHas('has against replace', '[R1] publishes plainly', [plain(HAS_PUBLISH)]),
  inHas('has sleeps for half the circle', '[I] NEAR is ignored', [
    ['(i32.const 0x20000000)', '(i32.const -1)'],
  ]),
  inHas('has sleeps for half the circle', '[I] measures by the sign', [['i32.gt_u', 'i32.gt_s']]),
  inHas('has sleeps for half the circle', '[R1] no second load of the hand', [
    [HAS_MOVED, '(i32.const 0)'],
  ]),
  inHas('has against replace', '[R1] the second load of the hand is plain', [plain(HAS_MOVED)]),
  inHas('has against writers of its chain', '[R2] lets go before the walk', [
    [HAS_EXIT, ''],
    [HAS_FAR, `${HAS_FAR} ${HAS_EXIT}`],
  ]),
  inHas('has against replace', '[R2] lets go with a plain store', [plain(HAS_EXIT)]),
  inHas('has against replace', '[R2] does not let go', [[HAS_EXIT, '']]),
  inHas('has against three resizes', 'the chains word is loaded before the section', [
    [ARRAY, ''],
    [HAS_HAND, `${ARRAY} ${HAS_HAND}`],
  ]),
  inMany('many at once against replace', 'the last key is left out', [
    [
      '(br_if $next (i32.ne (local.get $own) (local.get $end)))',
      '(br_if $next (i32.lt_u (i32.add (local.get $own) (i32.const 4)) (local.get $end)))',
    ],
  ]),
  inMany('many at once against replace', 'the last head is left out', [
    [
      '(br_if $heads (i32.ne (local.get $own) (local.get $end)))',
      '(br_if $heads (i32.lt_u (i32.add (local.get $own) (i32.const 4)) (local.get $end)))',
    ],
  ]),
  inMany('many at once against three resizes', 'every key has the first stripe', [
    ['(i32.shr_u (local.get $hash) (local.get $shift))', '(i32.const 0)'],
  ]),
  // ---- walks -----------------------------------------------------------------------------------
  ...WALKS.flatMap(({ by, head, first, later, array }) => [
    by(head, 'a head is loaded plainly', [plain(HEAD)]),
    by(first, 'the first link is loaded plainly', [plain(FIRST)]),
    by(later, 'later links are loaded plainly', [plain(LATER)]),
    ...(array === undefined
      ? []
      : [
          by(array, 'the link is always the first', [[LINK_BIT, '(i32.const 0)']]),
          by(array, 'the chains word is loaded plainly', [plain(ARRAY)]),
        ]),
  ]),
]

export async function runWatTrial(trial: WatTrial): Promise<Verdict> {
  const text = mutatedWat(trial.func, trial.edits)
  return runCase(withIntrinsics(await assemble(text)), trial)
}
