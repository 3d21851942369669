/**
 * Every clock with both kinds of sections, against a record that is unlinked and written again.
 *
 * The same story for all six domains: readers in sections, writers who unlink, take a goal and poll,
 * and others who poll for themselves. What differs is who moves the write hand: the advance, a
 * `commit` or a later advance, or time, which a thread of its own lets pass at any step. Then each
 * clock's own: deferred goals after a plain unlink, workers whose clocks differ, ticks counted.
 */

import { delta, type Seq } from '#src/base/seq.ts'
import { DomainWords } from '#src/memory/layout.ts'
import { Cast } from './paceCast.ts'
import {
  COMBOS,
  comboOf,
  ONE,
  OTHER,
  PLAIN_HEAD,
  PLAIN_UNLINK,
  replace,
  replaceAndWait,
  SIGN,
  tick,
  type Worker,
  type World,
} from './paceStage.ts'
import type { Scenario } from './scenario.ts'
import type { Library } from './stage.ts'

/** All scenarios of this file, on the shipped library or on a mutant of it. */
export function paceScenarios(lib: Library): readonly Scenario<World>[] {
  return [
    ...COMBOS.flatMap((combo) => ofAll(new Cast(lib, combo))),
    ...ofDeferred(new Cast(lib, comboOf('deferred, fenced'))),
    ...ofLazy(new Cast(lib, comboOf('lazy, fenced'))),
  ]
}

function ofAll(cast: Cast): Scenario<World>[] {
  const { combo } = cast
  /** Only a second section tells a turn from a fenced section. */
  const visits = combo.turn ? 2 : 1
  const waiter = cast.member('waiter', (worker) => replaceAndWait(worker))
  return [
    cast.scene('section against unlink and reuse', [
      cast.reader('reader', 2),
      ...cast.time(1, 1),
      cast.writer(),
    ]),
    cast.scene(
      'the same, pointers loaded plainly',
      [cast.reader('reader', 2), ...cast.time(2), cast.writer()],
      PLAIN_HEAD,
    ),
    besideAdvances(cast),
    cast.scene('a writer waits', [cast.reader('reader', visits), waiter]),
    cast.scene('two pollers', [
      cast.reader('reader', visits),
      ...cast.time(2),
      cast.poller(2),
      cast.writer(),
    ]),
    cast.scene('two writers', [
      cast.surveyor,
      cast.writer(),
      cast.writer('second', OTHER, combo.clock === 'deferred' ? 1 : 0),
    ]),
  ]
}

function ofDeferred(cast: Cast): Scenario<World>[] {
  const { combo } = cast
  const rival = cast.member('rival', ({ smr }) => {
    for (let i = 0; i < 2; i++) smr.poll(smr.advance())
  })
  return [
    // Its first goal is ahead of the hand, and the rival's second advance moves the hand there.
    cast.scene(
      'a goal after a plain unlink',
      [cast.reader('reader', 1), cast.writer(), rival],
      PLAIN_UNLINK,
    ),
    cast.scene(
      'nobody commits but the clock',
      [
        cast.reader('reader', 1),
        cast.member('writer', (worker) => {
          replace(worker, { ...combo, clock: 'default' })
          worker.memory.store(SIGN, 1)
        }),
        cast.member('rival', ({ memory, smr }) => {
          while (memory.load(SIGN) === 0) {
            for (let i = 0; i < 2; i++) smr.advance()
            memory.pause()
          }
        }),
      ],
      PLAIN_UNLINK,
    ),
  ]
}

function ofLazy(cast: Cast): Scenario<World>[] {
  const counters = ['one', 'two'].map((name) => cast.member(name, countSteps))
  return [
    cast.scene(
      'a goal after a plain unlink',
      [cast.reader('reader', 1), cast.writer(), cast.member('rival', ticker)],
      PLAIN_UNLINK,
    ),
    cast.scene('clocks of two workers differ', [
      cast.reader('reader', 1),
      cast.writer('writer', ONE, 0, -1),
      cast.member('poller', ticker, 1),
    ]),
    cast.scene('the clock is set back', [
      cast.reader('reader', 1),
      ...cast.time(2, -1000),
      cast.writer(),
    ]),
    cast.scene('one step a tick', [...counters, ...cast.time(1, 3)]),
    cast.scene('one step a tick, tick by tick', [...counters, ...cast.time(1, 1)]),
  ]
}

/** Lets time pass and looks, for goals of its own. */
function ticker({ memory, smr }: Worker): void {
  const goal = smr.advance()
  for (let i = 0; i < 2; i++) {
    tick(memory, 1)
    if (smr.poll(goal)) return
  }
}

/** However many look: the hand never gets further than the ticks that have passed. */
function countSteps({ domain, memory, smr }: Worker): void {
  const from = memory.load(domain + DomainWords.first)
  for (let i = 0; i < 2; i++) {
    smr.poll(smr.advance())
    const wr = memory.load(domain + DomainWords.wr)
    const steps = delta(wr as Seq, from as Seq) / memory.peek(domain + DomainWords.step)
    const passed = memory.now() - START_MS
    if (steps > passed) throw new Error(`${steps} steps in ${passed} ticks`)
  }
}

/** The model's time when a schedule begins. */
const START_MS = 1000

/** Somebody commits an old goal while others have gone on: the hand must not go back. */
function besideAdvances(cast: Cast): Scenario<World> {
  const { combo } = cast
  const committer = cast.member('committer', ({ smr }) => smr.commit(smr.deferredAdvance()))
  const writer = cast.member('writer', (worker) => {
    for (let i = 0; i < 2; i++) {
      if (combo.clock === 'lazy') tick(worker.memory, 1)
      const goal = worker.smr.advance()
      worker.smr.commit(goal)
      worker.smr.poll(goal)
    }
    replace(worker, combo)
  })
  return cast.scene('a commit beside advances', [cast.reader('reader', 1), committer, writer])
}
