/**
 * Every line that the clocks and the turn sections rest on, removed or changed, and the scenario that
 * must notice. As mutantList.ts.
 *
 * Two kinds of alarm: a reader that finds the record written again, and a writer who never gets on,
 * because nobody lets go or nobody moves the hand.
 */

import { guardScenarios } from './guardScenarios.ts'
import { paceScenarios } from './paceScenarios.ts'
import { caught, type Trial } from './trial.ts'
import { turnScenarios } from './turnScenarios.ts'

const byPace = caught(paceScenarios)
const byGuard = caught(guardScenarios)
const byTurn = caught(turnScenarios)

const SECTIONS = 'smr/sections'
const PUBLISH = 'smr/clock'
const PACE = 'smr/pace'
const GOALS = 'smr/goals'
const CLOCK = 'smr/clock'
const ONE_PUBLICATION = 'default, turn: sections of one publication'
const LET_GO = 'this.memory.store(this.seqAt, INVALID);\n        this.shown'
const MOVED_TICK = 'memory.cas(this.tickAt, before, now) !== before'
const LAZY_STEP = 'clock.commit(wr, forward(wr, steps * clock.step))'
const BEFORE = 'const before = memory.load(this.tickAt);'
const NOW = 'const now = tickOf(memory, this.tickMs);'

/** Turn sections: when they publish, and what lets go. */
const TURN_TRIALS: readonly Trial[] = [
  byTurn(ONE_PUBLICATION, [
    '[R3] a turn section does not publish',
    SECTIONS,
    'if (memory.peekRacy(wrAt) !== this.seen)\n                this.publishForTurn();',
    '',
  ]),
  byTurn(ONE_PUBLICATION, [
    '[R3] the racy peek is compared the other way round',
    SECTIONS,
    'memory.peekRacy(wrAt) !== this.seen',
    'memory.peekRacy(wrAt) === this.seen',
  ]),
  byTurn('default, turn: the turn ends between sections', [
    '[R3] what was let go of is still thought to be published',
    SECTIONS,
    'if (this.inside) return false; this.seen = INVALID;',
    'if (this.inside) return false;',
  ]),
  byTurn(ONE_PUBLICATION, [
    '[R2] exit clears the word of a turn section, which is thought to be published',
    SECTIONS,
    'if (this.turning)\n            return;\n        // [R2]',
    '// [R2]',
  ]),
  byTurn(ONE_PUBLICATION, [
    '[R2] a turn ends with a plain store',
    SECTIONS,
    LET_GO,
    LET_GO.replace('store', 'poke'),
  ]),
  byTurn('default, turn: a turn ends, and a poll comes, inside a section', [
    '[R2] a turn section is let go of while it is open',
    SECTIONS,
    'if (this.inside)\n            return false;\n        this.seen',
    'this.seen',
  ]),
  byTurn(ONE_PUBLICATION, [
    '[R1] a turn section publishes with a plain store',
    PUBLISH,
    'memory.store(at, wr)',
    'memory.poke(at, wr)',
  ]),
  byTurn('default, turn: the same, pointers loaded plainly', [
    '[R1] a turn section does not load the hand again',
    PUBLISH,
    'const again = memory.load(wrAt)',
    'const again = wr',
  ]),
  byTurn('default, turn: a reader sleeps in enter for half the circle', [
    '[I] a long sleep in a turn’s publication is not noticed',
    PUBLISH,
    'if ((again - wr) >>> 0 <= NEAR)',
    'if (true)',
  ]),
  byTurn('default, turn: a reader sleeps in enter for half the circle', [
    '[I] the sleep in a turn’s publication is measured by its sign',
    PUBLISH,
    '(again - wr) >>> 0 <= NEAR',
    '((again - wr) | 0) <= NEAR',
  ]),
  byTurn(ONE_PUBLICATION, [
    'the end of a turn: nobody asks to hear of it',
    SECTIONS,
    'this.space.turn.hold(this)',
    '',
  ]),
  byTurn('default, turn: a turn ends, and a poll comes, inside a section', [
    'the end of a turn: an open section is forgotten',
    'space/turn',
    'this.held.filter((each) => !each.letGo())',
    'this.held.filter((each) => (each.letGo(), false))',
  ]),
  byTurn('default, turn: a writer has read in the same turn', [
    'a poll does not let go of its own worker’s turn',
    GOALS,
    'this.own.letGo();',
    '',
  ]),
  byTurn('default, turn: a reader goes offline between sections', [
    'offline does not let go',
    SECTIONS,
    'this.letGo();\n        this.state = OFFLINE',
    'this.state = OFFLINE',
  ]),
  byTurn('default, turn: a reader leaves, and another gets its slot', [
    'detach does not let go',
    SECTIONS,
    'this.letGo();\n        this.state = CLOSED',
    'this.state = CLOSED',
  ]),
  byTurn('default, turn: a reader waits in another domain', [
    'a wait sleeps without letting go',
    'space/wait',
    'sleeper.beforeSleep()',
    '',
  ]),
  byTurn('default, turn: a reader sleeps on a lock', [
    'a lock sleeps without letting go',
    'space/lock',
    'this.beforeSleep()',
    '',
  ]),
]

/** The clocks: goals, steps, and the wrap guard. */
const CLOCK_TRIALS: readonly Trial[] = [
  byPace('lazy, fenced: a goal after a plain unlink', [
    '[W] a lazy goal is taken by a load',
    PACE,
    'this.clock.ahead(GRACE_TICKS)',
    'forward(this.clock.wr(), GRACE_TICKS * this.clock.step)',
  ]),
  byPace('deferred, fenced: a goal after a plain unlink', [
    '[W] a deferred clock takes its goal by a load',
    PACE,
    'return this.counted(this.clock.ahead(1), 0, countAt);\n        this.deferred = 0',
    'return this.counted(forward(this.clock.wr(), this.clock.step), 0, countAt);\n        this.deferred = 0',
  ]),
  byPace('default, fenced: section against unlink and reuse', [
    'the goal is where the hand stands',
    PACE,
    'this.clock.advance()',
    'this.clock.ahead(0)',
  ]),
  byPace('deferred, fenced: section against unlink and reuse', [
    'a deferred goal is where the hand stands',
    PACE,
    'return this.counted(this.clock.ahead(1), 0, countAt);\n        this.deferred = 0',
    'return this.counted(this.clock.ahead(0), 0, countAt);\n        this.deferred = 0',
  ]),
  byPace('lazy, fenced: section against unlink and reuse', [
    'a lazy goal is where the hand stands',
    PACE,
    'this.clock.ahead(GRACE_TICKS)',
    'this.clock.ahead(0)',
  ]),
  byPace('deferred, fenced: nobody commits but the clock', [
    'a deferred clock never moves its hand',
    PACE,
    'if (this.deferred < this.limit)',
    'if (true)',
  ]),
  byPace('default, fenced: a commit beside advances', [
    '[W] the hand is moved to a goal by a store',
    CLOCK,
    'this.memory.cas(this.wrAt, wr, goal) === wr',
    '(this.memory.store(this.wrAt, goal), true)',
  ]),
  byGuard('default, fenced: two writers at the wrap guard', [
    'the wrap guard: nobody remembers that a step is owed',
    PACE,
    'this.memory.store(this.owedAt, 1);\n        return',
    'return',
  ]),
  byGuard('default, fenced: a commit at the wrap guard', [
    'the wrap guard: commit remembers nothing',
    GOALS,
    'this.memory.store(this.owedAt, 1)',
    '{}',
  ]),
  byGuard('deferred, fenced: the hand does not pass the guard', [
    'the wrap guard: commit moves on',
    GOALS,
    'if (delta(wr, rd) < MAX_DELTA)\n            this.pace.moveTo(wr, goal);\n        else',
    'if (true)\n            this.pace.moveTo(wr, goal);\n        else',
  ]),
  byGuard('deferred, fenced: the hand does not pass the guard', [
    'the wrap guard: a wait moves on',
    GOALS,
    'if (delta(wr, rd) < MAX_DELTA) {',
    'if (true) {',
  ]),
  byGuard('lazy, fenced: the hand does not pass the guard', [
    'the wrap guard: time moves on',
    PACE,
    '!clock.hasRoom() || ',
    '',
  ]),
  byGuard('lazy, fenced: the hand does not pass the guard', [
    'a long rest is as many steps as ticks',
    PACE,
    'passed < 0 || passed > GRACE_TICKS ? GRACE_TICKS : passed',
    'Math.abs(passed)',
  ]),
  byGuard('lazy, fenced: two writers at the wrap guard', [
    'a lazy hand is moved by an add',
    PACE,
    LAZY_STEP,
    '(memory.add(clock.wrAt, steps * clock.step), true)',
  ]),
  byGuard('lazy, fenced: two writers at the wrap guard', [
    'a lazy hand is moved from where it stands when the tick has been won',
    PACE,
    `return ${LAZY_STEP}`,
    `const late = clock.wr(); return ${LAZY_STEP.replaceAll('wr,', 'late,')}`,
  ]),
  byPace('lazy, fenced: one step a tick, tick by tick', [
    'a tick is written down by a store',
    PACE,
    MOVED_TICK,
    '(memory.store(this.tickAt, now), false)',
  ]),
  byPace('lazy, fenced: one step a tick', [
    'the tick that is, read before the tick that was',
    PACE,
    `${BEFORE}\n        ${NOW}`,
    `${NOW}\n        ${BEFORE}`,
  ]),
]

export const PACE_TRIALS: readonly Trial[] = [...TURN_TRIALS, ...CLOCK_TRIALS]
